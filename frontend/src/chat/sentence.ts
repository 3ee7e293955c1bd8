import type { Span } from "./place";

/** Sentences of a text, for announcing an answer as it grows; and what a citation quotes. */

export function sentencesOf(text: string): string[] {
  if (typeof Intl.Segmenter === "function") {
    const segmenter = new Intl.Segmenter(undefined, { granularity: "sentence" });
    return Array.from(segmenter.segment(text), (part) => part.segment.trim()).filter(Boolean);
  }
  return (text.match(/[^.!?\n]+[.!?\n]*/g) ?? []).map((part) => part.trim()).filter(Boolean);
}

/** The sentences of a growing text that are complete: the last one only when `final`. */
export function finishedSentences(text: string, final: boolean): string[] {
  const all = sentencesOf(text);
  if (final) return all;
  return all.slice(0, -1);
}

/** A text for a screen reader: without the signs of Markdown and the citation numbers. */
export function plainText(text: string): string {
  return text
    .replace(/\[\d{1,3}(?:\s*,\s*\d{1,3})*\]/g, "")
    .replace(/[*_`#>|]+/g, "")
    .replace(/\s+/g, " ")
    .replace(/ ([.,;:!?])/g, "$1")
    .trim();
}

/** The quotes of a passage on one line; how the passage begins when there are none. */
export function quoteOf(passage: string, quotes: readonly Span[], limit = 280): string {
  const points = Array.from(passage);
  const parts = quotes.map(([start, end]) => points.slice(start, end).join(""));
  return shorten((parts.join(" … ") || passage).replace(/\s+/g, " ").trim(), limit);
}

export function shorten(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const cut = text.slice(0, limit);
  const space = cut.lastIndexOf(" ");
  return `${cut.slice(0, space > limit / 2 ? space : limit)}…`;
}
