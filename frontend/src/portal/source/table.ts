import { h } from "../../page/dom";
import type { Span } from "../../chat/place";
import { type TextBlock, touches } from "./text";

/** One row of a document's table, with its cells by the name of their column. */
interface Row {
  number: number | null;
  cells: Map<string, string>;
  /** Of the passage; and what a citation rests on. */
  inside: boolean;
  marked: boolean;
}

/**
 * Rows come as lines that can be read alone: "Name: value; Name: value" with empty cells left out, or "value | value"
 * without a header. A row of many columns comes in several lines, each beginning with its first cell.
 */
export function drawTable(blocks: readonly TextBlock[], mark: Span | null, quotes: readonly Span[]): HTMLElement {
  const rows = rowsOf(blocks, mark, quotes);
  const columns = [...new Set(rows.flatMap((row) => [...row.cells.keys()]))];
  const numbered = rows.some((row) => row.number !== null);
  const named = columns.some((name) => !isPosition(name));
  const head = [
    ...(numbered ? [h("th", { scope: "col" }, "Row")] : []),
    ...columns.map((name) => h("th", { scope: "col", dir: "auto" }, isPosition(name) ? "" : name)),
  ];
  const body = rows.map((row) =>
    h(
      "tr",
      { class: [row.inside && "in-passage", row.marked && "marked"].filter(Boolean).join(" ") || null },
      numbered ? h("th", { scope: "row" }, row.number === null ? "" : String(row.number)) : null,
      ...columns.map((name) => h("td", { dir: "auto" }, row.cells.get(name) ?? "")),
    ),
  );
  const table = h("table", {}, named ? h("thead", {}, h("tr", {}, ...head)) : null, h("tbody", {}, ...body));
  return h("div", { class: "table-scroll", tabindex: "0", role: "group", "aria-label": "Rows of the table" }, table);
}

function rowsOf(blocks: readonly TextBlock[], mark: Span | null, quotes: readonly Span[]): Row[] {
  const rows: Row[] = [];
  for (const block of blocks) {
    const number = block.rows ? block.rows[0] : null;
    const inside = mark !== null && touches(block, mark);
    const marked = quotes.some((quote) => touches(block, quote));
    const last = rows.at(-1);
    if (last && number !== null && last.number === number) {
      for (const [name, value] of cellsOf(block.text)) last.cells.set(name, value);
      last.inside ||= inside;
      last.marked ||= marked;
    } else {
      rows.push({ number, cells: cellsOf(block.text), inside, marked });
    }
  }
  return rows;
}

/** Cells by the name of their column; a column without a name is called by its position, "#3". */
export function cellsOf(text: string): Map<string, string> {
  const cells = new Map<string, string>();
  const bars = text.includes(" | ");
  let last = "";
  for (const part of text.split(bars ? " | " : "; ")) {
    const colon = bars ? -1 : part.indexOf(": ");
    if (colon > 0 && colon <= 100) {
      last = part.slice(0, colon);
      cells.set(last, part.slice(colon + 2));
    } else if (last && !bars) {
      // A value may hold a semicolon of its own.
      cells.set(last, `${cells.get(last) ?? ""}; ${part}`);
    } else {
      cells.set(`#${cells.size + 1}`, part);
    }
  }
  return cells;
}

function isPosition(name: string): boolean {
  return /^#\d+$/.test(name);
}
