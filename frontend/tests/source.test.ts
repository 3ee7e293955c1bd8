import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Client } from "../src/chat/client";
import type { Passage } from "../src/chat/payloads";
import type { Span } from "../src/chat/place";
import { columnsOf } from "../src/portal/source/page_view";
import { SourcePanel } from "../src/portal/source/panel";
import { sentencesOf } from "../src/portal/source/recording";
import { cellsOf, drawTable } from "../src/portal/source/table";
import { drawText, type TextBlock } from "../src/portal/source/text";
import { citation, json, passage, ScriptedServer } from "./scripted_server";

let server: ScriptedServer;
let panel: SourcePanel;
let host: HTMLElement;
let opener: HTMLButtonElement;

beforeEach(async () => {
  server = new ScriptedServer();
  const client = new Client({ baseUrl: await server.start() });
  host = document.createElement("aside");
  opener = document.createElement("button");
  document.body.replaceChildren(opener, host);
  panel = new SourcePanel(host, client);
});

afterEach(() => server.stop());

const block = (kind: string, text: string, start: number, more: Partial<TextBlock> = {}): TextBlock => ({ kind, text, start, end: start + Array.from(text).length, ...more });
const source = (more: Partial<Passage> = {}) => citation(1, { passage: { ...passage(1), ...more } });
const facts = (media_type: string, pages: number | null) => (response: ServerResponse) => json(response, 200, { id: "document-1", name: "x", media_type, pages });
const none = Promise.resolve<Span[]>([]);
const quoted = (...spans: Span[]) => Promise.resolve(spans);
const until = (check: () => unknown) => vi.waitFor(() => expect(check()).toBeTruthy(), { timeout: 5000 });

test("a PDF opens with a rule beside the passage and the quoted line under the marker", async () => {
  server.on("GET /documents/document-1", facts("application/pdf", 5));
  server.on("GET /documents/document-1/text", (response) =>
    json(response, 200, {
      blocks: [
        block("table_row", "E-17 | Flow", 100, { page: 4, lines: [{ start: 100, end: 111, box: [0.1, 0.2, 0.9, 0.22] }] }),
        block("table_row", "E-21 | Leak", 112, { page: 4, lines: [{ start: 112, end: 123, box: [0.1, 0.24, 0.9, 0.26] }] }),
      ],
      mark: [100, 123],
    }),
  );
  await panel.open(source(), opener, quoted([12, 23]));
  const picture = host.querySelector("img") as HTMLImageElement;
  expect(picture.src).toMatch(/\/documents\/document-1\/pages\/4$/);
  picture.dispatchEvent(new Event("load"));
  const marks = [...host.querySelectorAll<HTMLElement>(".page-mark")];
  expect(marks.map(({ style }) => [style.top, style.height, style.left])).toEqual([["23.6%", "2.8%", "9.6%"]]);
  const rules = [...host.querySelectorAll<HTMLElement>(".page-rule")];
  expect(rules.map(({ style }) => [style.top, style.height])).toEqual([["19.6%", "6.8%"]]);
  expect(host.querySelector(".page-label")?.textContent).toBe("Page 4 of 5");
  host.querySelector<HTMLElement>("[aria-label='Next page']")?.click();
  const next = host.querySelector("img") as HTMLImageElement;
  next.dispatchEvent(new Event("load"));
  expect(next.src).toMatch(/pages\/5$/);
  expect(host.querySelector(".page-mark, .page-rule")).toBeNull();
  expect(host.querySelector<HTMLButtonElement>("[aria-label='Next page']")?.disabled).toBe(true);
});

test("a PDF opens at the page of the quote where the passage goes over two", async () => {
  server.on("GET /documents/document-1", facts("application/pdf", 5));
  server.on("GET /documents/document-1/text", (response) =>
    json(response, 200, { blocks: [block("paragraph", "One.", 0, { page: 4, lines: [] }), block("paragraph", "Two.", 6, { page: 5, lines: [{ start: 6, end: 10, box: [0, 0, 1, 0.1] }] })], mark: [0, 10] }),
  );
  await panel.open(source(), opener, quoted([6, 10]));
  expect(host.querySelector("img")?.src).toMatch(/pages\/5$/);
});

