import { byId, h } from "../../page/dom";
import { confirmed } from "../../page/confirm";
import type { Client } from "../../chat/client";
import type { DocumentRow } from "./shapes";

export interface SelectionOptions {
  client: Client;
  /** The table's body, whose rows have a box to tick. */
  rows: HTMLElement;
  /** Sources that documents can be moved to. */
  targets: { id: string; name: string }[];
  onDocument: (document: DocumentRow) => void;
  onDeleted: (id: string) => void;
  onTrouble: (error: unknown) => void;
}

/** Requests at once: as many as a browser keeps connections to spare for. */
const AT_ONCE = 3;
/** Names in a message; more are counted. */
const NAMED = 3;

/** Ticked documents and the bar that does one thing with all of them, each with its own outcome. */
export class Selection {
  private readonly bar = byId("bulk");
  private readonly words = byId("bulk-words");
  private readonly all = byId<HTMLInputElement>("pick-all");
  private readonly target = byId<HTMLSelectElement>("bulk-source");
  private busy = false;

  constructor(private readonly options: SelectionOptions) {
    for (const { id, name } of options.targets) this.target.append(h("option", { value: id }, name));
    this.target.hidden = options.targets.length < 2;
    options.rows.addEventListener("change", () => this.draw());
    this.all.addEventListener("change", () => {
      for (const box of this.boxes()) box.checked = this.all.checked;
      this.draw();
    });
    this.target.addEventListener("change", () => {
      const source = this.target.value;
      this.target.value = "";
      if (source) void this.move(source);
    });
    this.bar.addEventListener("click", (event) => {
      const action = (event.target as HTMLElement).closest<HTMLElement>("[data-bulk]")?.dataset.bulk;
      if (action === "clear") this.clear();
      else if (action === "retry") void this.retry();
      else if (action === "delete") void this.remove();
    });
    this.draw();
  }

  /** Shows how many are selected; call it when rows come or go. */
  draw(): void {
    const count = this.picked().length;
    this.bar.hidden = count === 0 && !this.busy;
    this.all.checked = count > 0 && count === this.boxes().length;
    this.all.indeterminate = count > 0 && !this.all.checked;
    if (!this.busy) this.words.textContent = `${count} selected`;
  }

  private boxes(): HTMLInputElement[] {
    return [...this.options.rows.querySelectorAll<HTMLInputElement>("[data-pick]")];
  }

  private picked(): HTMLElement[] {
    return this.boxes()
      .filter((box) => box.checked)
      .map((box) => box.closest<HTMLElement>("tr"))
      .filter((row) => row !== null);
  }

  private clear(): void {
    for (const box of this.boxes()) box.checked = false;
    this.draw();
  }

  private async retry(): Promise<void> {
    await this.each("Retrying", async (id) => {
      const after = await this.options.client.post<DocumentRow>(`/documents/${id}/retry`);
      if (after) this.options.onDocument(after);
    });
  }

  private async move(source: string): Promise<void> {
    await this.each("Moving", async (id) => this.options.onDocument(await this.options.client.patch<DocumentRow>(`/documents/${id}`, { source })));
  }

  private async remove(): Promise<void> {
    const count = this.picked().length;
    const detail = "Their passages can no longer be found. Answers that quoted them keep their quotes.";
    if (!(await confirmed(`Delete ${count === 1 ? "this document" : `these ${count} documents`}?`, detail, "Delete"))) return;
    await this.each("Deleting", async (id) => {
      await this.options.client.remove(`/documents/${id}`);
      this.options.onDeleted(id);
    });
  }

  /** Does something with each selected document, a few at once; those that refuse stay selected and are named. */
  private async each(doing: string, act: (id: string) => Promise<void>): Promise<void> {
    const rows = this.picked();
    if (this.busy || rows.length === 0) return;
    this.busy = true;
    const failures: { name: string; reason: string }[] = [];
    let done = 0;
    const waiting = [...rows];
    const work = async () => {
      for (let row = waiting.shift(); row; row = waiting.shift()) {
        try {
          await act(row.dataset.id ?? "");
          const box = row.querySelector<HTMLInputElement>("[data-pick]");
          if (box) box.checked = false;
        } catch (error) {
          failures.push({ name: row.querySelector("[data-cell=name]")?.textContent ?? "", reason: error instanceof Error ? error.message : String(error) });
        }
        done += 1;
        this.words.textContent = `${doing}: ${done} of ${rows.length}`;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    this.busy = false;
    this.draw();
    if (failures.length) this.options.onTrouble(new Error(failureText(failures, rows.length)));
  }
}

/** What could not be done, with the reason of each of the first few. */
export function failureText(failures: readonly { name: string; reason: string }[], all: number): string {
  const named = failures.slice(0, NAMED).map(({ name, reason }) => `${name}: ${reason}`);
  const more = failures.length > NAMED ? ` And ${failures.length - NAMED} more.` : "";
  return `${failures.length} of ${all} could not be changed. ${named.join(" ")}${more}`;
}
