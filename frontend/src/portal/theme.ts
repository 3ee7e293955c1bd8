/** Runs before the first paint, from the head: the chosen theme must not flash. */

const KEY = "refdesk.theme";
const CHOICES = ["auto", "light", "dark"] as const;
type Choice = (typeof CHOICES)[number];

/** What this reader chose; else what their organisation opens with. */
function stored(): Choice {
  const usual = (document.documentElement.dataset["scheme"] ?? "auto") as Choice;
  try {
    const value = localStorage.getItem(KEY) as Choice | null;
    return value && CHOICES.includes(value) ? value : usual;
  } catch {
    return usual;
  }
}

function apply(choice: Choice): void {
  if (choice === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
}

function keep(choice: Choice): void {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    return;
  }
}

apply(stored());

document.addEventListener("DOMContentLoaded", () => {
  for (const input of document.querySelectorAll<HTMLInputElement>("input[name=theme]")) {
    input.checked = input.value === stored();
    input.addEventListener("change", () => {
      apply(input.value as Choice);
      keep(input.value as Choice);
    });
  }
});
