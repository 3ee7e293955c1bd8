import { h } from "../../page/dom";
import type { Span } from "../../chat/place";
import { type TextBlock, touches } from "./text";

/** One row of a document's table, with its cells by the name of their column. */
interface Row {
  number: number | null;
  cells: Map<string, string>;
  /** Columns whose value a citation rests on, where it rests on a part of the row. */
  cited: Set<string>;
  /** Of the passage; and what a citation rests on. */
  inside: boolean;
  marked: boolean;
}

/** A value in the line of a row; start and end are characters (code points) of the line. */
interface Piece {
  name: string;
  value: string;
  start: number;
  end: number;
}

/**
 * Rows come as lines that can be read alone: "Name: value; Name: value" with empty cells left out, or "value | value"
 * without a header. A row of many columns comes in several lines, each beginning with its first cell. The line that
 * names the columns is the head of the table, which stays in view.
 */
export function drawTable(blocks: readonly TextBlock[], mark: Span | null, quotes: readonly Span[]): HTMLElement {
  const [first, ...rest] = blocks;
  const names = first && rest[0] && isHead(first, rest[0]) ? headOf(first.text) : [];
  const rows = rowsOf(names.length ? rest : blocks, mark, quotes);
  const used = new Set(rows.flatMap((row) => [...row.cells.keys()]));
  // In the order of the sheet: a column that the first rows leave empty stands at its place.
  const columns = [...[...used].filter(isPosition), ...new Set([...names.filter((name) => used.has(name)), ...[...used].filter((name) => !isPosition(name))])];
  const numbered = rows.some((row) => row.number !== null);
  const named = columns.some((name) => !isPosition(name));
  const head = [
    ...(numbered ? [h("th", { scope: "col" }, "Row")] : []),
    ...columns.map((name) => h("th", { scope: "col", dir: "auto" }, isPosition(name) ? "" : name)),
  ];
  const marked = names.length > 0 && first !== undefined && quotes.some((quote) => touches(first, quote));
  const body = rows.map((row) =>
    h(
      "tr",
      { class: [row.inside && "in-passage", row.marked && "marked"].filter(Boolean).join(" ") || null },
      numbered ? h("th", { scope: "row" }, row.number === null ? "" : String(row.number)) : null,
      ...columns.map((name) => h("td", { dir: "auto", class: row.cited.has(name) ? "cited" : null }, row.cells.get(name) ?? "")),
    ),
  );
  const table = h("table", {}, named ? h("thead", {}, h("tr", { class: marked ? "marked" : null }, ...head)) : null, h("tbody", {}, ...body));
  return h("div", { class: "table-scroll", tabindex: "0", role: "group", "aria-label": "Rows of the table" }, table);
}

/** Whether a line names the columns of the row that follows it. */
export function isHead(block: TextBlock, next: TextBlock): boolean {
  const names = headOf(block.text);
  return names.length > 0 && (block.sheet ?? null) === (next.sheet ?? null) && !next.text.includes(" | ") && piecesOf(next.text).some(({ name }) => names.includes(name));
}

/** The names in a line such as "Article | Price (12 rows)"; none where it is another line. */
function headOf(text: string): string[] {
  if (/: .*; |; .*: /.test(text)) return [];
  return text.replace(/ \([\d,]+ rows\)$/, "").split(" | ");
}

/** Shows the value that a citation rests on: the one that it names, else the last one of the row that its sentence repeats. */
export function showCited(row: Element, sentence: string): void {
  const cells = [...row.querySelectorAll("td")];
  const has = (value: string) => value.length > 0 && sentence.includes(value);
  const cell = cells.find((each) => each.classList.contains("cited")) ?? cells.filter((each) => has((each.textContent ?? "").trim())).at(-1);
  cell?.classList.add("cited");
  cell?.scrollIntoView({ block: "nearest", inline: "center" });
}

function rowsOf(blocks: readonly TextBlock[], mark: Span | null, quotes: readonly Span[]): Row[] {
  const rows: Row[] = [];
  for (const block of blocks) {
    const number = block.rows ? block.rows[0] : null;
    const inside = mark !== null && touches(block, mark);
    const touching = quotes.filter((quote) => touches(block, quote));
    const cited = citedIn(block, touching);
    const last = rows.at(-1);
    if (last && number !== null && last.number === number) {
      for (const [name, value] of cellsOf(block.text)) last.cells.set(name, value);
      last.inside ||= inside;
      last.marked ||= touching.length > 0;
      for (const name of cited) last.cited.add(name);
    } else {
      rows.push({ number, cells: cellsOf(block.text), cited, inside, marked: touching.length > 0 });
    }
  }
  return rows;
}

/** The columns that quotes of parts of a row touch. */
function citedIn(block: TextBlock, quotes: readonly Span[]): Set<string> {
  const parts = quotes.filter(([start, end]) => start > block.start || end < block.end);
  if (parts.length < quotes.length) return new Set();
  const pieces = piecesOf(block.text).map((piece) => ({ ...piece, start: block.start + piece.start, end: block.start + piece.end }));
  const names = pieces.filter((piece) => parts.some((part) => touches(piece, part))).map(({ name }) => name);
  return names.length < pieces.length ? new Set(names) : new Set();
}

/** Cells by the name of their column; a column without a name is called by its position, "#3". */
export function cellsOf(text: string): Map<string, string> {
  return new Map(piecesOf(text).map(({ name, value }) => [name, value]));
}

function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  const bars = text.includes(" | ");
  let at = 0;
  for (const part of text.split(bars ? " | " : "; ")) {
    const start = at;
    const end = start + Array.from(part).length;
    at = end + (bars ? 3 : 2);
    const colon = bars ? -1 : part.indexOf(": ");
    const last = pieces.at(-1);
    if (colon > 0 && colon <= 100) {
      pieces.push({ name: part.slice(0, colon), value: part.slice(colon + 2), start, end });
    } else if (last && !bars && !isPosition(last.name)) {
      // A value may hold a semicolon of its own.
      last.value += `; ${part}`;
      last.end = end;
    } else {
      pieces.push({ name: `#${pieces.length + 1}`, value: part, start, end });
    }
  }
  return pieces;
}

function isPosition(name: string): boolean {
  return /^#\d+$/.test(name);
}