test("without its text a PDF still shows where the passage stands, and marks nothing in it", async () => {
  server.on("GET /documents/document-1", facts("application/pdf", 5));
  await panel.open(source(), opener, quoted([0, 5]));
  host.querySelector("img")?.dispatchEvent(new Event("load"));
  expect(host.querySelectorAll(".page-rule")).toHaveLength(1);
  expect(host.querySelector(".page-mark")).toBeNull();
});

test("a passage in two columns has a rule beside each", () => {
  expect(columnsOf([[0.1, 0.8, 0.4, 0.82], [0.1, 0.84, 0.45, 0.86], [0.5, 0.1, 0.9, 0.12]])).toEqual([
    [0.1, 0.8, 0.45, 0.86],
    [0.5, 0.1, 0.9, 0.12],
  ]);
});

test("a text opens with a rule beside the passage and the quote marked by characters, across blocks and emoji", async () => {
  server.on("GET /documents/document-1", facts("text/markdown", null));
  server.on("GET /documents/document-1/text", (response) =>
    json(response, 200, { blocks: [block("heading", "🎉 Leave", 0, { level: 2 }), block("paragraph", "Five days. More.", 9), block("paragraph", "After.", 27)], mark: [2, 25], total: 3 }),
  );
  await panel.open(source({ place: { kind: "heading", heading: ["Leave"] } }), opener, quoted([0, 17]));
  expect([...host.querySelectorAll("mark")].map((mark) => mark.textContent)).toEqual(["Leave", "Five days."]);
  expect([...host.querySelectorAll(".in-passage")].map((passage) => passage.textContent)).toEqual(["🎉 LeaveFive days. More."]);
  expect(server.asked.some((one) => one.path.endsWith("/text?around=chunk-1"))).toBe(true);
});

test("a deleted document says so and keeps the quote", async () => {
  await panel.open(source(), opener, quoted([11, 29]));
  expect(host.textContent).toContain("has been deleted");
  expect(host.querySelector("blockquote")?.textContent).toBe("Carry over at most five days.");
  expect(host.querySelector("mark")?.textContent).toBe("at most five days.");
  await panel.open(source({ document: { id: null, name: "Gone.pdf", url: null } }), opener, none);
  expect(host.textContent).toContain("has been deleted");
  expect(host.querySelector("a")).toBeNull();
});

const replaced = (response: ServerResponse) => json(response, 200, { id: "document-1", name: "x", media_type: "text/plain", pages: null, active_version: 3 });

test("a citation of a version that was replaced opens that version's text and says so", async () => {
  server.on("GET /documents/document-1", replaced);
  server.on("GET /documents/document-1/text", (response) => json(response, 200, { blocks: [block("paragraph", "Five days. More.", 0)], mark: [0, 16], version: 1, media_type: "text/markdown", pages: null }));
  await panel.open(source({ version: 1, place: { kind: "heading", heading: ["Leave"] } }), opener, quoted([0, 10]));
  expect(host.querySelector(".notice")?.textContent).toBe("This is version 1; the document is now version 3.");
  expect(host.querySelector("mark")?.textContent).toBe("Five days.");
  expect(host.querySelector<HTMLAnchorElement>("a.button")?.href).toMatch(/\/documents\/document-1\/content\?version=1$/);
});

test("the pages of a version that was replaced are that version's", async () => {
  server.on("GET /documents/document-1", replaced);
  server.on("GET /documents/document-1/text", (response) => json(response, 200, { blocks: [], mark: null, version: 1, media_type: "application/pdf", pages: 4 }));
  await panel.open(source({ version: 1 }), opener, none);
  expect(host.querySelector("img")?.src).toMatch(/\/pages\/4\?version=1$/);
  expect(host.querySelector(".page-label")?.textContent).toBe("Page 4 of 4");
  expect(host.textContent).toContain("This is version 1; the document is now version 3.");
});

test("without the text of its version a citation still shows what was quoted", async () => {
  server.on("GET /documents/document-1", replaced);
  await panel.open(source({ version: 2 }), opener, quoted([11, 29]));
  expect(host.textContent).toContain("This is version 2; the document is now version 3. This is what the answer quoted from it:");
  expect(host.querySelector("mark")?.textContent).toBe("at most five days.");
});

