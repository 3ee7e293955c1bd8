import { act } from "./documents/actions";
import { followDocuments } from "./documents/feed";
import { actionsOf, drawState } from "./documents/row";
import { type DocumentRow, isOver, type StateWords } from "./documents/shapes";
import { byId, pageData } from "../page/dom";
import { sessionClient } from "./session";
import { drawer } from "./shell";

/** Entry of one document's page. */
interface DocumentPage {
  document: DocumentRow;
  words: StateWords;
}

const page = pageData<DocumentPage>("document-page");
const client = sessionClient();
let state = page.document.state;

function show(changed: DocumentRow): void {
  // Passages and pages are the server's to draw.
  if (isOver(changed.state) && changed.state !== state) location.reload();
  state = changed.state;
  byId("document-state").replaceChildren(drawState(changed, page.words));
  byId("timeline").hidden = changed.state === "ready" || changed.state === "cancelled";
  const steps = [...document.querySelectorAll<HTMLElement>("#timeline [data-step]")];
  const at = steps.findIndex((step) => step.dataset.step === changed.step);
  steps.forEach((step, index) => {
    step.className = at >= 0 && index < at ? "past" : index === at ? "now" : "";
    if (index === at && changed.state === "running") step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  });
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-action]")) {
    button.hidden = !actionsOf(changed).includes(button.dataset.action ?? "");
  }
}

for (const button of document.querySelectorAll<HTMLButtonElement>("[data-action]")) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const after = await act(client, button.dataset.action ?? "", page.document.id, page.document.name);
      if (after === "deleted") location.assign("/documents");
      else if (after) show(after);
    } catch (error) {
      const notice = byId("documents-trouble");
      const words = notice.querySelector("span");
      if (words) words.textContent = error instanceof Error ? error.message : String(error);
      notice.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
}

show(page.document);
if (!isOver(state)) {
  followDocuments({
    url: client.url("/documents/events"),
    onDocument: (changed) => changed.id === page.document.id && show(changed),
    onDeleted: (id) => id === page.document.id && location.assign("/documents"),
    onReturn: () => void client.get<DocumentRow>(`/documents/${page.document.id}`).then(show),
  });
}
drawer();
