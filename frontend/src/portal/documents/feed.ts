import type { DocumentRow } from "./shapes";

export interface FeedOptions {
  url: string;
  onDocument: (document: DocumentRow) => void;
  onDeleted: (id: string) => void;
  /** The stream is back after a break: changes in between were missed. */
  onReturn: () => void;
}

/** Changes of documents as they happen. The browser connects again by itself. */
export function followDocuments(options: FeedOptions): EventSource {
  const source = new EventSource(options.url);
  let broke = false;
  source.addEventListener("document", (event) => options.onDocument(JSON.parse((event as MessageEvent<string>).data) as DocumentRow));
  source.addEventListener("deleted", (event) => options.onDeleted((JSON.parse((event as MessageEvent<string>).data) as { id: string }).id));
  source.addEventListener("error", () => {
    broke = true;
  });
  source.addEventListener("open", () => {
    if (broke) options.onReturn();
    broke = false;
  });
  addEventListener("pagehide", () => source.close());
  return source;
}
