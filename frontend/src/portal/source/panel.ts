import { h } from "../../page/dom";
import { icon } from "../../page/icons";
import { ApiError, type Client } from "../../chat/client";
import type { Citation, Passage } from "../../chat/payloads";
import { placeAndDay, type Span } from "../../chat/place";
import { type Line, PageView } from "./page_view";
import { RecordingView } from "./recording";
import { showCited } from "./table";
import { drawText, marked, type TextView, touches } from "./text";

interface DocumentFacts {
  id: string;
  name: string;
  media_type: string;
  pages: number | null;
  /** Number of the version that answers now. */
  active_version?: number | null;
}

/** The version that an answer quotes, and the one that has taken its place since. */
interface OldVersion {
  quoted: number;
  now: number;
}

/** Below this width the panel lies over the conversation, below the second it is a full sheet. */
const OVER = matchMedia("(max-width: 1099.98px)");
const SHEET = matchMedia("(max-width: 639.98px)");

/** The document beside the answer, opened at the passage that a citation names. */
export class SourcePanel {
  private opener: HTMLElement | null = null;
  private opened: AbortController | null = null;
  private inHistory = false;

  /** `host` is the empty column; `rest` is what cannot be reached while the panel is a full sheet. */
  constructor(
    private readonly host: HTMLElement,
    private readonly client: Client,
    private readonly rest: HTMLElement[] = [],
  ) {
    host.hidden = true;
    addEventListener("popstate", () => this.inHistory && this.shut());
  }

  get isOpen(): boolean {
    return !this.host.hidden;
  }

  /** quotes: what the citation rests on, as characters of the passage's text. */
  async open({ n, passage }: Citation, from: HTMLElement, quotes: Promise<Span[]>): Promise<void> {
    this.opened?.abort();
    this.opened = new AbortController();
    this.opener = from;
    const body = h("div", { class: "source-body", tabindex: "0", role: "region", "aria-label": "Document" }, skeleton());
    this.host.replaceChildren(this.head(n, passage), body);
    this.host.setAttribute("aria-label", `Source ${n}: ${passage.document.name}`);
    this.show();
    await this.fill(body, passage, quotes, this.opened.signal);
  }

  /** Closes the panel and gives focus back to the citation. */
  close(): void {
    if (!this.isOpen) return;
    if (this.inHistory) history.back();
    else this.shut();
  }

  private shut(): void {
    this.inHistory = false;
    this.opened?.abort();
    this.host.hidden = true;
    document.body.classList.remove("with-source");
    for (const element of this.rest) element.inert = false;
    this.opener?.focus({ preventScroll: true });
  }

  private show(): void {
    const already = this.isOpen;
    this.host.hidden = false;
    document.body.classList.add("with-source");
    for (const element of this.rest) element.inert = SHEET.matches;
    if (OVER.matches && !this.inHistory && !already) {
      history.pushState({ source: true }, "");
      this.inHistory = true;
    }
    this.host.querySelector<HTMLElement>(".source-close")?.focus({ preventScroll: true });
  }

  private head(n: number, passage: Passage): HTMLElement {
    const close = h("button", { class: "button quiet round source-close", type: "button", "aria-label": "Close the source", title: "Close (Esc)" }, icon("close"));
    close.addEventListener("click", () => this.close());
    const wide = h("button", { class: "button quiet round source-widen", type: "button", "aria-label": "Wider", title: "Wider", "aria-pressed": "false" }, icon("wide"));
    wide.addEventListener("click", () => wide.setAttribute("aria-pressed", String(document.body.classList.toggle("wide-source"))));
    wide.setAttribute("aria-pressed", String(document.body.classList.contains("wide-source")));
    const { id } = passage.document;
    const original = id && h("a", { class: "button quiet round", href: this.client.url(`/documents/${id}/content`), target: "_blank", rel: "noopener", "aria-label": "Open the original", title: "Open the original" }, icon("open"));
    return h(
      "header",
      { class: "source-head" },
      h("span", { class: "source-n" }, h("span", { class: "visually-hidden" }, "Source "), String(n)),
      h("div", { class: "source-title" }, h("h2", { dir: "auto" }, passage.document.name), h("p", {}, placeAndDay(passage))),
      h("div", { class: "source-tools" }, wide, original || null, close),
    );
  }

