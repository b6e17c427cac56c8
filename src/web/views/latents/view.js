// The latents of a collection: found by meaning or by words, sorted, page by page.
import { html, useEffect, useState } from "../../vendor/vendor.js";
import { LabelSearchMode, LatentOrder } from "../../gen/latentdb/v1/latent_pb.js";
import { useCollection } from "../../app/collections.js";
import { useShortcuts } from "../../app/keyboard.js";
import { latentCalls } from "../../app/latents.js";
import { useLoad } from "../../app/load.js";
import { address, route, update } from "../../app/router.js";
import { Bar } from "../../parts/bars.js";
import { count, counted, fixed, percent } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Empty, Loaded, Warnings } from "../../parts/states.js";

/** @typedef {import("../../gen/latentdb/v1/latent_pb.js").Label} Label */
/** @typedef {"documents" | "number" | "label" | "score" | "mean" | "match"} Order */
/** @typedef {{latent: number, label: Label | undefined, documents: bigint, mean?: number, match?: number}} Row */
/** @typedef {{rows: Row[], total: number, warnings: string[]}} Page */

const ROWS = 50;
/** Labels that a search by meaning lists. */
const FOUND = 500;

/** @type {Record<Order, {title: string, help: [string, string], compare: (a: Row, b: Row) => number}>} */
const COLUMNS = {
  number: { title: "Latent", help: ["concepts", "latents"], compare: (a, b) => a.latent - b.latent },
  label: { title: "Label", help: ["labels", "make-labels"], compare: (a, b) => (a.label?.text ?? "\uffff").localeCompare(b.label?.text ?? "\uffff", "en") },
  score: { title: "Score", help: ["labels", "score-labels"], compare: (a, b) => (b.label?.score ?? -2) - (a.label?.score ?? -2) },
  documents: { title: "Documents", help: ["concepts", "words"], compare: (a, b) => Number(b.documents - a.documents) },
  mean: { title: "Mean activation", help: ["concepts", "words"], compare: (a, b) => (b.mean ?? 0) - (a.mean ?? 0) },
  match: { title: "Match", help: ["labels", "use-and-edit-labels"], compare: (a, b) => (b.match ?? 0) - (a.match ?? 0) },
};

/**
 * The server orders by documents and by number; other orders need all latents.
 * @param {string} collection
 * @param {{text: string, by: string, order: Order, page: number}} wanted
 * @param {number} nLatents
 * @param {AbortSignal} signal
 * @returns {Promise<Page>}
 */
async function read(collection, { text, by, order, page }, nLatents, signal) {
  const from = (page - 1) * ROWS;
  if (text !== "" && by !== "contains") {
    const mode = by === "words" ? LabelSearchMode.WORDS : LabelSearchMode.DEFAULT;
    const { labels, warnings } = await latentCalls.searchLabels({ collection, text, mode, limit: FOUND }, { signal });
    const rows = labels.map(({ latent, label, documents, score }) => ({ latent, label, documents, match: score }));
    if (order !== "match") rows.sort(COLUMNS[order].compare);
    return { rows: rows.slice(from, from + ROWS), total: rows.length, warnings };
  }
  const served = order === "documents" || order === "number";
  const answer = await latentCalls.listLatents({
    collection, labelQuery: text, order: order === "number" ? LatentOrder.NUMBER : LatentOrder.DOCUMENTS,
    limit: served ? ROWS : Math.max(nLatents, 1), offset: served ? from : 0,
  }, { signal });
  const all = answer.latents.map(({ latent, label, documents, meanActivation }) => ({ latent, label, documents, mean: meanActivation }));
  if (!served) all.sort(COLUMNS[order].compare);
  return { rows: served ? all : all.slice(from, from + ROWS), total: Number(answer.total), warnings: [] };
}

export function View() {
  const { collection, params } = route.value;
  const record = useCollection(collection);
  const text = params.get("q") ?? "";
  const by = params.get("by") ?? "meaning";
  const searched = text !== "" && by !== "contains";
  const asked = params.get("order") ?? "";
  const order = /** @type {Order} */ (asked in COLUMNS && (searched ? asked !== "mean" : asked !== "match") ? asked : searched ? "match" : "documents");
  const page = Math.max(1, Number(params.get("page")) || 1);
  const nLatents = record.value?.nLatents ?? 0;
  const loaded = useLoad((signal) => read(collection, { text, by, order, page }, nLatents, signal), [collection, text, by, order, page, nLatents]);
  const documents = Number(record.value?.documents ?? 0);
  return html`<div class="view latents"><h1>Latents${record.value !== undefined && html` <span class="muted">${count(nLatents)}</span>`}</h1>
    <${Find} text=${text} by=${by} />
    ${record.problem === undefined && record.value !== undefined && nLatents === 0 ? html`<${Empty} title="No SAE is attached yet"><p>
      Train one with <code>latentdb sae train</code> and attach it with <code>latentdb collection attach ${collection}</code>.</p></${Empty}>`
      : html`<${Loaded} of=${loaded} lines=${24}>${(/** @type {Page} */ found) => html`<${Table} collection=${collection} found=${found}
        order=${order} page=${page}
        documents=${documents} searched=${searched} />`}</${Loaded}>`}
  </div>`;
}

