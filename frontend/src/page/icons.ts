/** Line drawings on a 20 px grid. The build writes the same paths to icons.svg for the server's templates. */

export const ICONS = {
  ascending: "M10 15V5M6.5 8.5L10 5l3.5 3.5",
  ask: "M4 5.5A1.5 1.5 0 0 1 5.5 4h9A1.5 1.5 0 0 1 16 5.5v6a1.5 1.5 0 0 1-1.5 1.5H9l-4 3.5V13h.5A1.5 1.5 0 0 1 4 11.5z",
  bad: "M10 3.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM10 7v3.5M10 13.2v.1",
  check: "M4.5 10.5l3.5 3.5 7.5-8",
  close: "M5 5l10 10M15 5L5 15",
  copy: "M7.5 7.5h8v8h-8zM12.5 7.5v-3h-8v8h3",
  descending: "M10 5v10M6.5 11.5L10 15l3.5-3.5",
  document: "M5.5 3.5h6l3 3v10h-9zM11.5 3.5v3h3M8 10h4M8 13h4",
  down: "M10 4.5v11M5.5 11l4.5 4.5 4.5-4.5",
  file: "M5.5 3.5h6l3 3v10h-9zM11.5 3.5v3h3",
  folder: "M3.5 6A1.5 1.5 0 0 1 5 4.5h3l2 2h5A1.5 1.5 0 0 1 16.5 8v6a1.5 1.5 0 0 1-1.5 1.5H5A1.5 1.5 0 0 1 3.5 14z",
  lamp: "M6.5 16.5h7M10 16.5V12M4.5 12h11L13 5.5H7z",
  left: "M12 5l-5 5 5 5",
  menu: "M3.5 6h13M3.5 10h13M3.5 14h13",
  moon: "M15.5 11.8A6 6 0 0 1 8.2 4.5a6 6 0 1 0 7.3 7.3z",
  open: "M9 5H4.5v10.5H15V11M11.5 4H16v4.5M16 4l-7 7",
  people: "M7.5 9.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM3 16c0-2.5 2-4 4.5-4s4.5 1.5 4.5 4M13 5a2.3 2.3 0 0 1 0 4.4M14.2 12.3c1.7.5 2.8 1.8 2.8 3.7",
  plus: "M10 4.5v11M4.5 10h11",
  quote: "M4.5 13.5V9.8C4.5 7.6 5.8 6 8 5.5M4.5 10.5h3.5v4H4.5zM11.5 13.5V9.8c0-2.2 1.3-3.8 3.5-4.3M11.5 10.5H15v4h-3.5z",
  retry: "M15.5 10a5.5 5.5 0 1 1-1.7-4M15.5 3.5v3h-3",
  right: "M8 5l5 5-5 5",
  search: "M9 4a5 5 0 1 1 0 10A5 5 0 0 1 9 4zM12.8 12.8l3.7 3.7",
  send: "M10 15.5v-11M5.5 9L10 4.5 14.5 9",
  settings: "M3.5 6.5h8M15.5 6.5h1M3.5 13.5h1M8.5 13.5h8M13.5 4.5v4M6.5 11.5v4",
  stop: "M5.5 5.5h9v9h-9z",
  sun: "M10 7a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM10 2.5v1.7M10 15.8v1.7M2.5 10h1.7M15.8 10h1.7M4.7 4.7l1.2 1.2M14.1 14.1l1.2 1.2M4.7 15.3l1.2-1.2M14.1 5.9l1.2-1.2",
  trash: "M4.5 6h11M8 6V4h4v2M6 6l.6 10h6.8L14 6M8.6 9v4.5M11.4 9v4.5",
  upload: "M10 13V4.5M6.5 8L10 4.5 13.5 8M4.5 12.5v3h11v-3",
  warn: "M10 4l7 12.5H3zM10 8.5V12M10 14.2v.1",
  wide: "M8 6L4 10l4 4M12 6l4 4-4 4",
} as const;

export type IconName = keyof typeof ICONS;

const SVG = "http://www.w3.org/2000/svg";

/** An icon is decoration: the words beside it, or the label of its button, carry the meaning. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.appendChild(path);
  return svg;
}
