/** Sentences of a text: for announcing an answer as it grows and for showing what a citation quotes. */

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

/** What a screen reader should say: without the signs of Markdown and the citation numbers. */
export function spoken(text: string): string {
  return text
    .replace(/\[\d{1,3}(?:\s*,\s*\d{1,3})*\]/g, "")
    .replace(/[*_`#>|]+/g, "")
    .replace(/\s+/g, " ")
    .replace(/ ([.,;:!?])/g, "$1")
    .trim();
}

/** The sentence of a passage that shares most words with what the answer says; the first ones if none does. */
export function quoteFor(passage: string, claim: string, limit = 280): string {
  const wanted = new Set(wordsOf(claim));
  let best = "";
  let bestScore = 0;
  for (const sentence of sentencesOf(passage)) {
    const words = new Set(wordsOf(sentence));
    let shared = 0;
    for (const word of words) if (wanted.has(word)) shared += 1;
    const score = shared / Math.sqrt(words.size + 4);
    if (score > bestScore) [best, bestScore] = [sentence, score];
  }
  return shorten(best || passage.replace(/\s+/g, " ").trim(), limit);
}

export function shorten(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const cut = text.slice(0, limit);
  const space = cut.lastIndexOf(" ");
  return `${cut.slice(0, space > limit / 2 ? space : limit)}…`;
}

function wordsOf(text: string): string[] {
  return (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).filter((word) => word.length > 2 || /\d/.test(word));
}
