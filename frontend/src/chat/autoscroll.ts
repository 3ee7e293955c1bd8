/** Keeps the end of a growing answer in view, until the reader scrolls away from it. */
export class Autoscroll {
  private following = true;
  private frame = 0;

  constructor(
    private readonly scroller: HTMLElement,
    private readonly onChange: (following: boolean) => void,
  ) {
    scroller.addEventListener("scroll", () => this.set(this.atEnd()), { passive: true });
    // A wheel upwards means "let me read", even before the scroll has moved past the margin.
    scroller.addEventListener("wheel", (event) => event.deltaY < 0 && this.canScroll() && this.set(false), { passive: true });
  }

  /** The text grew. */
  grew(): void {
    if (!this.following || this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (this.following) this.scroller.scrollTop = this.scroller.scrollHeight;
    });
  }

  toEnd(): void {
    this.set(true);
    this.grew();
  }

  private canScroll(): boolean {
    return this.scroller.scrollHeight > this.scroller.clientHeight + 1;
  }

  private atEnd(): boolean {
    return this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < 48;
  }

  private set(following: boolean): void {
    if (following === this.following) return;
    this.following = following;
    this.onChange(following);
  }
}
