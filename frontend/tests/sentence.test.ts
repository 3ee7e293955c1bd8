import { expect, test } from "vitest";
import { Announcer } from "../src/chat/announcer";
import { placeLabel } from "../src/chat/place";
import { quoteOf, plainText } from "../src/chat/sentence";
import type { Place } from "../src/chat/place";

test("an answer is announced sentence by sentence, each once, without the signs of Markdown", () => {
  const announcer = new Announcer();
  announcer.begin();
  const said = () => [...announcer.element.children].map((child) => child.textContent);
  announcer.follow("Five **days** [1]", false);
  expect(said()).toEqual([]);
  announcer.follow("Five **days** [1]. They must", false);
  expect(said()).toEqual(["Five days."]);
  announcer.follow("Five **days** [1]. They must be taken.", true);
  expect(said()).toEqual(["Five days.", "They must be taken."]);
  announcer.begin();
  expect(said()).toEqual([]);
});

test("numbers of citations are not plainText", () => {
  expect(plainText("# Leave\nFive days [1, 2][3].")).toBe("Leave Five days.");
});

test("a citation quotes what it rests on, else how the passage begins", () => {
  const passage = "🎉 Leave.\nUp to five days may be carried over. Ask.";
  expect(quoteOf(passage, [[9, 45]])).toBe("Up to five days may be carried over.");
  expect(quoteOf(passage, [[0, 8], [46, 50]])).toBe("🎉 Leave. … Ask.");
  expect(quoteOf(passage, [])).toBe("🎉 Leave. Up to five days may be carried over. Ask.");
  expect(quoteOf("word ".repeat(200), []).length).toBeLessThan(290);
});

test.each<[Partial<Place>, string]>([
  [{ kind: "page", page: 4 }, "page 4"],
  [{ kind: "page", page: 4, page_label: "iv" }, "page 4 (printed iv)"],
  [{ kind: "heading", heading: ["Handbook", "Leave", "Carrying over"] }, "Leave › Carrying over"],
  [{ kind: "row", rows: [3, 5] }, "rows 3–5"],
  [{ kind: "row", rows: [3, 3], sheet: "Prices" }, "Prices, row 3"],
  [{ kind: "time", start_s: 75.4 }, "1:15"],
  [{ kind: "time", start_s: 75.4, end_s: 75.9 }, "1:15"],
  [{ kind: "time", start_s: 75.4, end_s: 3725 }, "1:15–1:02:05"],
  [{ kind: "text" }, ""],
])("a place is said in words: %o", (place, label) => {
  expect(placeLabel(place as Place)).toBe(label);
});
