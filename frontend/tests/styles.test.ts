import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const TOKENS = readFileSync("../app/static/refdesk/tokens.css", "utf8");
const sheets = readdirSync("styles").map((name) => [name, readFileSync(`styles/${name}`, "utf8").replace(/\/\*[\s\S]*?\*\//g, "")] as const);

/** [light, dark] of a token. */
function colours(name: string): [string, string] {
  const found = new RegExp(`--${name}: light-dark\\((#[0-9a-f]{6}), (#[0-9a-f]{6})\\)`).exec(TOKENS);
  if (!found?.[1] || !found[2]) throw new Error(`no token --${name}`);
  return [found[1], found[2]];
}

function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

test.each([
  ["ink", ["paper", "sheet", "lampwash", "mark"], 4.5],
  ["soft", ["paper", "sheet", "lampwash"], 4.5],
  ["lamp", ["paper", "sheet", "lampwash"], 4.5],
  ["bad", ["paper", "sheet"], 4.5],
  ["warn", ["paper", "sheet"], 4.5],
  ["paper", ["lamp", "ink"], 4.5],
])("%s can be read on each ground it stands on, light and dark", (text, grounds, least) => {
  for (const ground of grounds) {
    for (const theme of [0, 1] as const) {
      expect(contrast(colours(text)[theme], colours(ground)[theme]), `${text} on ${ground}, theme ${theme}`).toBeGreaterThanOrEqual(least);
    }
  }
});

test.each(sheets)("%s takes every colour and every size from a token", (_, css) => {
  expect(css.match(/#[0-9a-f]{3,8}\b|\b(?:rgba?|hsla?|oklch)\(/gi) ?? []).toEqual([]);
  const sizes = (css.replace(/@media[^{]*/g, "").match(/[\s:(](\d+(?:\.\d+)?)px/g) ?? []).map((size) => size.trim());
  // The box of what only a screen reader meets.
  expect(sizes.filter((size) => size !== "1px")).toEqual([]);
});

test.each(sheets)("%s uses tokens that exist", (_, css) => {
  for (const [, name] of css.matchAll(/var\((--[\w-]+)\)/g)) expect(TOKENS).toContain(`${name}:`);
});

test("no source makes HTML out of a string or keeps code in an attribute", () => {
  const found: string[] = [];
  for (const name of readdirSync("src", { recursive: true }).map(String)) {
    if (name.endsWith(".ts")) {
      const source = readFileSync(`src/${name}`, "utf8");
      if (/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc/.test(source)) found.push(name);
    }
  }
  expect(found).toEqual([]);
});
