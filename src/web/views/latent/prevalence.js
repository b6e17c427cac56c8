// In which share of the documents a latent is active, along numbers and times.
import { html, useState } from "../../vendor/vendor.js";
import { TrendBuckets } from "../../gen/latentdb/v1/trends_pb.js";
import { AnalysisService } from "../../gen/latentdb/v1/analysis_pb.js";
import { useLoad } from "../../app/load.js";
import { client } from "../../app/transport.js";
import { count, percent, pValue, short } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Loaded } from "../../parts/states.js";

/** @typedef {import("../../gen/latentdb/v1/collection_pb.js").AttributeInfo} AttributeInfo */
/** @typedef {{name: string, documents: bigint, active: number}} Bucket */
/** @typedef {{buckets: Bucket[], p: number}} Followed */

const analyses = client(AnalysisService);
const BINS = 12;
const HEIGHT = 80;

/** @param {AttributeInfo} attribute */
function isOrdered({ kinds }) {
  return kinds.length > 0 && kinds.every((kind) => kind === "timestamp") || kinds.length > 0 && kinds.every((kind) => kind === "integer" || kind === "float");
}

/**
 * @param {string} collection
 * @param {number} latent
 * @param {AttributeInfo} attribute
 * @param {AbortSignal} signal
 * @returns {Promise<Followed>}
 */
async function follow(collection, latent, attribute, signal) {
  const time = attribute.kinds.includes("timestamp");
  /** @type {Followed} */
  const followed = { buckets: [], p: 1 };
  const request = {
    collection, attribute: attribute.name, groups: [{ name: "latent", latents: [latent] }], all: true, minSupport: 1n,
    buckets: time ? TrendBuckets.MONTH : TrendBuckets.BINS, bins: time ? 0 : BINS,
  };
  for await (const { part } of analyses.trends(request, { signal })) {
    if (part.case === "summary") followed.buckets = part.value.buckets.map(({ name, start, documents }) =>
      ({ name: start?.kind.case === "float" ? short(start.kind.value) : name, documents, active: 0 }));
    const row = part.case === "rows" ? part.value.rows[0] : undefined;
    if (row === undefined) continue;
    followed.p = row.pValue;
    followed.buckets.forEach((bucket, at) => { bucket.active = row.counts[at] ?? 0; });
  }
  return followed;
}

/** @param {{collection: string, latent: number, attributes: AttributeInfo[]}} properties */
export function Prevalence({ collection, latent, attributes }) {
  const ordered = attributes.filter(isOrdered).sort((a, b) => Number(b.kinds.includes("timestamp")) - Number(a.kinds.includes("timestamp")));
  const [chosen, setChosen] = useState("");
  const attribute = ordered.find(({ name }) => name === chosen) ?? ordered[0];
  if (attribute === undefined) return null;
  return html`<section class="panel"><div class="row spread"><h2>Prevalence<${Help} page="methods" at="trends" of="prevalence along an attribute"
    /></h2>
      <select aria-label="Along" value=${attribute.name}
        onChange=${(/** @type {Event} */ event) => setChosen(/** @type {HTMLSelectElement} */ (event.target).value)}>
        ${ordered.map(({ name }) => html`<option key=${name} value=${name}>along ${name}</option>`)}</select></div>
    <${Followed} key=${attribute.name} collection=${collection} latent=${latent} attribute=${attribute} /></section>`;
}

/** @param {{collection: string, latent: number, attribute: AttributeInfo}} properties */
function Followed({ collection, latent, attribute }) {
  const loaded = useLoad((signal) => follow(collection, latent, attribute, signal), [collection, latent, attribute]);
  return html`<${Loaded} of=${loaded} lines=${4}>${(/** @type {Followed} */ { buckets, p }) => {
    const shares = buckets.map(({ documents, active }) => documents === 0n ? 0 : active / Number(documents));
    const most = Math.max(...shares, 1e-9);
    const wide = 100 / Math.max(buckets.length, 1);
    return html`<figure class="histogram"><svg viewBox=${`0 0 100 ${HEIGHT}`} preserveAspectRatio="none" role="img"
      aria-label=${`Share of documents in ${buckets.length} buckets of ${attribute.name}, at most ${percent(most)}`}>
        ${buckets.map(({ name, documents, active }, at) => html`<rect key=${at} x=${wide * at + 0.3} width=${Math.max(wide - 0.6, 0.3)}
          y=${HEIGHT - (HEIGHT - 4) * (shares[at] ?? 0) / most} height=${(HEIGHT - 4) * (shares[at] ?? 0) / most}>
          <title>${`${name}: ${count(active)} of ${count(documents)}, ${percent(shares[at] ?? 0)}`}</title></rect>`)}</svg>
      <figcaption><span>${buckets[0]?.name ?? ""}</span><span
        class="muted">at most ${percent(most)}; p ${pValue(p)}</span><span>${buckets.at(-1)?.name ?? ""}${attribute.kinds.includes("timestamp") ? "" : " and more"}</span></figcaption></figure>`;
  }}</${Loaded}>`;
}
