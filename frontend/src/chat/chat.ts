import { h } from "../page/dom";
import { icon } from "../page/icons";
import { Announcer } from "./announcer";
import { Answer } from "./answer";
import { Autoscroll } from "./autoscroll";
import { ApiError, type Client } from "./client";
import { Composer } from "./composer";
import { Drafts } from "./drafts";
import type { TurnEvent } from "./events";
import type { Citation, Message } from "./payloads";
import type { Span } from "./place";
import { QuotePopover } from "./quote_popover";
import { queueText, readingText, SEARCHING, stepText } from "./status_text";
import { Turn } from "./turn";

export interface Bot {
  slug: string;
  name: string;
  greeting?: string | null;
  starters?: string[] | null;
  /** The organisation's own words above an empty conversation. */
  welcome?: string | null;
  /** It answers nobody until an admin resumes it. */
  paused?: boolean;
}

export interface ChatOptions {
  client: Client;
  bot: Bot;
  /** Id of the conversation to go on with; null begins a new one with the first question. */
  conversation?: string | null;
  /** Where drafts are kept; null keeps none. */
  storage?: Storage | null;
  /** A new conversation has its id, after its first question. */
  onConversation?: (id: string, question: string) => void;
  /** A citation was chosen; `from` is where focus goes back to. */
  onCitation?: (citation: Citation, from: HTMLElement, quotes: Promise<Span[]>) => void;
}

/** The conversation with one bot: portal and website widget show this same component. */
export class Chat {
  readonly element: HTMLElement;
  private conversation: string | null;
  private turn: Turn | null = null;
  private readonly drafts: Drafts;
  private readonly log = h("div", { class: "chat-log" });
  private readonly scroller = h("div", { class: "chat-scroll", tabindex: "0", role: "region", "aria-label": "Conversation" }, this.log);
  private readonly composer: Composer;
  private readonly announcer = new Announcer();
  private readonly popover = new QuotePopover();
  private readonly latest = h("button", { class: "button small chat-latest", type: "button", hidden: true }, icon("down"), "Latest");
  private readonly autoscroll: Autoscroll;

  constructor(
    host: HTMLElement,
    private readonly options: ChatOptions,
  ) {
    this.conversation = options.conversation ?? null;
    this.drafts = new Drafts(options.storage ?? null, options.bot.slug);
    this.composer = new Composer({
      placeholder: `Ask ${options.bot.name}`,
      onSend: (text) => void this.ask(text),
      onStop: () => void this.turn?.stop(),
      onChange: (text) => this.drafts.write(this.conversation, text),
    });
    this.autoscroll = new Autoscroll(this.scroller, (following) => {
      this.latest.hidden = following;
    });
    this.latest.addEventListener("click", () => this.autoscroll.toEnd());
    this.scroller.addEventListener("scroll", () => this.popover.hide(), { passive: true });
    this.element = h(
      "section",
      { class: "chat", "aria-label": `Conversation with ${options.bot.name}` },
      this.scroller,
      h("div", { class: "chat-foot" }, this.latest, this.composer.element),
      this.announcer.element,
      this.popover.element,
    );
    host.replaceChildren(this.element);
    this.composer.text = this.drafts.read(this.conversation);
    if (this.conversation) void this.load(this.conversation);
    else this.greet();
  }

  focus(): void {
    this.composer.focus();
  }

  /** Shows above the field that something went wrong. */
  explain(reason: string): void {
    this.composer.explain(reason);
  }

  /** Closes the popover, else stops the answer, for Escape; returns whether there was something to do. */
  escape(): boolean {
    if (this.popover.open) this.popover.hide();
    else if (this.turn) void this.turn.stop();
    else return false;
    return true;
  }

  destroy(): void {
    this.turn?.release();
    this.element.remove();
  }

  async ask(question: string): Promise<void> {
    if (this.turn || !question) return;
    this.log.querySelector(".greeting")?.remove();
    const { answer, element } = this.addTurn(question);
    answer.showStatus(SEARCHING);
    this.composer.text = "";
    this.autoscroll.toEnd();
    this.announcer.begin();
    this.announcer.announce("Asked. Waiting for the answer.");
    const turn = this.begin(answer, question);
    try {
      await turn.ask({ bot: this.options.bot.slug, message: question, conversation: this.conversation });
      if (turn.wasStopped && !answer.element.classList.contains("over")) this.finish(answer, () => answer.showStopped());
    } catch (error) {
      this.returnQuestion(element, question, error);
    } finally {
      this.end();
    }
  }

  private begin(answer: Answer, question: string): Turn {
    const turn = new Turn(this.options.client, {
      onEvent: (event) => this.handle(event, answer, question),
      onReconnect: (waiting) => answer.showStatus(waiting ? "The connection broke. Getting the rest of the answer" : null),
    });
    this.turn = turn;
    this.composer.setRunning(true);
    return turn;
  }

  private end(): void {
    this.turn = null;
    this.composer.setRunning(false);
  }