/** @param {{text: string, by: string}} properties */
function Find({ text, by }) {
  const [typed, setTyped] = useState(text);
  useEffect(() => setTyped(text), [text]);
  useShortcuts([{ keys: "/", does: "To the search of labels", run: () => /** @type {HTMLInputElement | null} */ (document.querySelector("[data-testid=latent-query]"))?.select() }]);
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    update({ q: typed.trim(), page: null, order: null });
  };
  return html`<form class="row latents-find" role="search" onSubmit=${send}>
    <input type="search" class="grow" dir="auto" aria-label="Find latents" placeholder="Find latents by what their labels mean"
      data-testid="latent-query" value=${typed}
      onInput=${(/** @type {Event} */ event) => setTyped(/** @type {HTMLInputElement} */ (event.target).value)} />
    <select aria-label="How" value=${by}
      onChange=${(/** @type {Event} */ event) => update({ by: /** @type {HTMLSelectElement} */ (event.target).value, page: null, order: null })}>
      <option value="meaning">by meaning</option><option value="words">by words</option><option value="contains">holding all words</option></select>
    <button type="submit" class="primary">Find</button>
  </form>`;
}

/** @param {{collection: string, found: Page, order: Order, page: number, documents: number, searched: boolean}} properties */
function Table({ collection, found, order, page, documents, searched }) {
  if (found.rows.length === 0) return html`<${Warnings} of=${found.warnings} /><${Empty}
    title="No latent is found"><p>Other words find more.</p></${Empty}>`;
  const columns = /** @type {Order[]} */ (["number", "label", "score", "documents", searched ? "match" : "mean"]);
  const most = Math.max(...found.rows.map((row) => Number(row.documents)), 1);
  return html`<${Warnings} of=${found.warnings} />
    <div class="scroll-x" tabindex="0" role="region" aria-label="Latents"><table class="latent-table">
      <thead><tr>${columns.map((column) => html`<${Head} key=${column} column=${column} order=${order} />`)}<th class="number">Density<${Help}
        page="concepts" at="words" of="density" /></th></tr></thead>
      <tbody>${found.rows.map((row) => html`<tr key=${row.latent} data-testid="latent-row">
        <td class="number"><a href=${address({ collection, view: "latent", rest: row.latent })}
          aria-label=${`Latent ${row.latent}`}>${row.latent}</a></td>
        <td class="label-cell"><a href=${address({ collection, view: "latent", rest: row.latent })}>${row.label === undefined ? html`<i
          class="muted">no label</i>`
          : html`<span dir="auto">${row.label.text}</span>${row.label.lowConfidence && html`<abbr class="doubt"
            title="The label's score is below 0.3">?</abbr>`}`}</a></td>
        <td class="number">${row.label?.score === undefined ? "–" : fixed(row.label.score)}</td>
        <td class="number">${count(row.documents)}<${Bar} share=${Number(row.documents) / most} /></td>
        <td class="number">${searched ? fixed(row.match ?? 0, 3) : fixed(row.mean ?? 0, 3)}</td>
        <td class="number">${documents > 0 ? percent(Number(row.documents) / documents) : ""}</td></tr>`)}</tbody>
    </table></div>
    <${Pages} page=${page} total=${found.total} />`;
}

/** @param {{column: Order, order: Order}} properties */
function Head({ column, order }) {
  const { title, help: [page, at] } = COLUMNS[column];
  const sorted = column === order;
  const ascending = column === "number" || column === "label";
  return html`<th class=${column === "label" ? "" : "number"} aria-sort=${sorted ? (ascending ? "ascending" : "descending") : undefined}>
    <button type="button" class="sort" aria-pressed=${sorted} onClick=${() => update({ order: column, page: null })}>${title}${sorted && html`<span
      aria-hidden="true">${ascending ? " ↑" : " ↓"}</span>`}</button><${Help} page=${page} at=${at} of=${title.toLowerCase()} /></th>`;
}

/** @param {{page: number, total: number}} properties */
function Pages({ page, total }) {
  const pages = Math.max(1, Math.ceil(total / ROWS));
  const turn = (/** @type {number} */ to) => { update({ page: to === 1 ? null : to }); scrollTo(0, 0); };
  return html`<nav class="row pages" aria-label="Pages"><button type="button" disabled=${page <= 1} onClick=${() => turn(page - 1)}>Previous</button>
    <span class="muted">Page ${page} of ${count(pages)} · ${counted(total, "latent")}</span>
    <button type="button" disabled=${page >= pages} onClick=${() => turn(page + 1)}>Next</button></nav>`;
}
