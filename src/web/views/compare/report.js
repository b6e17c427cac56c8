// A comparison as one HTML file that needs nothing else, as `latentdb report diff` writes it.
import { create } from "../../wire/messages.js";
import { DiffRequestSchema } from "../../gen/latentdb/v1/diff_pb.js";
import { linear, ticks } from "../../parts/chart.js";
import { count, counted, fixed, pValue } from "../../parts/format.js";
import { difference, figure, span } from "./table.js";
import { diff, nameOf, requestOf } from "./request.js";
import { boundsText } from "./state.js";

/** @typedef {import("./state.js").Comparison} Comparison */
/** @typedef {import("./request.js").Answer} Answer */
/** @typedef {import("./request.js").DiffRow} DiffRow */

/** Bars of a figure; differences shown with documents; documents of each. */
const DRAWN = 20;
const SHOWN = 10;
const DOCUMENTS = 3;
/** Characters of a text before it is folded. */
const FOLDED = 700;

const STYLE = `:root { color-scheme: light dark; --ink: #222; --soft: #666; --ground: #fff; --card: #f5f6f7; --line: #d9dcdf; --a: #1d5fb4; --b: #b4541d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e6e8; --soft: #a0a5aa; --ground: #16181a; --card: #212427; --line: #3a3f44; --a: #7db3ff; --b: #ffab70; } }
body { margin: 0 auto; padding: 1rem; max-width: 62rem; color: var(--ink); background: var(--ground); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .5rem 1.5rem; } dt, .about { color: var(--soft); font-size: .9rem; } dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 1rem 0; } svg { display: block; width: 100%; height: auto; max-width: 55rem; } svg text { fill: var(--ink); font-size: 12px; }
.grid { stroke: var(--line); } .zero { stroke: var(--soft); } .a { stroke: var(--a); fill: var(--a); } .b { stroke: var(--b); fill: var(--b); }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .92rem; } th, td { padding: .3rem .7rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
article { background: var(--card); border-radius: .4rem; padding: .6rem .9rem; margin: .6rem 0; } article.counterpart { margin-left: 2.4rem; border-left: .2rem solid var(--soft); }
article p { margin: .2rem 0; overflow-wrap: anywhere; } .text { white-space: pre-line; } @media print { article { break-inside: avoid; } }`;

/** @param {string} text */
function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** @param {string} text @param {number} most */
function cut(text, most) {
  const characters = [...text];
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : text;
}

/**
 * @param {string} collection
 * @param {Comparison} state
 * @param {AbortSignal} signal
 */
export async function reportOf(collection, state, signal) {
  const request = create(DiffRequestSchema, requestOf(collection, state));
  request.documents = DOCUMENTS;
  const answers = await diff(request, signal, () => undefined);
  const title = `${state.a} against ${state.b.length === 0 ? nameOf(state, 0, "") : state.b.join(", ")}`;
  const parameters = /** @type {[string, string][]} */ ([
    ["Collection", collection],
    ["Date", new Date().toISOString().slice(0, 10)],
    ["Compared", state.means ? "mean activations" : "shares of documents"],
    ["Documents", state.how === "" ? "each by itself" : `${{ pair: "paired by", stratify: "within strata of", cluster: "clustered by" }[state.how]} ${state.by}`],
    ["Adjusted p up to", state.p || "0.05"],
    ["Command", commandOf(collection, state)],
  ]);
  return `<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><head><meta charset="utf-8" /><meta name="viewport" content="width=device-width, initial-scale=1" />
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" /><meta name="color-scheme" content="light dark" />
<title>${escaped(title)}</title><style>${STYLE}</style></head>
<body><h1>${escaped(title)}</h1>
<dl>${parameters.map(([name, value]) => `<div><dt>${name}</dt><dd>${escaped(value)}</dd></div>`).join("\n")}</dl>
${answers.map((answer, which) => section(answer, state, which)).join("\n")}
</body></html>
`;
}

/** @param {Answer} answer @param {Comparison} state @param {number} which */
function section({ head, rows }, state, which) {
  const unit = state.how === "pair" ? "pairs" : "documents";
  const notes = head.warnings.map((text) => `<p>${escaped(text)}</p>`).join("\n");
  const shown = rows.slice(0, SHOWN).filter(({ documents }) => documents.length > 0);
  return `<h2>A against ${escaped(nameOf(state, which, head.name))}</h2>
<p>A: ${count(head.aDocuments)} ${unit}. B: ${count(head.bDocuments)}. ${counted(head.tested, "latent")} tested; ${count(head.passing)} ${head.passing === 1n ? "differs" : "differ"} (${escaped(boundsText(state))}), ${count(rows.length)} listed.</p>
${notes}
${rows.length === 0 ? "<p>No latent differs.</p>" : `<figure>${forest(rows.slice(0, DRAWN), state.means)}<figcaption class="about">The ${count(Math.min(DRAWN, rows.length))} largest differences with their intervals${state.means ? "" : ", in points"}; right of 0: more in A.</figcaption></figure>
${table(rows, state.means)}`}
${shown.map((row) => `<h3>${escaped(named(row))}</h3>\n${examples(row)}`).join("\n")}`;
}

