import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Chat } from "../src/chat/chat";
import { Client } from "../src/chat/client";
import type { Message } from "../src/chat/payloads";
import { citation, error, json, message, passage, question, ScriptedServer, stream, uncited } from "./scripted_server";

const CHAT = "POST /bots/default/chat";
const BOT = { slug: "default", name: "Handbook", greeting: "Ask me anything", starters: ["How much leave?", "b", "c", "d"] };
const ANSWER = "Five days may be carried over [1].";
const cited = (more: Partial<Message> = {}): Message =>
  message({
    content: ANSWER,
    citations: [citation(1, { passage: passage(1, "First. You may carry over five days. Last."), end: ANSWER.length })],
    ...more,
  });

let server: ScriptedServer;
let baseUrl: string;
let host: HTMLElement;

beforeEach(async () => {
  server = new ScriptedServer();
  baseUrl = await server.start();
  localStorage.clear();
  host = document.createElement("div");
  document.body.replaceChildren(host);
});

afterEach(() => server.stop());

function make(more: object = {}): Chat {
  return new Chat(host, { client: new Client({ baseUrl }), bot: BOT, storage: localStorage, ...more });
}

const field = () => host.querySelector("textarea") as HTMLTextAreaElement;
const find = (selector: string) => host.querySelector<HTMLElement>(selector);
const until = (check: () => unknown) => vi.waitFor(() => expect(check()).toBeTruthy(), { timeout: 5000 });

function type(text: string): void {
  field().value = text;
  field().dispatchEvent(new Event("input", { bubbles: true }));
}

function press(key: string, more: KeyboardEventInit = {}): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
  (document.activeElement ?? field()).dispatchEvent(event);
  return event;
}

function answers(): void {
  const whole = cited();
  server.on("GET /messages/m1", (response) => json(response, 200, { ...whole, citations: [{ ...whole.citations[0], quotes: [[7, 36]] }] }));
  server.on(CHAT, (response) => {
    const send = stream(response);
    send(1, "start", { conversation: "c1", message: "m1", mode: "model" });
    send(2, "sources", { passages: [uncited(1)] });
    send(3, "delta", { text: "Five days may be carried over [" });
    send(4, "delta", { text: "1]." });
    send(5, "done", { message: cited() });
    response.end();
  });
}

test("the empty state greets and offers three questions, and one of them can be asked", async () => {
  answers();
  make();
  expect(find("h1")?.textContent).toBe("Ask me anything");
  expect(host.querySelectorAll(".starter").length).toBe(3);
  find(".starter")?.click();
  await until(() => find(".source"));
  expect(find(".question")?.textContent).toContain("How much leave?");
});

test("an answer shows its text, its chip, its source and its mode", async () => {
  answers();
  const began = vi.fn();
  make({ onConversation: began });
  type("How many days?");
  field().focus();
  expect(press("Enter").defaultPrevented).toBe(true);
  await until(() => find(".source"));
  expect(find(".prose")?.textContent).toBe("Five days may be carried over 1.");
  expect(find(".chip")?.getAttribute("aria-label")).toBe("Source 1: Handbook 1.pdf, page 4");
  expect(find(".source")?.textContent).toBe("1Handbook 1.pdfpage 4 · 12\u00A0Mar\u00A02026");
  expect(find(".mode")?.textContent).toBe("Written by small-model from your documents");
  expect(began).toHaveBeenCalledWith("c1", "How many days?");
  expect(field().value).toBe("");
  expect(find("[aria-live=polite]")?.textContent).toContain("Five days may be carried over.");
});

test("hovering a chip shows the sentence that it stands on, and clicking it opens the source", async () => {
  answers();
  const opened = vi.fn();
  make({ onCitation: opened });
  type("How many days?");
  field().focus();
  press("Enter");
  await until(() => find(".source"));
  find(".chip")?.dispatchEvent(new MouseEvent("mouseenter"));
  await until(() => find(".quote-popover blockquote")?.textContent === "You may carry over five days.");
  find(".chip")?.click();
  expect(opened.mock.calls[0]?.[0].passage.id).toBe("chunk-1");
  expect(await opened.mock.calls[0]?.[2]).toEqual([[7, 36]]);
  expect(find(".quote-popover")?.hidden).toBe(true);
  expect(server.asked.filter((one) => one.path === "/messages/m1")).toHaveLength(1);
});

test("where the server cannot say what a citation rests on, the card shows how the passage begins", async () => {
  answers();
  server.on("GET /messages/m1", (response) => json(response, 503, {}));
  const opened = vi.fn();
  make({ onCitation: opened });
  type("How many days?");
  field().focus();
  press("Enter");
  await until(() => find(".source"));
  find(".chip")?.dispatchEvent(new MouseEvent("mouseenter"));
  find(".chip")?.click();
  expect(await opened.mock.calls[0]?.[2]).toEqual([]);
  expect(find(".quote-popover blockquote")?.textContent).toContain("First. You may");
});

