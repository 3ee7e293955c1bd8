import { beforeEach, expect, test, vi } from "vitest";
import { carryMarkers } from "../src/chat/citations";
import { drawMarkdown } from "../src/chat/markdown";
import { PAYLOADS } from "./payloads";

let host: HTMLElement;

beforeEach(() => {
  host = document.createElement("div");
  document.body.replaceChildren(host);
});

function draw(text: string): HTMLElement {
  drawMarkdown(host, text, { chip: (n) => Object.assign(document.createElement("button"), { textContent: String(n), className: "chip" }) });
  return host;
}

test("Markdown is drawn as elements", () => {
  draw("# Leave\n\nYou get **28 days**, *not* ~~30~~ `days`.\n\n- one\n- two\n\n3. three\n\n> quoted\n\n| a | b |\n|--|--:|\n| 1 | 2 |\n\n```\nx < y\n```");
  expect([...host.children].map((child) => child.tagName)).toEqual(["H3", "P", "UL", "OL", "BLOCKQUOTE", "DIV", "PRE"]);
  expect(host.querySelector("strong")?.textContent).toBe("28 days");
  expect(host.querySelector("ol")?.getAttribute("start")).toBe("3");
  expect(host.querySelector("pre")?.textContent).toBe("x < y");
  expect(host.querySelector("td.align-right")?.textContent).toBe("2");
});

test("raw HTML stays text", () => {
  draw('<b onclick="x()">hi</b> and <script>alert(1)</script>\n\n<div><img src=x onerror=alert(1)></div>');
  expect(host.querySelector("b, script, img, div div")).toBeNull();
  expect(host.textContent).toContain("<script>alert(1)</script>");
});

test("pictures are never loaded: they become links that show their host", () => {
  draw("![chart](https://evil.example/a.png?q=secret)");
  expect(host.querySelector("img")).toBeNull();
  expect(host.textContent).toBe("picture: chart (evil.example)");
});

test("links show their host and carry their guards", () => {
  draw("[the rules](https://example.com/rules) and https://example.org/x");
  const [first, second] = host.querySelectorAll("a");
  expect(first?.nextElementSibling?.textContent).toBe(" (example.com)");
  expect(first?.getAttribute("rel")).toBe("noopener noreferrer nofollow");
  expect(second?.nextElementSibling).toBeNull();
});

test.each(["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "/accounts/sign-out", "//evil.example", "https://bank.example@evil.example", "file:///etc/passwd"])(
  "%s is no link",
  (address) => {
    draw(`[click](<${address}>)`);
    expect(host.querySelector("a")).toBeNull();
    expect(host.textContent).toContain("click");
  },
);

test("a growing answer keeps the blocks that are finished", () => {
  draw("First block.\n\nSecond");
  const first = host.firstElementChild;
  draw("First block.\n\nSecond block.");
  expect(host.firstElementChild).toBe(first);
  expect(host.textContent).toBe("First block.Second block.");
  draw("First");
  expect(host.textContent).toBe("First");
});

test("citation markers survive Markdown around them, and code keeps its brackets", () => {
  draw(carryMarkers("- **Five** days [1]\n- `a[1]`\n\n[1]: not a definition", new Set([1]), false));
  expect(host.querySelectorAll("button.chip").length).toBe(2);
  expect(host.querySelector("code")?.textContent).toBe("a[1]");
});

test("character references are shown as their characters and stay text", () => {
  draw("Fish &amp; chips &lt;img src=x&gt; &#x3C;b&#62;");
  expect(host.textContent).toBe("Fish & chips <img src=x> <b>");
  expect(host.querySelector("img, b")).toBeNull();
});

test("nothing of the attack list makes an element, an attribute or an address that could run or load", () => {
  const alerts = vi.spyOn(window, "alert");
  const allowed = new Set("P A SPAN EM STRONG DEL CODE PRE UL OL LI BLOCKQUOTE H3 H4 HR BR TABLE THEAD TBODY TR TH TD DIV BUTTON".split(" "));
  const attributes = new Set(["dir", "href", "rel", "target", "class", "tabindex", "role", "aria-label", "start"]);
  expect(PAYLOADS.length).toBeGreaterThan(300);
  for (const line of PAYLOADS) {
    draw(`Answer: ${line}\n\n${line}\n\n- [x](${line})\n- ![x](${line})`);
    for (const element of host.querySelectorAll("*")) {
      expect(allowed.has(element.tagName), `${element.tagName} from ${line}`).toBe(true);
      for (const { name } of element.attributes) expect(attributes.has(name), `${name} from ${line}`).toBe(true);
      if (element.hasAttribute("href")) expect(element.getAttribute("href")).toMatch(/^(https?|mailto):/);
    }
  }
  expect(alerts).not.toHaveBeenCalled();
});
