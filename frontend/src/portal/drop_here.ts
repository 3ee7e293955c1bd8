import { acceptDrops } from "./documents/drop";
import { Uploads } from "./documents/uploads";
import { csrfHeader } from "./session";
import type { Client } from "../chat/client";

/** Files dropped on a conversation are added to the documents; the next question can be about them. */
export function addDroppedFiles(client: Client, host: HTMLElement, overlay: HTMLElement): void {
  const uploads = new Uploads({
    url: client.url("/documents"),
    headers: csrfHeader,
    onDocument: () => {},
    received: "Received. It can be asked about as soon as it has been read; Documents shows how far it is.",
    host,
  });
  acceptDrops({
    overlay,
    onFiles: (files) => uploads.add(files),
    onFolder: (name) => uploads.refuse(name, "A folder cannot be dropped here. Open it and choose its files."),
  });
}
