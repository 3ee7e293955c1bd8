import { h } from "./dom";

/** Asks before something that cannot be undone; resolves to whether the person agreed. Focus starts on "Keep". */
export function confirmed(question: string, detail: string, verb: string): Promise<boolean> {
  return new Promise((resolve) => {
    const yes = h("button", { class: "button danger", value: "yes" }, verb);
    const no = h("button", { class: "button", value: "no", autofocus: true }, "Keep");
    const form = h("form", { method: "dialog" }, h("h2", { id: "confirm-title" }, question), h("p", {}, detail), h("div", { class: "dialog-foot" }, no, yes));
    const dialog = h("dialog", { class: "dialog", "aria-labelledby": "confirm-title" }, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.appendChild(dialog);
    dialog.showModal();
  });
}
