// Two sets of documents, and what sets them apart.
import { html, useState } from "../../vendor/vendor.js";
import { useCollection } from "../../app/collections.js";
import { at } from "../../app/errors.js";
import { useShortcuts } from "../../app/keyboard.js";
import { address, go, route } from "../../app/router.js";
import { useWork } from "../../app/work.js";
import { Dialog } from "../../parts/dialog.js";
import { say } from "../../parts/say.js";
import { csv, download } from "../../parts/download.js";
import { count, counted } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Empty, ProblemBox, Warnings } from "../../parts/states.js";
import { useWide } from "../../parts/wide.js";
import { WorkLine, Worked } from "../../parts/work.js";
import { Begin } from "./begin.js";
import { SideBySide } from "./documents.js";
import { Form } from "./form.js";
import { OnlyInA } from "./only.js";
import { diff, nameOf, requestOf } from "./request.js";
import { asked, bounds, boundsText, read, write } from "./state.js";
import { Forest, sorted } from "./table.js";
import { Volcano } from "./volcano.js";

/** @typedef {import("./state.js").Comparison} Comparison */
/** @typedef {import("./request.js").Answer} Answer */
/** @typedef {(changes: Partial<Comparison>) => void} Change */

export function View() {
  const { collection, params } = route.value;
  const state = read(params);
  const record = useCollection(collection);
  const ready = state.a.trim() !== "" && (state.how === "" || state.by !== "");
  const key = asked(state);
  const listed = useWork((signal, report) => diff(requestOf(collection, state), signal, report), [collection, key], ready);
  /** @type {Change} */
  const change = (changes) => {
    const keep = "latent" in changes || "sort" in changes || "tab" in changes;
    go(address({ collection, view: "compare", params: write({ ...state, ...changes }) }), { step: keep ? "look" : "compare" });
  };
  return html`<div class="view compare"><h1>Compare</h1>
    <${Form} collection=${collection} record=${record.value} state=${state} change=${change} problem=${listed.problem} />
    ${state.a.trim() === "" ? html`<${Begin} collection=${collection} record=${record.value} />` : !ready
      ? html`<${Empty} title="Choose the attribute"><p>Documents are compared by its values.</p></${Empty}>` : html`
      <${WorkLine} of=${listed} what="Comparing" again=${listed.again}><${Exports} collection=${collection} state=${state} answers=${listed.value} /></${WorkLine}>
      ${at(listed.problem, /^(a|b\[\d+\])\b/) !== undefined ? html`<${Empty} title="A filter is not accepted"><p>What is wrong with it stands under it.</p></${Empty}>`
        : listed.problem?.fields.some(({ field }) => field === "overlap") ? html`<${Overlap} problem=${listed.problem} change=${change} />`
        : html`<${Worked} of=${listed}>${(/** @type {Answer[]} */ answers) => html`<${Answers} collection=${collection} state=${state} answers=${answers} change=${change} asked=${key} />`}</${Worked}>`}`}
  </div>`;
}

/** The sets overlap, which a person decides about. @param {{problem: import("../../app/errors.js").Problem, change: Change}} properties */
function Overlap({ problem, change }) {
  return html`<${ProblemBox} problem=${problem} /><p class="row below"><button type="button" onClick=${() => change({ overlap: "drop" })}>Drop them from both sets</button>
    <button type="button" onClick=${() => change({ overlap: "keep" })}>Keep them in both</button></p>`;
}

