// The latents of a collection: found by meaning or by words, sorted, page by page.
import { html } from "../../vendor/vendor.js";
import { LabelSearchMode, LatentOrder } from "../../gen/latentdb/v1/latent_pb.js";
import { useCollection } from "../../app/collections.js";
import { useShortcuts } from "../../app/keyboard.js";
import { latentCalls } from "../../app/latents.js";
import { listAddress, listIn, listsOf } from "../../app/lists.js";
import { useLoad } from "../../app/load.js";
import { route, update } from "../../app/router.js";
import { count } from "../../parts/format.js";
import { Empty, Loaded, Warnings } from "../../parts/states.js";
import { useTyped } from "../../parts/typed.js";
import { ListView } from "./list.js";
import { COLUMNS, ROWS, Table, orderOf, rowOf } from "./table.js";

/** @typedef {import("./table.js").Order} Order */
/** @typedef {import("./table.js").Page} Page */

/** Labels that a search by meaning lists. */
const FOUND = 500;

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
  const all = answer.latents.map(rowOf);
  if (!served) all.sort(COLUMNS[order].compare);
  return { rows: served ? all : all.slice(from, from + ROWS), total: Number(answer.total), warnings: [] };
}

export function View() {
  const { collection, params } = route.value;
  const record = useCollection(collection);
  const list = listIn(params);
  const documents = Number(record.value?.documents ?? 0);
  const nLatents = record.value?.nLatents ?? 0;
  if (record.problem === undefined && record.value !== undefined && nLatents === 0) {
    return html`<div class="view latents"><h1>Latents</h1><${Empty} title="No SAE is attached yet"><p>
      Train one with <code>latentdb sae train</code> and attach it with <code>latentdb collection attach ${collection}</code>.</p></${Empty}></div>`;
  }
  return html`<div class="view latents">${list === undefined ? html`<${All} collection=${collection} nLatents=${nLatents} documents=${documents} />`
    : html`<${ListView} key=${collection} collection=${collection} list=${list} documents=${documents} />`}</div>`;
}

/** @param {{collection: string, nLatents: number, documents: number}} properties */
function All({ collection, nLatents, documents }) {
  const { params } = route.value;
  const text = params.get("q") ?? "";
  const by = params.get("by") ?? "meaning";
  const searched = text !== "" && by !== "contains";
  const order = orderOf(params.get("order"), searched);
  const page = Math.max(1, Number(params.get("page")) || 1);
  const loaded = useLoad((signal) => read(collection, { text, by, order, page }, nLatents, signal), [collection, text, by, order, page, nLatents]);
  const lists = listsOf(collection);
  return html`<h1>Latents${nLatents > 0 && html` <span class="muted">${count(nLatents)}</span>`}</h1>
    <${Find} text=${text} by=${by} />
    ${lists.length > 0 && html`<div class="row latent-lists"><span class="muted">Lists</span>${lists.map((list) => html`<a key=${list.name} class="chip"
      href=${listAddress(collection, list)}><span class="chip-text" dir="auto">${list.name}</span><span class="chip-note">${count(list.latents.length)}</span></a>`)}</div>`}
    <${Loaded} of=${loaded} lines=${24}>${(/** @type {Page} */ { rows, total, warnings }) => html`<${Warnings} of=${warnings} />
      ${rows.length === 0 ? html`<${Empty} title="No latent is found"><p>Other words find more.</p></${Empty}>`
        : html`<${Table} collection=${collection} rows=${rows} total=${total} order=${order} page=${page} documents=${documents} searched=${searched} />`}`}</${Loaded}>`;
}

/** @param {{text: string, by: string}} properties */
function Find({ text, by }) {
  const [typed, setTyped] = useTyped(text);
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
