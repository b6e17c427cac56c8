// What is compared, and how.
import { html } from "../../vendor/vendor.js";
import { at } from "../../app/errors.js";
import { collections, useCollections } from "../../app/collections.js";
import { useLoad } from "../../app/load.js";
import { Check, NumberField, Select } from "../../parts/fields.js";
import { FilterBox } from "../../parts/filter-box.js";
import { count, quoted } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { useTyped } from "../../parts/typed.js";

/** @typedef {import("./state.js").Comparison} Comparison */
/** @typedef {import("../../app/collections.js").Collection} Collection */
/** @typedef {import("../../gen/latentdb/v1/collection_pb.js").SavedSet} SavedSet */

/**
 * @param {object} properties
 * @param {string} properties.collection
 * @param {Collection | undefined} properties.record
 * @param {Comparison} properties.state
 * @param {(changes: Partial<Comparison>) => void} properties.change
 * @param {import("../../app/errors.js").Problem | undefined} properties.problem
 */
export function Form({ collection, record, state, change, problem }) {
  const applied = JSON.stringify([state.a, state.b]);
  const [a, setA] = useTyped(state.a, applied);
  const [b, setB] = useTyped(state.b.length === 0 ? [""] : state.b, applied);
  const sets = useLoad(async (signal) => (await collections.listSets({ collection }, { signal })).sets, [collection]);
  const give = () => change({ a, b: b.filter((filter) => filter.trim() !== ""), which: 0, latent: undefined });
  const changed = JSON.stringify([a, b.filter((filter) => filter.trim() !== "")]) !== applied;
  return html`<form class="panel compare-form" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); give(); }}>
    <${Side} title="A" collection=${collection} record=${record} text=${a} onText=${setA} onEnter=${give} sets=${sets.value} problem=${at(problem, /^a\b/)} />
    ${b.map((filter, place) => html`<${Side} key=${place} title=${b.length === 1 ? "B" : `B${place + 1}`} collection=${state.other || collection} record=${record}
      text=${filter} onText=${(/** @type {string} */ text) => setB(b.with(place, text))} onEnter=${give} sets=${sets.value}
      problem=${at(problem, new RegExp(`^b\\[${place}\\]`))} drop=${b.length === 1 ? undefined : () => setB(b.toSpliced(place, 1))} />`)}
    <div class="row compare-does">
      <button class="primary" data-testid="compare" disabled=${a.trim() === ""}>Compare</button>
      <button type="button" onClick=${() => setB([...b, ""])}>Another B</button>
      <button type="button" disabled=${a.trim() === "" || b.length !== 1 || b[0]?.trim() === ""} onClick=${() => { setA(b[0] ?? ""); setB([a]); change({ a: b[0] ?? "", b: [a] }); }}>Swap</button>
      ${changed && a.trim() !== "" && html`<span class="small-print">Changed; Enter compares.</span>`}
      ${b.every((filter) => filter.trim() === "") && html`<span class="small-print">Without B, A is compared with ${state.other === "" ? "everything else" : `all of ${state.other}`}.</span>`}
    </div>
    <${Options} collection=${collection} record=${record} state=${state} change=${change} />
  </form>`;
}

/**
 * @param {object} properties
 * @param {string} properties.title
 * @param {string} properties.collection
 * @param {Collection | undefined} properties.record
 * @param {string} properties.text
 * @param {(text: string) => void} properties.onText
 * @param {() => void} properties.onEnter
 * @param {SavedSet[] | undefined} properties.sets
 * @param {string | undefined} properties.problem
 * @param {() => void} [properties.drop]
 */
