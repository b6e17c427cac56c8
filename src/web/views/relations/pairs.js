// Latents that occur together more often than chance: a table, and the same as a graph.
import { html, useState } from "../../vendor/vendor.js";
import { analyses, expression } from "../../app/analyses.js";
import { useCollection } from "../../app/collections.js";
import { at } from "../../app/errors.js";
import { route, update } from "../../app/router.js";
import { useWork } from "../../app/work.js";
import { LatentName } from "../../parts/chip.js";
import { Dialog } from "../../parts/dialog.js";
import { csv, download } from "../../parts/download.js";
import { Check, NumberField, Select, SortHeading, written } from "../../parts/fields.js";
import { FilterBox } from "../../parts/filter-box.js";
import { count, counted, fixed, pValue, percent, valueText } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { LabelPicker } from "../../parts/label-picker.js";
import { Empty, Warnings } from "../../parts/states.js";
import { useTyped } from "../../parts/typed.js";
import { useWide } from "../../parts/wide.js";
import { WorkLine, Worked } from "../../parts/work.js";
import { Graph } from "./graph.js";
import { Together } from "./together.js";

/** @typedef {import("../../gen/latentdb/v1/correlate_pb.js").CorrelatedPair} CorrelatedPair */
/** @typedef {import("../../gen/latentdb/v1/correlate_pb.js").CorrelateSummary} Summary */
/** @typedef {import("../../app/collections.js").Collection} Collection */
/** @typedef {{summary: Summary | undefined, pairs: CorrelatedPair[]}} Answer */

/** Pairs in the table and the graph. */
const LISTED = 200;

/** What the other side of a pair is called, and its key. @param {CorrelatedPair} pair */
export function otherOf(pair) {
  return pair.other.case === "j" ? { key: `l${pair.other.value}`, name: `${pair.other.value} ${pair.jLabel}` } : { key: `v${valueText(pair.other.value)}`, name: valueText(pair.other.value) };
}

/** @param {CorrelatedPair} pair */
export function keyOf(pair) {
  return `${pair.i}-${otherOf(pair).key}`;
}

/** @param {{collection: string}} properties */
export function Pairs({ collection }) {
  const { params } = route.value;
  const text = (/** @type {string} */ name) => params.get(name) ?? "";
  const record = useCollection(collection);
  const asked = ["filter", "attribute", "latent", "support", "npmi", "p", "strata", "similar", "adjacent", "density"].map(text);
  const work = useWork((signal, report) => correlate(collection, text, signal, report), [collection, ...asked]);
  return html`<${Form} collection=${collection} record=${record.value} text=${text} problem=${work.problem} />
    <${WorkLine} of=${work} what="Counting pairs" again=${work.again}>
      <button type="button" class="small" disabled=${work.value === undefined} onClick=${() => download("pairs.csv", table(work.value?.pairs ?? []), "text/csv")}>Download CSV</button></${WorkLine}>
    <${Worked} of=${work}>${(/** @type {Answer} */ answer) => html`<${Answered} collection=${collection} answer=${answer} text=${text} />`}</${Worked}>`;
}

/**
 * @param {string} collection
 * @param {(name: string) => string} text
 * @param {AbortSignal} signal
 * @param {import("../../app/work.js").Report} report
 * @returns {Promise<Answer>}
 */
async function correlate(collection, text, signal, report) {
  /** @type {Answer} */
  const answer = { summary: undefined, pairs: [] };
  const latent = text("latent");
  for await (const { part } of analyses.correlate({
    collection,
    filter: expression(text("filter")),
    attribute: text("attribute"),
    latents: latent === "" ? [] : [Number(latent)],
    minSupport: BigInt(written(text("support")) ?? 0),
    minNpmi: written(text("npmi")),
    maxPAdjusted: written(text("p")),
    maxDensity: written(text("density")),
    maxLabelSimilarity: written(text("similar")),
    stratifyBy: text("strata"),
    excludeAdjacent: text("adjacent") === "1",
    limit: LISTED,
  }, { signal })) {
    if (part.case === "progress") report(part.value.done, part.value.total);
    else if (part.case === "summary") answer.summary = part.value;
    else if (part.case === "pairs") answer.pairs.push(...part.value.pairs);
  }
  return answer;
}

/** @param {CorrelatedPair[]} pairs */
function table(pairs) {
  return csv([["latent", "label", "other", "other_label", "both", "first", "second", "npmi", "npmi_low", "j_given_i", "i_given_j", "p_value", "p_adjusted"],
    ...pairs.map((pair) => [pair.i, pair.iLabel, pair.other.case === "j" ? pair.other.value : valueText(pair.other.value), pair.jLabel, String(pair.count), String(pair.iCount), String(pair.jCount),
      pair.npmi, pair.npmiLow, pair.jGivenI, pair.iGivenJ, pair.pValue, pair.pAdjusted])]);
}

