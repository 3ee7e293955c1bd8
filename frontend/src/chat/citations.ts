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
 * The finished answer with the citations that the server resolved. A `[n]` is a chip where it stands in, or right behind,
 * the span of a citation of that number; a bracket that a quotation brought along stays text. Where a span holds no
 * `[n]`, its chip is put at the end of the span. start and end count code points, so offsets go through an array of them.
 */
export function carryCitations(text: string, citations: readonly Citation[]): string {
  const clean = text.replace(CARRIERS, "\uFFFD");
  const points = Array.from(clean);
  const edits: { at: number; length: number; numbers: number[] }[] = [];
  for (const match of clean.matchAll(MARKER)) {
    const at = Array.from(clean.slice(0, match.index)).length;
    const numbers = (match[1] ?? "").split(",").map(Number);
    const stands = ({ n, start, end }: Citation) => numbers.includes(n) && at >= start && at + match[0].length <= end + match[0].length + 1;
    const cited = new Set(citations.filter(stands).map(({ n }) => n));
    if (numbers.every((n) => cited.has(n))) edits.push({ at, length: match[0].length, numbers });
  }
  const marked = (citation: Citation) =>
    edits.some(({ at, length, numbers }) => length > 0 && numbers.includes(citation.n) && at >= citation.start && at <= citation.end + 1);
  const unmarked = citations.filter((citation) => citation.end <= points.length && !marked(citation));
  for (const { n, end } of unmarked) edits.push({ at: end, length: 0, numbers: [n] });
  for (const { at, length, numbers } of edits.sort((a, b) => b.at - a.at || (b.numbers[0] ?? 0) - (a.numbers[0] ?? 0))) {
    points.splice(at, length, ...numbers.map(carrier));
  }
  return points.join("");
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
