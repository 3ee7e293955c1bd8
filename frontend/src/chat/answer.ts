import { h } from "../page/dom";
import { icon } from "../page/icons";
import { carryCitations, carryMarkers, sourcesOf } from "./citations";
import { errorText } from "./error_text";
import { drawMarkdown } from "./markdown";
import type { Citation, ErrorBody, Message, Passage } from "./payloads";
import { placeAndDay, placeLabel, type Span } from "./place";
import { isWeak } from "./quote_popover";

export interface AnswerOptions {
  onOpen: (citation: Citation, from: HTMLElement, quotes: Promise<Span[]>) => void;
  onHover: (citation: Citation, from: HTMLElement, quotes: Promise<Span[]>) => void;
  onLeave: () => void;
  onRetry: () => void;
  /** The message with the quotes of all its citations. */
  read: (id: string) => Promise<Message>;
}

/** The view of one answer: the status line, the text with its chips, the row of sources, the foot. */
export class Answer {
  readonly element: HTMLElement;
  text = "";
  /** The passages that the answer is written from, once they are known. */
  passages: readonly Passage[] = [];
  private readonly status = h("p", { class: "waiting", hidden: true });
  private readonly prose = h("div", { class: "prose" });
  private readonly sources = h("ol", { class: "answer-sources", "aria-label": "Sources of this answer" });
  private readonly notice = h("div", { class: "notice", hidden: true });
  private readonly foot = h("div", { class: "answer-foot", hidden: true });
  private readonly citations = new Map<number, Citation>();
  private message: Message | null = null;
  private withQuotes: Promise<Message> | null = null;
  private frame = 0;

  constructor(private readonly options: AnswerOptions) {
    this.sources.hidden = true;
    this.element = h("div", { class: "answer" }, this.status, this.prose, this.notice, this.sources, this.foot);
    this.element.addEventListener("keydown", (event) => this.moveFocus(event));
  }

  /** Who writes: a model, or the documents themselves. */
  setMode(mode: Message["mode"]): void {
    this.element.classList.toggle("extractive", mode === "extractive");
  }

  /** Shows the text of what happens now; null takes it away. */
  showStatus(text: string | null): void {
    this.status.hidden = text === null;
    if (text !== null) this.status.replaceChildren(h("span", { class: "pulse", "aria-hidden": "true" }), h("span", {}, text));
  }

  /** Sets the passages that the answer may cite. */
  setPassages(passages: readonly Passage[]): void {
    this.passages = passages;
  }

  /** Adds a citation; its marker, which has come before it, becomes a chip. */
  addCitation(citation: Citation): void {
    this.citations.set(citation.n, citation);
    this.drawSoon();
  }

  /** Adds text to the end of the answer. */
  addText(text: string): void {
    this.text += text;
    this.drawSoon();
  }

