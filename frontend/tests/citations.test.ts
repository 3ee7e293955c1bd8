import { expect, test } from "vitest";
import { CLOSE, carryCitations, carryMarkers, OPEN, piecesOf, withoutCarriers } from "../src/chat/citations";
import * as payloads from "./scripted_server";

const seen = (text: string) => piecesOf(text);
const citation = (n: number, start: number, end: number) => payloads.citation(n, { start, end });

test("known numbers become chips and unknown ones stay text", () => {
  expect(seen(carryMarkers("Five days [1], see [9].", new Set([1]), false))).toEqual(["Five days ", 1, ", see [9]."]);
});

test("a number split over two deltas never shows as a bracket", () => {
  expect(carryMarkers("Five days [1", new Set([1, 12]), true)).toBe("Five days ");
  expect(carryMarkers("Five days [", new Set([1]), true)).toBe("Five days ");
  expect(seen(carryMarkers("Five days [12]", new Set([1, 12]), true))).toEqual(["Five days ", 12]);
});

test("a marker at the end waits for its citation", () => {
  expect(carryMarkers("Five days [2]", new Set([1]), true)).toBe("Five days ");
  expect(seen(carryMarkers("Five days [2]", new Set([1, 2]), true))).toEqual(["Five days ", 2]);
  expect(carryMarkers("Five days [2].", new Set([1]), true)).toBe("Five days [2].");
});

test("a bracket that will be no number is shown", () => {
  expect(carryMarkers("see [note", new Set([1]), true)).toBe("see [note");
});

test("a list of numbers becomes one chip each", () => {
  expect(seen(carryMarkers("Yes [1, 2].", new Set([1, 2]), false))).toEqual(["Yes ", 1, 2, "."]);
});

test("a link whose words are a number stays a link", () => {
  expect(carryMarkers("[1](https://example.com)", new Set([1]), false)).toBe("[1](https://example.com)");
});

test("a citation without a marker in its span gets its chip at the end of the span", () => {
  const text = "Five days may be carried over. Nothing else.";
  expect(seen(carryCitations(text, [citation(1, 0, 30)]))).toEqual(["Five days may be carried over.", 1, " Nothing else."]);
});

test("a citation with its marker in the span gets no second chip", () => {
  const text = "Five days. [1]";
  expect(seen(carryCitations(text, [citation(1, 0, 14)]))).toEqual(["Five days. ", 1]);
  expect(seen(carryCitations(text, [citation(1, 0, 10)]))).toEqual(["Five days. ", 1]);
});

test("a number in brackets that a quotation brought along is no citation", () => {
  const text = "“As shown in [2], rest.” [1]\n\n“Work [1].” [2]";
  expect(seen(carryCitations(text, [citation(1, 0, 28), citation(2, 30, text.length)]))).toEqual(["“As shown in [2], rest.” ", 1, "\n\n“Work [1].” ", 2]);
});

test("two sentences may cite the same passage, one of them without a marker", () => {
  const text = "One [1]. Two.";
  expect(seen(carryCitations(text, [citation(1, 0, 7), citation(1, 9, 13)]))).toEqual(["One ", 1, ". Two.", 1]);
});

test("spans count characters, not the halves of an emoji", () => {
  const text = "🎉🎉 Five days. And more.";
  expect(seen(carryCitations(text, [citation(1, 0, 13)]))).toEqual(["🎉🎉 Five days.", 1, " And more."]);
});

test("a text cannot forge a chip with private characters", () => {
  expect(seen(carryMarkers(`x${OPEN}1${CLOSE}y`, new Set([1]), false))).toEqual(["x\uFFFD1\uFFFDy"]);
});

test("inside code a carrier is brackets again", () => {
  expect(withoutCarriers(carryMarkers("a[1]", new Set([1]), false))).toBe("a[1]");
});
