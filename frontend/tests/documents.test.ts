import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fillRow, stateWords } from "../src/portal/documents/row";
import { Client } from "../src/chat/client";
import { Selection } from "../src/portal/documents/selection";
import type { DocumentRow } from "../src/portal/documents/shapes";
import { countText, outcomeText, Uploads } from "../src/portal/documents/uploads";
import { json, ScriptedServer } from "./scripted_server";

const WORDS = { states: { queued: "Waiting for its turn", running: "Being read", ready: "Ready", failed: "Failed", cancelled: "Cancelled" }, steps: { embed: "Embedding" } };
const DOCUMENT: DocumentRow = {
  id: "d1",
  name: "a.pdf",
  source: { id: "s1", name: "Uploads" },
  state: "running",
  step: "embed",
  percent: 43,
  chunks: 0,
  pages: null,
  version: 1,
  active_version: null,
  error: null,
  created: "2026-03-12T09:00:00Z",
  updated: "2026-03-12T09:00:00Z",
};

let server: ScriptedServer;
let url: string;
let host: HTMLElement;

beforeEach(async () => {
  server = new ScriptedServer();
  url = `${await server.start()}/documents`;
  host = document.createElement("div");
  document.body.replaceChildren(host);
});

afterEach(() => server.stop());

function row(): HTMLElement {
  const made = document.createElement("div");
  for (const cell of ["source", "state", "pages", "chunks", "updated"]) made.appendChild(document.createElement("span")).dataset.cell = cell;
  made.appendChild(document.createElement("a")).dataset.cell = "name";
  for (const action of ["retry", "cancel", "delete"]) {
    const button = made.appendChild(document.createElement("button"));
    button.dataset.action = action;
    button.title = action;
  }
  return made;
}

const shown = (made: HTMLElement) => [...made.querySelectorAll<HTMLElement>("[data-action]")].filter((button) => !button.hidden).map((button) => button.dataset.action);

test("a row says its stage and per cent, and offers what can be done now", () => {
  const made = row();
  fillRow(made, DOCUMENT, WORDS);
  expect(made.querySelector("[data-cell=state]")?.textContent).toBe("Embedding, 43 %");
  expect(made.querySelector("progress")?.value).toBe(43);
  expect(shown(made)).toEqual(["cancel", "delete"]);
  fillRow(made, { ...DOCUMENT, state: "ready", chunks: 1234, pages: 12 }, WORDS);
  expect(made.querySelector("progress")).toBeNull();
  expect(made.querySelector("[data-cell=chunks]")?.textContent).toBe("1,234");
  expect(shown(made)).toEqual(["delete"]);
});

test("a failure says why and what to do, and can be tried again", () => {
  const made = row();
  fillRow(made, { ...DOCUMENT, state: "failed", error: { code: "no_text", message: "The file holds no text.", hint: "Run OCR first." } }, WORDS);
  expect(made.querySelector(".state-reason")?.textContent).toBe("The file holds no text. Run OCR first.");
  expect(shown(made)).toEqual(["retry", "delete"]);
});

test("a state or step that is not known yet is shown by its own name", () => {
  expect(stateWords({ ...DOCUMENT, step: "polish" }, WORDS)).toBe("Being read, 43 %");
  expect(stateWords({ ...DOCUMENT, state: "new" as DocumentRow["state"] }, WORDS)).toBe("new");
});