test("the second chip of a number opens what its own sentence rests on", async () => {
  const text = "First [1].\n\nLast [1].";
  const both = cited({ mode: "extractive", content: text, citations: [
    citation(1, { passage: passage(1, "First. Last."), end: 9, quotes: [[0, 6]] }),
    citation(1, { passage: passage(1, "First. Last."), start: 12, end: 20, quotes: [[7, 12]] }),
  ] });
  server.on("GET /conversations/c1/messages", (response) => json(response, 200, { items: [both], next: null }));
  const opened = vi.fn();
  make({ conversation: "c1", onCitation: opened });
  await until(() => find(".source"));
  for (const chip of host.querySelectorAll<HTMLElement>(".chip")) chip.click();
  expect(await Promise.all(opened.mock.calls.map((call) => call[2]))).toEqual([[[0, 6]], [[7, 12]]]);
});

test.each<[Message["mode"], string]>([
  ["extractive", "Quoted from your documents, no model used"],
  ["refused", "Not in the documents"],
])("the mode %s is said in words", async (mode, words) => {
  server.on("GET /conversations/c1/messages", (response) =>
    json(response, 200, { items: [cited({ mode }), question()], next: null }),
  );
  make({ conversation: "c1" });
  await until(() => find(".mode"));
  expect(find(".mode")?.textContent).toBe(words);
  expect(find(".question")?.textContent).toContain("How?");
});

test("a refusal while documents are being read says so, and leads to them", async () => {
  const notice: Message["notice"] = { code: "documents_being_read", message: "3 documents are still being read. Ask again in a moment.", count: 3 };
  server.on("GET /conversations/c1/messages", (response) =>
    json(response, 200, { items: [cited({ mode: "refused", citations: [], notice }), question()], next: null }),
  );
  make({ conversation: "c1" });
  await until(() => find(".mode"));
  expect(find(".notice:not([hidden])")?.textContent).toContain("3 documents are still being read. Ask again in a moment.");
  expect(find(".notice a")?.getAttribute("href")).toBe("/documents");
  expect(find(".mode")?.textContent).toBe("Not in the documents read so far");
});

test.each<[Partial<Message>, string]>([
  [{ citations: [] }, "No source was found for this answer"],
  [{ citations: [], state: "stopped" }, "Written by small-model from your documents"],
  [{ mode: "extractive", error: error("model_dropped", "The language model stopped in the middle.") }, "Quoted from your documents: the model gave no answer"],
])("an answer %o is said in words", async (more, words) => {
  server.on("GET /conversations/c1/messages", (response) =>
    json(response, 200, { items: [cited(more), question()], next: null }),
  );
  make({ conversation: "c1" });
  await until(() => find(".mode"));
  expect(find(".mode")?.textContent).toBe(words);
});

test("an answer without markers gets a chip at the end of each sentence that has a source", async () => {
  const content = "Five days may be carried over. Pigeons are grey.";
  server.on("GET /conversations/c1/messages", (response) =>
    json(response, 200, { items: [cited({ content, citations: [citation(1, { end: 30 })] }), question()], next: null }),
  );
  make({ conversation: "c1" });
  await until(() => find(".chip"));
  expect(host.querySelectorAll(".chip").length).toBe(1);
  expect(find(".prose")?.textContent).toBe("Five days may be carried over.1 Pigeons are grey.");
});

test("a question that never arrived goes back to the field, with the reason", async () => {
  server.on(CHAT, (response) => json(response, 503, { error: { code: "model_busy", message: "Too many people are waiting.", details: { hint: "Try again later." } } }));
  make();
  type("How many days?");
  field().focus();
  press("Enter");
  await until(() => !find(".composer-notice")?.hidden);
  expect(find(".composer-notice")?.textContent).toBe("Too many people are waiting. Try again later.");
  expect(field().value).toBe("How many days?");
  expect(find(".turn")).toBeNull();
  expect(find(".greeting")).not.toBeNull();
});

test("an error in mid-answer keeps what came and offers to try again", async () => {
  server.on(CHAT, (response) => {
    const send = stream(response);
    send(1, "start", { conversation: "c1", message: "m1" });
    send(2, "delta", { text: "Five days" });
    send(3, "error", { error: error("model_dropped", "The language model stopped in the middle.", { request_id: "r1" }) });
    response.end();
  });
  make();
  type("How many days?");
  field().focus();
  press("Enter");
  await until(() => find(".notice.bad"));
  await until(() => find(".prose")?.textContent === "Five days");
  expect(find(".notice.bad")?.textContent).toContain("stopped in the middle. Request r1");
  answers();
  find(".notice.bad button")?.click();
  await until(() => find(".source"));
  expect(host.querySelectorAll(".question").length).toBe(2);
});