test("a citation of the version that answers needs no notice, also while a newer one is read", async () => {
  server.on("GET /documents/document-1", (response) => json(response, 200, { id: "document-1", name: "x", media_type: "text/plain", pages: null, version: 2, active_version: 1 }));
  server.on("GET /documents/document-1/text", (response) => json(response, 200, { blocks: [block("paragraph", "Five days.", 0)], mark: [0, 10] }));
  await panel.open(source({ version: 1, place: { kind: "text" } }), opener, none);
  expect(host.querySelector(".notice")).toBeNull();
});

test("a document that cannot be loaded keeps the quote and offers to try again", async () => {
  server.on("GET /documents/document-1", (response) => json(response, 503, {}));
  await panel.open(source(), opener, none);
  expect(host.textContent).toContain("could not be loaded");
  server.on("GET /documents/document-1", facts("application/pdf", 5));
  host.querySelector<HTMLElement>(".notice button")?.click();
  await until(() => host.querySelector("img"));
});

test("opening moves focus into the panel and closing gives it back", async () => {
  await panel.open(source(), opener, none);
  expect(document.activeElement?.className).toContain("source-close");
  panel.close();
  expect(host.hidden).toBe(true);
  expect(document.activeElement).toBe(opener);
});

test("rows are a table by the names of their columns, also where cells are empty", () => {
  const table = drawTable([block("table_row", "Article: K-1; Price: 4.90", 0, { rows: [2, 2] }), block("table_row", "Article: K-2; Note: a; b; Price: 5.90", 30, { rows: [3, 3] })], [0, 60], [[35, 40]]);
  expect([...table.querySelectorAll("thead th")].map((cell) => cell.textContent)).toEqual(["Row", "Article", "Price", "Note"]);
  expect([...table.querySelectorAll("tr.marked > *")].map((cell) => cell.textContent)).toEqual(["3", "K-2", "5.90", "a; b"]);
  expect(table.querySelectorAll("tr.in-passage")).toHaveLength(2);
});

test("a row of many columns that comes in parts is one row", () => {
  const table = drawTable([block("table_row", "Article: K-1; A: 1", 0, { rows: [2, 2] }), block("table_row", "Article: K-1; B: 2", 30, { rows: [2, 2] })], null, []);
  expect([...table.querySelectorAll("tbody tr > *")].map((cell) => cell.textContent)).toEqual(["2", "K-1", "1", "2"]);
});

test("the line that names the columns is the head, and another sheet or other names begin another table", () => {
  const rows = (text: string, number: number, start: number, sheet: string) => block("table_row", text, start, { rows: [number, number], sheet });
  const view = {
    blocks: [rows("Article | Price | Note (2 rows)", 1, 0, "A"), rows("Article: K-1; Note: x", 2, 40, "A"), rows("Article: K-2; Price: 5.90", 3, 70, "A"), rows("City | Days", 6, 100, "A"), rows("City: Oslo; Days: 3", 7, 120, "A"), rows("City: Rome; Days: 5", 2, 150, "B")],
    mark: null,
  };
  const tables = [...drawText(view, [[70, 95]]).querySelectorAll("table")];
  expect(tables.map((table) => [...table.querySelectorAll("thead th")].map((cell) => cell.textContent))).toEqual([["Row", "Article", "Price", "Note"], ["Row", "City", "Days"], ["Row", "City", "Days"]]);
  expect(tables.map((table) => table.querySelectorAll("tbody tr").length)).toEqual([2, 1, 1]);
});

test("a citation of a row shows the value that its sentence repeats, one of a part of a row the values of that part", async () => {
  const shown: Element[] = [];
  Element.prototype.scrollIntoView = function (this: Element) {
    shown.push(this);
  };
  server.on("GET /documents/document-1", facts("text/csv", null));
  server.on("GET /documents/document-1/text", (response) =>
    json(response, 200, { blocks: [block("table_row", "Article: K-1; Days: 2; Price: 4.90", 0, { rows: [2, 2] }), block("table_row", "Article: K-2; Days: 3; Price: 5.90", 35, { rows: [3, 3] })], mark: [0, 69] }),
  );
  const sentence = document.createElement("p");
  opener.replaceWith(sentence);
  sentence.append("Article K-2 costs 5.90.", opener);
  await panel.open(source(), opener, quoted([35, 69]));
  await until(() => host.querySelector(".cited"));
  expect(host.querySelector(".cited")?.textContent).toBe("5.90");
  expect(shown.at(-1)).toBe(host.querySelector(".cited"));
  await panel.open(source(), opener, quoted([48, 55]));
  expect([...host.querySelectorAll(".cited")].map((cell) => cell.textContent)).toEqual(["3"]);
});

