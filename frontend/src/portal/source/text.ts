import { h } from "../../page/dom";
import type { Box, Span } from "../../chat/place";
import { drawTable } from "./table";

/** A block of a document's text; start and end are characters (code points) of the whole text. */
export interface TextBlock {
  kind: string;
  text: string;
  /** 1 to 6 for a heading, depth from 1 for a list item, else 0. */
  level?: number | null;
  heading?: string[] | null;
  page?: number | null;
  rows?: [number, number] | null;
  sheet?: string | null;
  slide?: number | null;
  /** First and last second of a recording. */
  time?: [number, number] | null;
  /** Of a recording: each word's first character within the block, and its second. */
  words?: [number, number][] | null;
  start: number;
  end: number;
  /** Lines of a PDF's page, where the block belongs to the passage. */
  lines?: { start: number; end: number; box: Box }[] | null;
}

export interface TextView {
  blocks: TextBlock[];
  /** Characters of the passage; null when no passage was asked for. */
  mark: Span | null;
  total?: number | null;
  /** Number of the block to go on from; null at the end. */
  next?: number | null;
  /** The version whose text this is, and what that version is. */
  version?: number;
  media_type?: string;
  pages?: number | null;
}

/** Whether characters of a piece of text are among those of a span. */
export function touches(piece: { start: number; end: number }, [start, end]: Span): boolean {
  return piece.start < end && piece.end > start;
}

/**
 * The text around a passage: a rule beside the passage, and what a citation rests on, `quotes`, under the marker. Rows
 * of a table become a table.
 */
export function drawText(view: TextView, quotes: readonly Span[]): HTMLElement {
  const host = h("div", { class: "source-text" });
  let passage: HTMLElement | null = null;
  let rows: TextBlock[] = [];
  const flush = () => {
    if (rows.length) host.appendChild(drawTable(rows, view.mark, quotes));
    rows = [];
  };
  for (const block of view.blocks) {
    if (block.kind === "table_row") {
      passage = null;
      rows.push(block);
      continue;
    }
    flush();
    const drawn = drawBlock(block, quotes);
    if (view.mark && touches(block, view.mark)) {
      passage ??= host.appendChild(h("div", { class: "in-passage" }));
      passage.appendChild(drawn);
    } else {
      passage = null;
      host.appendChild(drawn);
    }
  }
  flush();
  return host;
}

function drawBlock(block: TextBlock, quotes: readonly Span[]): HTMLElement {
  const content = marked(block.text, block.start, quotes);
  if (block.kind === "heading") return h((block.level ?? 2) <= 2 ? "h3" : "h4", { dir: "auto" }, ...content);
  if (block.kind === "code") return h("pre", { tabindex: "0" }, ...content);
  if (block.kind.startsWith("list")) return h("p", { class: "list-item", dir: "auto" }, ...content);
  return h("p", { dir: "auto" }, ...content);
}

/** A text that begins at character `first`, the parts inside the spans in marks. */
export function marked(text: string, first: number, spans: readonly Span[]): Node[] {
  const points = Array.from(text);
  const within = (at: number) => Math.max(0, Math.min(points.length, at - first));
  const nodes: Node[] = [];
  let last = 0;
  const plain = (to: number) => {
    if (to > last) nodes.push(document.createTextNode(points.slice(last, to).join("")));
  };
  for (const [from, to] of spans) {
    const start = Math.max(last, within(from));
    const end = within(to);
    if (start >= end) continue;
    plain(start);
    nodes.push(h("mark", {}, points.slice(start, end).join("")));
    last = end;
  }
  plain(points.length);
  return nodes;
}
