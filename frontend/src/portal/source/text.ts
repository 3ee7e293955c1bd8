import { h } from "../../page/dom";
import { type Box, clock, type Span } from "../../chat/place";
import { drawTable, isHead } from "./table";

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
 * of a table become a table, and each slide of a presentation stands on a sheet of its own.
 */
export function drawText(view: TextView, quotes: readonly Span[]): HTMLElement {
  const host = h("div", { class: "source-text" });
  let sheet: HTMLElement = host;
  let slide: number | null = null;
  let passage: HTMLElement | null = null;
  let rows: TextBlock[] = [];
  const flush = () => {
    if (rows.length) sheet.appendChild(drawTable(rows, view.mark, quotes));
    rows = [];
  };
  for (const [at, block] of view.blocks.entries()) {
    if ((block.slide ?? null) !== slide) {
      flush();
      passage = null;
      slide = block.slide ?? null;
      sheet = slide === null ? host : host.appendChild(slideSheet(slide));
    }
    if (block.kind === "table_row") {
      passage = null;
      const next = view.blocks[at + 1];
      // Another sheet, or names of columns, begin another table.
      if (rows.length && ((rows[0]?.sheet ?? null) !== (block.sheet ?? null) || (next?.kind === "table_row" && isHead(block, next)))) flush();
      rows.push(block);
      continue;
    }
    flush();
    const drawn = drawBlock(block, quotes);
    if (view.mark && touches(block, view.mark)) {
      passage ??= sheet.appendChild(h("div", { class: "in-passage" }));
      passage.appendChild(drawn);
    } else {
      passage = null;
      sheet.appendChild(drawn);
    }
  }
  flush();
  return host;
}

function slideSheet(slide: number): HTMLElement {
  return h("section", { class: "slide", "aria-label": `Slide ${slide}` }, h("p", { class: "slide-n" }, `Slide ${slide}`));
}

function drawBlock(block: TextBlock, quotes: readonly Span[]): HTMLElement {
  const content = marked(block.text, block.start, quotes);
  // Below the title of a slide stand its notes; elsewhere two levels are titles.
  if (block.kind === "heading") return h((block.level ?? 2) <= (block.slide ? 1 : 2) ? "h3" : "h4", { dir: "auto" }, ...content);
  if (block.kind === "code") return h("pre", { tabindex: "0" }, ...content);
  if (block.kind.startsWith("list")) {
    const item = h("p", { class: "list-item", dir: "auto" }, ...content);
    item.style.setProperty("--depth", String(Math.min(6, Math.max(1, block.level ?? 1))));
    return item;
  }
  // The second stands beside what is said then, outside of the text that is copied and quoted.
  if (block.time) return h("p", { class: "spoken" }, h("span", { class: "second" }, clock(block.time[0])), h("span", { dir: "auto" }, ...content));
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
