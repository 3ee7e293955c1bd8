import type { Citation } from "./payloads";

/** Private-use characters that carry a citation through the Markdown lexer, which would take `[1]` for a link. */
export const OPEN = "\uE000";
export const CLOSE = "\uE001";
const CARRIERS = /[\uE000\uE001]/g;
const MARKER = /\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\](?!\()/g;
/** A marker whose end, or whose citation, has not arrived yet: held back, or the reader would see it change. */
const HALF_MARKER = /\[\d{0,3}(?:\s*,\s*\d{0,3})*$/;
const LAST_MARKER = /\[(\d{1,3})\]$/;

/** `text` with each `[n]` of a known number replaced by a carrier; other brackets stay as they are. */
export function carryMarkers(text: string, known: ReadonlySet<number>, growing: boolean): string {
  const clean = text.replace(CARRIERS, "\uFFFD");
  const whole = growing ? clean.replace(HALF_MARKER, "").replace(LAST_MARKER, (marker, n) => (known.has(Number(n)) ? marker : "")) : clean;
  return whole.replace(MARKER, (marker, list: string) => {
    const numbers = list.split(",").map(Number);
    return numbers.every((n) => known.has(n)) ? numbers.map(carrier).join("") : marker;
  });
}

/**
 * The finished answer with the citations that the server resolved: where one's span holds no `[n]`, its chip is put
 * at the end of the span. start and end count code points, so offsets go through an array of them.
 */
export function carryCitations(text: string, citations: readonly Citation[]): string {
  const known = new Set(citations.map((citation) => citation.n));
  const points = Array.from(text);
  const inserts: { at: number; n: number }[] = [];
  for (const { n, start, end } of citations) {
    if (end > points.length) continue;
    // The marker may stand inside the span or right behind it.
    const around = points.slice(start, end + `[${n}]`.length + 1).join("");
    if (!hasMarker(around, n)) inserts.push({ at: end, n });
  }
  for (const { at, n } of inserts.sort((a, b) => b.at - a.at || b.n - a.n)) points.splice(at, 0, `[${n}]`);
  return carryMarkers(points.join(""), known, false);
}

/** The first citation of each number, by number. */
export function sourcesOf(citations: readonly Citation[]): Citation[] {
  const first = new Map<number, Citation>();
  for (const citation of citations) if (!first.has(citation.n)) first.set(citation.n, citation);
  return [...first.values()].sort((a, b) => a.n - b.n);
}

/** A text node's pieces: strings, and the numbers of citations between them. */
export function piecesOf(text: string): (string | number)[] {
  return text
    .split(new RegExp(`${OPEN}(\\d+)${CLOSE}`))
    .map((piece, index) => (index % 2 ? Number(piece) : piece))
    .filter((piece) => piece !== "");
}

/** Inside code a number in brackets is code. */
export function withoutCarriers(text: string): string {
  return text.replace(new RegExp(`${OPEN}(\\d+)${CLOSE}`, "g"), "[$1]");
}

function carrier(n: number): string {
  return `${OPEN}${n}${CLOSE}`;
}

function hasMarker(text: string, n: number): boolean {
  for (const [, list] of text.matchAll(MARKER)) {
    if (list?.split(",").some((part) => Number(part) === n)) return true;
  }
  return false;
}
