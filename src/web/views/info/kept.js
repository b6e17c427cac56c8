// What is kept with a collection: saved sets and presets.
import { html } from "../../vendor/vendor.js";
import { timestampDate } from "../../wire/messages.js";
import { collections } from "../../app/collections.js";
import { problemOf } from "../../app/errors.js";
import { useLoad } from "../../app/load.js";
import { address } from "../../app/router.js";
import { searchCalls } from "../../app/searches.js";
import { confirmed, say } from "../../parts/say.js";
import { count, counted, date, quoted, short } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Loaded } from "../../parts/states.js";

/** @typedef {import("../../gen/latentdb/v1/collection_pb.js").SavedSet} SavedSet */
/** @typedef {import("../../gen/latentdb/v1/search_pb.js").Preset} Preset */
/** @typedef {import("../../gen/latentdb/v1/types_pb.js").SteerEdit} SteerEdit */

/** @param {{collection: string}} properties */
export function Kept({ collection }) {
  const sets = useLoad(async (signal) => (await collections.listSets({ collection }, { signal })).sets, [collection]);
  const presets = useLoad(async (signal) => (await searchCalls.listPresets({ collection }, { signal })).presets, [collection]);
  const drop = async (/** @type {string} */ what, /** @type {string} */ name, /** @type {() => Promise<unknown>} */ call, /** @type {() => void} */ reload) => {
    if (!(await confirmed({ title: `Remove “${name}”?`, text: `The ${what} is gone for everybody; filters and searches that name it no longer work.`, action: "Remove" }))) return;
    call().then(() => { say("Removed."); reload(); }, (error) => say(problemOf(error).message));
  };
  return html`<section class="panel" data-testid="sets"><h2>Saved sets<${Help} page="concepts" at="sets" of="a saved set" /></h2>
      <${Loaded} of=${sets} lines=${3}>${(/** @type {SavedSet[]} */ list) => list.length === 0 ? html`<p class="muted">None. A search, the map and <code>latentdb sets save</code> save some.</p>`
        : html`<div class="scroll-x"><table><thead><tr><th>Name</th><th>Holds</th><th class="number">Documents</th><th class="roomy">Created</th><th><span class="visually-hidden">What to do with it</span></th></tr></thead>
          <tbody>${list.map((set) => html`<tr key=${set.name}><td dir="auto">${set.name}</td><td>${set.frozen ? "documents" : "a filter"}</td>
            <td class="number">${set.error === "" ? count(set.documents ?? 0n) : html`<span class="field-error">${set.error}</span>`}</td>
            <td class="roomy">${set.created === undefined ? "" : date(timestampDate(set.created))}</td>
            <td><span class="row kept-does"><a href=${address({ collection, params: { kind: "matching", filter: `set(${quoted(set.name)})` } })}>Documents</a>
              <a href=${address({ collection, view: "compare", params: { a: `set(${quoted(set.name)})` } })}>Compare</a>
              <a href=${address({ collection, view: "map", params: { filter: `set(${quoted(set.name)})` } })}>On the map</a>
              <button type="button" class="small" aria-label=${`Remove the set ${set.name}`} onClick=${() => drop("set", set.name, () => collections.dropSet({ collection, name: set.name }), sets.reload)}>Remove</button></span></td></tr>`)}</tbody></table></div>`}</${Loaded}></section>
    <section class="panel" data-testid="presets"><h2>Presets<${Help} page="search" at="steering" of="a preset" /></h2>
      <${Loaded} of=${presets} lines=${2}>${(/** @type {Preset[]} */ list) => list.length === 0 ? html`<p class="muted">None. A steered search saves one.</p>`
        : html`<div class="scroll-x"><table><thead><tr><th>Name</th><th>Edits</th><th><span class="visually-hidden">What to do with it</span></th></tr></thead>
          <tbody>${list.map((preset) => html`<tr key=${preset.name}><td dir="auto">${preset.name}</td><td title=${counted(preset.edits.length, "edit")}>${preset.edits.map(edited).join(", ")}</td>
            <td><button type="button" class="small" aria-label=${`Remove the preset ${preset.name}`} onClick=${() => drop("preset", preset.name, () => searchCalls.dropPreset({ collection, name: preset.name }), presets.reload)}>Remove</button></td></tr>`)}</tbody></table></div>`}</${Loaded}></section>`;
}

/** @param {SteerEdit} edit */
function edited({ latent, concept, family, examples, edit }) {
  const of = concept !== "" ? `“${concept}”` : family !== undefined ? `family ${family}` : examples.length > 0 ? counted(examples.length, "example") : `latent ${latent}`;
  if (edit.case === "zero") return `${of} off`;
  return `${edit.case ?? ""} ${of} ${typeof edit.value === "number" ? short(edit.value) : ""}`;
}
