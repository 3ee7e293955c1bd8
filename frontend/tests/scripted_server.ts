import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Citation, ErrorBody, Message, Passage } from "../src/chat/payloads";

/** A small real HTTP server that answers as a test says, and remembers what it was asked. */
export interface Asked {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
}

export type Route = (response: ServerResponse, asked: Asked) => void | Promise<void>;

export class ScriptedServer {
  readonly asked: Asked[] = [];
  private routes = new Map<string, Route>();
  private server: Server;

  constructor() {
    this.server = createServer(async (request, response) => {
      let body = "";
      for await (const piece of request) body += piece;
      const asked = { method: request.method ?? "", path: request.url ?? "", headers: request.headers, body };
      this.asked.push(asked);
      response.setHeader("Access-Control-Allow-Origin", "*");
      response.setHeader("Access-Control-Allow-Headers", "*, Idempotency-Key, Content-Type, Last-Event-ID");
      response.setHeader("Access-Control-Expose-Headers", "*");
      if (request.method === "OPTIONS") response.writeHead(204).end();
      else await (this.routes.get(`${asked.method} ${asked.path.split("?")[0]}`) ?? notFound)(response, asked);
    });
  }

  on(route: string, answer: Route): void {
    this.routes.set(route, answer);
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function notFound(response: ServerResponse): void {
  json(response, 404, { error: { code: "not_found", message: "Nothing was found at this address." } });
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

export function stream(response: ServerResponse): (id: number, event: string, data: unknown) => void {
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  response.write(": open\n\n");
  return (id, event, data) => response.write(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

export const passage = (n: number, text = "Carry over at most five days."): Passage => ({
  id: `chunk-${n}`,
  n,
  document: { id: `document-${n}`, name: `Handbook ${n}.pdf`, url: null },
  version: 1,
  text,
  place: { kind: "page", page: n + 3, boxes: [[0.1, 0.2, 0.9, 0.25]] },
  score: 0.5,
  as_of: "2026-03-12T09:00:00Z",
});

/** A passage of the event `sources`, before anything cites it. */
export const uncited = (n: number): Passage => ({ ...passage(n), n: null });

export const citation = (n: number, more: Partial<Citation> = {}): Citation => ({
  n,
  passage: passage(n),
  start: 0,
  end: 0,
  support: null,
  quotes: null,
  ...more,
});

/** An answer as the API gives it. */
export const message = (more: Partial<Message> = {}): Message => ({
  id: "m1",
  role: "assistant",
  content: "",
  state: "done",
  mode: "model",
  model: "small-model",
  finish_reason: null,
  timings: {},
  rating: null,
  created: "2026-03-12T09:00:00.000Z",
  citations: [],
  usage: { tokens_in: 0, tokens_out: 0 },
  error: null,
  notice: null,
  ...more,
});

export const question = (content = "How?"): Message => message({ id: "m0", role: "user", content, mode: null, model: null });

export const error = (code: string, text: string, more: Partial<ErrorBody> = {}): ErrorBody => ({ code, message: text, details: {}, request_id: null, ...more });
