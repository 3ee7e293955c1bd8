/** Files dropped anywhere on the page. */
export interface DropOptions {
  /** Shown over the page while files are held over it. */
  overlay: HTMLElement;
  onFiles: (files: File[]) => void;
  onFolder: (name: string) => void;
}

export function acceptDrops(options: DropOptions): void {
  let depth = 0;
  const show = (on: boolean) => {
    if (!on) depth = 0;
    options.overlay.hidden = !on;
  };
  document.addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth += 1;
    show(true);
  });
  document.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  document.addEventListener("dragleave", (event) => {
    if (!carriesFiles(event)) return;
    depth -= 1;
    if (depth <= 0) show(false);
  });
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    show(false);
    take(event.dataTransfer, options);
  });
}

function carriesFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

function take(data: DataTransfer | null, options: DropOptions): void {
  const files: File[] = [];
  for (const item of data?.items ?? []) {
    const file = item.getAsFile();
    if (!file) continue;
    if (item.webkitGetAsEntry?.()?.isDirectory) options.onFolder(file.name);
    else files.push(file);
  }
  if (files.length) options.onFiles(files);
}