function Side({ title, collection, record, text, onText, onEnter, sets = [], problem, drop }) {
  return html`<div class="compare-side" data-testid=${`side-${title}`}><span class=${`side-name ${title[0]?.toLowerCase()}`}>${title}</span>
    <${FilterBox} collection=${collection} record=${record} text=${text} onText=${onText} onEnter=${onEnter} problem=${problem} />
    ${sets.length > 0 && html`<select aria-label=${`${title}: a saved set`} value="" onChange=${(/** @type {Event} */ event) => {
      const select = /** @type {HTMLSelectElement} */ (event.target);
      if (select.value !== "") onText(`set(${quoted(select.value)})`);
      select.value = "";
    }}><option value="">Saved sets</option>${sets.map((set) => html`<option key=${set.name} value=${set.name}>${set.name}${
      set.documents === undefined ? "" : ` (${count(set.documents)})`}</option>`)}</select>`}
    ${drop !== undefined && html`<button type="button" class="quiet" aria-label=${`Remove ${title}`} onClick=${drop}>✕</button>`}
  </div>`;
}

/** @param {{collection: string, record: Collection | undefined, state: Comparison, change: (changes: Partial<Comparison>) => void}} properties */
function Options({ collection, record, state, change }) {
  const others = useCollections().value ?? [];
  const names = (record?.attributes ?? []).map(({ name }) => name);
  const by = Object.fromEntries([["", "choose"], ...(state.how === "stratify" && !names.includes("length") ? [["length", "length of the text"]] : []), ...names.map((name) => [name, name])]);
  const own = collection.split(":", 1)[0];
  const elsewhere = Object.fromEntries([["", "the same collection"], ...others.map(({ name }) => name).filter((name) => name !== own).map((name) => [name, name])]);
  const analyses = { page: "analyses", at: "set-difference" };
  const methods = { page: "methods", at: "set-difference" };
  const set = (/** @type {keyof Comparison} */ name) => (/** @type {string} */ value) => change({ [name]: value });
  const used = [state.means, state.how, state.overlap, state.favours, state.support, state.above, state.delta, state.p, state.confirm, state.bShare, state.other].some(Boolean);
  return html`<details class="settings" open=${used}><summary>Options</summary><div class="controls">
    <${Select} label="Compares" value=${state.means ? "means" : "shares"} of=${{ shares: "shares of documents", means: "mean activations" }}
      set=${(/** @type {string} */ value) => change({ means: value === "means" })} help=${methods} />
    <${Select} label="Documents" value=${state.how} help=${analyses} of=${{ "": "each by itself", pair: "paired by", stratify: "within strata of", cluster: "clustered by" }}
      set=${(/** @type {string} */ how) => change({ how, by: how === "" ? "" : state.by })} />
    ${state.how !== "" && html`<${Select} label="Attribute" value=${state.by} of=${by} set=${set("by")} />`}
    <${Select} label="In both sets" value=${state.overlap} of=${{ "": "refuse", drop: "drop from both", keep: "keep in both" }} set=${set("overlap")} help=${methods} />
    <${Select} label="More in" value=${state.favours} of=${{ "": "A or B", a: "A", b: "B" }} set=${set("favours")} />
    <${NumberField} label="Adjusted p up to" value=${state.p} hint="0.05" most=${1} set=${set("p")} help=${{ page: "methods", at: "tests-and-intervals" }} />
    <${NumberField} label="Difference above" value=${state.delta} hint=${state.means ? "0" : "0.03"} set=${set("delta")} help=${methods} />
    <${NumberField} label="Documents at least" value=${state.support} hint="5" whole set=${set("support")} help=${methods} />
    <${NumberField} label="Active above" value=${state.above} hint="0" set=${set("above")} />
    <${NumberField} label="Share of B up to" value=${state.bShare} hint="any" most=${1} set=${set("bShare")} help=${analyses} />
    <${NumberField} label="Held back to confirm" value=${state.confirm} hint="none" most=${0.99} set=${set("confirm")} help=${analyses} />
    ${Object.keys(elsewhere).length > 1 && html`<${Select} label="B is in" value=${state.other} of=${elsewhere} set=${(/** @type {string} */ other) => change({ other, overlap: "" })} help=${analyses} />`}
    ${state.other !== "" && html`<${Check} label="Their latents mean the same" on=${state.vouched} set=${(/** @type {boolean} */ vouched) => change({ vouched })} /><${Help} ...${analyses} of="vouching for latents" />`}
  </div></details>`;
}
