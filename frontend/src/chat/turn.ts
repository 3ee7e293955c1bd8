import { ApiError, type Client, jsonBody } from "./client";
import type { TurnEvent, TurnEvents } from "./events";
import type { ErrorBody } from "./payloads";
import { readEvents, type ServerEvent } from "./sse";

export interface TurnRequest {
  bot: string;
  message: string;
  conversation: string | null;
}

export interface TurnOptions {
  onEvent: (event: TurnEvent) => void;
  /** The connection broke in mid-answer and is being made again (true), or is back (false). */
  onReconnect?: (waiting: boolean) => void;
  /** Waits before each attempt to resume, in milliseconds. */
  waits?: number[];
}

const WAITS = [300, 1000, 2000, 4000, 8000, 15000];
const LOST: ErrorBody = {
  code: "connection_lost",
  message: "The connection to Refdesk was lost. Check your network, then try again.",
  details: {},
  request_id: null,
};

/** One question and its answer: posts it, follows the stream, resumes it when the connection breaks. */
export class Turn {
  /** Id of the answer, known from the first event on. */
  message: string | null = null;
  private lastId = "";
  private ended = false;
  private stopped = false;
  private readonly abort = new AbortController();

  constructor(
    private readonly client: Client,
    private readonly options: TurnOptions,
  ) {}

  /** Rejects with ApiError, or with a network error, only before the first event. */
  async ask(request: TurnRequest): Promise<void> {
    const body = { message: request.message, ...(request.conversation ? { conversation: request.conversation } : {}) };
    const init = jsonBody(body);
    const response = await this.client.request(`/bots/${encodeURIComponent(request.bot)}/chat`, {
      ...init,
      headers: {
        ...(init.headers as Record<string, string>),
        Accept: "text/event-stream",
        "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()).slice(2),
      },
      signal: this.abort.signal,
    });
    await this.follow(response);
    if (!this.ended && this.message === null && !this.stopped) throw new TypeError(LOST.message);
    await this.resume();
  }

  /** Follows an answer that is already being written, from its first event. */
  async attach(message: string): Promise<void> {
    this.message = message;
    await this.resume();
  }

  /** Asks the server to stop; the stream then ends by itself, and after a grace of 2 s without it. */
  async stop(): Promise<void> {
    this.stopped = true;
    if (this.message === null) {
      this.abort.abort();
      return;
    }
    const grace = setTimeout(() => this.abort.abort(), 2000);
    try {
      await this.client.post(`/messages/${this.message}/stop`);
    } catch {
      clearTimeout(grace);
      this.abort.abort();
    }
  }

  get wasStopped(): boolean {
    return this.stopped;
  }

  /** Lets go of the stream without stopping the answer: for leaving the page or the conversation. */
  release(): void {
    this.ended = true;
    this.abort.abort();
  }

  private async resume(): Promise<void> {
    for (const wait of this.options.waits ?? WAITS) {
      if (this.ended || this.message === null || this.abort.signal.aborted) return;
      if (this.lastId !== "") {
        this.options.onReconnect?.(true);
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
      try {
        const headers: Record<string, string> = { Accept: "text/event-stream" };
        if (this.lastId !== "") headers["Last-Event-ID"] = this.lastId;
        const path = `/messages/${this.message}/events`;
        const response = await this.client.request(path, { headers, signal: this.abort.signal });
        this.options.onReconnect?.(false);
        await this.follow(response);
      } catch (error) {
        if (error instanceof ApiError && error.status < 500 && error.status !== 429) {
          this.end({ event: "error", data: { error: error.body } });
        }
      }
    }
    if (!this.abort.signal.aborted) this.end({ event: "error", data: { error: LOST } });
  }

  private end(event: TurnEvent): void {
    if (this.ended) return;
    this.ended = true;
    this.options.onEvent(event);
  }

  private async follow(response: Response): Promise<void> {
    if (!response.body) return;
    try {
      await readEvents(response.body, (event) => this.receive(event));
    } catch {
      // A broken connection and an abort end up here: resume() decides which it was.
    }
  }

  private receive(event: ServerEvent): void {
    if (this.ended || isOld(event.id, this.lastId)) return;
    if (event.id !== "") this.lastId = event.id;
    let data: unknown;
    try {
      data = JSON.parse(event.data);
    } catch {
      return;
    }
    const known = { event: event.event, data } as TurnEvent;
    if (known.event === "start") this.message = (data as TurnEvents["start"]).message;
    if (known.event === "done" || known.event === "error") this.end(known);
    else this.options.onEvent(known);
  }
}

/** Whether an event came before: a resumed stream may repeat some, and ids rise by one. */
function isOld(id: string, last: string): boolean {
  return id !== "" && last !== "" && Number(id) <= Number(last);
}
