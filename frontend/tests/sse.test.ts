import { expect, test } from "vitest";
import { EventParser } from "../src/chat/sse";

const STREAM = ': open\r\n\r\nid: 1\r\nevent: start\r\ndata: {"a":1}\r\n\r\n:beat\n\nid:2\nevent: delta\ndata: one\ndata: two\n\nevent: empty\n\ndata\n\n';

function parse(pieces: string[]) {
  const parser = new EventParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

test("a stream gives the same events wherever it is cut", () => {
  const whole = parse([STREAM]);
  expect(whole).toEqual([
    { id: "1", event: "start", data: '{"a":1}' },
    { id: "2", event: "delta", data: "one\ntwo" },
    { id: "2", event: "message", data: "" },
  ]);
  for (let cut = 0; cut <= STREAM.length; cut += 1) expect(parse([STREAM.slice(0, cut), STREAM.slice(cut)])).toEqual(whole);
  expect(parse(STREAM.split(""))).toEqual(whole);
});

test("comments, unknown fields and a byte order mark are passed over", () => {
  expect(parse(["\uFEFFretry: 5\n: hello\ndata: x\n\n"])).toEqual([{ id: "", event: "message", data: "x" }]);
});

test("an event without its empty line is not given out", () => {
  expect(parse(["data: half\n"])).toEqual([]);
});
