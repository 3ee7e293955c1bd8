import { h } from "../../page/dom";
import { icon } from "../../page/icons";
import { dayLabel } from "../../chat/place";
import type { DocumentRow, StateWords } from "./shapes";

/** Writes a document into a row of the table; rows come from the server's template and keep its cells. */
export function fillRow(row: HTMLElement, document: DocumentRow, words: StateWords): void {
  row.dataset.id = document.id;
  row.dataset.state = document.state;
  const name = row.querySelector<HTMLAnchorElement>("[data-cell=name]");
  if (name) {
    name.textContent = document.name;
    name.href = `/documents/${document.id}`;
  }
  const holder = row.querySelector<HTMLAnchorElement>("[data-cell=holder]");
  if (holder) {
    holder.hidden = !document.parent;
    holder.textContent = `in ${document.parent_name ?? ""}`;
    holder.href = `/documents/${document.parent ?? ""}`;
  }
  write(row, "source", sourceName(document));
  write(row, "pages", document.pages === null ? "" : document.pages.toLocaleString("en-GB"));
  write(row, "chunks", document.chunks ? document.chunks.toLocaleString("en-GB") : "");
  write(row, "updated", dayLabel(document.updated));
  row.querySelector("[data-cell=state]")?.replaceChildren(drawState(document, words));
  for (const button of row.querySelectorAll<HTMLButtonElement>("[data-action]")) {
    button.hidden = !actionsOf(document).includes(button.dataset.action ?? "");
    button.setAttribute("aria-label", `${button.title} ${document.name}`);
  }
}

/** The state in words, with a bar while work goes on and the reason when it failed. */
export function drawState(document: DocumentRow, words: StateWords): HTMLElement {
  const { state, error } = document;
  const said = stateWords(document, words);
  const sign = state === "ready" ? icon("check") : state === "failed" ? icon("bad") : state === "cancelled" ? icon("stop") : null;
  const bar = state === "running" || state === "queued" ? h("progress", { max: 100, value: document.percent, "aria-label": said }) : null;
  const reason = error ? h("span", { class: "state-reason" }, [error.message, error.hint].filter(Boolean).join(" ")) : null;
  return h("div", { class: `state ${state}` }, h("span", { class: "state-words" }, sign, said), bar, reason);
}

export function stateWords({ state, step, percent }: DocumentRow, words: StateWords): string {
  const label = words.states[state] ?? state;
  if (state !== "running") return label;
  return `${(step && words.steps[step]) || label}, ${percent} %`;
}

export function actionsOf({ state }: DocumentRow): string[] {
  if (state === "queued" || state === "running") return ["cancel", "delete"];
  return state === "ready" ? ["delete"] : ["retry", "delete"];
}

function sourceName({ source }: DocumentRow): string {
  return typeof source === "string" ? source : (source?.name ?? "");
}

function write(row: HTMLElement, cell: string, text: string): void {
  const element = row.querySelector(`[data-cell=${cell}]`);
  if (element) element.textContent = text;
}
