import { h } from "../../page/dom";
import { clock, type Span } from "../../chat/place";
import { marked, type TextBlock, touches } from "./text";

export interface RecordingOptions {
  /** Address of the recording itself. */
  address: string;
  name: string;
  media_type: string;
  blocks: TextBlock[];
  mark: Span | null;
  /** What a citation rests on, as characters of the document's text. */
  quotes: readonly Span[];
  /** Second of the passage, where its words have none. */
  second: number;
}

/** A sentence of the transcript, the second at which it begins, and where its words are. */
interface Sentence {
  element: HTMLElement;
  second: number;
  end: number;
  /** Characters (UTF-16) of the sentence's text, and the second of each word. */
  words: { from: number; to: number; second: number }[];
}

const ENDS = /[.!?…。！？؟]["'”’»)）」』]*$/;
/** After scrolling by hand the words do not pull the transcript back for this long. */
const SCROLLED_MS = 6000;

/** A recording with its transcript: words are marked while they are said, and a sentence plays from its beginning. */
export class RecordingView {
  readonly element: HTMLElement;
  readonly player: HTMLMediaElement;
  private readonly transcript = h("div", { class: "transcript source-text", role: "group", "aria-label": "Transcript: arrow keys move between sentences, Enter plays from there" });
  private sentences: Sentence[] = [];
  private now = -1;
  private scrolled = 0;
  private readonly known = new Set<number>();

  constructor(private readonly options: RecordingOptions) {
    const video = options.media_type.startsWith("video/");
    this.player = h(video ? "video" : "audio", { controls: true, preload: "metadata", src: options.address, "aria-label": `Recording: ${options.name}` });
    if (video) this.player.setAttribute("playsinline", "");
    const failed = h("p", { class: "recording-failed", role: "status", hidden: true }, "This browser cannot play the recording. Its transcript is here; the original can be opened above.");
    this.player.addEventListener("error", () => (failed.hidden = false));
    this.player.addEventListener("loadedmetadata", () => this.loaded());
    for (const event of ["timeupdate", "seeked", "play"]) this.player.addEventListener(event, () => this.follow());
    this.element = h("div", { class: "recording" }, h("div", { class: "recording-player" }, this.player, failed), this.transcript);
    for (const event of ["wheel", "touchmove"]) this.transcript.addEventListener(event, () => (this.scrolled = Date.now()), { passive: true });
    this.transcript.addEventListener("click", (event) => this.clicked(event));
    this.transcript.addEventListener("keydown", (event) => this.key(event));
    this.add(options.blocks);
  }

  /** The second at which playing begins: of the first quoted word, else of the passage. */
  get start(): number {
    const span = this.options.quotes[0] ?? this.options.mark;
    const block = span && this.options.blocks.find((one) => touches(one, span));
    if (!block) return this.options.second;
    const word = (block.words ?? []).filter(([offset]) => block.start + offset <= span[0]).at(-1);
    return word?.[1] ?? block.time?.[0] ?? this.options.second;
  }

  /** Adds the blocks that are not there yet, in the order of the recording. */
  add(blocks: readonly TextBlock[]): void {
    const before = this.transcript.firstElementChild as HTMLElement | null;
    const top = before?.getBoundingClientRect().top;
    const first = Math.min(...this.known);
    const rows: Node[] = [];
    for (const block of blocks) {
      if (this.known.has(block.start)) continue;
      const row = this.draw(block);
      if (block.start < first) rows.push(row);
      else this.transcript.appendChild(row);
      this.known.add(block.start);
    }
    if (rows.length) this.transcript.prepend(...rows);
    this.sentences.sort((one, other) => one.second - other.second);
    this.now = -1;
    this.tabStop(this.sentences.find(({ element }) => element.tabIndex === 0) ?? this.at(this.start) ?? this.sentences[0]);
    // What came before must not push away what is being read.
    const scroller = this.element.closest(".source-body");
    if (before && rows.length && scroller && top !== undefined) scroller.scrollTop += before.getBoundingClientRect().top - top;
  }

  /** Scrolls the transcript to what is quoted. */
  reveal(): void {
    const mark = this.transcript.querySelector("mark") ?? this.transcript.querySelector(".in-passage");
    mark?.scrollIntoView({ block: "center" });
  }

  private draw(block: TextBlock): HTMLElement {
    const second = block.time?.[0] ?? 0;
    const jump = h("button", { class: "button quiet small transcript-time", type: "button", "aria-label": `Play from ${clock(second)}`, "data-second": second }, clock(second));
    const text = h("p", { dir: "auto" });
    for (const [from, to] of sentencesOf(block)) text.append(this.sentence(block, from, to), " ");
    const inside = this.options.mark !== null && touches(block, this.options.mark);
    return h("div", { class: inside ? "transcript-row in-passage" : "transcript-row" }, jump, text);
  }

  /** A sentence of a block: its characters `from` to `to` (code points). */
  private sentence(block: TextBlock, from: number, to: number): HTMLElement {
    const points = Array.from(block.text);
    const text = points.slice(from, to).join("").trimEnd();
    const words = (block.words ?? []).filter(([offset]) => offset >= from && offset < to);
    const element = h("span", { class: "sentence", role: "button", tabindex: -1 }, ...marked(text, block.start + from, this.options.quotes));
    const units = (offset: number) => points.slice(from, offset).join("").length;
    const places = words.map(([offset, second], place) => {
      const next = text.slice(0, units(words[place + 1]?.[0] ?? to)).trimEnd();
      return { from: units(offset), to: next.length, second };
    });
    const second = words[0]?.[1] ?? block.time?.[0] ?? 0;
    const following = (block.words ?? []).find(([offset]) => offset >= to);
    element.dataset.second = String(second);
    this.sentences.push({ element, second, end: following?.[1] ?? block.time?.[1] ?? second, words: places });
    return element;
  }

  private loaded(): void {
    this.player.currentTime = this.start;
    // A file of sound alone in a container for video has no picture.
    if (this.player instanceof HTMLVideoElement && this.player.videoWidth === 0) this.player.classList.add("sound-alone");
  }

  private clicked(event: Event): void {
    const target = (event.target as Element).closest<HTMLElement>("[data-second]");
    // Selecting text is no click on a sentence.
    if (!target || (getSelection()?.toString() && target.classList.contains("sentence"))) return;
    this.play(Number(target.dataset.second));
  }

  private key(event: KeyboardEvent): void {
    const place = this.sentences.findIndex(({ element }) => element === event.target);
    if (place < 0) return;
    const steps: Record<string, number> = { ArrowDown: place + 1, ArrowRight: place + 1, ArrowUp: place - 1, ArrowLeft: place - 1, Home: 0, End: this.sentences.length - 1 };
    const to = steps[event.key];
    if (event.key === "Enter" || event.key === " ") this.play(this.sentences[place]!.second);
    else if (to !== undefined) this.focus(this.sentences[Math.max(0, Math.min(this.sentences.length - 1, to))]!);
    else return;
    event.preventDefault();
  }

  private focus(sentence: Sentence): void {
    this.tabStop(sentence);
    sentence.element.focus();
  }

  /** One sentence alone can be reached by Tab; arrow keys reach the others. */
  private tabStop(sentence: Sentence | undefined): void {
    if (!sentence) return;
    for (const { element } of this.sentences) if (element.tabIndex === 0) element.tabIndex = -1;
    sentence.element.tabIndex = 0;
  }

  private play(second: number): void {
    this.player.currentTime = second;
    void this.player.play()?.catch(() => undefined);
    this.scrolled = 0;
  }

  private at(second: number): Sentence | undefined {
    return this.sentences.filter((one) => one.second <= second + 0.05).at(-1);
  }

  /** Marks the sentence and the word that is being said. */
  private follow(): void {
    const second = this.player.currentTime;
    const sentence = this.at(second);
    const place = sentence && second <= sentence.end + 1 ? this.sentences.indexOf(sentence) : -1;
    if (place !== this.now) {
      this.sentences[this.now]?.element.classList.remove("said");
      this.sentences[this.now]?.element.removeAttribute("aria-current");
      this.now = place;
      if (place >= 0) this.arrived(this.sentences[place]!.element);
    }
    const word = place >= 0 ? sentence!.words.filter((one) => one.second <= second + 0.05).at(-1) : undefined;
    markWord(word ? rangeOf(sentence!.element, word.from, word.to) : null);
  }

  private arrived(element: HTMLElement): void {
    element.classList.add("said");
    element.setAttribute("aria-current", "true");
    if (!this.player.paused && Date.now() - this.scrolled > SCROLLED_MS) element.scrollIntoView({ block: "nearest" });
  }
}

/** First and last character of each sentence of a block; one where its words have no times. */
export function sentencesOf(block: TextBlock): Span[] {
  const points = Array.from(block.text);
  const starts = [0];
  for (const [offset] of block.words ?? []) {
    if (offset > (starts.at(-1) ?? 0) && ENDS.test(points.slice(starts.at(-1), offset).join("").trimEnd())) starts.push(offset);
  }
  return starts.map((start, place) => [start, starts[place + 1] ?? points.length]);
}

/** A range of an element's text. */
function rangeOf(element: HTMLElement, from: number, to: number): Range | null {
  const range = document.createRange();
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let at = 0;
  let begun = false;
  for (let node = walker.nextNode() as Text | null; node; node = walker.nextNode() as Text | null) {
    if (!begun && from < at + node.length) {
      range.setStart(node, from - at);
      begun = true;
    }
    if (begun && to <= at + node.length) {
      range.setEnd(node, to - at);
      return range;
    }
    at += node.length;
  }
  return null;
}

/** The word is marked by a highlight of the browser, which changes no element; an old browser shows the sentence alone. */
function markWord(range: Range | null): void {
  if (typeof CSS === "undefined" || !("highlights" in CSS)) return;
  if (range) CSS.highlights.set("spoken", new Highlight(range));
  else CSS.highlights.delete("spoken");
}
