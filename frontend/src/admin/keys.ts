import { copyButtons } from "../page/copy";

/** Unfold opens its menus by clicks on plain elements; the keyboard reaches them too, and they have names. */
const NAMES: Record<string, string> = { more_horiz: "More actions", dock_to_right: "Side bar" };
const OPENERS = ":is(span, div, a:not([href]))[x-on\\:click]:not([role])";

function reachable(opener: HTMLElement): void {
  if (opener.closest("template, .action-select")) return;
  opener.tabIndex = 0;
  opener.setAttribute("role", "button");
  const name = NAMES[(opener.textContent ?? "").trim()];
  if (name) opener.setAttribute("aria-label", name);
  opener.addEventListener("keydown", (event) => {
    if (event.target !== opener || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    opener.click();
  });
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll<HTMLElement>(OPENERS).forEach(reachable);
  copyButtons();
});
