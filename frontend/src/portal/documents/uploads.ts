import { h } from "../../page/dom";
import { icon } from "../../page/icons";
import { type DocumentRow, isOver } from "./shapes";

export interface UploadOptions {
  /** Address that takes `file` as multipart. */
  url: string;
  headers: () => Record<string, string>;
  onDocument: (document: DocumentRow) => void;
  /** Name or id of the source that the files go to; the server's own choice without it. */
  source?: string;
  /** What is said of a new file that has arrived. */
  received?: string;
  /** Where the list stands; hidden while it is empty. */
  host: HTMLElement;
}

/** Uploads at once: more would share the same line and each be slower. */
const AT_ONCE = 3;

/** Files on their way, each with its own bar and its own error; one bad file does not stop the others. */
export class Uploads {
  private readonly waiting: (() => Promise<void>)[] = [];
  private active = 0;
  /** Of the files since the list was last empty. */
  private counts = { all: 0, received: 0, failed: 0 };
  /** Received documents that are not read yet. */
  private readonly reading = new Set<string>();
  private readonly head = h("p", { class: "uploads-head", role: "status", hidden: true });
  private readonly list = h("ul", { "aria-label": "Uploads" });

  constructor(private readonly options: UploadOptions) {
    const scroller = h("div", { class: "uploads-scroll", tabindex: "0", role: "region", "aria-label": "Files on their way" }, this.list);
    options.host.replaceChildren(h("div", { class: "uploads" }, this.head, scroller));
    options.host.hidden = true;
    addEventListener("beforeunload", (event) => {
      if (this.active > 0) event.preventDefault();
    });
  }

  add(files: readonly File[]): void {
    for (const file of files) {
      const entry = new Entry(file.name, (gone) => this.remove(gone));
      this.list.appendChild(entry.element);
      this.waiting.push(() => this.send(file, entry));
    }
    this.count({ all: files.length });
    this.next();
  }

  /** Something dropped that is not a file. */
  refuse(name: string, reason: string): void {
    const entry = new Entry(name, (gone) => this.remove(gone));
    this.fail(entry, reason);
    this.count({ all: 1 });
  }

  /** What went wrong stands above the rest: nobody should have to look for it. */
  private fail(entry: Entry, reason: string): void {
    entry.fail(reason);
    this.list.insertBefore(entry.element, this.list.querySelector(".upload:not(.failed)"));
    this.count({ failed: 1 });
  }

  /** A document has changed: the line above the files counts those that are still being read. */
  follow({ id, state }: DocumentRow): void {
    if (isOver(state) ? this.reading.delete(id) : false) this.count({});
  }

  private remove(entry: Entry): void {
    entry.element.remove();
    this.count({});
  }

  private count(more: Partial<typeof this.counts>): void {
    const { all, received, failed } = this.counts;
    this.counts = { all: all + (more.all ?? 0), received: received + (more.received ?? 0), failed: failed + (more.failed ?? 0) };
    this.options.host.hidden = this.list.childElementCount === 0 && (this.counts.all < 2 || this.reading.size === 0);
    if (this.options.host.hidden) this.counts = { all: 0, received: 0, failed: 0 };
    this.head.textContent = countText({ ...this.counts, reading: this.reading.size });
    this.head.hidden = this.counts.all < 2;
  }

  private next(): void {
    while (this.active < AT_ONCE) {
      const job = this.waiting.shift();
      if (!job) return;
      this.active += 1;
      void job().finally(() => {
        this.active -= 1;
        this.next();
      });
    }
  }

  private async send(file: File, entry: Entry): Promise<void> {
    try {
      const document = await post(this.options, file, (percent) => entry.progress(percent));
      if (!isOver(document.state)) this.reading.add(document.id);
      this.options.onDocument(document);
      entry.succeed(outcomeText(document, this.options.received));
      this.count({ received: 1 });
      setTimeout(() => this.remove(entry), 6000);
    } catch (error) {
      this.fail(entry, error instanceof Error ? error.message : String(error));
    }
  }
}