/** @param {{collection: string, record: Collection | undefined, text: (name: string) => string, problem: import("../../app/errors.js").Problem | undefined}} properties */
function Form({ collection, record, text, problem }) {
  const [filter, setFilter] = useTyped(text("filter"));
  const put = (/** @type {string} */ name) => (/** @type {string} */ value) => update({ [name]: value, pair: "", node: "" }, { step: "pairs" });
  const names = Object.fromEntries((record?.attributes ?? []).map(({ name }) => [name, name]));
  const positions = record?.saes.some(({ reader }) => reader?.positions === true) ?? false;
  const methods = { page: "methods", at: "correlations" };
  return html`<form class="panel" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); put("filter")(filter); }}>
    <${FilterBox} collection=${collection} record=${record} text=${filter} onText=${setFilter} onEnter=${() => put("filter")(filter)} problem=${at(problem, /^filter/)} />
    <div class="controls">
      <${Select} label="Latents with" value=${text("attribute")} of=${{ "": "each other", ...Object.fromEntries(Object.keys(names).map((name) => [name, `values of ${name}`])) }} set=${put("attribute")} help=${methods} />
      <div class="control"><div class="labelled"><span>Only pairs with</span>${text("latent") === "" ? html`<${LabelPicker} collection=${collection} label="A latent" pick=${(/** @type {number} */ latent) => put("latent")(String(latent))} />`
        : html`<button type="button" class="small" onClick=${() => put("latent")("")}>Latent ${text("latent")} ✕</button>`}</div></div></div>
    <details class="settings" open=${["support", "npmi", "p", "similar", "density", "strata", "adjacent"].some((name) => text(name) !== "")}><summary>Options</summary><div class="controls">
      <${NumberField} label="Documents at least" value=${text("support")} hint="20" whole set=${put("support")} help=${methods} />
      <${NumberField} label="NPMI at least" value=${text("npmi")} hint="any" least=${-1} most=${1} set=${put("npmi")} help=${methods} />
      <${NumberField} label="Adjusted p up to" value=${text("p")} hint="0.05" most=${1} set=${put("p")} help=${{ page: "methods", at: "tests-and-intervals" }} />
      <${NumberField} label="Labels less similar than" value=${text("similar")} hint="0.2" least=${-1} most=${1} set=${put("similar")} help=${methods} />
      <${NumberField} label="Latents in at most" value=${text("density")} hint="all" most=${1} set=${put("density")} help=${methods} />
      <${Select} label="Within strata of" value=${text("strata")} of=${{ "": "nothing", length: "length of the text", ...names }} set=${put("strata")} help=${methods} />
      ${positions && html`<${Check} label="Not of one word" on=${text("adjacent") === "1"} set=${(/** @type {boolean} */ on) => put("adjacent")(on ? "1" : "")} />`}
    </div></details></form>`;
}

/** @param {{collection: string, answer: Answer, text: (name: string) => string}} properties */
function Answered({ collection, answer: { summary, pairs }, text }) {
  const [hovered, setHovered] = useState(/** @type {string | undefined} */ (undefined));
  const node = text("node");
  const chosen = pairs.find((pair) => keyOf(pair) === text("pair"));
  const shown = node === "" ? pairs : pairs.filter((pair) => `l${pair.i}` === node || otherOf(pair).key === node);
  const wide = useWide();
  const together = chosen !== undefined && html`<${Together} collection=${collection} pair=${chosen} filter=${text("filter")} attribute=${text("attribute")} />`;
  const choose = (/** @type {string} */ pair) => update({ pair: pair === text("pair") ? "" : pair }, { step: "look" });
  if (pairs.length === 0) return html`<${Said} summary=${summary} text=${text} /><${Empty} title="No pair is active together more often than chance"><p>Fewer documents, a larger p or more similar labels among the options list more.</p></${Empty}>`;
  return html`<${Said} summary=${summary} text=${text} />
    <div class="two-panels">
      <div><${Table} pairs=${shown} sort=${text("sort") || "npmi"} chosen=${text("pair")} choose=${choose} hover=${setHovered} hovered=${hovered} />
        ${node !== "" && html`<p><button type="button" class="small" onClick=${() => update({ node: "" }, { step: "look" })}>All ${counted(pairs.length, "pair")}</button></p>`}</div>
      <div class="beside"><${Graph} pairs=${pairs} node=${node} pair=${text("pair")} hovered=${hovered} choose=${(/** @type {string} */ key) => update({ node: key === node ? "" : key, pair: "" }, { step: "look" })} />
        ${chosen === undefined ? html`<p class="muted">Choose a pair in the table to see documents with both, a node to see its pairs.</p>` : wide ? together
          : html`<${Dialog} wide title="Documents with both" onClose=${() => choose(keyOf(chosen))}>${together}</${Dialog}>`}</div>
    </div>`;
}