test("many files go up one by one, and a bad one does not stop the others", async () => {
  server.on("POST /documents", (response, asked) => {
    const name = /filename="([^"]*)"/.exec(asked.body)?.[1] ?? "";
    if (name === "refused.exe") json(response, 415, { error: { code: "unsupported_type", message: "Cannot be read yet.", details: { hint: "Use PDF." } } });
    else if (name === "empty.txt") json(response, 202, { items: [{ ...DOCUMENT, id: null, state: "failed", created: null, error: { code: "empty_file", message: "The file is empty.", hint: "Upload it again." } }] });
    else if (name === "broken.txt") response.destroy();
    else json(response, 202, { items: [{ ...DOCUMENT, name }] });
  });
  const arrived: string[] = [];
  const uploads = new Uploads({ url, headers: () => ({ "X-CSRFToken": "token" }), onDocument: (document) => arrived.push(document.name), host });
  uploads.add(["1.txt", "refused.exe", "empty.txt", "broken.txt", "2.txt", "3.txt"].map((name) => new File(["x"], name)));
  await vi.waitFor(() => expect(arrived.sort()).toEqual(["1.txt", "2.txt", "3.txt"]), { timeout: 5000 });
  await vi.waitFor(() => expect(host.querySelectorAll(".failed").length).toBe(3), { timeout: 5000 });
  const reasons = [...host.querySelectorAll(".failed .upload-words")].map((words) => words.textContent);
  expect(reasons.sort()).toEqual(["Cannot be read yet. Use PDF.", "The connection broke. Check your network, then upload it again.", "The file is empty. Upload it again."]);
  expect([...host.querySelectorAll(".upload")].slice(0, 3).every((entry) => entry.classList.contains("failed"))).toBe(true);
  // All three answers name one document, which is not read yet.
  expect(host.querySelector(".uploads-head")?.textContent).toBe("3 files received, 1 being read, 3 failed");
  uploads.follow({ ...DOCUMENT, state: "ready" });
  expect(host.querySelector(".uploads-head")?.textContent).toBe("3 files received, 3 failed");
  expect(server.asked.filter((asked) => asked.method === "POST").every((asked) => asked.headers["x-csrftoken"] === "token")).toBe(true);
  host.querySelector<HTMLElement>(".failed .upload-dismiss")?.click();
  expect(host.querySelectorAll(".failed").length).toBe(2);
});

test("several files are counted in one line", () => {
  expect(countText({ all: 11, received: 4, failed: 0 })).toBe("4 of 11 files received");
  expect(countText({ all: 11, received: 4, failed: 2 })).toBe("4 of 11 files received, 2 failed");
  expect(countText({ all: 11, received: 7, failed: 0, reading: 3 })).toBe("7 of 11 files received, 3 being read");
  expect(countText({ all: 2, received: 1, failed: 1 })).toBe("1 file received, 1 failed");
});

test("a file of a known name says that it is the next version, or that it is there already", () => {
  expect(outcomeText({ ...DOCUMENT, outcome: "created" })).toBe("Received");
  expect(outcomeText({ ...DOCUMENT, outcome: "replaced", version: 2 })).toBe("Replaces the file of this name in Uploads, as version 2");
  expect(outcomeText({ ...DOCUMENT, outcome: "unchanged" })).toBe("Is in Uploads already, unchanged");
});

test("one thing is done with every selected document, and those that refuse stay selected", async () => {
  server.on("POST /documents/d1/retry", (response) => json(response, 202, { ...DOCUMENT, id: "d1" }));
  server.on("POST /documents/d2/retry", (response) => json(response, 409, { error: { code: "conflict", message: "It is being worked on already.", details: {} } }));
  host.innerHTML = `<div id="bulk" hidden><span id="bulk-words"></span><button data-bulk="retry"></button><select id="bulk-source"></select></div>
    <input type="checkbox" id="pick-all"><table><tbody>${["d1", "d2", "d3"].map((id) => `<tr data-id="${id}"><td><input type="checkbox" data-pick></td><td data-cell="name">${id}.pdf</td></tr>`).join("")}</tbody></table>`;
  const rows = host.querySelector<HTMLElement>("tbody") as HTMLElement;
  const changed: string[] = [];
  const troubles: string[] = [];
  const client = new Client({ baseUrl: url.replace("/documents", "") });
  new Selection({ client, rows, targets: [], onDocument: ({ id }) => changed.push(id), onDeleted: () => {}, onTrouble: (error) => troubles.push((error as Error).message) });
  const boxes = [...host.querySelectorAll<HTMLInputElement>("[data-pick]")];
  for (const box of boxes.slice(0, 2)) {
    box.checked = true;
    box.dispatchEvent(new Event("change", { bubbles: true }));
  }
  expect(host.querySelector<HTMLElement>("#bulk")?.hidden).toBe(false);
  expect(host.querySelector("#bulk-words")?.textContent).toBe("2 selected");
  host.querySelector<HTMLElement>("[data-bulk=retry]")?.click();
  await vi.waitFor(() => expect(troubles).toEqual(["1 of 2 could not be changed. d2.pdf: It is being worked on already."]), { timeout: 5000 });
  expect(changed).toEqual(["d1"]);
  expect(boxes.map((box) => box.checked)).toEqual([false, true, false]);
  expect(host.querySelector("#bulk-words")?.textContent).toBe("1 selected");
});
