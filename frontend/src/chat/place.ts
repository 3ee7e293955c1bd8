import type { Passage } from "./payloads";

export type Box = [number, number, number, number];
/** First character, and the one after the last. */
export type Span = [number, number];

export interface Place {
  kind: "page" | "heading" | "row" | "slide" | "time" | "text";
  page?: number | null;
  /** The number printed on the page, where it differs. */
  page_label?: string | null;
  /** Fractions of the page from its top left: x0, y0, x1, y1. */
  boxes?: Box[] | null;
  heading?: string[] | null;
  sheet?: string | null;
  rows?: [number, number] | null;
  slide?: number | null;
  start_s?: number | null;
  end_s?: number | null;
  url?: string | null;
}

/** The place of a passage in its document: "page 4", "Leave › Carrying over", "rows 3–5". */
export function placeLabel(place: Place | null | undefined): string {
  if (!place) return "";
  switch (place.kind) {
    case "page":
      return place.page ? `page ${place.page}${place.page_label ? ` (printed ${place.page_label})` : ""}` : "";
    case "row":
      return [place.sheet, rowsLabel(place.rows)].filter(Boolean).join(", ");
    case "slide":
      return place.slide ? `slide ${place.slide}` : "";
    case "time":
      return timesLabel(place.start_s, place.end_s);
    default:
      return headingLabel(place.heading);
  }
}

function rowsLabel(rows: [number, number] | null | undefined): string {
  if (!rows) return "";
  return rows[0] === rows[1] ? `row ${rows[0]}` : `rows ${rows[0]}–${rows[1]}`;
}

/** The last two headings say enough: a path of five does not fit a line. */
function headingLabel(path: string[] | null | undefined): string {
  return (path ?? []).slice(-2).join(" › ");
}

/** "12:05–12:31", to whole seconds. */
function timesLabel(start: number | null | undefined, end: number | null | undefined): string {
  if (typeof start !== "number") return "";
  return typeof end === "number" && Math.floor(end) > Math.floor(start) ? `${clock(start)}–${clock(end)}` : clock(start);
}

/** A time of a recording: "1:05", "1:02:05". */
export function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, at) => (at ? String(part).padStart(2, "0") : String(part))).join(":");
}

const NO_BREAK = "\u00A0";

/** "12 Mar 2026", which stays on one line. */
export function dayLabel(time: string | null | undefined): string {
  if (!time) return "";
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "";
  const words = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" }).format(date);
  return words.replaceAll(" ", NO_BREAK);
}

/** "page 4 · 12 Mar 2026" */
export function placeAndDay(passage: Passage): string {
  return [placeLabel(passage.place), dayLabel(passage.as_of)].filter(Boolean).join(" · ");
}
