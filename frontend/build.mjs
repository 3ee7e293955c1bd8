// Builds the browser's files into app/static/refdesk/, or into the folder given as argument. Same input, same bytes.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
export const OUT = resolve(here, "../app/static/refdesk");
export const PAGES = ["theme", "ask", "documents", "document", "account"];
export const ADMIN = ["dashboard", "keys", "organisation"];
export const BUILT = [...[...PAGES, ...ADMIN].map((page) => `${page}.js`), "portal.css", "icons.svg"];

export async function build(out) {
  await mkdir(out, { recursive: true });
  await esbuild.build({
    absWorkingDir: here,
    // Named one by one: with two folders esbuild would make folders too.
    entryPoints: [...PAGES.map((page) => [page, "portal"]), ...ADMIN.map((page) => [page, "admin"])].map(([out, folder]) => ({ in: `src/${folder}/${out}.ts`, out })),
    outdir: out,
    bundle: true,
    minify: true,
    format: "iife",
    target: ["chrome123", "firefox120", "safari17.5"],
    charset: "utf8",
    legalComments: "inline",
    logLevel: "warning",
  });
  await esbuild.build({
    absWorkingDir: here,
    entryPoints: ["styles/portal.css"],
    outfile: join(out, "portal.css"),
    bundle: true,
    minify: true,
    target: ["chrome123", "firefox120", "safari17.5"],
    logLevel: "warning",
  });
  await writeFile(join(out, "icons.svg"), await sprite());
}

async function sprite() {
  const source = await esbuild.build({
    absWorkingDir: here,
    entryPoints: ["src/page/icons.ts"],
    bundle: true,
    write: false,
    format: "esm",
  });
  const { ICONS } = await import(`data:text/javascript;base64,${Buffer.from(source.outputFiles[0].contents).toString("base64")}`);
  const symbols = Object.entries(ICONS).map(([name, path]) => `<symbol id="${name}" viewBox="0 0 20 20"><path d="${path}"/></symbol>`);
  return `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await build(process.argv[2] ? resolve(process.argv[2]) : OUT);
