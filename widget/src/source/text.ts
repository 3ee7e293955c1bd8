import { h } from "../page/dom";
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
  start: number;
  end: number;
}

export interface TextView {
  blocks: TextBlock[];
  /** Characters of the passage; null when no passage was asked for. */
  mark: [number, number] | null;
  total?: number | null;
}

/** The text around a passage, with the passage under the marker. Rows of a table become a table. */
export function drawText(view: TextView): HTMLElement {
  const host = h("div", { class: "source-text" });
  let rows: TextBlock[] = [];
  const flush = () => {
    if (rows.length) host.appendChild(drawTable(rows, view.mark));
    rows = [];
  };
  for (const block of view.blocks) {
    if (block.kind === "table_row") {
      rows.push(block);
      continue;
    }
    flush();
    host.appendChild(drawBlock(block, view.mark));
  }
  flush();
  return host;
}

function drawBlock(block: TextBlock, mark: [number, number] | null): HTMLElement {
  const content = marked(block, mark);
  if (block.kind === "heading") return h((block.level ?? 2) <= 2 ? "h3" : "h4", { dir: "auto" }, ...content);
  if (block.kind === "code") return h("pre", { tabindex: "0" }, ...content);
  if (block.kind.startsWith("list")) return h("p", { class: "list-item", dir: "auto" }, ...content);
  return h("p", { dir: "auto" }, ...content);
}

/** The block's text, the part inside the passage in a mark. */
function marked(block: TextBlock, mark: [number, number] | null): Node[] {
  if (!mark) return [document.createTextNode(block.text)];
  const [from, to] = mark;
  const points = Array.from(block.text);
  const start = Math.max(0, Math.min(points.length, from - block.start));
  const end = Math.max(start, Math.min(points.length, to - block.start));
  const text = (a: number, b: number) => points.slice(a, b).join("");
  if (start === end) return [document.createTextNode(block.text)];
  return [
    document.createTextNode(text(0, start)),
    h("mark", {}, text(start, end)),
    document.createTextNode(text(end, points.length)),
  ];
}
