// Counts over the documents of the filter; a click refines it.
import { html, useMemo, useState } from "../../vendor/vendor.js";
import { useLoad } from "../../app/load.js";
import { conjuncts, hasCondition, withCondition, withoutCondition } from "../../parts/filter-text.js";
import { count, nameLiteral, valueLiteral, valueText } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { LatentName } from "../../parts/chip.js";
import { Loaded } from "../../parts/states.js";
import { useWide } from "../../parts/wide.js";
import { searchCalls } from "../../app/searches.js";

/** @typedef {import("../../app/collections.js").Collection} Collection */
/** @typedef {import("../../gen/latentdb/v1/facet_pb.js").FacetResult} FacetResult */
/** @typedef {{name: string, of: "values" | "ranges" | "latents"}} Counted */
/** @typedef {{condition: string, label: unknown, count: bigint}} Entry */

/** Attributes that are counted; the others of a collection with many are a filter away. */
const MOST = 8;
const VALUES = 8;
const LATENTS = 12;
const RANGES = 5;

/** @param {Collection | undefined} record @returns {Counted[]} */
function countedOf(record) {
  if (record === undefined) return [];
  const attributes = record.attributes.slice(0, MOST).map(({ name, kinds }) => {
    const values = kinds.includes("string") || kinds.includes("boolean") || kinds.length !== kinds.filter((kind) => kind !== "timestamp").length && kinds.length > 1;
    return { name, of: /** @type {Counted["of"]} */ (values ? "values" : "ranges") };
  });
  return record.nLatents > 0 ? [...attributes, { name: "Latents", of: "latents" }] : attributes;
}

/**
 * @param {Counted} counted
 * @returns {import("./request.js").Init<typeof import("../../gen/latentdb/v1/facet_pb.js").FacetSchema>}
 */
function facet({ name, of }) {
  switch (of) {
    case "values": return { by: { case: "attribute", value: name }, limit: VALUES };
    case "ranges": return { by: { case: "histogram",
      value: { attribute: name, buckets: { case: "quantiles", value: RANGES } } } };
    case "latents": return { by: { case: "latents", value: {} }, limit: LATENTS };
  }
}

/**
 * @param {Counted} counted
 * @param {FacetResult} result
 * @returns {Entry[]}
 */
function entriesOf({ name, of }, result) {
  const attribute = nameLiteral(name);
  switch (of) {
    case "values": return result.values.map(({ value, count: documents }) => ({
      condition: `${attribute} = ${valueLiteral(value)}`, label: valueText(value), count: documents,
    }));
    case "ranges": return result.buckets.map(({ lower, upper, count: documents }, at) => {
      const last = at === result.buckets.length - 1;
      return {
        condition: `${attribute}(>= ${valueLiteral(lower)}, ${last ? "<=" : "<"} ${valueLiteral(upper)})`,
        label: `${valueText(lower)} to ${valueText(upper)}`, count: documents,
      };
    });
    case "latents": return result.latents.map(({ latent, label, lowConfidence, count: documents }) => ({
      condition: `latent(${latent})`, label: html`<${LatentName} latent=${latent} label=${label} low=${lowConfidence} />`, count: documents,
    }));
  }
}

/** @param {import("./view.js").Shared & {blocked: boolean}} properties  `blocked`: the filter is not accepted. */
export function Facets({ collection, record, state, change, blocked }) {
  const wide = useWide();
  const [open, setOpen] = useState(false);
  const shown = (wide || open) && record !== undefined && !blocked;
  const counted = useMemo(() => countedOf(record), [record]);
  const { filter } = state;
  const loaded = useLoad(async (signal) => {
    if (!shown || counted.length === 0) return [];
    const expression = { kind: { case: /** @type {const} */ ("expression"), value: filter } };
    const { facets } = await searchCalls.facet({ collection, ...(filter.trim() !== "" && { filter: expression }), facets: counted.map(facet) }, { signal });
    return facets;
  }, [collection, filter, shown, counted]);
  const refine = (/** @type {string} */ condition) => change({
    filter: hasCondition(filter, condition) ? withoutCondition(filter, condition) : withCondition(filter, condition),
  });
  const content = html`<${Loaded} of=${loaded} lines=${18}>${(/** @type {FacetResult[]} */ results) => results.map((result, at) => {
    const one = counted[at];
    return one !== undefined && html`<${Group} key=${one.name} counted=${one} result=${result} filter=${filter} refine=${refine}
      clear=${(/** @type {string[]} */ held) => change({ filter: held.reduce(withoutCondition, filter) })} />`;
  })}</${Loaded}>`;
  if (wide) return html`<aside class="facets" aria-label="Counts">${!blocked && content}</aside>`;
  return html`<details class="facets panel"
    onToggle=${(/** @type {Event} */ event) => setOpen(/** @type {HTMLDetailsElement} */ (event.target).open)}>
    <summary>Counts, to refine the filter</summary>${open && content}</details>`;
}

/** Conditions of the filter about what is counted here. @param {string} filter @param {Counted} counted */
function heldOf(filter, { name, of }) {
  const about = of === "latents" ? "latent" : nameLiteral(name);
  return (conjuncts(filter) ?? []).filter((condition) =>
    condition.startsWith(about) && /^[\s(=<>!]/.test(condition.slice(about.length)));
}

/**
 * @param {object} properties
 * @param {Counted} properties.counted
 * @param {FacetResult} properties.result
 * @param {string} properties.filter
 * @param {(condition: string) => void} properties.refine
 * @param {(held: string[]) => void} properties.clear
 */
function Group({ counted, result, filter, refine, clear }) {
  const entries = entriesOf(counted, result);
  const most = Math.max(...entries.map(({ count: documents }) => Number(documents)), 1);
  const further = counted.of === "ranges" ? 0 : Number(result.distinct) - entries.length;
  const held = heldOf(filter, counted);
  if (entries.length === 0) return null;
  return html`<section class="facet">
    <h3 dir="auto">${counted.name}<${Help} page="search" at="counts-histograms-and-statistics" of=${`counted by ${counted.name}`}
      />${held.length > 0 && html`<button type="button" class="any" title=${`Without ${held.join(" and ")}`}
        aria-label=${`Any ${counted.name}`} onClick=${() => clear(held)}>✕ any</button>`}</h3>
    <ul>${entries.map((entry) => html`<li key=${entry.condition}>
      <button type="button" aria-pressed=${hasCondition(filter, entry.condition)} title=${entry.condition} onClick=${() => refine(entry.condition)}>
        <span class="facet-bar" style=${{ width: `${100 * Number(entry.count) / most}%` }}></span>
        <span class="facet-label" dir="auto">${entry.label}</span><span class="number muted">${count(entry.count)}</span></button></li>`)}</ul>
    ${further > 0 && html`<p class="small-print">and ${count(further)} more</p>`}
  </section>`;
}
