import { type Token, type Tokens, lexer } from "marked";
import { append, h } from "../page/dom";
import { piecesOf, withoutCarriers } from "./citations";

/**
 * Markdown of a model, drawn as elements. Only the lexer of the library is used and no HTML is ever parsed: raw HTML
 * stays text, pictures become links, and a link must be http, https or mailto and shows its host.
 */
export interface Drawing {
  chip: (n: number) => Node;
}

/** Draws `text` into `host`, keeping the blocks that have not changed: a growing answer redraws its last block only. */
export function drawMarkdown(host: HTMLElement, text: string, drawing: Drawing): void {
  const blocks = lexer(text, { gfm: true, breaks: false }).filter((token) => token.type !== "space");
  blocks.forEach((token, index) => {
    const old = host.children[index] as HTMLElement | undefined;
    if (old && sources.get(old) === token.raw) return;
    const drawn = block(token, drawing);
    sources.set(drawn, token.raw);
    if (old) old.replaceWith(drawn);
    else host.appendChild(drawn);
  });
  while (host.children.length > blocks.length) host.lastElementChild?.remove();
}

const sources = new WeakMap<HTMLElement, string>();

function block(token: Token, drawing: Drawing): HTMLElement {
  switch (token.type) {
    case "heading":
      return heading(token as Tokens.Heading, drawing);
    case "code":
      return codeBlock(token as Tokens.Code);
    case "blockquote":
      return h("blockquote", { dir: "auto" }, ...blocks((token as Tokens.Blockquote).tokens, drawing));
    case "list":
      return list(token as Tokens.List, drawing);
    case "table":
      return table(token as Tokens.Table, drawing);
    case "hr":
      return h("hr");
    case "paragraph":
      return h("p", { dir: "auto" }, ...inline((token as Tokens.Paragraph).tokens, drawing));
    default:
      return h("p", { dir: "auto" }, ...written(token.raw.trimEnd(), drawing));
  }
}

function blocks(tokens: Token[], drawing: Drawing): Node[] {
  return tokens.filter((token) => token.type !== "space").map((token) => block(token, drawing));
}

/** The page's own headings are h1 and h2: an answer's begin below them. */
function heading(token: Tokens.Heading, drawing: Drawing): HTMLElement {
  const tag = token.depth <= 2 ? "h3" : "h4";
  return h(tag, { dir: "auto" }, ...inline(token.tokens, drawing));
}

function codeBlock(token: Tokens.Code): HTMLElement {
  return h("pre", { tabindex: "0", dir: "ltr" }, h("code", {}, withoutCarriers(token.text)));
}

function list(token: Tokens.List, drawing: Drawing): HTMLElement {
  const items = token.items.map((item) => {
    const drawn = h("li", { dir: "auto" });
    if (item.task) append(drawn, [item.checked ? "☑ " : "☐ "]);
    for (const part of item.tokens) {
      if (part.type === "space" || part.type === "checkbox") continue;
      if (part.type === "text") append(drawn, inline((part as Tokens.Text).tokens ?? [part], drawing));
      else append(drawn, [block(part, drawing)]);
    }
    return drawn;
  });
  if (!token.ordered) return h("ul", {}, ...items);
  const start = typeof token.start === "number" && token.start !== 1 ? token.start : null;
  return h("ol", { start }, ...items);
}

function table(token: Tokens.Table, drawing: Drawing): HTMLElement {
  const cell = (tag: "th" | "td", part: Tokens.TableCell) =>
    h(tag, { dir: "auto", class: part.align ? `align-${part.align}` : null }, ...inline(part.tokens, drawing));
  const head = h("tr", {}, ...token.header.map((part) => cell("th", part)));
  const rows = token.rows.map((row) => h("tr", {}, ...row.map((part) => cell("td", part))));
  const drawn = h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows));
  return h("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "Table" }, drawn);
}

function inline(tokens: Token[], drawing: Drawing): Node[] {
  return tokens.flatMap((token) => span(token, drawing));
}

function span(token: Token, drawing: Drawing): Node[] {
  switch (token.type) {
    case "strong":
      return [h("strong", {}, ...inline((token as Tokens.Strong).tokens, drawing))];
    case "em":
      return [h("em", {}, ...inline((token as Tokens.Em).tokens, drawing))];
    case "del":
      return [h("del", {}, ...inline((token as Tokens.Del).tokens, drawing))];
    case "codespan":
      return [h("code", {}, withoutCarriers((token as Tokens.Codespan).text))];
    case "br":
      return [h("br")];
    case "link":
      return link(token as Tokens.Link, drawing);
    case "image":
      return address((token as Tokens.Image).href, [document.createTextNode(pictureName(token as Tokens.Image))]);
    case "escape":
      return written((token as Tokens.Escape).text, drawing);
    case "text":
      return inlineText(token as Tokens.Text, drawing);
    default:
      return written(token.raw, drawing);
  }
}

function inlineText(token: Tokens.Text, drawing: Drawing): Node[] {
  return token.tokens ? inline(token.tokens, drawing) : written(entities(token.text), drawing);
}

function pictureName(token: Tokens.Image): string {
  return `picture: ${withoutCarriers(token.text) || "without a name"}`;
}

function link(token: Tokens.Link, drawing: Drawing): Node[] {
  return address(token.href, inline(token.tokens, drawing));
}

/** A link that says where it leads, or its words alone when it leads anywhere but the web or a mailbox. */
function address(href: string, words: Node[]): Node[] {
  const url = safeUrl(withoutCarriers(href));
  if (!url) return words;
  const said = words.map((word) => word.textContent ?? "").join("");
  const where = url.protocol === "mailto:" ? url.pathname : url.host;
  const drawn = h("a", { href: url.href, rel: "noopener noreferrer nofollow", target: "_blank" }, ...words);
  return said.includes(where) ? [drawn] : [drawn, h("span", { class: "host" }, ` (${where})`)];
}

export function safeUrl(href: string): URL | null {
  try {
    const url = new URL(href);
    const web = url.protocol === "http:" || url.protocol === "https:";
    if (web && (url.username || url.password)) return null;
    return web || url.protocol === "mailto:" ? url : null;
  } catch {
    return null;
  }
}

/** Text with its chips. A chip stays on the line of the word before it: alone at the start of a line it says nothing. */
function written(text: string, drawing: Drawing): Node[] {
  const nodes: Node[] = [];
  let kept: HTMLElement | null = null;
  for (const piece of piecesOf(text)) {
    if (typeof piece === "number") {
      kept ??= keptWord(nodes);
      kept.appendChild(drawing.chip(piece));
    } else {
      kept = null;
      nodes.push(document.createTextNode(piece));
    }
  }
  return nodes;
}

/** Takes the last word off the text before, into an element that does not break. */
function keptWord(nodes: Node[]): HTMLElement {
  const kept = h("span", { class: "nowrap" });
  const before = nodes.at(-1);
  const word = before instanceof Text ? (/\S{1,24}\s*$/.exec(before.data)?.[0] ?? "") : "";
  if (word && before instanceof Text) {
    before.data = before.data.slice(0, -word.length);
    kept.appendChild(document.createTextNode(word));
  }
  nodes.push(kept);
  return kept;
}

const NAMED: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00A0" };

/** Character references of plain text, once: the result goes into a text node, never into HTML. */
function entities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,5}));/gi, (whole, decimal, hex, name) => {
    if (name) return NAMED[String(name).toLowerCase()] ?? whole;
    const code = decimal ? Number(decimal) : Number.parseInt(String(hex), 16);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
