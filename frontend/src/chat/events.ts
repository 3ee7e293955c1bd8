import type { Citation, ErrorBody, Message, Passage, Usage } from "./payloads";

/** Events of a turn by name, with their data. */
export interface TurnEvents {
  start: { conversation: string; message: string; mode: Message["mode"]; model: string | null };
  queue: { position: number; wait_s?: number | null };
  step: { name: string };
  sources: { passages: Passage[] };
  delta: { text: string };
  citation: Citation;
  usage: Usage;
  done: { message: Message };
  /** With the Message when there is an answer that could not be finished. */
  error: { error: ErrorBody; message?: Message | null };
}
export type TurnEvent = { [K in keyof TurnEvents]: { event: K; data: TurnEvents[K] } }[keyof TurnEvents];
