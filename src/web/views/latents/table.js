// A table of latents that is sorted and paged, and what a row and a page can be put on.
import { html, useState } from "../../vendor/vendor.js";
import { listsOf } from "../../app/lists.js";
import { address, update } from "../../app/router.js";
import { Bar } from "../../parts/bars.js";
import { count, counted, fixed, percent } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { ListDialog } from "../../parts/list-dialog.js";

/** @typedef {import("../../gen/latentdb/v1/latent_pb.js").Label} Label */
/** @typedef {"documents" | "number" | "label" | "score" | "mean" | "match" | "recurrence"} Order */
/** @typedef {{latent: number, label: Label | undefined, documents: bigint, mean?: number, match?: number, recurrence?: number | undefined}} Row */
/** @typedef {{rows: Row[], total: number, warnings: string[]}} Page */

/** @param {import("../../gen/latentdb/v1/latent_pb.js").LatentSummary} summary @returns {Row} */
export const rowOf = ({ latent, label, documents, meanActivation, recurrence }) => ({ latent, label, documents, mean: meanActivation, recurrence });

/** Rows of a page. */
export const ROWS = 50;

/** @type {Record<Order, {title: string, help: [string, string], compare: (a: Row, b: Row) => number}>} */
export const COLUMNS = {
  number: { title: "Latent", help: ["concepts", "latents"], compare: (a, b) => a.latent - b.latent },
  label: { title: "Label", help: ["labels", "make-labels"], compare: (a, b) => (a.label?.text ?? "\uffff").localeCompare(b.label?.text ?? "\uffff", "en") },
  score: { title: "Score", help: ["labels", "score-labels"], compare: (a, b) => (b.label?.score ?? -2) - (a.label?.score ?? -2) },
  documents: { title: "Documents", help: ["concepts", "words"], compare: (a, b) => Number(b.documents - a.documents) },
  mean: { title: "Mean activation", help: ["concepts", "words"], compare: (a, b) => (b.mean ?? 0) - (a.mean ?? 0) },
  recurrence: { title: "Recurs", help: ["training", "stability"], compare: (a, b) => (b.recurrence ?? 0) - (a.recurrence ?? 0) },
  match: { title: "Match", help: ["labels", "use-and-edit-labels"], compare: (a, b) => (b.match ?? 0) - (a.match ?? 0) },
};

/**
 * The order that an address names, or the first that the columns have.
 * @param {string | null} asked
 * @param {boolean} searched
 */
export function orderOf(asked, searched) {
  const known = asked !== null && asked in COLUMNS && asked !== (searched ? "mean" : "match");
  return /** @type {Order} */ (known ? asked : searched ? "match" : "documents");
}

/**
 * @param {object} properties
 * @param {string} properties.collection
 * @param {Row[]} properties.rows       Of the page.
 * @param {number} properties.total     Rows of all pages.
 * @param {Order} properties.order
 * @param {number} properties.page
 * @param {number} properties.documents  Of the collection.
 * @param {boolean} properties.searched  Rows have a match instead of a mean.
 * @param {(latent: number) => void} [properties.takeOff]  The rows are a list's: takes one off it.
 */
export function Table({ collection, rows, total, order, page, documents, searched, takeOff }) {
  const [putting, setPutting] = useState(/** @type {{title: string, latents: number[]} | undefined} */ (undefined));
  const recurs = rows.some(({ recurrence }) => recurrence !== undefined);
  const columns = /** @type {Order[]} */ (["number", "label", "score", "documents", searched ? "match" : "mean", ...(recurs ? ["recurrence"] : [])]);
  const last = searched ? "number" : "number roomy";
  const most = Math.max(...rows.map((row) => Number(row.documents)), 1);
  const lists = listsOf(collection);
  const all = () => setPutting({ title: `Put ${counted(rows.length, "latent")} on a list`, latents: rows.map(({ latent }) => latent) });
  return html`<div class="scroll-x" tabindex="0" role="region" aria-label="Latents"><table class="latent-table">
      <thead><tr>${columns.map((column) => html`<${Head} key=${column} column=${column} order=${order} />`)}<th class="number roomy">Density<${Help}
        page="concepts" at="words" of="density" /></th>
        <th class="list-cell">${takeOff === undefined ? html`<button type="button" class="sort" title="Put all latents of this page on a list"
          onClick=${all}>List all</button>` : html`<span class="visually-hidden">Take off the list</span>`}</th></tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${row.latent} data-testid="latent-row">
        <td class="number"><a href=${address({ collection, view: "latent", rest: row.latent })}
          aria-label=${`Latent ${row.latent}`}>${row.latent}</a></td>
        <td class="label-cell"><a href=${address({ collection, view: "latent", rest: row.latent })}>${row.label === undefined ? html`<i
          class="muted">no label</i>`
          : html`<span dir="auto">${row.label.text}</span>${row.label.lowConfidence && html`<abbr class="doubt"
            title="The label's score is below 0.3">?</abbr>`}`}</a></td>
        <td class="number roomy">${row.label?.score === undefined ? "–" : fixed(row.label.score)}</td>
        <td class="number">${count(row.documents)}<${Bar} share=${Number(row.documents) / most} /></td>
        <td class=${last}>${searched ? fixed(row.match ?? 0, 3) : fixed(row.mean ?? 0, 3)}</td>
        ${recurs && html`<td class="number roomy">${fixed(row.recurrence ?? 0)}</td>`}
        <td class="number roomy">${documents > 0 ? percent(Number(row.documents) / documents) : ""}</td>
        <td class="list-cell">${takeOff === undefined
          ? html`<${Listed} of=${lists.filter(({ latents }) => latents.includes(row.latent)).map(({ name }) => name)} latent=${row.latent}
            put=${() => setPutting({ title: `Lists of latent ${row.latent}`, latents: [row.latent] })} />`
          : html`<button type="button" class="quiet small" title="Take it off the list" aria-label=${`Take latent ${row.latent} off the list`}
            data-take-off onClick=${() => takeOff(row.latent)}>✕</button>`}</td></tr>`)}</tbody>
    </table></div>
    ${(takeOff === undefined || total > ROWS) && html`<${Pages} page=${page} total=${total} />`}
    ${putting !== undefined && html`<${ListDialog} ...${putting} collection=${collection} onClose=${() => setPutting(undefined)} />`}`;
}

/** @param {{latent: number, of: string[], put: () => void}} properties  `of`: names of the lists it is on. */
function Listed({ latent, of, put }) {
  return html`<button type="button" class="quiet small" title=${of.length === 0 ? "Put it on a list" : `On ${of.join(", ")}`}
    aria-label=${`Lists of latent ${latent}${of.length === 0 ? "" : `: ${of.join(", ")}`}`} onClick=${put}>${of.length === 0 ? "+" : "✓"}</button>`;
}

/** @param {{column: Order, order: Order}} properties */
function Head({ column, order }) {
  const { title, help: [page, at] } = COLUMNS[column];
  const sorted = column === order;
  const ascending = column === "number" || column === "label";
  return html`<th class=${column === "label" ? "" : column === "mean" || column === "score" || column === "recurrence" ? "number roomy" : "number"} aria-sort=${sorted ? (ascending ? "ascending" : "descending") : undefined}>
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