test("cells without a header are told by their position", () => {
  expect([...cellsOf("K-1 | 4.90 | steel")]).toEqual([["#1", "K-1"], ["#2", "4.90"], ["#3", "steel"]]);
});

test("markup in a document stays text", () => {
  const drawn = drawText({ blocks: [block("paragraph", "<img src=x onerror=alert(1)>", 0), block("table_row", "A: <b>x</b>", 30, { rows: [1, 1] })], mark: [0, 28] }, [[0, 28]]);
  expect(drawn.querySelector("img, b")).toBeNull();
  expect(drawn.querySelector("mark")?.textContent).toBe("<img src=x onerror=alert(1)>");
});

test("slides stand on sheets of their own, and the cited one has its words marked", async () => {
  server.on("GET /documents/document-1", facts("application/vnd.openxmlformats-officedocument.presentationml.presentation", null));
  server.on("GET /documents/document-1/text", (response) =>
    json(response, 200, {
      blocks: [
        block("heading", "Before", 0, { slide: 3, level: 1 }),
        block("heading", "Prices", 8, { slide: 4, level: 1 }),
        block("list_item", "Basic: 10 euros", 16, { slide: 4, level: 1 }),
        block("list_item", "with support: 12 euros", 32, { slide: 4, level: 2 }),
        block("table_row", "Plan | Price", 56, { slide: 4 }),
        block("heading", "Notes", 70, { slide: 4, level: 2 }),
        block("paragraph", "After", 77, { slide: 5 }),
      ],
      mark: [8, 54],
    }),
  );
  await panel.open(source({ place: { kind: "slide", slide: 4, heading: ["Prices"] } }), opener, quoted([24, 46]));
  expect(host.querySelector(".source-title p")?.textContent).toContain("slide 4");
  const slides = [...host.querySelectorAll<HTMLElement>("section.slide")];
  expect(slides.map((slide) => slide.getAttribute("aria-label"))).toEqual(["Slide 3", "Slide 4", "Slide 5"]);
  const cited = slides[1] as HTMLElement;
  expect(cited.querySelector(".slide-n")?.textContent).toBe("Slide 4");
  expect(cited.querySelector("mark")?.textContent).toBe("with support: 12 euros");
  expect(cited.querySelector(".in-passage")?.textContent).toBe("PricesBasic: 10 euroswith support: 12 euros");
  expect([...cited.querySelectorAll("h3, h4")].map((each) => `${each.tagName} ${each.textContent}`)).toEqual(["H3 Prices", "H4 Notes"]);
  expect([...cited.querySelectorAll<HTMLElement>(".list-item")].map((item) => item.style.getPropertyValue("--depth"))).toEqual(["1", "2"]);
  expect(cited.querySelector("table")).not.toBeNull();
});

test("subtitles open at the quoted sentence, each beside its second", async () => {
  server.on("GET /documents/document-1", facts("text/vtt", null));
  const first = block("paragraph", "Ada: The lock has nine digits.", 0, { time: [65.2, 68] });
  const second = block("paragraph", "Bo: It is 4471.", 32, { time: [3725, 3727] });
  server.on("GET /documents/document-1/text", (response) => json(response, 200, { blocks: [first, second], mark: [0, 47] }));
  await panel.open(source({ place: { kind: "time", start_s: 65.2, end_s: 3727 } }), opener, quoted([42, 46]));
  expect(host.querySelector(".source-title p")?.textContent).toMatch(/^1:05/);
  expect([...host.querySelectorAll(".spoken .second")].map((each) => each.textContent)).toEqual(["1:05", "1:02:05"]);
  expect(host.querySelector("mark")?.textContent).toBe("4471");
  expect(host.querySelectorAll(".in-passage .spoken")).toHaveLength(2);
});

