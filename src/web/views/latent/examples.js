// Documents in which a latent is active: the strongest, middling ones, random ones.
import { html } from "../../vendor/vendor.js";
import { useLoad } from "../../app/load.js";
import { searchCalls } from "../../app/searches.js";
import { address, route, update } from "../../app/router.js";
import { Bar } from "../../parts/bars.js";
import { AttributeChip } from "../../parts/chip.js";
import { fixed, valueText } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Empty, Loaded } from "../../parts/states.js";
import { DocumentText } from "../../parts/text.js";

/** @typedef {import("../../gen/latentdb/v1/latent_pb.js").Latent} Latent */
/** @typedef {import("../../gen/latentdb/v1/types_pb.js").Document} Document */
/** @typedef {{document?: Document | undefined, activation: number, span?: {start: number, end: number} | undefined}} Example */

const TABS = { top: "Strongest", middle: "Middling", random: "Random" };
const MIDDLING = 8;
const ATTRIBUTES = 4;

/**
 * Documents around the median activation.
 * @param {string} collection
 * @param {number} latent
 * @param {number} median
 * @param {AbortSignal} signal
 * @returns {Promise<Example[]>}
 */
async function middling(collection, latent, median, signal) {
  const { hits } = await searchCalls.search({
    collection, limit: MIDDLING, latentsPerHit: 1, projection: { text: true, attributes: true },
    query: {
      kind: { case: "latents", value: { weights: [{ latent, weight: 1 }] } },
      filter: { kind: { case: "latent", value: { latent, upper: { case: "lte", value: median } } } },
    },
  }, { signal });
  return hits.map(({ document, score, latents }) => ({ document, activation: score, span: latents.find((one) => one.latent === latent)?.span }));
}

/** @param {{collection: string, latent: number, found: Latent}} properties */
export function Examples({ collection, latent, found }) {
  const asked = route.value.params.get("examples") ?? "top";
  const tab = asked in TABS ? asked : "top";
  const median = found.quantiles[2];
  const middle = useLoad(async (signal) => tab === "middle" && median !== undefined ? middling(collection, latent, median, signal) : [], [collection, latent, tab, median]);
  const most = found.quantiles.at(-1) ?? 1;
  const list = (/** @type {Example[]} */ examples) => examples.length === 0 ? html`<${Empty} title="It is active in no document" />`
    : html`<ol class="examples">${examples.map((example) => html`<${One} key=${example.document?.id} collection=${collection} example=${example}
      most=${most} />`)}</ol>`;
  return html`<section class="panel"><div class="row spread"><h2>Documents<${Help} page="concepts" at="latents" of="an activation" /></h2>
      <div class="row tabs" role="group" aria-label="Which">${Object.entries(TABS).map(([name, title]) => html`<button key=${name} type="button"
        class="small" aria-pressed=${name === tab}
        onClick=${() => update({ examples: name === "top" ? null : name })}>${title}</button>`)}</div></div>
    ${tab === "middle" ? html`<${Loaded} of=${middle}
      lines=${12}>${list}</${Loaded}>` : list(tab === "random" ? found.randomDocuments : found.documents)}</section>`;
}

/** @param {{collection: string, example: Example, most: number}} properties */
function One({ collection, example, most }) {
  const { document, activation, span } = example;
  const marks = span === undefined ? [] : [{ start: span.start, end: span.end, kind: "latent", title: "It is strongest here" }];
  return html`<li data-testid="example"><div class="example-activation"><span class="number">${fixed(activation)}</span><${Bar}
    share=${activation / most} /></div>
    <div>${document?.text === undefined ? html`<p class="muted">No text is stored.</p>` : html`<${DocumentText} text=${document.text} marks=${marks}
      />`}
      <p class="row small-print"><a href=${address({ collection, view: "search", params: { kind: "like", q: document?.id } })}
        title="Documents like it">${document?.id}</a>
        ${Object.entries(document?.attributes ?? {}).sort(([a], [b]) => a < b ? -1 : 1).slice(0, ATTRIBUTES).map(([name, value]) => html`<${AttributeChip} key=${name} name=${name} value=${valueText(value)} />`)}</p></div></li>`;
}
