// Saved edits: use, save, remove.
import { html, useState } from "../../vendor/vendor.js";
import { at, problemOf } from "../../app/errors.js";
import { useLoad } from "../../app/load.js";
import { confirmed, say } from "../../parts/say.js";
import { counted } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Loaded } from "../../parts/states.js";
import { editsOf } from "./request.js";
import { searchCalls } from "../../app/searches.js";

/** @typedef {import("../../gen/latentdb/v1/search_pb.js").Preset} Preset */
/** @typedef {import("./state.js").SearchState} SearchState */

/** @param {{collection: string, state: SearchState, change: import("./form.js").Change}} properties */
export function Presets({ collection, state, change }) {
  const saved = useLoad(async (signal) => (await searchCalls.listPresets({ collection }, { signal })).presets, [collection]);
  const [name, setName] = useState("");
  const [problem, setProblem] = useState(/** @type {string | undefined} */ (undefined));
  const edits = editsOf(state);
  /** @param {Event} event */
  const save = async (event) => {
    event.preventDefault();
    try {
      await searchCalls.savePreset({ collection, preset: { name: name.trim(), edits } });
      setName("");
      setProblem(undefined);
      saved.reload();
      say(`Saved as ${name.trim()}.`);
    } catch (error) {
      const found = problemOf(error);
      setProblem(at(found, /./) ?? `${found.title}. ${found.message}`);
    }
  };
  const drop = async (/** @type {string} */ preset) => {
    if (!await confirmed({ title: "Remove the preset", text: `“${preset}” is removed for everyone who uses this collection.`, action: "Remove" })) return;
    try {
      await searchCalls.dropPreset({ collection, name: preset });
      change({ presets: state.presets.filter((used) => used.name !== preset) });
      saved.reload();
    } catch (error) {
      setProblem(problemOf(error).message);
    }
  };
  const use = (/** @type {string} */ preset, /** @type {number} */ strength) => {
    const others = state.presets.filter((used) => used.name !== preset);
    change({ presets: strength === 0 ? others : [...others, { name: preset, strength }] });
  };
  return html`<section class="presets" aria-label="Presets">
    <h3>Presets<${Help} page="search" at="steering" of="a preset" /></h3>
    <${Loaded} of=${saved} lines=${2}>${(/** @type {Preset[]} */ presets) => presets.length === 0 ? html`<p
      class="small-print">None is saved yet.</p>`
      : html`<ul>${presets.map((preset) => html`<${Row} key=${preset.name} preset=${preset}
        strength=${state.presets.find((used) => used.name === preset.name)?.strength ?? 0} use=${use} drop=${drop} />`)}</ul>`}</${Loaded}>
    <form class="row" onSubmit=${save}>
      <input type="text" class="grow" aria-label="Name of the preset" placeholder="Save the sliders as…" value=${name} data-testid="preset-name"
        onInput=${(/** @type {Event} */ event) => setName(/** @type {HTMLInputElement} */ (event.target).value)} />
      <button type="submit" class="small" disabled=${edits.length === 0 || name.trim() === ""}>Save</button>
    </form>
    ${problem !== undefined && html`<p class="field-error" role="alert">${problem}</p>`}
  </section>`;
}

/** @param {{preset: Preset, strength: number, use: (name: string, strength: number) => void, drop: (name: string) => void}} properties */
function Row({ preset, strength, use, drop }) {
  return html`<li class="row">
    <label class="check grow"><input type="checkbox" checked=${strength !== 0} data-testid=${`preset-${preset.name}`}
      onChange=${() => use(preset.name, strength === 0 ? 1 : 0)} /> <span dir="auto">${preset.name}</span>
      <span class="small-print">${counted(preset.edits.length, "edit")}</span></label>
    ${strength !== 0 && html`<label class="inline">× <input type="number" class="weight" step="0.1" value=${strength}
      aria-label=${`Strength of ${preset.name}`}
      onChange=${(/** @type {Event} */ event) => use(preset.name, Number(/** @type {HTMLInputElement} */ (event.target).value))} /></label>`}
    <button type="button" class="quiet" aria-label=${`Remove ${preset.name}`} title="Remove" onClick=${() => drop(preset.name)}>✕</button>
  </li>`;
}