/** @param {{summary: Summary | undefined, text: (name: string) => string}} properties */
function Said({ summary, text }) {
  if (summary === undefined) return null;
  const npmi = written(text("npmi"));
  const said = [
    `${counted(summary.listed, "pair")} (adjusted p ≤ ${written(text("p")) ?? 0.05}${npmi === undefined ? "" : `, NPMI ≥ ${npmi}`}) of ${count(summary.tested)} tested`,
    `p adjusted over ${counted(summary.eligible, "possible pair")}`, counted(summary.documents, "document"),
    ...(summary.similarLabels !== undefined && summary.similarLabels > 0n ? [`${count(summary.similarLabels)} passed over for similar labels`] : []),
    ...(summary.stopped.length > 0 ? [`${counted(summary.stopped.length, "latent")} left out as too dense`] : []),
    ...(summary.strata !== undefined ? [`${count(summary.strata)} strata, ${count(summary.outside ?? 0n)} documents outside`] : []),
    ...(summary.adjacentPairs !== undefined ? [`${count(summary.adjacentPairs)} pairs of one word`] : []),
  ];
  return html`<p class="number" data-testid="summary">${said.join(" · ")}<${Help} page="methods" at="tests-and-intervals" of="an adjusted p-value" /></p><${Warnings} of=${summary.warnings} />`;
}

/** @type {Record<string, (x: CorrelatedPair, y: CorrelatedPair) => number>} */
const ORDERS = {
  npmi: (x, y) => y.npmiLow - x.npmiLow,
  both: (x, y) => Number(y.count - x.count),
  first: (x, y) => y.jGivenI - x.jGivenI,
  second: (x, y) => y.iGivenJ - x.iGivenJ,
  p: (x, y) => x.pAdjusted - y.pAdjusted,
  label: (x, y) => x.iLabel.localeCompare(y.iLabel) || x.i - y.i,
};

/** @param {{pairs: CorrelatedPair[], sort: string, chosen: string, hovered: string | undefined, choose: (key: string) => void, hover: (key: string | undefined) => void}} properties */
function Table({ pairs, sort, chosen, hovered, choose, hover }) {
  const order = { sort, set: (/** @type {string} */ by) => update({ sort: by === "npmi" ? "" : by }, { step: "look" }) };
  return html`<div class="scroll-x"><table class="pairs" data-testid="pairs"><thead><tr>
      <${SortHeading} title="Latent" by="label" down=${false} ...${order} /><th scope="col">With</th>
      <${SortHeading} title="Both" by="both" number name="roomy" ...${order} />
      <th class="number" scope="col">NPMI<${Help} page="methods" at="correlations" of="NPMI" /></th>
      <${SortHeading} title="At least" by="npmi" number ...${order} />
      <${SortHeading} title="Of first" by="first" number name="roomy" ...${order} /><${SortHeading} title="Of second" by="second" number name="roomy" ...${order} />
      <${SortHeading} title="p" by="p" number name="roomy" down=${false} ...${order}><${Help} page="methods" at="tests-and-intervals" of="the adjusted p-value" /></${SortHeading}></tr></thead>
    <tbody>${[...pairs].sort(ORDERS[sort] ?? ORDERS.npmi).map((pair) => {
      const key = keyOf(pair);
      return html`<tr key=${key} class=${`${key === chosen ? "chosen" : ""} ${key === hovered ? "lit" : ""}`} onClick=${() => choose(key)} onMouseEnter=${() => hover(key)} onMouseLeave=${() => hover(undefined)}>
        <td><button type="button" class="plain" aria-pressed=${key === chosen} title="Documents with both" onClick=${(/** @type {Event} */ event) => { event.stopPropagation(); choose(key); }}>
          <${LatentName} latent=${pair.i} label=${pair.iLabel} low=${pair.iLowConfidence} recurrence=${pair.iRecurrence} /></button></td>
        <td>${pair.other.case === "j" ? html`<${LatentName} latent=${pair.other.value} label=${pair.jLabel} low=${pair.jLowConfidence} recurrence=${pair.jRecurrence} />` : html`<span dir="auto">${otherOf(pair).name}</span>`}</td>
        <td class="number roomy">${count(pair.count)}</td><td class="number">${fixed(pair.npmi, 3)}</td><td class="number">${fixed(pair.npmiLow, 3)}</td>
        <td class="number roomy">${percent(pair.jGivenI)}</td><td class="number roomy">${percent(pair.iGivenJ)}</td><td class="number roomy">${pValue(pair.pAdjusted)}</td></tr>`;
    })}</tbody></table></div>`;
}
