// Comparisons to begin with, out of what the collection's attributes are.
import { html } from "../../vendor/vendor.js";
import { useLoad } from "../../app/load.js";
import { address } from "../../app/router.js";
import { searchCalls } from "../../app/searches.js";
import { nameLiteral, valueLiteral } from "../../parts/format.js";
import { Empty, Loaded } from "../../parts/states.js";

/** @typedef {import("../../app/collections.js").Collection} Collection */
/** @typedef {{a: string, b: string}} Two */

/** Attributes that are looked at. */
const LOOKED = 6;
/** An attribute of more values names no groups. */
const VALUES = 30;

/** @param {{collection: string, record: Collection | undefined}} properties */
export function Begin({ collection, record }) {
  const found = useLoad(async (signal) => record === undefined ? [] : suggestions(collection, record, signal), [collection, record]);
  return html`<${Empty} title="Compare two sets of documents"><p>Write what A is, and B if it is not everything else: filters, saved sets, or both.</p>
    <${Loaded} of=${found} lines=${3}>${(/** @type {Two[]} */ list) => list.length > 0 && html`<ul class="suggested">${list.map(({ a, b }) => html`
      <li key=${a + b}><a href=${address({ collection, view: "compare", params: { a, b } })}><code>${a}</code> against <code>${b}</code></a></li>`)}</ul>`}</${Loaded}></${Empty}>`;
}

/** @param {string} collection @param {Collection} record @param {AbortSignal} signal @returns {Promise<Two[]>} */
async function suggestions(collection, record, signal) {
  const of = (/** @type {string[]} */ kinds) => record.attributes.filter((attribute) => attribute.kinds.some((kind) => kinds.includes(kind))).slice(0, LOOKED);
  const words = of(["string", "boolean"]);
  const numbers = of(["integer", "float"]).filter((attribute) => !attribute.kinds.includes("string"));
  if (words.length + numbers.length === 0) return [];
  const { facets } = await searchCalls.facet({
    collection,
    facets: [
      ...words.map(({ name }) => ({ by: { case: /** @type {const} */ ("attribute"), value: name }, limit: 2 })),
      ...numbers.map(({ name }) => ({ by: { case: /** @type {const} */ ("statistics"), value: { attribute: name } } })),
    ],
  }, { signal });
  return facets.flatMap((facet, at) => {
    const name = nameLiteral((words[at] ?? numbers[at - words.length])?.name ?? "");
    const [first, second] = facet.values;
    if (second !== undefined && facet.distinct <= VALUES) return [{ a: `${name} = ${valueLiteral(first?.value)}`, b: `${name} = ${valueLiteral(second.value)}` }];
    const [low, , high] = facet.statistics?.quantiles ?? [];
    return low === undefined || high === undefined || valueLiteral(low.value) === valueLiteral(high.value) ? []
      : [{ a: `${name} >= ${valueLiteral(high.value)}`, b: `${name} <= ${valueLiteral(low.value)}` }];
  });
}
