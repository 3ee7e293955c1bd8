/** Draws the dashboard's plots with the Chart.js that Unfold ships, in the colours of tokens.css. */

interface Series {
  name: string;
  /** A name of tokens.css; of a doughnut one for each part, with commas between. */
  tone: string;
  values: (number | null)[];
  dashed: boolean;
}

interface Drawing {
  kind: "bar" | "line" | "doughnut";
  labels: string[];
  series: Series[];
  unit: string;
}

interface Plot {
  destroy(): void;
}

declare const Chart: new (canvas: HTMLCanvasElement, config: unknown) => Plot;

const DASH = [5, 4];
const TEXT = { family: "Inter, system-ui, sans-serif", size: 12 };

/** A token's colour now: `light-dark()` is only worked out on an element. */
function colour(token: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(--${token})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function dataset(series: Series, kind: Drawing["kind"]): Record<string, unknown> {
  const tones = series.tone.split(",").map(colour);
  const one = tones[0] ?? "";
  const shared = { label: series.name, data: series.values };
  if (kind === "doughnut") return { ...shared, backgroundColor: tones, borderColor: colour("sheet"), borderWidth: 2 };
  if (kind === "bar") return { ...shared, backgroundColor: one, maxBarThickness: 22, stack: "all" };
  return { ...shared, borderColor: one, backgroundColor: one, borderWidth: 2, borderDash: series.dashed ? DASH : [], pointRadius: 3, ...(series.dashed ? { pointStyle: "triangle", pointBackgroundColor: colour("sheet") } : {}), tension: 0.25, spanGaps: true };
}

function options(drawing: Drawing): Record<string, unknown> {
  const soft = colour("soft");
  const line = colour("line");
  const ticks = { color: soft, font: TEXT };
  const says = (item: { dataset: { label?: string }; label: string; formattedValue: string }) =>
    `${drawing.kind === "doughnut" ? item.label : item.dataset.label}: ${item.formattedValue}${drawing.unit ? ` ${drawing.unit}` : ""}`;
  const legend = { display: drawing.series.length > 1 || drawing.kind === "doughnut", position: "bottom", labels: { ...ticks, ...(drawing.kind === "line" ? { usePointStyle: true, boxHeight: 7 } : { boxWidth: 10, boxHeight: 10 }) } };
  const shared = { responsive: true, maintainAspectRatio: false, animation: false, plugins: { legend, tooltip: { callbacks: { label: says } } } };
  if (drawing.kind === "doughnut") return { ...shared, cutout: "62%" };
  const stacked = drawing.kind === "bar";
  const whole = drawing.unit ? {} : { precision: 0 };
  return {
    ...shared,
    interaction: { mode: "index", intersect: false },
    scales: {
      x: { stacked, grid: { display: false }, border: { color: line }, ticks: { ...ticks, maxRotation: 0, autoSkipPadding: 16 } },
      y: { stacked, beginAtZero: true, grid: { color: line }, border: { display: false }, ticks: { ...ticks, ...whole, maxTicksLimit: 6 } },
    },
  };
}

function drawAll(drawings: Record<string, Drawing>): Plot[] {
  const plots: Plot[] = [];
  for (const canvas of document.querySelectorAll<HTMLCanvasElement>("canvas[data-chart]")) {
    const drawing = drawings[canvas.dataset["chart"] ?? ""];
    if (!drawing) continue;
    const datasets = drawing.series.map((series) => dataset(series, drawing.kind));
    plots.push(new Chart(canvas, { type: drawing.kind, data: { labels: drawing.labels, datasets }, options: options(drawing) }));
  }
  return plots;
}

const data = document.getElementById("drawings");
if (data) {
  const drawings = JSON.parse(data.textContent ?? "{}") as Record<string, Drawing>;
  let plots = drawAll(drawings);
  let dark = document.documentElement.classList.contains("dark");
  // A canvas does not wait for a font: what was drawn before it came is drawn again.
  void document.fonts.load(`${TEXT.size}px Inter`).then(() => {
    for (const plot of plots) plot.destroy();
    plots = drawAll(drawings);
  });
  new MutationObserver(() => {
    if (dark === document.documentElement.classList.contains("dark")) return;
    dark = !dark;
    for (const plot of plots) plot.destroy();
    plots = drawAll(drawings);
  }).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
}
