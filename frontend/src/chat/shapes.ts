/** The shapes of the REST API that the chat reads. Ids are strings, times RFC 3339. */

export type Box = [number, number, number, number];
/** First character, and the one after the last. */
export type Span = [number, number];

export interface Place {
  kind: "page" | "heading" | "row" | "slide" | "time" | "text";
  page?: number | null;
  /** Fractions of the page from its top left: x0, y0, x1, y1. */
  boxes?: Box[] | null;
  heading?: string[] | null;
  sheet?: string | null;
  rows?: [number, number] | null;
  slide?: number | null;
  start_s?: number | null;
  end_s?: number | null;
  url?: string | null;
}

export interface Passage {
  id: string;
  n?: number | null;
  /** id: null once the document is deleted; the passage keeps its words. */
  document: { id: string | null; name: string; url?: string | null };
  version?: number | string | null;
  text: string;
  place: Place | null;
  score?: number | null;
  as_of?: string | null;
}

export interface Citation {
  n: number;
  passage: Passage;
  /** Characters (code points) of the answer's content; null when the server does not know. */
  start?: number | null;
  end?: number | null;
  support?: number | null;
  /** Characters (code points) of the passage's text that the sentence rests on; null when not looked for yet. */
  quotes?: Span[] | null;
}

export interface ErrorBody {
  code: string;
  message: string;
  details?: unknown;
  request_id?: string | null;
}

/** Why a refusal may not be the last word. */
export interface Notice {
  code: string;
  message: string;
  count: number;
}

export type MessageState = "running" | "done" | "stopped" | "interrupted" | "failed";
export type Mode = "model" | "extractive" | "refused";

export interface Message {
  id: string;
  role: "user" | "assistant";
  content: string;
  state: MessageState;
  mode?: Mode | null;
  model?: string | null;
  citations?: Citation[] | null;
  error?: ErrorBody | null;
  notice?: Notice | null;
  created?: string | null;
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

/** Events of a turn by name, with their data. */
export interface TurnEvents {
  start: { conversation: string; message: string; mode?: Mode | null; model?: string | null };
  queue: { position: number; wait_s?: number | null };
  step: { name: string };
  sources: { passages: Passage[] };
  delta: { text: string };
  citation: Citation;
  usage: Record<string, unknown>;
  done: { message: Message };
  /** With the Message when there is an answer that could not be finished. */
  error: { error: ErrorBody; message?: Message | null };
}
export type TurnEvent = { [K in keyof TurnEvents]: { event: K; data: TurnEvents[K] } }[keyof TurnEvents];

export interface Bot {
  slug: string;
  name: string;
  greeting?: string | null;
  starters?: string[] | null;
  /** The organisation's own words above an empty conversation. */
  welcome?: string | null;
  /** It answers nobody until an admin resumes it. */
  paused?: boolean;
}
