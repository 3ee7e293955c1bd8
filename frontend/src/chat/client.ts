import { errorText } from "./error_text";
import type { ErrorBody, Message } from "./payloads";

/** One page of a list; `next` is the cursor of the following one. */
export interface Page<T> {
  items: T[];
  next: string | null;
}

/** A response of the server that is not a success, in the server's own words. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly body: ErrorBody,
    readonly retryAfterS: number | null,
  ) {
    super(errorText(body, retryAfterS));
  }
}

export interface ClientOptions {
  /** Address of the API, without a slash at its end: "/api/v1". */
  baseUrl: string;
  /** Headers of every call, asked for each time: the CSRF token can change. */
  headers?: () => Record<string, string>;
  fetch?: typeof fetch;
}

/** The one place that talks to the REST API from the browser. */
export class Client {
  readonly baseUrl: string;
  private readonly headers: () => Record<string, string>;
  private readonly send: typeof fetch;

  constructor(options: ClientOptions) {
    this.baseUrl = options.baseUrl.replace(/\/$/, "");
    this.headers = options.headers ?? (() => ({}));
    this.send = options.fetch ?? ((input, init) => fetch(input, init));
  }

  url(path: string): string {
    return this.baseUrl + path;
  }

  async request(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await this.send(this.url(path), {
      credentials: "same-origin",
      ...init,
      headers: { Accept: "application/json", ...this.headers(), ...(init.headers as Record<string, string>) },
    });
    if (!response.ok) throw await apiErrorOf(response);
    return response;
  }

  async get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return (await (await this.request(path, signal ? { signal } : {})).json()) as T;
  }

  async post<T>(path: string, body?: unknown): Promise<T | null> {
    const response = await this.request(path, jsonBody(body));
    return response.status === 204 ? null : ((await response.json()) as T);
  }

  async patch<T>(path: string, body: unknown): Promise<T> {
    const response = await this.request(path, { ...jsonBody(body), method: "PATCH" });
    return (await response.json()) as T;
  }

  async remove(path: string): Promise<void> {
    await this.request(path, { method: "DELETE" });
  }

  /** All messages of a conversation, oldest first: ids are UUIDv7, so they sort by time. */
  async messages(conversation: string): Promise<Message[]> {
    const all: Message[] = [];
    let cursor = "";
    do {
      const page: Page<Message> = await this.get(
        `/conversations/${encodeURIComponent(conversation)}/messages?limit=100${cursor}`,
      );
      all.push(...page.items);
      cursor = page.next ? `&cursor=${encodeURIComponent(page.next)}` : "";
    } while (cursor && all.length < 2000);
    return all.sort((a, b) => (a.id < b.id ? -1 : 1));
  }
}

export function jsonBody(body: unknown): RequestInit {
  return {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body ?? {}),
  };
}

async function apiErrorOf(response: Response): Promise<ApiError> {
  const after = Number(response.headers.get("Retry-After") ?? Number.NaN);
  let body: ErrorBody = { code: `http_${response.status}`, message: statusText(response.status), details: {}, request_id: null };
  try {
    const parsed = (await response.json()) as { error?: ErrorBody };
    if (parsed.error?.message) body = { ...body, ...parsed.error };
  } catch {
    // Not ours (a proxy's page, an empty body): the status says what there is to say.
  }
  return new ApiError(response.status, body, Number.isFinite(after) ? after : null);
}

function statusText(status: number): string {
  if (status === 401 || status === 403) return "You are signed out. Sign in again in another tab, then try again.";
  if (status === 404) return "That is not here any more.";
  if (status === 413) return "That is too large.";
  if (status === 429) return "Too many requests at once. Wait a moment, then try again.";
  if (status >= 500) return "The server had a problem. Try again in a moment.";
  return "The server refused this request.";
}