  private async fill(body: HTMLElement, passage: Passage, quotes: Promise<Span[]>, signal: AbortSignal): Promise<void> {
    if (!passage.document.id) {
      await this.instead(body, passage, quotes, null, signal);
      return;
    }
    const id = encodeURIComponent(passage.document.id);
    try {
      const facts = await this.client.get<DocumentFacts>(`/documents/${id}`, signal);
      const old = oldVersion(passage, facts);
      if (old) {
        await this.fillOld(body, id, passage, old, quotes, signal);
        return;
      }
      if (passage.place?.kind === "page" && passage.place.page && hasPages(facts.media_type)) {
        body.replaceChildren((await this.pages(id, passage, passage.place.page, facts.pages, quotes, signal)).element);
        return;
      }
      const [view, found] = await Promise.all([this.text(id, passage, signal), quotes]);
      signal.throwIfAborted();
      if (isRecording(view)) {
        const recording = this.recording(body, id, passage, view, found);
        // Without it the part around the passage still plays and reads.
        await this.fillRest(recording, id, view, signal).catch(() => undefined);
        return;
      }
      body.replaceChildren(drawText(view, inText(found, view)));
      scrollTo(body, this.sentence());
    } catch (error) {
      if (!signal.aborted) await this.instead(body, passage, quotes, error, signal);
    }
  }

  /** What the answer quoted, in the version that it quoted, above which stands that there is a newer one. */
  private async fillOld(body: HTMLElement, id: string, passage: Passage, old: OldVersion, quotes: Promise<Span[]>, signal: AbortSignal): Promise<void> {
    const version = `?version=${old.quoted}`;
    try {
      const view = await this.text(id, passage, signal);
      if (isRecording(view)) {
        this.recording(body, id, passage, view, await quotes, version);
        body.prepend(notice(oldWords(old)));
        return;
      }
      const page = passage.place?.kind === "page" && hasPages(view.media_type) ? passage.place.page : null;
      const drawn = page ? (await this.pages(id, passage, page, view.pages ?? null, quotes, signal, version)).element : drawText(view, inText(await quotes, view));
      signal.throwIfAborted();
      this.host.querySelector<HTMLAnchorElement>("a.button")?.setAttribute("href", this.client.url(`/documents/${id}/content${version}`));
      body.replaceChildren(notice(oldWords(old)), drawn);
      if (!page) scrollTo(body, this.sentence());
    } catch (error) {
      if (!signal.aborted) await this.instead(body, passage, quotes, error, signal, old);
    }
  }

  /** The words of the answer that the citation stands behind. */
  private sentence(): string {
    return this.opener?.closest("p, li, td, blockquote")?.textContent ?? "";
  }

  private text(id: string, passage: Passage, signal: AbortSignal): Promise<TextView> {
    return this.client.get<TextView>(`/documents/${id}/text?around=${encodeURIComponent(passage.id)}`, signal);
  }

  /** The recording with the part of its transcript around the passage, at the second that is quoted. */
  private recording(body: HTMLElement, id: string, passage: Passage, view: TextView, found: readonly Span[], version = ""): RecordingView {
    const recording = new RecordingView({
      address: this.client.url(`/documents/${id}/content${version}`),
      name: passage.document.name,
      media_type: view.media_type ?? "",
      blocks: view.blocks,
      mark: view.mark,
      quotes: inText(found, view),
      second: passage.place?.start_s ?? 0,
    });
    body.replaceChildren(recording.element);
    recording.reveal();
    return recording;
  }

  /** Adds the rest of the transcript, so that playing on or back shows what is said. */
  private async fillRest(recording: RecordingView, id: string, { total, blocks }: TextView, signal: AbortSignal): Promise<void> {
    let next: number | null | undefined = (total ?? 0) > blocks.length ? 0 : null;
    while (typeof next === "number") {
      const more: TextView = await this.client.get<TextView>(`/documents/${id}/text?from=${next}&limit=1000`, signal);
      recording.add(more.blocks);
      next = more.next;
    }
  }

