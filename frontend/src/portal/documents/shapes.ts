export type DocumentState = "queued" | "running" | "ready" | "failed" | "cancelled";

export interface DocumentError {
  code: string;
  message: string;
  hint?: string | null;
}

/** A Document of the REST API. */
export interface DocumentRow {
  id: string;
  name: string;
  /** The mail or archive that this file is in. */
  parent?: string | null;
  parent_name?: string | null;
  source: string | { id: string; name: string } | null;
  state: DocumentState;
  step: string | null;
  percent: number;
  chunks: number | null;
  pages: number | null;
  version: number;
  active_version: number | null;
  error: DocumentError | null;
  created: string;
  updated: string;
}

/** Words of states and steps, as the server's templates write them. */
export interface StateWords {
  states: Record<string, string>;
  steps: Record<string, string>;
}

export function isOver(state: DocumentState): boolean {
  return state === "ready" || state === "failed" || state === "cancelled";
}