  private drawSoon(): void {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw(carryMarkers(this.text, new Set(this.citations.keys()), true));
    });
  }

  /** Shows the answer as it was recorded. */
  finish(message: Message): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.showStatus(null);
    this.text = message.content;
    this.setMode(message.mode);
    const { citations } = message;
    this.message = message;
    this.citations.clear();
    for (const citation of citations) this.citations.set(citation.n, citation);
    this.draw(carryCitations(message.content, citations));
    this.listSources(sourcesOf(citations));
    this.explainEnd(message);
    this.drawFoot(message);
  }

  /** The stream ended without an answer row to show: what has come stays. */
  fail(error: ErrorBody): void {
    this.showStatus(null);
    this.showNotice("bad", errorText(error), true, error.request_id);
  }

  /** The reader stopped before there was an answer row: what has come stays. */
  showStopped(): void {
    this.showStatus(null);
    this.showNotice("plain", this.text ? "Stopped. This answer is not complete." : "Stopped.", true);
  }

  private draw(carried: string): void {
    drawMarkdown(this.prose, carried, { chip: (n) => this.chip(n) });
  }

  private chip(n: number): Node {
    const citation = this.citations.get(n);
    if (!citation) return document.createTextNode(`[${n}]`);
    const where = [citation.passage.document.name, placeLabel(citation.passage.place)].filter(Boolean).join(", ");
    const chip = h("button", { class: isWeak(citation) ? "chip weak" : "chip", type: "button", "data-n": n, "aria-label": `Source ${n}: ${where}` }, String(n));
    const current = () => this.citationAt(chip, n) ?? citation;
    const hover = () => this.options.onHover(current(), chip, this.quotes(current()));
    chip.addEventListener("click", () => this.options.onOpen(current(), chip, this.quotes(current())));
    chip.addEventListener("mouseenter", hover);
    chip.addEventListener("focus", hover);
    chip.addEventListener("mouseleave", () => this.options.onLeave());
    chip.addEventListener("blur", () => this.options.onLeave());
    return chip;
  }

  /** One passage may be cited by several sentences: the second chip of a number is its second citation. */
  private citationAt(chip: HTMLElement, n: number): Citation | undefined {
    const same = (this.message?.citations ?? []).filter((citation) => citation.n === n).sort((a, b) => a.start - b.start);
    const place = [...this.prose.querySelectorAll(`.chip[data-n="${n}"]`)].indexOf(chip);
    return same[place] ?? same[0] ?? this.citations.get(n);
  }

  /** The quotes of a citation; the server looks for them when they are first needed. None when it cannot. */
  private async quotes(citation: Citation): Promise<Span[]> {
    if (citation.quotes || !this.message) return citation.quotes ?? [];
    try {
      this.withQuotes ??= this.options.read(this.message.id);
      const { citations } = await this.withQuotes;
      return citations.find((each) => each.n === citation.n && each.start === citation.start)?.quotes ?? [];
    } catch {
      this.withQuotes = null;
      return [];
    }
  }

  private listSources(citations: readonly Citation[]): void {
    this.sources.hidden = citations.length === 0;
    this.sources.replaceChildren(
      ...citations.map((citation) => {
        const { passage, n } = citation;
        const open = h(
          "button",
          { class: "source", type: "button" },
          h("span", { class: "source-n" }, String(n)),
          h("span", { class: "source-name", dir: "auto" }, passage.document.name),
          h("span", { class: "source-place" }, placeAndDay(passage)),
        );
        open.addEventListener("click", () => this.options.onOpen(citation, open, this.quotes(citation)));
        return h("li", {}, open);
      }),
    );
  }

  private explainEnd(message: Message): void {
    if (message.state === "failed") {
      const text = message.error ? errorText(message.error) : "The answer could not be written. Try again in a moment.";
      this.showNotice("bad", text, true, message.error?.request_id);
    } else if (message.state === "stopped") {
      this.showNotice("plain", this.text ? "Stopped. This answer is not complete." : "Stopped.", true);
    } else if (message.state === "interrupted") {
      this.showNotice("warn", message.error ? errorText(message.error) : "This answer was cut off before its end.", true, message.error?.request_id);
    } else if (message.notice) {
      this.showNotice("plain", message.notice.message, true, null, h("a", { href: "/documents" }, "See how far they are"));
    } else {
      this.notice.hidden = true;
    }
  }

  private showNotice(kind: "bad" | "warn" | "plain", text: string, retry: boolean, requestId?: string | null, more: Node | null = null): void {
    const again = h("button", { class: "button small", type: "button" }, icon("retry"), "Try again");
    again.addEventListener("click", () => this.options.onRetry());
    this.notice.className = `notice ${kind}`;
    this.notice.replaceChildren(
      icon(more ? "document" : kind === "plain" ? "stop" : kind),
      h("span", { class: "notice-words" }, text, more ? " " : null, more, requestId ? h("span", { class: "notice-id" }, ` Request ${requestId}`) : null),
      ...(retry ? [again] : []),
    );
    this.notice.hidden = false;
  }

  private drawFoot(message: Message): void {
    const copy = h("button", { class: "button quiet small", type: "button" }, icon("copy"), h("span", {}, "Copy"));
    copy.addEventListener("click", () => void this.copy(copy));
    const again = h("button", { class: "button quiet small", type: "button" }, icon("retry"), "Ask again");
    again.addEventListener("click", () => this.options.onRetry());
    const mode = message.content ? modeText(message) : "";
    this.foot.replaceChildren(
      ...(message.content ? [copy] : []),
      ...(message.state === "done" ? [again] : []),
      ...(mode ? [h("span", { class: "mode" }, mode)] : []),
    );
    this.foot.hidden = this.foot.childElementCount === 0;
  }

  /** Copies the text and then the list of its sources, so that it can stand alone. */
  private async copy(button: HTMLButtonElement): Promise<void> {
    const list = sourcesOf([...this.citations.values()])
      .map(({ n, passage }) => `[${n}] ${[passage.document.name, placeAndDay(passage)].filter(Boolean).join(", ")}`)
      .join("\n");
    const label = button.querySelector("span");
    try {
      await navigator.clipboard.writeText(list ? `${this.text}\n\n${list}` : this.text);
      if (label) label.textContent = "Copied";
    } catch {
      if (label) label.textContent = "The browser does not allow copying here";
    }
    setTimeout(() => {
      if (label) label.textContent = "Copy";
    }, 2000);
  }

  /** Moves the focus from citation to citation by arrow keys. */
  private moveFocus(event: KeyboardEvent): void {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const target = event.target as HTMLElement;
    if (!step || !target.matches(".chip, .source")) return;
    const all = [...this.element.querySelectorAll<HTMLElement>(target.matches(".chip") ? ".chip" : ".source")];
    const next = all[all.indexOf(target) + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }
}

/** The text of who wrote the answer. */
export function modeText(message: Message): string {
  if (message.mode === "extractive") return message.error ? "Quoted from your documents: the model gave no answer" : "Quoted from your documents, no model used";
  if (message.mode === "refused") return message.notice ? "Not in the documents read so far" : "Not in the documents";
  if (message.mode === "model" && message.state === "done" && message.citations.length === 0) return "No source was found for this answer";
  if (message.mode === "model") return message.model ? `Written by ${message.model} from your documents` : "Written by a model from your documents";
  return "";
}
