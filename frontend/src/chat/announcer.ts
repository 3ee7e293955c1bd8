import { h } from "../page/dom";
import { finishedSentences, plainText } from "./sentence";

/** Announces the answer to screen readers sentence by sentence: token by token would be noise. */
export class Announcer {
  readonly element = h("div", { class: "visually-hidden", "aria-live": "polite", "aria-atomic": "false" });
  private announced = 0;

  /** A new answer: what was announced before goes. */
  begin(): void {
    this.announced = 0;
    this.element.replaceChildren();
  }

  announce(text: string): void {
    if (text) this.element.appendChild(h("p", {}, text));
  }

  /** `text` is the whole answer so far. */
  follow(text: string, final: boolean): void {
    const sentences = finishedSentences(text, final).map(plainText).filter(Boolean);
    for (const sentence of sentences.slice(this.announced)) this.announce(sentence);
    this.announced = Math.max(this.announced, sentences.length);
  }
}
