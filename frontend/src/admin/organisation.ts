/** The portal's look while it is being chosen: the same stylesheet that the portal would load. */

const preview = document.querySelector<HTMLElement>("[data-theme-preview]");
const accent = document.querySelector<HTMLInputElement>("#id_accent");
const welcome = document.querySelector<HTMLTextAreaElement>("#id_welcome");
const sheet = document.getElementById("theme-preview") as HTMLLinkElement | null;

function show(): void {
  const chosen = accent?.value.slice(1).toLowerCase() ?? "";
  if (sheet && /^[0-9a-f]{6}$/.test(chosen)) sheet.href = `/theme/${chosen}.css`;
  for (const place of preview?.querySelectorAll<HTMLElement>("[data-welcome]") ?? []) {
    place.textContent = welcome?.value ?? "";
    place.hidden = !place.textContent;
  }
}

if (preview) {
  accent?.addEventListener("input", show);
  welcome?.addEventListener("input", show);
  show();
}
