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

/** Django's choosers with a search are made by Select2, which takes no name over from the field's label. */
function named(chooser: HTMLElement): void {
  const select = chooser.closest(".select2")?.previousElementSibling;
  const label = select && document.querySelector(`label[for="${select.id}"]`);
  if (!label) return;
  chooser.removeAttribute("aria-labelledby");
  chooser.setAttribute("aria-label", (label.textContent ?? "").trim());
}

const CHOOSERS = ":is(.select2-selection, .select2-selection__rendered):not([aria-label])";
const nameAll = () => document.querySelectorAll<HTMLElement>(CHOOSERS).forEach(named);

document.addEventListener("DOMContentLoaded", () => {
  nameAll();
  // Select2 makes them at a time of its own.
  if (document.querySelector(".admin-autocomplete")) new MutationObserver(nameAll).observe(document.body, { childList: true, subtree: true });
  document.querySelectorAll<HTMLElement>(OPENERS).forEach(reachable);
  copyButtons();
});
