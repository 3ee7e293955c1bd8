import { h } from "../page/dom";
import { icon } from "../page/icons";

export const LIMIT = 2000;
const COUNT_FROM = 1800;
const MAX_LINES = 8;

export interface ComposerOptions {
  placeholder: string;
  onSend: (text: string) => void;
  onStop: () => void;
  onChange: (text: string) => void;
}

/** The field for a question. Enter sends, Shift+Enter breaks; while an answer runs, Stop stands where Send was. */
export class Composer {
  readonly element: HTMLFormElement;
  private readonly field: HTMLTextAreaElement;
  private readonly count = h("span", { class: "composer-count", id: "composer-count" });
  private readonly send = h("button", { class: "button primary round", type: "submit", "aria-label": "Send" }, icon("send"));
  private readonly stop = h("button", { class: "button round", type: "button", "aria-label": "Stop", title: "Stop (Esc)", hidden: true }, icon("stop"));
  private readonly notice = h("div", { class: "composer-notice", role: "alert", hidden: true });
  private running = false;

  constructor(private readonly options: ComposerOptions) {
    this.field = h("textarea", {
      rows: "1",
      "aria-label": "Your question",
      "aria-describedby": "composer-count",
      placeholder: options.placeholder,
      enterkeyhint: "send",
      dir: "auto",
    });
    this.element = h(
      "form",
      { class: "composer" },
      this.notice,
      h("div", { class: "composer-field" }, this.field, h("div", { class: "composer-side" }, this.count, this.send, this.stop)),
    );
    this.field.addEventListener("input", () => this.changed());
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.stop.addEventListener("click", () => options.onStop());
    this.refresh();
  }

  get text(): string {
    return this.field.value;
  }

  set text(text: string) {
    this.field.value = text;
    this.changed();
  }

  focus(): void {
    this.field.focus();
  }

  setRunning(running: boolean): void {
    const hadFocus = this.element.contains(document.activeElement);
    this.running = running;
    this.send.hidden = running;
    this.stop.hidden = !running;
    this.refresh();
    if (hadFocus) this.field.focus();
  }

  /** Shows above the field why the question was not sent; null takes it away. */
  explain(reason: string | null): void {
    this.notice.replaceChildren(...(reason ? [icon("bad"), h("span", {}, reason)] : []));
    this.notice.hidden = !reason;
  }

  private get length(): number {
    return Array.from(this.field.value.trim()).length;
  }

  private key(event: KeyboardEvent): void {
    // An input method uses Enter to accept a word.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.submit();
  }

  private submit(): void {
    const text = this.field.value.trim();
    if (this.running || text === "" || this.length > LIMIT) {
      this.field.focus();
      return;
    }
    this.explain(null);
    this.options.onSend(text);
  }

  private changed(): void {
    this.refresh();
    this.options.onChange(this.field.value);
  }

  private refresh(): void {
    const length = this.length;
    const over = length - LIMIT;
    this.count.textContent =
      over > 0 ? `${over.toLocaleString("en-GB")} too many` : length >= COUNT_FROM ? `${length.toLocaleString("en-GB")} of 2,000` : "";
    this.count.classList.toggle("over", over > 0);
    this.send.disabled = length === 0 || over > 0;
    this.field.setAttribute("aria-invalid", String(over > 0));
    this.grow();
  }

  private grow(): void {
    this.field.style.height = "auto";
    const style = getComputedStyle(this.field);
    const line = Number.parseFloat(style.lineHeight) || 24;
    const padding = Number.parseFloat(style.paddingTop) + Number.parseFloat(style.paddingBottom) || 0;
    const most = line * MAX_LINES + padding;
    this.field.style.height = `${Math.min(this.field.scrollHeight, most)}px`;
    this.field.classList.toggle("full", this.field.scrollHeight > most);
  }
}
