// Makes ../vendor out of the packages of package-lock.json; `--check` compares instead of writing.
// Run through `vendor`, which installs the packages.
import { build } from "esbuild";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const tools = dirname(fileURLToPath(import.meta.url));
const vendor = join(tools, "..", "vendor");

/** One minified module of an entry file. */
async function bundle(entry) {
  const made = await build({
    absWorkingDir: tools,
    entryPoints: [`entries/${entry}.ts`],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    legalComments: "none",
    define: { "process.env.NODE_ENV": '"production"' },
    write: false,
    metafile: true,
  });
  return { text: made.outputFiles[0].text, inputs: Object.keys(made.metafile.inputs) };
}

/** The packages that files of node_modules belong to. */
function packagesOf(inputs) {
  const found = inputs.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  return [...new Set(found.filter((name) => name !== undefined))].sort();
}

/** Name, version, licence and licence text of a package. */
function licence(name) {
  const folder = join(tools, "node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  const text = file === undefined ? `Licensed under ${license}.` : readFileSync(join(folder, file), "utf8");
  return `${name} ${version} (${license})\n\n${text.trim()}\n`;
}

const core = await bundle("vendor");
const charts = await bundle("charts");
const files = new Map([
  ["vendor.js", core.text],
  ["charts.js", charts.text],
  ["charts.css", readFileSync(join(tools, "node_modules/uplot/dist/uPlot.min.css"), "utf8")],
  ["LICENCES.txt", packagesOf([...core.inputs, ...charts.inputs]).map(licence).join(`\n${"-".repeat(72)}\n\n`)],
  // Types: those of the packages, through the entry files.
  ["vendor.d.ts", 'export * from "../tools/entries/vendor.ts";\n'],
  ["charts.d.ts", 'export * from "../tools/entries/charts.ts";\n'],
]);

mkdirSync(vendor, { recursive: true });
let differing = 0;
for (const [name, text] of files) {
  const path = join(vendor, name);
  if (process.argv.includes("--check")) {
    let there = "";
    try { there = readFileSync(path, "utf8"); } catch { /* missing counts as different */ }
    if (there !== text) { console.error(`src/web/vendor/${name} is not what src/web/tools/vendor makes`); differing += 1; }
  } else {
    writeFileSync(path, text);
  }
}
if (differing > 0) process.exit(1);