  private async pages(id: string, passage: Passage, page: number, pages: number | null, quotes: Promise<Span[]>, signal: AbortSignal, version = ""): Promise<PageView> {
    const address = (n: number) => this.client.url(`/documents/${id}/pages/${n}${version}`);
    // The passage's own lines stand in the text; where that cannot be had, its place still tells them, without a quote.
    const [view, found] = await Promise.all([this.text(id, passage, signal).catch(() => null), quotes]);
    signal.throwIfAborted();
    const inside = view ? linesOf(view, view.mark ? [view.mark] : []) : [];
    const quoted = view ? linesOf(view, inText(found, view)) : [];
    const own = (passage.place?.boxes ?? []).map((box) => ({ page, box }));
    return new PageView({ address, page: quoted[0]?.page ?? page, pages, passage: inside.length ? inside : own, quoted });
  }

  /** The document cannot be shown: why, and the passage as it was quoted. */
  private async instead(body: HTMLElement, passage: Passage, quotes: Promise<Span[]>, error: unknown, signal: AbortSignal, old: OldVersion | null = null): Promise<void> {
    const gone = error === null || (error instanceof ApiError && (error.status === 404 || error.status === 410));
    const quoted = "This is what the answer quoted from it:";
    const words = !gone
      ? `The document could not be loaded. ${quoted}`
      : old
        ? `${oldWords(old)} ${quoted}`
        : `This document, or this version of it, has been deleted. ${quoted}`;
    const again = h("button", { class: "button small", type: "button" }, icon("retry"), "Try again");
    again.addEventListener("click", () => {
      body.replaceChildren(skeleton());
      void this.fill(body, passage, quotes, signal);
    });
    const found = await quotes;
    if (signal.aborted) return;
    if (gone) this.host.querySelector("a.button")?.remove();
    body.replaceChildren(
      notice(words, gone ? null : again),
      h("blockquote", { class: "source-quote", dir: "auto" }, ...marked(passage.text, 0, found)),
    );
  }
}

/** The version that was quoted, where another one has taken its place. */
function oldVersion({ version }: Passage, { active_version: now }: DocumentFacts): OldVersion | null {
  return typeof version === "number" && typeof now === "number" && version < now ? { quoted: version, now } : null;
}

function oldWords({ quoted, now }: OldVersion): string {
  return `This is version ${quoted}; the document is now version ${now}.`;
}

/** Pages of a PDF and pictures are drawn by the server. */
function hasPages(media_type = ""): boolean {
  return media_type === "application/pdf" || media_type.startsWith("image/");
}

function isRecording({ media_type = "" }: TextView): boolean {
  return /^(audio|video)\//.test(media_type);
}

function notice(words: string, action: HTMLElement | null = null): HTMLElement {
  return h("div", { class: "notice warn", role: "status" }, icon("warn"), h("span", { class: "notice-words" }, words), action);
}

/** Spans of the passage as spans of the document's text. */
function inText(quotes: readonly Span[], { mark }: TextView): Span[] {
  return mark ? quotes.map(([start, end]) => [mark[0] + start, mark[0] + end]) : [];
}

/** Lines of pages that hold something of the spans. */
function linesOf(view: TextView, spans: readonly Span[]): Line[] {
  return view.blocks.flatMap(({ page, lines }) =>
    page ? (lines ?? []).filter((line) => spans.some((span) => touches(line, span))).map(({ box }) => ({ page, box })) : [],
  );
}

/** To what is marked; else to the beginning of the passage. */
function scrollTo(body: HTMLElement, sentence: string): void {
  const mark = body.querySelector("tbody .marked") ?? body.querySelector("mark, .marked");
  if (mark) mark.scrollIntoView({ block: "center" });
  if (mark?.matches("tr")) showCited(mark, sentence);
  if (!mark) body.querySelector(".in-passage")?.scrollIntoView({ block: "start" });
}

function skeleton(): HTMLElement {
  return h("div", { class: "skeleton", role: "status", "aria-label": "Loading the document" }, h("i"), h("i"), h("i"));
}