/** @param {{collection: string, state: Comparison, answers: Answer[] | undefined}} properties */
function Exports({ collection, state, answers }) {
  const [problem, setProblem] = useState(/** @type {import("../../app/errors.js").Problem | undefined} */ (undefined));
  const report = async () => {
    const [{ reportOf }, { problemOf }] = await Promise.all([import("./report.js"), import("../../app/errors.js")]);
    try {
      setProblem(undefined);
      download("comparison.html", await reportOf(collection, state, new AbortController().signal), "text/html");
      say("The report is downloaded.");
    } catch (error) {
      setProblem(problemOf(error));
    }
  };
  const rows = () => download("comparison.csv", csv([["comparison", "latent", "label", "a_count", "b_count", "a", "b", "delta", "low", "high", "p_value", "p_adjusted"],
    ...(answers ?? []).flatMap(({ head, rows: list }, which) => list.map((row) => [nameOf(state, which, head.name), row.latent, row.label, String(row.aCount), String(row.bCount),
      row.a, row.b, row.delta, row.low, row.high, row.pValue, row.pAdjusted]))]), "text/csv");
  const copy = async () => {
    const { commandOf } = await import("./report.js");
    navigator.clipboard.writeText(commandOf(collection, state)).then(() => say("Copied."), () => say("The browser forbids copying here."));
  };
  const none = answers === undefined;
  return html`<span class="row"><button type="button" class="small" disabled=${none} onClick=${report} data-testid="report">Download the report</button>
    <button type="button" class="small" disabled=${none} onClick=${rows}>Download CSV</button>
    <button type="button" class="small" disabled=${none} onClick=${copy}>Copy as command</button>
    <a href=${address({ collection, view: "map", params: { filter: state.a } })}>A on the map</a>
    ${state.b.length === 1 && state.other === "" && html`<a href=${address({ collection, view: "map", params: { filter: state.b[0] } })}>B on the map</a>`}</span>
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} />`}`;
}

/** @param {{collection: string, state: Comparison, answers: Answer[], change: Change, asked: string}} properties */
function Answers({ collection, state, answers, change, asked: key }) {
  const wide = useWide();
  const [hovered, setHovered] = useState(/** @type {number | undefined} */ (undefined));
  // The plot shows every tested latent, the table those that pass.
  const all = useWork((signal, report) => diff({ ...requestOf(collection, state), all: true, limit: 0 }, signal, report), [collection, key]);
  const which = Math.min(state.which, answers.length - 1);
  const answer = answers[which];
  const rows = answer?.rows ?? [];
  useShortcuts([
    { keys: "j", does: "Next difference", run: () => step(1) },
    { keys: "k", does: "Former difference", run: () => step(-1) },
  ]);
  /** @param {number} by */
  const step = (by) => {
    const order = sorted(rows, state.sort);
    // A key may come before the former one is on the page.
    const latentNow = read(route.value.params).latent;
    const now = order.findIndex(({ latent }) => latent === latentNow);
    const next = order[now < 0 ? 0 : Math.max(0, Math.min(order.length - 1, now + by))];
    if (next === undefined) return;
    change({ latent: next.latent, tab: "documents" });
    document.querySelector(`[data-latent="${next.latent}"] button`)?.scrollIntoView({ block: "nearest" });
  };
  if (answer === undefined) return html`<${Empty} title="Nothing was compared" />`;
  const shown = all.value?.[which]?.rows ?? rows;
  return html`${answers.length > 1 && html`<div class="row segmented" role="group" aria-label="Comparison">${answers.map(({ head }, at) => html`
      <button key=${at} type="button" aria-pressed=${at === which} onClick=${() => change({ which: at })}>A against <span dir="auto">${nameOf(state, at, head.name)}</span></button>`)}</div>`}
    <${Summary} answer=${answer} state=${state} />
    <div class="compare-answer">
      <div class="compare-table">${rows.length === 0 ? html`<${Empty} title="No latent differs"><p>${counted(answer.head.tested, "latent")} tested, none with ${boundsText(state)}. A larger p or a smaller difference among the options lists more.</p></${Empty}>`
        : html`<${Forest} rows=${rows} state=${state} change=${change} hovered=${hovered} hover=${setHovered} />`}</div>
      <div class="compare-side-panel">
        <${Volcano} rows=${shown} means=${state.means} ...${bounds(state)}
          chosen=${state.latent} hovered=${hovered} hover=${setHovered} choose=${(/** @type {number} */ latent) => change({ latent, tab: "documents" })} />
        ${wide ? html`<${Panel} collection=${collection} state=${state} rows=${shown} passing=${rows} change=${change} />`
          : html`<${Narrow} collection=${collection} state=${state} rows=${shown} passing=${rows} change=${change} />`}
      </div>
    </div>`;
}

/** @param {{answer: Answer, state: Comparison}} properties */
function Summary({ answer: { head, rows }, state }) {
  const unit = state.how === "pair" ? "pair" : "document";
  const said = [
    `A ${counted(head.aDocuments, unit)}`, `B ${counted(head.bDocuments, unit)}`,
    ...(head.shared !== undefined && head.shared > 0n && state.overlap !== "" ? [`${count(head.shared)} in both`] : []),
    ...(head.aUnpaired !== undefined ? [`without a pair ${count(head.aUnpaired)} in A, ${count(head.bUnpaired ?? 0n)} in B`] : []),
    ...(head.groups !== undefined ? [`${count(head.groups)} ${state.how === "cluster" ? "clusters" : "strata"}, ${count((head.aOutside ?? 0n) + (head.bOutside ?? 0n))} documents outside`] : []),
    ...(head.aMedianLength !== undefined && head.bMedianLength !== undefined ? [`median words ${count(head.aMedianLength)} and ${count(head.bMedianLength)}`] : []),
    state.means ? "differences of mean activations" : "differences in points",
    ...(head.found !== undefined ? [`${count(head.found)} found, then tested on the rest`] : []),
    `${counted(head.tested, "latent")} tested`,
    `${count(head.passing)} ${head.passing === 1n ? "differs" : "differ"} (${boundsText(state)})${BigInt(rows.length) < head.passing ? `, the ${count(rows.length)} largest listed` : ""}`,
  ];
  return html`<p class="compare-summary number" data-testid="summary">${said.join(" · ")}<${Help} page="methods" at="tests-and-intervals" of="an adjusted p-value" /></p><${Warnings} of=${head.warnings} />`;
}

/**
 * @typedef {object} Look
 * @property {string} collection
 * @property {Comparison} state
 * @property {import("./request.js").DiffRow[]} rows     Of every latent.
 * @property {import("./request.js").DiffRow[]} passing
 * @property {Change} change
 */

/** What is beside the table: the documents of a latent, or what A has and B has not. @param {Look} properties */
function Panel({ collection, state, rows, passing, change }) {
  const tab = (/** @type {string} */ name, /** @type {string} */ title) => html`<button type="button" aria-pressed=${state.tab === name} onClick=${() => change({ tab: name })}>${title}</button>`;
  return html`<div class="row segmented" role="group" aria-label="What is beside the table">${tab("documents", "Documents of a latent")}${tab("only", "What A has and B has not")}</div>
    ${state.tab === "only" ? html`<${OnlyInA} collection=${collection} state=${state} rows=${passing} />` : html`<${Documents} collection=${collection} state=${state} rows=${rows} />`}`;
}

/** @param {{collection: string, state: Comparison, rows: import("./request.js").DiffRow[]}} properties */
function Documents({ collection, state, rows }) {
  if (state.latent === undefined) return html`<p class="muted">Choose a latent in the table or the plot to see its documents of both sides.</p>`;
  const row = rows.find(({ latent }) => latent === state.latent);
  return html`<${SideBySide} key=${state.latent} collection=${collection} state=${state} latent=${state.latent} label=${row?.label ?? ""} low=${row?.lowConfidence ?? false} row=${row} />`;
}

/** On a phone, the documents stand in a dialog over the table. @param {Look} properties */
function Narrow({ collection, state, rows, passing, change }) {
  const only = state.tab === "only";
  if (only) return html`<${Dialog} wide title="What A has and B has not" onClose=${() => change({ tab: "documents" })}><${OnlyInA} collection=${collection} state=${state} rows=${passing} /></${Dialog}>`;
  return html`<p><button type="button" onClick=${() => change({ tab: "only" })}>What A has and B has not</button></p>
    ${state.latent !== undefined && html`<${Dialog} wide title="Documents of both sides" onClose=${() => change({ latent: undefined })}><${Documents} collection=${collection} state=${state} rows=${rows} /></${Dialog}>`}`;
}