/** A recording of three paragraphs, with the words' seconds. */
const speech = [
  block("paragraph", "Hello all. We begin.", 0, { time: [0, 4], words: [[0, 0.5], [6, 1], [11, 2], [14, 3]] }),
  block("paragraph", "The 🎉 bill is due. Pay in May.", 22, { time: [60, 66], words: [[0, 60], [4, 61], [6, 61.5], [11, 62], [14, 62.5], [19, 64], [23, 64.5], [26, 65]] }),
  block("paragraph", "Thank you.", 54, { time: [3700, 3702], words: [[0, 3700], [6, 3701]] }),
];

async function openRecording(media_type: string, ...spans: Span[]): Promise<HTMLMediaElement> {
  vi.spyOn(HTMLMediaElement.prototype, "play").mockResolvedValue();
  server.on("GET /documents/document-1", facts(media_type, null));
  server.on("GET /documents/document-1/text", (response, request) => {
    const rest = request.path.includes("from=0");
    json(response, 200, { blocks: rest ? speech : speech.slice(1, 2), mark: rest ? null : [22, 52], total: 3, next: null, version: 1, media_type, pages: null });
  });
  await panel.open(source({ place: { kind: "time", start_s: 60, end_s: 66 } }), opener, quoted(...spans));
  return host.querySelector("audio, video") as HTMLMediaElement;
}

test("a video opens at the second of the first quoted word, and its whole transcript follows", async () => {
  const player = await openRecording("video/mp4", [19, 22]);
  expect(player.tagName).toBe("VIDEO");
  expect(player.getAttribute("src")).toMatch(/\/documents\/document-1\/content$/);
  player.dispatchEvent(new Event("loadedmetadata"));
  expect(player.currentTime).toBe(64);
  await until(() => host.querySelectorAll(".transcript-row").length === 3);
  expect([...host.querySelectorAll(".transcript-time")].map((one) => one.textContent)).toEqual(["0:00", "1:00", "1:01:40"]);
  expect(host.querySelector(".in-passage")?.textContent).toContain("bill is due");
  expect(host.querySelector("mark")?.textContent).toBe("Pay");
});

test("the sentence that is being said is marked, and one is played by a click or by Enter", async () => {
  const player = await openRecording("audio/mpeg");
  expect(player.tagName).toBe("AUDIO");
  await until(() => host.querySelectorAll(".sentence").length === 5);
  const sentences = [...host.querySelectorAll<HTMLElement>(".sentence")];
  const said = () => sentences.filter((one) => one.classList.contains("said")).map((one) => one.textContent);
  player.currentTime = 61.2;
  player.dispatchEvent(new Event("timeupdate"));
  expect(said()).toEqual(["The 🎉 bill is due."]);
  player.currentTime = 30;
  player.dispatchEvent(new Event("timeupdate"));
  expect(said()).toEqual([]);
  sentences[1]!.click();
  expect(player.currentTime).toBe(2);
  expect(sentences.filter((one) => one.tabIndex === 0)).toHaveLength(1);
  sentences[1]!.focus();
  sentences[1]!.dispatchEvent(new KeyboardEvent("keydown", { key: "End", bubbles: true }));
  expect(document.activeElement).toBe(sentences[4]);
  sentences[4]!.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
  expect(player.currentTime).toBe(3700);
  host.querySelector<HTMLElement>(".transcript-time")!.click();
  expect(player.currentTime).toBe(0);
});

test("a recording that the browser cannot play says so beside its transcript", async () => {
  const player = await openRecording("video/x-msvideo");
  expect(host.querySelector<HTMLElement>(".recording-failed")!.hidden).toBe(true);
  player.dispatchEvent(new Event("error"));
  expect(host.querySelector<HTMLElement>(".recording-failed")!.hidden).toBe(false);
});

test("sentences end at their marks, also in Chinese and after a closing quote, and without times a block is one", () => {
  const texts = (one: TextBlock) => sentencesOf(one).map(([from, to]) => Array.from(one.text).slice(from, to).join(""));
  expect(texts(block("paragraph", "好。你好吗？", 0, { words: [[0, 0], [2, 1], [4, 2]] }))).toEqual(["好。", "你好吗？"]);
  expect(texts(block("paragraph", 'He said "Go." We went.', 0, { words: [[0, 0], [3, 1], [8, 2], [14, 3], [17, 4]] }))).toEqual(['He said "Go." ', "We went."]);
  expect(texts(block("paragraph", "One. Two.", 0))).toEqual(["One. Two."]);
});
