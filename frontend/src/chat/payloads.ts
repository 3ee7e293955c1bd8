/**
 * Payloads of the REST API that the chat reads. Ids are strings, times RFC 3339.
 * Written by scripts/reference from app/chat/schemas.py: change it there.
 */
import type { Place } from "./place";

export interface CitedDocument {
  id: string | null;
  name: string;
  url: string | null;
}

/** n: the passage's number in the answer; 1 is cited first. Null in the event `sources`, before it is cited. */
export interface Passage {
  id: string;
  n: number | null;
  document: CitedDocument;
  version: number;
  text: string;
  place: Place;
  score: number | null;
  as_of: string;
}

/**
 * start and end: characters (code points) of the answer, from the beginning of the sentence that carries the marker
 * `[n]` to the end of the marker. quotes: characters of the passage's text, [start, end] of each part that the
 * sentence rests on; empty when none matches well; null where only `GET /messages/{id}` looks for it.
 */
export interface Citation {
  n: number;
  start: number;
  end: number;
  support: number | null;
  passage: Passage;
  quotes: [number, number][] | null;
}

export interface Usage {
  tokens_in: number;
  tokens_out: number;
}

export interface ErrorBody {
  code: string;
  message: string;
  details: Record<string, unknown>;
  request_id: string | null;
}

/** Why a refusal may not be the last word. count: documents of the bot that were being read at that moment. */
export interface Notice {
  code: "documents_being_read";
  message: string;
  count: number;
}

export interface Message {
  id: string;
  role: "user" | "assistant";
  content: string;
  state: "running" | "done" | "stopped" | "interrupted" | "failed";
  mode: "model" | "extractive" | "refused" | null;
  model: string | null;
  finish_reason: string | null;
  timings: Record<string, number | null>;
  rating: number | null;
  created: string;
  citations: Citation[];
  usage: Usage;
  error: ErrorBody | null;
  notice: Notice | null;
}

export interface Conversation {
  id: string;
  title: string;
  created: string;
  updated: string;
  bot: string;
}