test("what happens is said in words that stay: line, search, reading", async () => {
  let go: (event: string, data: unknown) => void = () => {};
  let id = 0;
  server.on(CHAT, (response) => {
    const send = stream(response);
    go = (event, data) => send((id += 1), event, data);
    go("start", { conversation: "c1", message: "m1" });
    go("queue", { position: 3, wait_s: 12.4 });
  });
  make();
  type("How?");
  field().focus();
  press("Enter");
  await until(() => find(".waiting")?.textContent === "Number 3 in line, about 13 s");
  go("step", { name: "search" });
  await until(() => find(".waiting")?.textContent === "Searching your documents");
  go("sources", { passages: [uncited(1), uncited(2), { ...uncited(3), document: passage(1).document }] });
  await until(() => find(".waiting")?.textContent === "Reading 3 passages from 2 documents");
  expect(find("button[aria-label=Stop]")?.hidden).toBe(false);
  expect(find("button[aria-label=Send]")?.hidden).toBe(true);
});

test("a marker becomes a chip with its citation, before the answer is over", async () => {
  let send: (id: number, event: string, data: unknown) => void = () => {};
  let end = () => {};
  server.on(CHAT, (response) => {
    send = stream(response);
    end = () => response.end();
    send(1, "start", { conversation: "c1", message: "m1", mode: "model" });
    send(2, "sources", { passages: [uncited(4), uncited(2)] });
    send(3, "delta", { text: "Five days [1]" });
  });
  make();
  type("How?");
  field().focus();
  press("Enter");
  await until(() => find(".prose")?.textContent?.includes("Five days"));
  expect(find(".prose")?.textContent?.trim()).toBe("Five days");
  send(4, "citation", citation(1, { passage: { ...passage(4), n: 1 } }));
  await until(() => find(".chip"));
  expect(find(".chip")?.getAttribute("aria-label")).toBe("Source 1: Handbook 4.pdf, page 7");
  send(5, "done", { message: cited() });
  end();
  await until(() => find(".source"));
});

test("Enter sends, Shift+Enter and an input method's Enter do not", () => {
  make();
  type("How?");
  field().focus();
  expect(press("Enter", { shiftKey: true }).defaultPrevented).toBe(false);
  expect(press("Enter", { isComposing: true }).defaultPrevented).toBe(false);
  expect(find(".turn")).toBeNull();
});

test("nothing and more than 2,000 characters are not sent, and the count begins at 1,800", () => {
  make();
  field().focus();
  type("   ");
  press("Enter");
  type("x".repeat(1799));
  expect(find(".composer-count")?.textContent).toBe("");
  type("x".repeat(1800));
  expect(find(".composer-count")?.textContent).toBe("1,800 of 2,000");
  type("🎉".repeat(2000));
  expect(find(".composer-count")?.textContent).toBe("2,000 of 2,000");
  type("x".repeat(2003));
  expect(find(".composer-count")?.textContent).toBe("3 too many");
  press("Enter");
  expect(server.asked).toEqual([]);
  expect(find(".turn")).toBeNull();
});

test("a draft is kept over a reload, for its conversation only", () => {
  make();
  type("half a quest");
  expect(localStorage.length).toBe(1);
  make();
  expect(field().value).toBe("half a quest");
  server.on("GET /conversations/c9/messages", (response) => json(response, 200, { items: [], next: null }));
  make({ conversation: "c9" });
  expect(field().value).toBe("");
});

test("an answer that is still being written is followed after a reload", async () => {
  server.on("GET /conversations/c1/messages", (response) =>
    json(response, 200, { items: [question(), cited({ state: "running", content: "Five" })], next: null }),
  );
  server.on("GET /messages/m1/events", (response) => {
    const send = stream(response);
    send(1, "start", { conversation: "c1", message: "m1" });
    send(2, "delta", { text: "Five days" });
    send(3, "done", { message: cited() });
    response.end();
  });
  make({ conversation: "c1" });
  await until(() => find(".source"));
  expect(find(".prose")?.textContent).toBe("Five days may be carried over 1.");
});

test("arrow keys walk from citation to citation", async () => {
  const two = cited({ content: "One [1]. Two [2].", citations: [1, 2].map((n) => citation(n, { end: 17 })) });
  server.on("GET /conversations/c1/messages", (response) => json(response, 200, { items: [two], next: null }));
  make({ conversation: "c1" });
  await until(() => find(".source"));
  const chips = [...host.querySelectorAll<HTMLElement>(".chip")];
  chips[0]?.focus();
  press("ArrowRight");
  expect(document.activeElement).toBe(chips[1]);
  press("ArrowLeft");
  expect(document.activeElement).toBe(chips[0]);
});
