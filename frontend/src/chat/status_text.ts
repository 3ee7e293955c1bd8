import type { Passage } from "./payloads";

/** Text of what happens now, by the name of the step. */
const STEPS: Record<string, string> = {
  rewrite: "Reading your question together with what was said before",
  search: "Searching your documents",
  embed: "Searching your documents",
  retrieve: "Searching your documents",
  rerank: "Choosing the best passages",
  prompt: "Reading the passages",
  answer: "Writing the answer",
  model: "Writing the answer",
  generate: "Writing the answer",
};

export const SEARCHING = "Searching your documents";

export function stepText(name: string): string {
  return STEPS[name] ?? "Working on your question";
}

export function readingText(passages: readonly Passage[]): string {
  if (passages.length === 0) return "Nothing in your documents is close to this question";
  const documents = new Set(passages.map((passage) => passage.document.id)).size;
  return `Reading ${count(passages.length, "passage")} from ${count(documents, "document")}`;
}

export function queueText(position: number, waitS: number | null | undefined): string {
  const place = position <= 1 ? "Next in line" : `Number ${position} in line`;
  return typeof waitS === "number" && waitS >= 1 ? `${place}, about ${Math.ceil(waitS)} s` : place;
}

export function count(n: number, noun: string): string {
  return `${n.toLocaleString("en-GB")} ${noun}${n === 1 ? "" : "s"}`;
}
