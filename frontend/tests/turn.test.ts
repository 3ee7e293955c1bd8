import { afterEach, beforeEach, expect, test } from "vitest";
import { Client, ApiError } from "../src/chat/client";
import type { TurnEvent } from "../src/chat/events";
import { Turn } from "../src/chat/turn";
import { json, ScriptedServer, stream, uncited } from "./scripted_server";

const CHAT = "POST /bots/default/chat";
const EVENTS = "GET /messages/m1/events";
const ASK = { bot: "default", message: "How many days?", conversation: null };
const DONE = { message: { id: "m1", role: "assistant", content: "Five days [1].", state: "done", mode: "model", citations: [] } };

let server: ScriptedServer;
let client: Client;
let events: TurnEvent[];
let turn: Turn;

beforeEach(async () => {
  server = new ScriptedServer();
  client = new Client({ baseUrl: await server.start(), headers: () => ({ "X-CSRFToken": "token" }) });
  events = [];
  turn = new Turn(client, { onEvent: (event) => events.push(event), waits: [1, 1, 1] });
});

afterEach(() => server.stop());

const names = () => events.map((event) => event.event);
const text = () => events.map((event) => (event.event === "delta" ? event.data.text : "")).join("");

test("a whole answer arrives in order, with the headers of the page", async () => {
  server.on(CHAT, (response) => {
    const send = stream(response);
    send(1, "start", { conversation: "c1", message: "m1", mode: "model" });
    send(2, "sources", { passages: [uncited(1)] });
    send(3, "delta", { text: "Five days [1" });
    send(4, "delta", { text: "]." });
    send(5, "done", DONE);
    response.end();
  });
  await turn.ask(ASK);
  expect(names()).toEqual(["start", "sources", "delta", "delta", "done"]);
  expect(text()).toBe("Five days [1].");
  expect(server.asked.find((one) => one.method === "POST")?.headers["x-csrftoken"]).toBe("token");
  expect(JSON.parse(server.asked.find((one) => one.method === "POST")?.body ?? "")).toEqual({ message: "How many days?" });
});

test("a broken connection is resumed after the last event seen, and nothing is told twice", async () => {
  server.on(CHAT, async (response) => {
    const send = stream(response);
    send(1, "start", { conversation: "c1", message: "m1" });
    send(2, "delta", { text: "Five " });
    await new Promise((resolve) => setTimeout(resolve, 50));
    response.destroy();
  });
  server.on(EVENTS, (response) => {
    const send = stream(response);
    send(2, "delta", { text: "Five " });
    send(3, "delta", { text: "days" });
    send(4, "done", DONE);
    response.end();
  });
  await turn.ask(ASK);
  expect(text()).toBe("Five days");
  expect(names()).toEqual(["start", "delta", "delta", "done"]);
  expect(server.asked.find((one) => one.path === "/messages/m1/events" && one.method === "GET")?.headers["last-event-id"]).toBe("2");
});

test("when the connection stays away the turn ends with an error that says so", async () => {
  server.on(CHAT, (response) => {
    stream(response)(1, "start", { conversation: "c1", message: "m1" });
    response.end();
  });
  server.on(EVENTS, (response) => json(response, 503, { error: { code: "database_unavailable", message: "The database does not answer." } }));
  await turn.ask(ASK);
  expect(names()).toEqual(["start", "error"]);
  expect(server.asked.filter((one) => one.method === "GET").length).toBe(3);
});

test("a refusal before the answer begins is thrown with the server's words", async () => {
  server.on(CHAT, (response) => {
    response.setHeader("Retry-After", "7");
    json(response, 429, { error: { code: "too_many_requests", message: "Too many requests at once." } });
  });
  const refused = await turn.ask(ASK).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(ApiError);
  expect((refused as ApiError).message).toBe("Too many requests at once. Try again in 7 s.");
  expect(events).toEqual([]);
});

test("stop tells the server and the answer ends as the server says", async () => {
  let end = () => {};
  server.on(CHAT, (response) => {
    const send = stream(response);
    send(1, "start", { conversation: "c1", message: "m1" });
    send(2, "delta", { text: "Five " });
    end = () => {
      send(3, "done", { message: { ...DONE.message, content: "Five ", state: "stopped" } });
      response.end();
    };
  });
  server.on("POST /messages/m1/stop", (response) => {
    json(response, 200, {});
    end();
  });
  const asking = turn.ask(ASK);
  while (!text()) await new Promise((resolve) => setTimeout(resolve, 5));
  await turn.stop();
  await asking;
  const last = events.at(-1);
  expect(last?.event === "done" && last.data.message.state).toBe("stopped");
  expect(server.asked.some((one) => one.path === "/messages/m1/stop")).toBe(true);
});

test("stop before the first event lets the connection go", async () => {
  let closed = false;
  server.on(CHAT, (response) => {
    stream(response);
    response.on("close", () => (closed = true));
  });
  const asking = turn.ask(ASK);
  while (!server.asked.some((one) => one.method === "POST")) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 30));
  await turn.stop();
  await asking;
  expect(turn.wasStopped).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(closed).toBe(true);
});