/** @param {DiffRow} row */
function named(row) {
  return `${row.latent} ${row.label}${row.lowConfidence ? " ?" : ""}`.trim();
}

/** @param {DiffRow[]} rows @param {boolean} means */
function forest(rows, means) {
  const [left, wide, line] = [300, 880, 24];
  const [low, high] = span(rows);
  const x = linear(low, high, left, wide - 20);
  const bottom = rows.length * line + 10;
  const scale = means ? 1 : 100;
  const grid = ticks(low * scale, high * scale, 6).map((value) =>
    `<line class="grid" x1="${x(value / scale)}" x2="${x(value / scale)}" y1="0" y2="${bottom}" /><text x="${x(value / scale)}" y="${bottom + 16}" text-anchor="middle">${value > 0 ? "+" : ""}${value}</text>`);
  const bars = rows.map((row, at) => {
    const y = at * line + 16;
    const side = row.delta >= 0 ? "a" : "b";
    const whisker = Number.isFinite(row.low) && Number.isFinite(row.high)
      ? `<line class="${side}" stroke-width="2" x1="${x(row.low)}" x2="${x(row.high)}" y1="${y}" y2="${y}" />` : "";
    return `<text x="${left - 10}" y="${y + 4}" text-anchor="end">${escaped(cut(named(row), 44))}</text>${whisker}<rect class="${side}" x="${x(row.delta) - 3}" y="${y - 4}" width="6" height="8" />`;
  });
  return `<svg viewBox="0 0 ${wide} ${bottom + 24}" role="img" aria-label="Differences with their intervals">${grid.join("")}<line class="zero" x1="${x(0)}" x2="${x(0)}" y1="0" y2="${bottom}" />${bars.join("")}</svg>`;
}

/** @param {DiffRow[]} rows @param {boolean} means */
function table(rows, means) {
  const heads = ["Latent", "A", "B", means ? "A − B" : "A − B, points", "Interval", "Adjusted p"];
  const cells = (/** @type {DiffRow} */ row) => [named(row), figure(row.a, means), figure(row.b, means), difference(row.delta, means),
    `${difference(row.low, means)} to ${difference(row.high, means)}`, pValue(row.pAdjusted)];
  const cell = (/** @type {string} */ text, /** @type {number} */ at, /** @type {string} */ tag) => `<${tag}${at === 0 ? "" : ' class="number"'}>${escaped(text)}</${tag}>`;
  return `<div class="wide"><table><thead><tr>${heads.map((text, at) => cell(text, at, "th")).join("")}</tr></thead>
<tbody>${rows.map((row) => `<tr>${cells(row).map((text, at) => cell(text, at, "td")).join("")}</tr>`).join("\n")}</tbody></table></div>`;
}

/** @param {DiffRow} row */
function examples(row) {
  return row.documents.map(({ document, activation }, at) => {
    const counterpart = row.counterparts[at];
    return article(document?.id ?? "", `activation ${fixed(activation)}`, document?.text ?? "", false)
      + (counterpart === undefined ? "" : article(counterpart.id, "paired with it", counterpart.text ?? "", true));
  }).join("\n");
}

/** @param {string} id @param {string} about @param {string} text @param {boolean} counterpart */
function article(id, about, text, counterpart) {
  const characters = [...text];
  const body = characters.length <= FOLDED ? `<p class="text">${escaped(text)}</p>`
    : `<details class="text"><summary>${escaped(characters.slice(0, FOLDED).join(""))}…</summary><p>…${escaped(characters.slice(FOLDED).join(""))}</p></details>`;
  return `<article${counterpart ? ' class="counterpart"' : ""}><p class="about"><b>${escaped(id)}</b> ${about}</p>${body}</article>`;
}

/** The same comparison on the command line. @param {string} collection @param {Comparison} state */
export function commandOf(collection, state) {
  const quote = (/** @type {string} */ text) => `'${text.replaceAll("'", "'\\''")}'`;
  const flag = (/** @type {string} */ name, /** @type {string} */ value) => value === "" ? [] : [`--${name} ${quote(value)}`];
  const hows = /** @type {Record<string, string>} */ ({ pair: "pair-by", stratify: "stratify-by", cluster: "cluster-by" });
  return ["latentdb diff", collection, ...flag("a", state.a), ...state.b.flatMap((filter) => flag("b", filter)), ...(state.means ? ["--mean"] : []),
    ...(state.how === "" ? [] : flag(hows[state.how] ?? "", state.by)), ...flag("overlap", state.overlap), ...flag("more-in", state.favours), ...flag("max-p", state.p),
    ...flag("min-delta", state.delta), ...flag("min-support", state.support), ...flag("above", state.above), ...flag("max-b-share", state.bShare), ...flag("confirm", state.confirm),
    ...flag("b-collection", state.other), ...(state.vouched ? ["--same-latents"] : [])].join(" ");
}
