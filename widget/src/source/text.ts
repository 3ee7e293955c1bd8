import { h } from "../page/dom";

/** A block of a document's text; start and end are characters (code points) of the whole text. */
export interface TextBlock {
  kind: string;
  text: string;
  level?: number | null;
  heading?: string[] | null;
  page?: number | null;
  rows?: [number, number] | null;
  start: number;
  end: number;
}

export interface TextView {
  blocks: TextBlock[];
  /** Characters of the passage. */
  mark: [number, number];
  total?: number | null;
}

/** The text around a passage, with the passage under the marker. Rows of a table become a table. */
export function drawText(view: TextView): HTMLElement {
  const host = h("div", { class: "source-text" });
  let rows: TextBlock[] = [];
  const flush = () => {
    if (rows.length) host.appendChild(table(rows, view.mark));
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

function drawBlock(block: TextBlock, mark: [number, number]): HTMLElement {
  const content = marked(block, mark);
  if (block.kind === "heading") return h((block.level ?? 2) <= 2 ? "h3" : "h4", { dir: "auto" }, ...content);
  if (block.kind === "code") return h("pre", { tabindex: "0" }, ...content);
  if (block.kind.startsWith("list")) return h("p", { class: "list-item", dir: "auto" }, ...content);
  return h("p", { dir: "auto" }, ...content);
}

/** The block's text, the part inside the passage in a mark. */
function marked(block: TextBlock, [from, to]: [number, number]): Node[] {
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

function table(rows: TextBlock[], mark: [number, number]): HTMLElement {
  const first = cellsOf(rows[0]?.text ?? "");
  const named = first.length > 0 && rows.every((row) => cellsOf(row.text).every((cell) => cell.name !== null));
  const head = named ? h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Row"), ...first.map((cell) => h("th", { scope: "col", dir: "auto" }, cell.name ?? "")))) : null;
  const body = rows.map((row) => {
    const inside = row.start < mark[1] && row.end > mark[0];
    const number = row.rows ? String(row.rows[0]) : "";
    return h("tr", { class: inside ? "marked" : null }, h("th", { scope: "row" }, number), ...cellsOf(row.text).map((cell) => h("td", { dir: "auto" }, cell.value)));
  });
  return h("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "Rows of the table" }, h("table", {}, head, h("tbody", {}, ...body)));
}

interface Cell {
  name: string | null;
  value: string;
}

/** A row's text is "Name: value; Name: value", or cells between bars when the table has no header. */
export function cellsOf(text: string): Cell[] {
  const parts = text.includes(" | ") ? text.split(" | ") : text.split("; ");
  return parts.map((part) => {
    const colon = part.indexOf(": ");
    return colon > 0 && colon < 60 ? { name: part.slice(0, colon), value: part.slice(colon + 2) } : { name: null, value: part };
  });
}
