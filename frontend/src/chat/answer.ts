import { h } from "../page/dom";
import { icon } from "../page/icons";
import { carryCitations, carryMarkers, inOrder } from "./citations";
import { isWeak } from "./card";
import { drawMarkdown } from "./markdown";
import { placeAndDay, placeLabel } from "./place";
import type { Citation, ErrorBody, Message, Passage, Span } from "./shapes";
import { errorWords } from "./words";

export interface AnswerOptions {
  onOpen: (citation: Citation, from: HTMLElement, quotes: Promise<Span[]>) => void;
  onHover: (citation: Citation, from: HTMLElement, quotes: Promise<Span[]>) => void;
  onLeave: () => void;
  onRetry: () => void;
  /** The message with the quotes of all its citations. */
  read: (id: string) => Promise<Message>;
}

/** One answer as it is seen: the waiting line, the text with its chips, the row of sources, the foot. */
export class Answer {
  readonly element: HTMLElement;
  text = "";
  /** The passages that the answer is written from, once they are known. */
  offered: readonly Passage[] = [];
  private readonly waiting = h("p", { class: "waiting", hidden: true });
  private readonly prose = h("div", { class: "prose" });
  private readonly sources = h("ol", { class: "answer-sources", "aria-label": "Sources of this answer" });
  private readonly notice = h("div", { class: "notice", hidden: true });
  private readonly foot = h("div", { class: "answer-foot", hidden: true });
  private readonly citations = new Map<number, Citation>();
  private message: Message | null = null;
  private whole: Promise<Message> | null = null;
  private frame = 0;

  constructor(private readonly options: AnswerOptions) {
    this.sources.hidden = true;
    this.element = h("div", { class: "answer" }, this.waiting, this.prose, this.notice, this.sources, this.foot);
    this.element.addEventListener("keydown", (event) => this.walk(event));
  }

  /** Who writes: a model, or the documents themselves. */
  setMode(mode: Message["mode"]): void {
    this.element.classList.toggle("extractive", mode === "extractive");
  }

  wait(words: string | null): void {
    this.waiting.hidden = words === null;
    if (words !== null) this.waiting.replaceChildren(h("span", { class: "pulse", "aria-hidden": "true" }), h("span", {}, words));
  }

  /** The passages that the answer may cite, by their number. */
  offer(passages: readonly Passage[]): void {
    this.offered = passages;
    passages.forEach((passage, index) => {
      const n = passage.n ?? index + 1;
      if (!this.citations.has(n)) this.citations.set(n, { n, passage });
    });
  }

  cite(citation: Citation): void {
    this.citations.set(citation.n, citation);
  }

