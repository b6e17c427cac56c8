// What A has and B has not: the latents, and the documents that show most of it.
import { html } from "../../vendor/vendor.js";
import { ActivationScale } from "../../gen/latentdb/v1/search_pb.js";
import { useLoad } from "../../app/load.js";
import { searchCalls } from "../../app/searches.js";
import { LatentChip } from "../../parts/chip.js";
import { DocumentCard } from "../../parts/document.js";
import { counted, fixed, percent } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Loaded } from "../../parts/states.js";
import { sides } from "./request.js";

/** @typedef {import("./state.js").Comparison} Comparison */
/** @typedef {import("./request.js").DiffRow} DiffRow */
/** @typedef {import("../../gen/latentdb/v1/search_pb.js").Hit} Hit */

const SHOWN = 8;
/** Latents that stand for a side. */
const USED = 50;
/** Documents taken away that show most of the other side. */
const TAKEN = 1000;
/** B has nearly none of it. */
const RARE = 0.01;

/** @param {{collection: string, state: Comparison, rows: DiffRow[]}} properties */
export function OnlyInA({ collection, state, rows }) {
  const { a } = sides(collection, state);
  const ofA = rows.filter(({ delta }) => delta > 0).slice(0, USED);
  const ofB = rows.filter(({ delta }) => delta < 0).slice(0, USED);
  const rare = state.means ? [] : ofA.filter(({ b }) => b <= RARE);
  const found = useLoad(async (signal) => ofA.length === 0 ? [] : (await searchCalls.search({
    collection, query: queryOf(ofA, ofB, a.filter), limit: SHOWN,
  }, { signal })).hits, [collection, a.text, state.which, rows]);
  if (ofA.length === 0) return html`<p class="muted">No latent that differs is more in A.</p>`;
  return html`<section data-testid="only-in-a">
    ${!state.means && html`<h3>Latents of A that at most ${percent(RARE, 0)} of B has<${Help} page="analyses" at="set-difference" of="a latent that only A has" /></h3>
    <div class="row">${rare.length === 0 ? html`<span class="muted">None of those listed.</span>`
      : rare.map((row) => html`<${LatentChip} key=${row.latent} collection=${collection} latent=${row.latent} label=${row.label} low=${row.lowConfidence} recurrence=${row.recurrence} note=${percent(row.a)} />`)}</div>`}
    <h3>Documents of A that show it most<${Help} page="search" at="query-kinds" of="a query that excludes another" /></h3>
    <p class="small-print">Ranked by the ${counted(ofA.length, "latent")} that are more in A, weighted by their differences${ofB.length > 0
      && `, without the ${counted(TAKEN, "document")} of the collection that show most of what is more in B`}.</p>
    <${Loaded} of=${found} lines=${10}>${(/** @type {Hit[]} */ hits) => hits.map((hit) => html`
      <${DocumentCard} key=${hit.document?.id} collection=${collection} document=${hit.document} note=${fixed(hit.score)} />`)}</${Loaded}>
  </section>`;
}

/**
 * @param {DiffRow[]} ofA
 * @param {DiffRow[]} ofB
 * @param {import("../../app/analyses.js").FilterInit | undefined} filter
 * @returns {import("@bufbuild/protobuf").MessageInitShape<typeof import("../../gen/latentdb/v1/search_pb.js").QuerySchema>}
 */
function queryOf(ofA, ofB, filter) {
  const weighted = (/** @type {DiffRow[]} */ rows) => ({
    case: /** @type {const} */ ("latents"), value: { scale: ActivationScale.P90, weights: rows.map(({ latent, delta }) => ({ latent, weight: Math.abs(delta) })) },
  });
  if (ofB.length === 0) return { kind: weighted(ofA), filter };
  return { kind: { case: "excluding", value: { query: { kind: weighted(ofA) }, minus: { kind: weighted(ofB) }, top: TAKEN } }, filter };
}
