import { act } from "./documents/actions";
import { acceptDrops } from "./documents/drop";
import { followDocuments } from "./documents/feed";
import { fillRow } from "./documents/row";
import { Selection } from "./documents/selection";
import { type DocumentRow, isOver, type StateWords } from "./documents/shapes";
import { Uploads } from "./documents/uploads";
import { byId, pageData } from "../page/dom";
import { csrfHeader, sessionClient } from "./session";
import { drawer, isTyping } from "./shell";

/** Entry of the documents page. */
interface DocumentsPage {
  words: StateWords;
  canEdit: boolean;
  /** New documents belong to the top of this page: the first one, without filters. */
  takesNew: boolean;
  /** The source that the list shows, to which uploads go; empty for all of them. */
  source: string;
  /** Sources that documents can be moved to. */
  targets: { id: string; name: string }[];
  documents: DocumentRow[];
}

const page = pageData<DocumentsPage>("documents-page");
const client = sessionClient();
const table = byId("documents");
const body = byId("document-rows");
const rows = new Map<string, HTMLElement>();
for (const row of body.querySelectorAll<HTMLElement>("tr[data-id]")) rows.set(row.dataset.id ?? "", row);

function show(changed: DocumentRow, isNew = false): void {
  let row = rows.get(changed.id);
  if (!row) {
    if (!page.takesNew && !isNew) return;
    const template = byId<HTMLTemplateElement>("document-row");
    row = template.content.firstElementChild?.cloneNode(true) as HTMLElement;
    rows.set(changed.id, row);
    body.prepend(row);
  }
  fillRow(row, changed, page.words);
  uploads?.follow(changed);
  empty();
}

let uploads: Uploads | null = null;
let selection: Selection | null = null;

for (const known of page.documents) show(known);

function empty(): void {
  table.hidden = rows.size === 0;
  const notice = document.getElementById("documents-empty");
  if (notice) notice.hidden = rows.size > 0;
}

function gone(id: string): void {
  rows.get(id)?.remove();
  rows.delete(id);
  selection?.draw();
  empty();
}

async function refresh(): Promise<void> {
  const open = [...rows].filter(([, row]) => !isOver(row.dataset.state as DocumentRow["state"]));
  for (const [id] of open.slice(0, 50)) {
    try {
      show(await client.get<DocumentRow>(`/documents/${id}`));
    } catch {
      return;
    }
  }
}

body.addEventListener("click", async (event) => {
  const button = (event.target as HTMLElement).closest<HTMLButtonElement>("[data-action]");
  const row = button?.closest<HTMLElement>("tr");
  if (!button || !row) return;
  const id = row.dataset.id ?? "";
  const name = row.querySelector("[data-cell=name]")?.textContent ?? "";
  button.disabled = true;
  try {
    const after = await act(client, button.dataset.action ?? "", id, name);
    if (after === "deleted") gone(id);
    else if (after) show(after);
  } catch (error) {
    trouble(error);
  } finally {
    button.disabled = false;
  }
});

function trouble(error: unknown): void {
  const notice = byId("documents-trouble");
  const words = notice.querySelector("span");
  if (words) words.textContent = error instanceof Error ? error.message : String(error);
  notice.hidden = false;
}

if (page.canEdit) {
  uploads = new Uploads({
    url: client.url("/documents"),
    headers: csrfHeader,
    source: page.source,
    onDocument: (uploaded) => show(uploaded, true),
    host: byId("uploads"),
  });
  for (const input of document.querySelectorAll<HTMLInputElement>("input[type=file]")) {
    input.addEventListener("change", () => {
      uploads?.add([...(input.files ?? [])]);
      input.value = "";
    });
  }
  acceptDrops({
    overlay: byId("drop"),
    onFiles: (files) => uploads?.add(files),
    onFolder: (name) => uploads?.refuse(name, "A folder cannot be dropped here. Open it and choose its files."),
  });
}

if (page.canEdit) {
  selection = new Selection({
    client,
    rows: body,
    targets: page.targets,
    onDocument: (changed) => show(changed),
    onDeleted: gone,
    onTrouble: trouble,
  });
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || isTyping(event)) return;
  event.preventDefault();
  byId("filter-q").focus();
});

followDocuments({ url: client.url("/documents/events"), onDocument: (changed) => show(changed), onDeleted: gone, onReturn: () => void refresh() });
for (const filter of document.querySelectorAll("#filters select")) {
  filter.addEventListener("change", () => byId<HTMLFormElement>("filters").requestSubmit());
}
drawer();
