// The files in git equal a fresh build, and no page loads more JavaScript than its budget.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, BUILT, OUT, PAGES } from "./build.mjs";

const BUDGET = 60 * 1024;
const fresh = await mkdtemp(join(tmpdir(), "refdesk-build-"));
let failed = false;
try {
  await build(fresh);
  for (const name of BUILT) {
    const [now, kept] = await Promise.all([readFile(join(fresh, name)), readFile(join(OUT, name)).catch(() => Buffer.alloc(0))]);
    if (!now.equals(kept)) {
      console.error(`app/static/refdesk/${name} is not what a fresh build gives: run npm run build and commit it.`);
      failed = true;
    }
  }
  const size = async (name) => gzipSync(await readFile(join(fresh, name)), { level: 9 }).length;
  const theme = await size("theme.js");
  for (const page of PAGES.filter((name) => name !== "theme")) {
    const total = theme + (await size(`${page}.js`));
    console.log(`${page.padEnd(12)}${(total / 1024).toFixed(1).padStart(6)} KiB of JavaScript, gzipped (budget 60)`);
    if (total > BUDGET) failed = true;
  }
  console.log(`${"portal.css".padEnd(12)}${((await size("portal.css")) / 1024).toFixed(1).padStart(6)} KiB, gzipped`);
} finally {
  await rm(fresh, { recursive: true });
}
process.exit(failed ? 1 : 0);
