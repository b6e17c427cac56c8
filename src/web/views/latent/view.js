// One latent: what it is called and how surely, where it is active, what it goes with.
import { html } from "../../vendor/vendor.js";
import { useCollection } from "../../app/collections.js";
import { latentCalls } from "../../app/latents.js";
import { useLoad } from "../../app/load.js";
import { address, route } from "../../app/router.js";
import { count, fixed, percent, short } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Empty, Loaded } from "../../parts/states.js";
import { Examples } from "./examples.js";
import { ActivationHistogram } from "./histogram.js";
import { Labels } from "./labels.js";
import { Prevalence } from "./prevalence.js";
import { Related } from "./related.js";

/** @typedef {import("../../gen/latentdb/v1/latent_pb.js").Latent} Latent */

const EXAMPLES = 8;
const RELATED = 12;
const QUANTILES = ["least", "25%", "50%", "75%", "90%", "95%", "99%", "most"];

export function View() {
  const { collection, rest } = route.value;
  const latent = /^\d{1,9}$/.test(rest) ? Number(rest) : undefined;
  if (latent === undefined) {
    return html`<div class="view"><${Empty} title=${`“${rest}” is no latent`}><p>Latents are numbers, as 9. <a
      href=${address({ collection, view: "latents" })}>All latents</a></p></${Empty}></div>`;
  }
  return html`<${One} key=${latent} collection=${collection} latent=${latent} />`;
}

/** @param {{collection: string, latent: number}} properties */
function One({ collection, latent }) {
  const record = useCollection(collection);
  const loaded = useLoad((signal) => latentCalls.getLatent({
    collection, latent, documents: EXAMPLES, randomDocuments: EXAMPLES, seed: 1n, related: RELATED,
  }, { signal }), [collection, latent]);
  return html`<div class="view latent"><${Loaded} of=${loaded} lines=${20}>${(/** @type {Latent} */ found) => html`
    <${Labels} collection=${collection} latent=${latent} found=${found} reload=${loaded.reload} />
    <${Statistics} found=${found} />
    <div class="latent-columns">
      <div>
        <section class="panel"><h2>Activations<${Help} page="concepts" at="words" of="the spread of activations" /></h2>
          <${ActivationHistogram} histogram=${found.histogram} p90=${found.quantiles[4]} />
          <dl class="quantiles">${found.quantiles.map((value, at) => html`<div key=${at}><dt>${QUANTILES[at]}</dt><dd
            class="number">${short(value)}</dd></div>`)}</dl></section>
        <${Examples} collection=${collection} latent=${latent} found=${found} />
      </div>
      <div><${Related} collection=${collection} latent=${latent} found=${found} />
        <${Prevalence} collection=${collection} latent=${latent} attributes=${record.value?.attributes ?? []} /></div>
    </div>`}</${Loaded}></div>`;
}

/** @param {{found: Latent}} properties */
function Statistics({ found }) {
  const { documents = 0n, density = 0, meanActivation = 0, recurrence } = found.summary ?? {};
  const figure = (/** @type {string} */ name, /** @type {string} */ value) => html`<div><dt>${name}<${Help} page="concepts" at="words"
    of=${name.toLowerCase()} /></dt><dd class="number">${value}</dd></div>`;
  return html`<dl class="figures">
    ${recurrence !== undefined && html`<div><dt>Recurs<${Help} page="training" at="stability" of="recurrence" /></dt><dd
      class="number">${fixed(recurrence)}</dd></div>`}
    ${figure("Documents", count(documents))}${figure("Density", percent(density, 2))}
    ${figure("Mean activation", fixed(meanActivation, 3))}${figure("p90", found.quantiles[4] === undefined ? "–" : fixed(found.quantiles[4], 3))}
  </dl>`;
}