  private handle(event: TurnEvent, answer: Answer, question: string): void {
    switch (event.event) {
      case "start":
        this.started(event.data.conversation, question);
        answer.setMode(event.data.mode);
        break;
      case "queue":
        answer.showStatus(queueText(event.data.position, event.data.wait_s));
        break;
      case "step":
        if (!answer.text) answer.showStatus(answer.passages.length ? readingText(answer.passages) : stepText(event.data.name));
        break;
      case "sources":
        answer.setPassages(event.data.passages);
        answer.showStatus(readingText(event.data.passages));
        break;
      case "delta":
        answer.showStatus(null);
        answer.addText(event.data.text);
        this.announcer.follow(answer.text, false);
        break;
      case "citation":
        answer.addCitation(event.data);
        break;
      case "done":
        this.finish(answer, () => answer.finish(event.data.message));
        this.announcer.follow(event.data.message.content, true);
        break;
      case "error":
        this.finish(answer, () => (event.data.message ? answer.finish(event.data.message) : answer.fail(event.data.error)));
        this.announcer.announce(event.data.error.message);
        break;
    }
    this.autoscroll.grew();
  }

  private finish(answer: Answer, show: () => void): void {
    answer.element.classList.add("over");
    show();
    this.autoscroll.grew();
  }

  private started(conversation: string, question: string): void {
    if (this.conversation === conversation) return;
    const draft = this.composer.text;
    this.drafts.write(this.conversation, "");
    this.conversation = conversation;
    this.drafts.write(conversation, draft);
    this.options.onConversation?.(conversation, question);
  }

  /** The question never reached the server: it goes back to the field, with the reason above it. */
  private returnQuestion(turn: HTMLElement, question: string, error: unknown): void {
    turn.remove();
    this.composer.text = [question, this.composer.text].filter(Boolean).join("\n");
    const lost = "Refdesk cannot be reached. Check your network; your question is kept here.";
    this.composer.explain(error instanceof ApiError ? error.message : lost);
    if (!this.log.childElementCount) this.greet();
  }

  private addTurn(question: string | null): { answer: Answer; element: HTMLElement } {
    const answer = new Answer({
      onOpen: (citation, from, quotes) => {
        this.popover.hide();
        this.options.onCitation?.(citation, from, quotes);
      },
      onHover: (citation, from, quotes) => this.popover.show(from, citation, quotes),
      onLeave: () => this.popover.hide(),
      onRetry: () => void this.ask(question ?? ""),
      read: (id) => this.options.client.get<Message>(`/messages/${encodeURIComponent(id)}`),
    });
    const asked = question === null ? null : h("div", { class: "question", dir: "auto" }, h("span", { class: "visually-hidden" }, "You asked: "), question);
    const element = h("article", { class: "turn" }, asked, answer.element);
    this.log.appendChild(element);
    return { answer, element };
  }

  private greet(): void {
    const { bot } = this.options;
    const starters = (bot.paused ? [] : (bot.starters ?? [])).slice(0, 3).map((text) => {
      const starter = h("button", { class: "starter", type: "button", dir: "auto" }, text);
      starter.addEventListener("click", () => void this.ask(text));
      return h("li", {}, starter);
    });
    this.log.replaceChildren(
      h(
        "div",
        { class: "greeting" },
        h("h1", { dir: "auto" }, bot.greeting || "What would you like to know?"),
        bot.welcome ? h("p", { class: "welcome", dir: "auto" }, bot.welcome) : null,
        bot.paused ? h("p", { class: "notice warn", role: "status" }, icon("warn"), h("span", { class: "notice-words" }, "This bot is paused. Ask another bot, or an admin of your organisation to resume it.")) : null,
        h("p", {}, "Answers come from your organisation's documents. Each one shows where it was read."),
        starters.length ? h("ul", { class: "starters", "aria-label": "Questions to start with" }, ...starters) : null,
      ),
    );
  }

  private async load(conversation: string): Promise<void> {
    this.log.replaceChildren(h("div", { class: "skeleton", role: "status", "aria-label": "Loading the conversation" }, h("i"), h("i"), h("i")));
    let messages: Message[];
    try {
      messages = await this.options.client.messages(conversation);
    } catch (error) {
      this.showLoadError(conversation, error);
      return;
    }
    this.log.replaceChildren();
    const running = this.show(messages);
    if (!messages.length) this.greet();
    this.autoscroll.toEnd();
    if (running) await this.attach(running.message, running.answer, running.question);
  }

  private show(messages: readonly Message[]): { message: Message; answer: Answer; question: string } | null {
    let question: string | null = null;
    let running: { message: Message; answer: Answer; question: string } | null = null;
    for (const message of messages) {
      if (message.role === "user") {
        if (question !== null) this.addTurn(question);
        question = message.content;
        continue;
      }
      const { answer } = this.addTurn(question);
      if (message.state === "running") running = { message, answer, question: question ?? "" };
      else answer.finish(message);
      question = null;
    }
    if (question !== null) this.addTurn(question);
    return running;
  }

  private async attach(message: Message, answer: Answer, question: string): Promise<void> {
    answer.showStatus("Getting the answer");
    try {
      await this.begin(answer, question).attach(message.id);
    } finally {
      this.end();
    }
  }

  private showLoadError(conversation: string, error: unknown): void {
    const text = error instanceof ApiError ? error.message : "Refdesk cannot be reached. Check your network, then try again.";
    const again = h("button", { class: "button small", type: "button" }, icon("retry"), "Try again");
    again.addEventListener("click", () => void this.load(conversation));
    this.log.replaceChildren(h("div", { class: "notice bad", role: "alert" }, icon("bad"), h("span", { class: "notice-words" }, text), again));
  }
}
