import type { Client } from "../../chat/client";
import { confirmed } from "../../page/confirm";
import type { DocumentRow } from "./shapes";

/** Does what a row's button says. Resolves to the document afterwards, "deleted", or null when nothing was done. */
export async function act(client: Client, action: string, id: string, name: string): Promise<DocumentRow | "deleted" | null> {
  if (action === "delete") {
    const detail = "Its passages can no longer be found. Answers that quoted it keep their quotes.";
    if (!(await confirmed(`Delete ${name}?`, detail, "Delete"))) return null;
    await client.remove(`/documents/${id}`);
    return "deleted";
  }
  const answer = await client.post<DocumentRow>(`/documents/${id}/${action}`);
  return answer ?? client.get<DocumentRow>(`/documents/${id}`);
}
