// Documents in which both of a pair occur.
import { html } from "../../vendor/vendor.js";
import { ActivationScale } from "../../gen/latentdb/v1/search_pb.js";
import { expression } from "../../app/analyses.js";
import { useLoad } from "../../app/load.js";
import { address } from "../../app/router.js";
import { searchCalls } from "../../app/searches.js";
import { LatentChip } from "../../parts/chip.js";
import { DocumentCard } from "../../parts/document.js";
import { count, nameLiteral, percent, valueLiteral, valueText } from "../../parts/format.js";
import { Loaded } from "../../parts/states.js";

/** @typedef {import("../../gen/latentdb/v1/correlate_pb.js").CorrelatedPair} CorrelatedPair */
/** @typedef {import("../../gen/latentdb/v1/search_pb.js").Hit} Hit */

const SHOWN = 8;

/** @param {{collection: string, pair: CorrelatedPair, filter: string, attribute: string}} properties */
export function Together({ collection, pair, filter, attribute }) {
  const latents = pair.other.case === "j" ? [pair.i, pair.other.value] : [pair.i];
  const conditions = [
    ...(filter.trim() === "" ? [] : [`(${filter.trim()})`]),
    ...latents.map((latent) => `latent(${latent})`),
    ...(pair.other.case === "value" ? [`${nameLiteral(attribute)} = ${valueLiteral(pair.other.value)}`] : []),
  ];
  const both = conditions.join(" and ");
  const weights = latents.map((latent) => ({ latent, weight: 1 }));
  const found = useLoad(async (signal) => (await searchCalls.search({
    collection, limit: SHOWN, query: { kind: { case: "latents", value: { weights, scale: ActivationScale.P90 } }, filter: expression(both) },
  }, { signal })).hits, [collection, both]);
  const query = latents.map((latent) => `${latent}=1`).join(" ");
  return html`<section data-testid="together"><div class="row"><${LatentChip} collection=${collection} latent=${pair.i} label=${pair.iLabel} low=${pair.iLowConfidence} recurrence=${pair.iRecurrence} /> and
      ${pair.other.case === "j" ? html`<${LatentChip} collection=${collection} latent=${pair.other.value} label=${pair.jLabel} low=${pair.jLowConfidence} recurrence=${pair.jRecurrence} />` : html`<strong dir="auto">${attribute} ${valueText(pair.other.value)}</strong>`}</div>
    <p class="small-print">Together in ${count(pair.count)} documents: in ${percent(pair.jGivenI)} of those with the first and ${percent(pair.iGivenJ)} of those with the second.
      ${" "}<a href=${address({ collection, view: "search", params: { kind: "latents", q: query, filter: both, mode: "p90" } })}>All of them</a></p>
    <${Loaded} of=${found} lines=${8}>${(/** @type {Hit[]} */ hits) => hits.map((hit) => html`<${DocumentCard} key=${hit.document?.id} collection=${collection} document=${hit.document}
      marks=${hit.latents.flatMap(({ latent, label, span }) => span === undefined || !latents.includes(latent) ? [] : [{ start: span.start, end: span.end, kind: "latent", title: `${latent} ${label} is strongest here` }])} />`)}</${Loaded}>
  </section>`;
}
