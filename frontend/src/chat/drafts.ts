/** What was typed and not sent, kept per conversation over a reload. Storage can be full or forbidden: then it is not kept. */
export class Drafts {
  constructor(
    private readonly storage: Storage | null,
    private readonly bot: string,
  ) {}

  read(conversation: string | null): string {
    try {
      return this.storage?.getItem(this.key(conversation)) ?? "";
    } catch {
      return "";
    }
  }

  write(conversation: string | null, text: string): void {
    try {
      if (text) this.storage?.setItem(this.key(conversation), text);
      else this.storage?.removeItem(this.key(conversation));
    } catch {
      return;
    }
  }

  private key(conversation: string | null): string {
    return `refdesk.draft.${conversation ?? `new.${this.bot}`}`;
  }
}