/** How far several files are, in one line: "7 of 11 files received, 3 being read, 1 failed". */
export function countText({ all, received, failed, reading = 0 }: { all: number; received: number; failed: number; reading?: number }): string {
  const whole = received + failed < all ? `${received} of ${all} files received` : `${received} ${received === 1 ? "file" : "files"} received`;
  return [whole, reading && `${reading} being read`, failed && `${failed} failed`].filter(Boolean).join(", ");
}

/** What has become of a file: a name that is known is the next version of its document. */
export function outcomeText({ outcome, version, source }: UploadedRow, received = "Received"): string {
  const where = typeof source === "string" ? source : source?.name;
  if (outcome === "replaced") return `Replaces the file of this name in ${where}, as version ${version}`;
  if (outcome === "unchanged") return `Is in ${where} already, unchanged`;
  return received;
}

class Entry {
  readonly element: HTMLElement;
  private readonly words = h("span", { class: "upload-words" }, "Waiting");
  private readonly bar = h("progress", { max: 100, value: 0 });
  private readonly sign = h("span", { class: "upload-sign" }, icon("file"));

  constructor(name: string, onDismiss: (entry: Entry) => void) {
    const dismiss = h("button", { class: "button quiet round upload-dismiss", type: "button", "aria-label": `Put away ${name}`, hidden: true }, icon("close"));
    dismiss.addEventListener("click", () => onDismiss(this));
    this.bar.setAttribute("aria-label", `Upload of ${name}`);
    this.element = h("li", { class: "upload" }, this.sign, h("span", { class: "upload-name", dir: "auto" }, name), this.words, this.bar, dismiss);
  }

  progress(percent: number): void {
    this.bar.value = percent;
    this.words.textContent = percent < 100 ? `Uploading, ${percent} %` : "Storing";
  }

  succeed(words: string): void {
    this.end("done", words);
    this.sign.replaceChildren(icon("check"));
  }

  fail(reason: string): void {
    this.end("failed", reason);
    this.sign.replaceChildren(icon("bad"));
    this.words.setAttribute("role", "alert");
    const dismiss = this.element.querySelector<HTMLButtonElement>(".upload-dismiss");
    if (dismiss) dismiss.hidden = false;
  }

  private end(state: string, words: string): void {
    this.element.classList.add(state);
    this.words.textContent = words;
    this.bar.remove();
  }
}

type UploadedRow = DocumentRow & { outcome?: "created" | "replaced" | "unchanged" | null };

interface UploadAnswer {
  items?: (UploadedRow & { id?: string })[];
  error?: { message: string; details?: { hint?: string } };
}

/** fetch() does not tell how much has been sent, so this one call is the older kind. */
function post(options: UploadOptions, file: File, onPercent: (percent: number) => void): Promise<UploadedRow> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.append("file", file, file.name);
    if (options.source) form.append("source", options.source);
    request.open("POST", options.url);
    for (const [name, value] of Object.entries(options.headers())) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => event.lengthComputable && onPercent(Math.floor((100 * event.loaded) / event.total)));
    request.addEventListener("error", () => reject(new Error("The connection broke. Check your network, then upload it again.")));
    request.addEventListener("load", () => {
      const answer = answerOf(request.responseText);
      const item = answer.items?.[0];
      if (item?.id && !(item.state === "failed" && !item.created)) resolve(item);
      else reject(new Error(reasonOf(request.status, item?.error ?? null, answer)));
    });
    request.send(form);
  });
}

function answerOf(text: string): UploadAnswer {
  try {
    return JSON.parse(text) as UploadAnswer;
  } catch {
    return {};
  }
}

function reasonOf(status: number, error: DocumentRow["error"], answer: UploadAnswer): string {
  const said = error ?? answer.error;
  const hint = error?.hint ?? answer.error?.details?.hint;
  if (said) return [said.message, hint].filter(Boolean).join(" ");
  if (status === 413) return "The file is larger than this server takes.";
  if (status === 401 || status === 403) return "You are signed out. Sign in again, then upload it again.";
  return "The server had a problem with this file. Try again in a moment.";
}
