import { byId } from "../page/dom";

const NARROW = matchMedia("(max-width: 899.98px)");

/** The left column: on a narrow window a drawer behind the menu button. */
export function drawer(): void {
  const left = byId("left");
  const button = byId("menu");
  const scrim = byId("scrim");
  const set = (open: boolean, focus = true) => {
    left.classList.toggle("open", open);
    scrim.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    left.inert = NARROW.matches && !open;
    if (!focus) return;
    if (open) left.querySelector<HTMLElement>("a, button")?.focus();
    else if (NARROW.matches) button.focus();
  };
  button.addEventListener("click", () => set(!left.classList.contains("open")));
  scrim.addEventListener("click", () => set(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && left.classList.contains("open")) set(false);
  });
  NARROW.addEventListener("change", () => set(false, false));
  set(false, false);
}

/** A key typed into a field is text, not a command. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  return target.matches("input, textarea, select, [contenteditable]") || event.ctrlKey || event.metaKey || event.altKey;
}
