// Documents of both sides in which a latent is active, side by side; with their counterparts where sets are paired.
import { html, useState } from "../../vendor/vendor.js";
import { allOf } from "../../app/analyses.js";
import { useLoad } from "../../app/load.js";
import { address } from "../../app/router.js";
import { searchCalls } from "../../app/searches.js";
import { LatentChip } from "../../parts/chip.js";
import { DocumentCard } from "../../parts/document.js";
import { counted, fixed, valueText } from "../../parts/format.js";
import { Loaded } from "../../parts/states.js";
import { figure } from "./table.js";
import { having, sides } from "./request.js";

/** @typedef {import("./state.js").Comparison} Comparison */
/** @typedef {import("./request.js").Side} Side */
/** @typedef {import("./request.js").DiffRow} DiffRow */
/** @typedef {import("../../gen/latentdb/v1/search_pb.js").Hit} Hit */
/** @typedef {import("../../gen/latentdb/v1/types_pb.js").Document} Document */
/** @typedef {{hit: Hit, counterpart: Document | undefined}} Pair */

/** Documents of a side, or pairs. */
const SHOWN = 6;
/** Documents read to find pairs that only one side has. */
const TRIED = 200;

/**
 * @param {{collection: string, state: Comparison, latent: number, label: string, low: boolean, row: DiffRow | undefined}} properties
 */
export function SideBySide({ collection, state, latent, label, low, row }) {
  const { a, b } = sides(collection, state);
  const paired = state.how === "pair" && state.by !== "";
  return html`<section class="side-by-side" data-testid="side-by-side">
    <header class="row"><${LatentChip} collection=${collection} latent=${latent} label=${label} low=${low} />
      ${row !== undefined && html`<span class="muted number">${figure(row.a, state.means)} of A, ${figure(row.b, state.means)} of B</span>`}</header>
    ${paired ? html`<${Pairs} a=${a} b=${b} state=${state} latent=${latent} />`
      : html`<div class="columns"><${Column} title="A" side=${a} latent=${latent} above=${state.above} />
        <${Column} title="B" side=${b} latent=${latent} above=${state.above} /></div>`}
  </section>`;
}

/**
 * The documents of a side in which a latent is strongest.
 * @param {Side} side
 * @param {number} latent
 * @param {string} above
 * @param {number} limit
 * @param {AbortSignal} signal
 */
async function strongest(side, latent, above, limit, signal) {
  const { hits } = await searchCalls.search({
    collection: side.collection,
    query: { kind: { case: "latents", value: { weights: [{ latent, weight: 1 }] } }, filter: having(side, latent, above) },
    limit,
  }, { signal });
  return hits;
}

/** @param {Hit} hit @param {number} latent */
function marksOf(hit, latent) {
  return hit.latents.flatMap(({ latent: number, span }) => number !== latent || span === undefined ? []
    : [{ start: span.start, end: span.end, kind: "latent", title: "It is strongest here" }]);
}

/** @param {{title: string, side: Side, latent: number, above: string}} properties */
function Column({ title, side, latent, above }) {
  const found = useLoad((signal) => strongest(side, latent, above, SHOWN, signal), [side.collection, side.text, latent, above]);
  const filter = side.text === "" ? `latent(${latent})` : `(${side.text}) and latent(${latent})`;
  const all = address({ collection: side.collection, view: "search", params: { kind: "latents", q: `${latent}=1`, filter } });
  return html`<div class="column"><h3><span class=${`side-name ${title.toLowerCase()}`}>${title}</span> <a href=${all}>All of them</a></h3>
    <${Loaded} of=${found} lines=${10}>${(/** @type {Hit[]} */ hits) => hits.length === 0 ? html`<p class="muted">None has it.</p>`
      : hits.map((hit) => html`<${DocumentCard} key=${hit.document?.id} collection=${side.collection} document=${hit.document} note=${fixed(hit.score)} marks=${marksOf(hit, latent)} />`)}</${Loaded}>
  </div>`;
}

/** @param {{a: Side, b: Side, state: Comparison, latent: number}} properties */
function Pairs({ a, b, state, latent }) {
  const [side, setSide] = useState("a");
  const [from, to] = side === "a" ? [a, b] : [b, a];
  const found = useLoad((signal) => onlyIn(from, to, state, latent, signal), [from.collection, from.text, to.text, latent, state.by, state.above]);
  const title = (/** @type {Side} */ of) => of === a ? "A" : "B";
  return html`<div class="row segmented" role="group" aria-label="Which pairs">
      ${["a", "b"].map((name) => html`<button key=${name} type="button" class="small" aria-pressed=${side === name} onClick=${() => setSide(name)}>Only ${name.toUpperCase()} has it</button>`)}</div>
    <${Loaded} of=${found} lines=${10}>${(/** @type {Pair[]} */ pairs) => pairs.length === 0
      ? html`<p class="muted">Among the ${counted(TRIED, "document")} of ${title(from)} in which it is strongest there is no such pair.</p>`
      : pairs.map(({ hit, counterpart }) => html`<div key=${hit.document?.id} class="columns pair">
        <div class="column"><span class=${`side-name ${title(from).toLowerCase()}`}>${title(from)}</span>
          <${DocumentCard} collection=${from.collection} document=${hit.document} note=${fixed(hit.score)} marks=${marksOf(hit, latent)} /></div>
        <div class="column"><span class=${`side-name ${title(to).toLowerCase()}`}>${title(to)}</span>
          <${DocumentCard} collection=${to.collection} document=${counterpart} /></div></div>`)}</${Loaded}>`;
}

/**
 * Pairs of which one side has a latent and the other has not, where it is strongest.
 * @param {Side} from
 * @param {Side} to
 * @param {Comparison} state
 * @param {number} latent
 * @param {AbortSignal} signal
 * @returns {Promise<Pair[]>}
 */
async function onlyIn(from, to, state, latent, signal) {
  const hits = await strongest(from, latent, state.above, TRIED, signal);
  const values = hits.flatMap(({ document }) => document?.attributes[state.by] ?? []);
  if (values.length === 0) return [];
  /** @type {import("../../app/analyses.js").FilterInit} */
  const same = { kind: { case: "attribute", value: { name: state.by, test: { case: "oneOf", value: { values } } } } };
  const read = async (/** @type {Side} */ side, /** @type {boolean} */ has) => (await searchCalls.search({
    collection: side.collection,
    query: { kind: { case: "matching", value: {} }, filter: allOf([has ? having(side, latent, state.above) : side.filter, same]) },
    limit: 1000,
    latentsPerHit: 0,
  }, { signal })).hits.flatMap(({ document }) => document ?? []);
  const [others, alike] = await Promise.all([read(to, false), read(to, true)]);
  const key = (/** @type {Document | undefined} */ document) => valueText(document?.attributes[state.by]);
  const both = new Set(alike.map(key));
  const byKey = new Map(others.map((document) => [key(document), document]));
  return hits.flatMap((hit) => {
    const value = key(hit.document);
    const counterpart = byKey.get(value);
    return counterpart === undefined || both.has(value) ? [] : [{ hit, counterpart }];
  }).slice(0, SHOWN);
}
