import { h } from "../page/dom";
import { finishedSentences, spoken } from "./sentence";

/** Tells a screen reader the answer sentence by sentence: token by token would be noise. */
export class Announcer {
  readonly element = h("div", { class: "unseen", "aria-live": "polite", "aria-atomic": "false" });
  private said = 0;

  /** A new answer: what was said before goes. */
  begin(): void {
    this.said = 0;
    this.element.replaceChildren();
  }

  say(words: string): void {
    if (words) this.element.appendChild(h("p", {}, words));
  }

  /** `text` is the whole answer so far. */
  follow(text: string, final: boolean): void {
    const sentences = finishedSentences(text, final).map(spoken).filter(Boolean);
    for (const sentence of sentences.slice(this.said)) this.say(sentence);
    this.said = Math.max(this.said, sentences.length);
  }
}
