import { h } from "../../page/dom";
import { icon } from "../../page/icons";
import type { Box } from "../../chat/place";

export interface PageViewOptions {
  /** Address of a page's picture. */
  address: (page: number) => string;
  page: number;
  /** How many pages the document has; null when unknown. */
  pages: number | null;
  /** Lines of the passage, in the order of the text. */
  passage: Line[];
  /** Those of them that a citation rests on; none when that is not known. */
  quoted: Line[];
}

/** A line of a page; the box as fractions of it. */
export interface Line {
  page: number;
  box: Box;
}

/** Space around the lines of a passage, as a fraction of the page: letters reach beyond their boxes. */
const BLEED = 0.004;

/** One page as a picture: a rule beside the passage, the marker over what is quoted, and steps to its neighbours. */
export class PageView {
  readonly element: HTMLElement;
  private page: number;
  private readonly sheet = h("div", { class: "page-sheet" });
  private readonly label = h("span", { class: "page-label", "aria-live": "polite" });
  private readonly back = h("button", { class: "button quiet round", type: "button", "aria-label": "Previous page" }, icon("left"));
  private readonly next = h("button", { class: "button quiet round", type: "button", "aria-label": "Next page" }, icon("right"));
  private readonly home = h("button", { class: "button quiet small", type: "button" }, "Back to the passage");

  constructor(private readonly options: PageViewOptions) {
    this.page = options.page;
    this.back.addEventListener("click", () => this.show(this.page - 1));
    this.next.addEventListener("click", () => this.show(this.page + 1));
    this.home.addEventListener("click", () => this.show(options.page));
    const steps = h("div", { class: "page-steps" }, this.back, this.label, this.next, this.home);
    this.element = h("div", { class: "page-view" }, steps, this.sheet);
    this.show(this.page);
  }

  private show(page: number): void {
    const { pages } = this.options;
    this.page = Math.max(1, pages ? Math.min(pages, page) : page);
    this.label.textContent = pages ? `Page ${this.page} of ${pages}` : `Page ${this.page}`;
    this.back.disabled = this.page <= 1;
    this.next.disabled = pages !== null && this.page >= pages;
    this.home.hidden = this.page === this.options.page;
    const picture = h("img", { alt: `Page ${this.page} of the document`, src: this.options.address(this.page) });
    const here = this.page;
    picture.addEventListener("load", () => here === this.page && this.loaded(picture));
    picture.addEventListener("error", () => here === this.page && this.failed());
    this.sheet.className = "page-sheet loading";
    this.sheet.replaceChildren(picture);
  }

  private loaded(picture: HTMLImageElement): void {
    this.sheet.className = "page-sheet";
    const here = (lines: Line[]) => lines.filter((line) => line.page === this.page).map((line) => line.box);
    const rules = columnsOf(here(this.options.passage)).map(ruleOf);
    const marks = here(this.options.quoted).map(markOf);
    this.sheet.replaceChildren(picture, ...rules, ...marks);
    if (this.page === this.options.page) (marks[0] ?? rules[0])?.scrollIntoView({ block: marks[0] ? "center" : "nearest" });
  }

  private failed(): void {
    this.sheet.className = "page-sheet failed";
    const again = h("button", { class: "button small", type: "button" }, icon("retry"), "Try again");
    again.addEventListener("click", () => this.show(this.page));
    this.sheet.replaceChildren(h("div", { class: "notice warn" }, icon("warn"), h("span", { class: "notice-words" }, "The picture of this page could not be loaded."), again));
  }
}

/** The areas of lines: a new one where the text goes on further up or beside, as in a second column. */
export function columnsOf(lines: readonly Box[]): Box[] {
  const areas: Box[] = [];
  for (const [x0, y0, x1, y1] of lines) {
    const last = areas.at(-1);
    if (last && y0 > last[1] - BLEED && x0 < last[2] && x1 > last[0]) {
      areas[areas.length - 1] = [Math.min(last[0], x0), last[1], Math.max(last[2], x1), Math.max(last[3], y1)];
    } else {
      areas.push([x0, y0, x1, y1]);
    }
  }
  return areas;
}

/** The rule stands in the margin before the lines. */
function ruleOf([x0, y0, , y1]: Box): HTMLElement {
  const rule = h("div", { class: "page-rule" });
  rule.style.left = percent(Math.max(0, x0 - 4 * BLEED));
  rule.style.top = percent(y0 - BLEED);
  rule.style.height = percent(y1 - y0 + 2 * BLEED);
  return rule;
}

function markOf([x0, y0, x1, y1]: Box): HTMLElement {
  const mark = h("div", { class: "page-mark" });
  mark.style.left = percent(x0 - BLEED);
  mark.style.top = percent(y0 - BLEED);
  mark.style.width = percent(x1 - x0 + 2 * BLEED);
  mark.style.height = percent(y1 - y0 + 2 * BLEED);
  return mark;
}

function percent(fraction: number): string {
  return `${(fraction * 100).toFixed(3)}%`;
}