  add(text: string): void {
    this.text += text;
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw(carryMarkers(this.text, new Set(this.citations.keys()), true));
    });
  }

  finish(message: Message): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.wait(null);
    this.text = message.content;
    this.setMode(message.mode);
    const cited = message.citations ?? [];
    this.message = message;
    this.citations.clear();
    for (const citation of cited) this.citations.set(citation.n, citation);
    this.draw(carryCitations(message.content, cited));
    this.listSources(inOrder(cited));
    this.tell(message);
    this.drawFoot(message);
  }

  /** The stream ended without an answer row to show: what has come stays. */
  fail(error: ErrorBody): void {
    this.wait(null);
    this.explain("bad", errorWords(error), true, error.request_id);
  }

  stopHere(): void {
    this.wait(null);
    this.explain("plain", this.text ? "Stopped. This answer is not complete." : "Stopped.", true);
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
    const same = (this.message?.citations ?? []).filter((citation) => citation.n === n).sort((a, b) => (a.start ?? 0) - (b.start ?? 0));
    const place = [...this.prose.querySelectorAll(`.chip[data-n="${n}"]`)].indexOf(chip);
    return same[place] ?? same[0] ?? this.citations.get(n);
  }

  /** What a citation rests on in its passage; the server looks for it when it is first asked for. None on trouble. */
  private async quotes(citation: Citation): Promise<Span[]> {
    if (citation.quotes || !this.message) return citation.quotes ?? [];
    try {
      this.whole ??= this.options.read(this.message.id);
      const { citations } = await this.whole;
      return citations?.find((one) => one.n === citation.n && one.start === citation.start)?.quotes ?? [];
    } catch {
      this.whole = null;
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

  private tell(message: Message): void {
    if (message.state === "failed") {
      const words = message.error ? errorWords(message.error) : "The answer could not be written. Try again in a moment.";
      this.explain("bad", words, true, message.error?.request_id);
    } else if (message.state === "stopped") {
      this.explain("plain", this.text ? "Stopped. This answer is not complete." : "Stopped.", true);
    } else if (message.state === "interrupted") {
      this.explain("warn", message.error ? errorWords(message.error) : "This answer was cut off before its end.", true, message.error?.request_id);
    } else if (message.notice) {
      this.explain("plain", message.notice.message, true, null, h("a", { href: "/documents" }, "See how far they are"));
    } else {
      this.notice.hidden = true;
    }
  }

  private explain(kind: "bad" | "warn" | "plain", words: string, retry: boolean, requestId?: string | null, more: Node | null = null): void {
    const again = h("button", { class: "button small", type: "button" }, icon("retry"), "Try again");
    again.addEventListener("click", () => this.options.onRetry());
    this.notice.className = `notice ${kind}`;
    this.notice.replaceChildren(
      icon(more ? "document" : kind === "plain" ? "stop" : kind),
      h("span", { class: "notice-words" }, words, more ? " " : null, more, requestId ? h("span", { class: "notice-id" }, ` Request ${requestId}`) : null),
      ...(retry ? [again] : []),
    );
    this.notice.hidden = false;
  }

  private drawFoot(message: Message): void {
    const copy = h("button", { class: "button quiet small", type: "button" }, icon("copy"), h("span", {}, "Copy"));
    copy.addEventListener("click", () => void this.copy(copy));
    const again = h("button", { class: "button quiet small", type: "button" }, icon("retry"), "Ask again");
    again.addEventListener("click", () => this.options.onRetry());
    const mode = message.content ? modeWords(message) : "";
    this.foot.replaceChildren(
      ...(message.content ? [copy] : []),
      ...(message.state === "done" ? [again] : []),
      ...(mode ? [h("span", { class: "mode" }, mode)] : []),
    );
    this.foot.hidden = this.foot.childElementCount === 0;
  }

  /** What is copied can stand alone: the text, then the list of its sources. */
  private async copy(button: HTMLButtonElement): Promise<void> {
    const list = inOrder([...this.citations.values()])
      .map(({ n, passage }) => `[${n}] ${[passage.document.name, placeAndDay(passage)].filter(Boolean).join(", ")}`)
      .join("\n");
    const words = button.querySelector("span");
    try {
      await navigator.clipboard.writeText(list ? `${this.text}\n\n${list}` : this.text);
      if (words) words.textContent = "Copied";
    } catch {
      if (words) words.textContent = "The browser does not allow copying here";
    }
    setTimeout(() => {
      if (words) words.textContent = "Copy";
    }, 2000);
  }

  /** Arrow keys go from citation to citation. */
  private walk(event: KeyboardEvent): void {
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

export function modeWords(message: Message): string {
  if (message.mode === "extractive") return message.error ? "Quoted from your documents: the model gave no answer" : "Quoted from your documents, no model used";
  if (message.mode === "refused") return message.notice ? "Not in the documents read so far" : "Not in the documents";
  if (message.mode === "model" && message.state === "done" && message.citations?.length === 0) return "No source was found for this answer";
  if (message.mode === "model") return message.model ? `Written by ${message.model} from your documents` : "Written by a model from your documents";
  return "";
}
