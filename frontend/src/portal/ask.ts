import { type Bot, Chat } from "../chat/chat";
import { shorten } from "../chat/sentence";
import { confirmed } from "../page/confirm";
import { byId, h, pageData } from "../page/dom";
import { icon } from "../page/icons";
import { SourcePanel } from "./source/panel";
import { addDroppedFiles } from "./drop_here";
import { localStore, sessionClient } from "./session";
import { drawer, isTyping } from "./shell";

/** Entry of the portal's first page and of a conversation's page. */
interface AskPage {
  bot: Bot;
  conversation: string | null;
}

const page = pageData<AskPage>("ask-page");
const client = sessionClient();
const centre = byId("centre");
const panel = new SourcePanel(byId("source"), client, [byId("left"), centre]);

const chat = new Chat(byId("chat"), {
  client,
  bot: page.bot,
  conversation: page.conversation,
  storage: localStore(),
  onConversation: began,
  onCitation: (citation, from, quotes) => void panel.open(citation, from, quotes),
});

/** The address and the history show the new conversation as soon as it exists. */
function began(id: string, question: string): void {
  const path = `/c/${id}`;
  history.replaceState(history.state, "", path);
  document.title = `${shorten(question, 60)} · Refdesk`;
  document.querySelector(".left-nav [aria-current]")?.removeAttribute("aria-current");
  byId("main").prepend(h("h1", { class: "visually-hidden" }, shorten(question, 80)));
  const list = byId("history");
  list.querySelector("[aria-current]")?.removeAttribute("aria-current");
  list.querySelector("[data-delete]")?.remove();
  const remove = h("button", { class: "button quiet round danger", type: "button", "data-delete": id, "aria-label": "Delete this conversation", title: "Delete this conversation" }, icon("trash"));
  list.prepend(h("li", {}, h("a", { href: path, "aria-current": "page", dir: "auto" }, shorten(question, 80)), remove));
  list.hidden = false;
  document.getElementById("history-empty")?.remove();
}

byId("history").addEventListener("click", async (event) => {
  const id = (event.target as HTMLElement).closest<HTMLElement>("[data-delete]")?.dataset.delete;
  if (!id || !(await confirmed("Delete this conversation?", "Its questions and answers cannot be brought back.", "Delete"))) return;
  try {
    await client.remove(`/conversations/${id}`);
    location.assign("/");
  } catch (error) {
    chat.explain(error instanceof Error ? error.message : String(error));
  }
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented) return;
  if (event.key === "Escape") {
    if (panel.isOpen) panel.close();
    else chat.escape();
  } else if (event.key === "/" && !isTyping(event)) {
    event.preventDefault();
    chat.focus();
  }
});

const uploads = document.getElementById("uploads");
if (uploads) addDroppedFiles(client, uploads, byId("drop"));

drawer();
if (matchMedia("(hover: hover)").matches) chat.focus();
