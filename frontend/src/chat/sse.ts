/** Server-sent events out of a fetch body. EventSource can neither POST nor send our headers. */

export interface ServerEvent {
  id: string;
  event: string;
  data: string;
}

/** Takes the stream in pieces cut anywhere, even inside a line end, and gives back whole events. */
export class EventParser {
  private rest = "";
  private first = true;
  private event = "";
  private data: string[] = [];
  private id = "";

  push(piece: string): ServerEvent[] {
    this.rest += piece;
    if (this.first && this.rest.length > 0) {
      this.first = false;
      if (this.rest.startsWith("\uFEFF")) this.rest = this.rest.slice(1);
    }
    const events: ServerEvent[] = [];
    for (;;) {
      const end = this.rest.search(/[\r\n]/);
      if (end < 0) return events;
      const carriage = this.rest[end] === "\r";
      // A carriage return at the very end may be the first half of CRLF: wait for the next piece.
      if (carriage && end === this.rest.length - 1) return events;
      const line = this.rest.slice(0, end);
      this.rest = this.rest.slice(end + (carriage && this.rest[end + 1] === "\n" ? 2 : 1));
      const event = this.take(line);
      if (event) events.push(event);
    }
  }

  private take(line: string): ServerEvent | null {
    if (line === "") return this.flush();
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.event = value;
    else if (field === "data") this.data.push(value);
    else if (field === "id" && !value.includes("\0")) this.id = value;
    return null;
  }

  private flush(): ServerEvent | null {
    const event = this.data.length
      ? { id: this.id, event: this.event || "message", data: this.data.join("\n") }
      : null;
    this.event = "";
    this.data = [];
    return event;
  }
}

/** Reads the body to its end; rejects when the connection breaks. */
export async function readEvents(body: ReadableStream<Uint8Array>, onEvent: (event: ServerEvent) => void): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const event of parser.push(decoder.decode(value, { stream: true }))) onEvent(event);
  }
}
