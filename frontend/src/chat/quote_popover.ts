import { h } from "../page/dom";
import { placeAndDay, type Span } from "./place";
import { quoteOf } from "./sentence";
import type { Citation } from "./payloads";

const GAP = 8;

/** The popover at a citation chip: the quoted sentence and its place. One for a whole chat. */
export class QuotePopover {
  readonly element = h("div", { class: "quote-popover", id: "quote-popover", role: "tooltip", hidden: true });
  private anchor: HTMLElement | null = null;

  constructor() {
    this.element.addEventListener("mouseleave", () => this.hide());
  }

  show(anchor: HTMLElement, citation: Citation, quotes: Promise<Span[]>): void {
    const { passage } = citation;
    const quoted = h("blockquote", { dir: "auto" }, quoteOf(passage.text, citation.quotes ?? []));
    const weak = isWeak(citation) ? h("p", { class: "quote-weak" }, "The passage supports this only in part.") : null;
    this.element.replaceChildren(
      quoted,
      h("p", { class: "quote-from" }, h("strong", {}, passage.document.name), h("span", {}, placeAndDay(passage))),
      ...(weak ? [weak] : []),
    );
    this.anchor?.removeAttribute("aria-describedby");
    this.anchor = anchor;
    anchor.setAttribute("aria-describedby", this.element.id);
    this.element.hidden = false;
    this.place(anchor);
    if (citation.quotes) return;
    void quotes.then((spans) => {
      if (this.anchor !== anchor || !quoted.isConnected) return;
      quoted.textContent = quoteOf(passage.text, spans);
      this.place(anchor);
    });
  }

  hide(): void {
    this.anchor?.removeAttribute("aria-describedby");
    this.anchor = null;
    this.element.hidden = true;
  }

  get open(): boolean {
    return !this.element.hidden;
  }

  /** Above the chip when there is room, else below; always inside the window. */
  private place(anchor: HTMLElement): void {
    const chip = anchor.getBoundingClientRect();
    const popover = this.element.getBoundingClientRect();
    const left = Math.min(Math.max(GAP, chip.left - popover.width / 2), Math.max(GAP, innerWidth - popover.width - GAP));
    const above = chip.top - popover.height - GAP;
    this.element.style.left = `${left}px`;
    this.element.style.top = `${above > GAP ? above : chip.bottom + GAP}px`;
  }
}

/** Below this share the passage is shown as supporting the sentence only in part. */
const WEAK = 0.5;

export function isWeak(citation: Citation): boolean {
  return typeof citation.support === "number" && citation.support < WEAK;
}
