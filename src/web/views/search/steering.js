// The sliders and what steering did.
import { html, useState } from "../../vendor/vendor.js";
import { useLoad, useRested } from "../../app/load.js";
import { LatentName } from "../../parts/chip.js";
import { address } from "../../app/router.js";
import { fixed, percent, signed } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { LabelPicker } from "../../parts/label-picker.js";
import { styled, useLazy } from "../../parts/lazy.js";
import { useNames } from "../../parts/names.js";
import { Loading, ProblemBox } from "../../parts/states.js";
import { useWide } from "../../parts/wide.js";
import { nearestOf, weightsOf } from "./request.js";
import { searchCalls } from "../../app/searches.js";
import { neutralOf, rangeOf, turned } from "./sliders.js";
import { METHODS, isSteered, steers, unsteered, write, written } from "./state.js";

/** @typedef {import("./state.js").SearchState} SearchState */
/** @typedef {import("./state.js").Edits} Edits */
/** @typedef {import("./sliders.js").Slider} Slider */
/** @typedef {import("./run.js").Run} Run */

/** Sliders of latents that the person neither moved nor added. */
const MOST = { wide: 14, narrow: 3 };

/** @typedef {import("./view.js").Shared} Properties */

/** @param {Properties} properties */
export function Steering(properties) {
  const wide = useWide();
  const { record, state } = properties;
  if (record?.nLatents === 0) return null;
  const content = html`<${Content} ...${properties} />`;
  if (wide) return html`<aside class="steering panel" aria-label="Steering"><h2>Steer<${Help} page="search" at="steering" of="steering"
    /></h2>${content}</aside>`;
  return html`<details class="steering panel" open=${isSteered(state)}><summary>Steer: turn concepts up and down</summary>${content}</details>`;
}

/** @param {Properties} properties */
function Content({ collection, record, state, run, change, moveSliders }) {
  const kind = steers(state);
  const wide = useWide();
  const sliders = useSliders(collection, state, run, record?.nLatents ?? 0);
  const [all, setAll] = useState(false);
  if (kind === "nothing") {
    return html`<p class="muted">Sliders turn the concepts of a query up and down. A query by meaning, by a document, by latents or by a property has concepts;
      this one has none.</p>`;
  }
  const most = Math.max(...sliders.list.map(({ before, amount }) => Math.abs(before ?? amount)), 0.1);
  const shown = all ? sliders.list : sliders.list.filter((slider, at) => slider.moved || at < (wide ? MOST.wide : MOST.narrow));
  const set = (/** @type {number} */ latent, /** @type {number} */ amount) => moveSliders(new Map([...state.edits, [latent, amount]]));
  const reset = (/** @type {number} */ latent) => moveSliders(new Map([...state.edits].filter(([one]) => one !== latent)));
  return html`
    ${kind === "vector" ? html`<${Method} state=${state} change=${change} />` : html`<p
      class="small-print">Each slider is the weight of a latent of the query.</p>`}
    <${Effect} collection=${collection} state=${state} run=${run} />
    <${LabelPicker} collection=${collection} label="Add a latent by what it means"
      pick=${(/** @type {number} */ latent) => moveSliders(turned(state, latent, 1))} />
    ${sliders.problem !== undefined && html`<${ProblemBox} problem=${sliders.problem} />`}
    ${sliders.list.length === 0 && sliders.loading ? html`<${Loading} lines=${8} />` : html`<ul class="sliders">${shown.map((slider) => html`
      <${SliderRow} key=${slider.latent} collection=${collection} state=${state} slider=${slider} most=${most} set=${set} reset=${reset} />`)}</ul>`}
    ${shown.length < sliders.list.length && html`<button type="button" class="link"
      onClick=${() => setAll(true)}>${sliders.list.length - shown.length} more latents</button>`}
    ${kind === "vector" && html`<${Further} collection=${collection} state=${state} change=${change} />`}`;
}

/** @param {{state: SearchState, change: Properties["change"]}} properties */
function Method({ state, change }) {
  const choose = (/** @type {Event} */ event) => {
    const how = /** @type {import("./state.js").Method} */ (/** @type {HTMLSelectElement} */ (event.target).value);
    change({ how, edits: new Map() });
  };
  return html`<label class="method">Sliders <select value=${state.how} data-testid="how" onChange=${choose}>
    ${Object.entries(METHODS).map(([name, { title }]) => html`<option key=${name} value=${name}>${title}</option>`)}</select>
    <span class="small-print">${METHODS[state.how].does}</span></label>`;
}

/**
 * The latents that were added, then those of the query, strongest first.
 * @param {string} collection
 * @param {SearchState} state
 * @param {Run} run
 * @param {number} nLatents
 */
function useSliders(collection, state, run, nLatents) {
  const kind = steers(state);
  const nearest = kind === "vector" ? nearestOf(unsteered(state)) : undefined;
  const key = nearest === undefined ? "" : JSON.stringify(nearest.to);
  const own = useLoad(async (signal) => {
    if (nearest === undefined) return undefined;
    const { steering } = await searchCalls.steer({ collection, nearest }, { signal });
    return new Map((steering?.before ?? []).map(({ latent, activation }) => [latent, activation]));
  }, [collection, key]);
  const after = kind === "vector" && run.steered ? run.shown?.steering[0]?.after : undefined;
  const list = kind === "vector" ? slidersOf(state, own.value ?? new Map(), after) : kind === "weights" ? weighted(state, run) : [];
  const names = useNames(collection, list.filter(({ label }) => label === "").map(({ latent }) => latent), nLatents);
  return {
    list: list.map((slider) => ({ ...slider, label: slider.label || names(slider.latent).label, low: names(slider.latent).low })),
    problem: own.problem?.message === "" || run.problem !== undefined ? undefined : own.problem,
    loading: own.loading,
  };
}

/**
 * @param {SearchState} state
 * @param {Map<number, number>} own  Activations in the query.
 * @param {import("../../gen/latentdb/v1/types_pb.js").Activation[] | undefined} steered
 * @returns {Slider[]}
 */
function slidersOf(state, own, steered) {
  const after = new Map((steered ?? []).map(({ latent, activation }) => [latent, activation]));
  // What was added stands first, where it is seen.
  const latents = [...[...state.edits.keys()].filter((latent) => !own.has(latent)), ...[...own].sort(([, a], [, b]) => b - a).map(([latent]) => latent)];
  return latents.map((latent) => {
    const before = own.get(latent);
    const neutral = neutralOf(state, before ?? 0);
    return { latent, label: "", amount: state.edits.get(latent) ?? neutral, before, after: steered === undefined ? undefined : after.get(latent) ?? 0, moved: state.edits.has(latent) };
  });
}

/** The weights of the query's latents. @param {SearchState} state @param {Run} run @returns {Slider[]} */
function weighted(state, run) {
  /** @type {{latent: number, weight: number, label: string}[]} */
  let chosen = run.base?.properties[0]?.latents ?? [];
  if (state.parts[0]?.kind === "latents") {
    try {
      chosen = weightsOf(state.parts[0].text, 0).map(({ latent, weight }) => ({ latent, weight, label: "" }));
    } catch {
      // The form says what is wrong with it.
    }
  }
  const known = new Set(chosen.map(({ latent }) => latent));
  const added = [...state.edits].filter(([latent]) => !known.has(latent)).map(([latent]) => ({ latent, weight: 0, label: "" }));
  return [...added, ...chosen].map(({ latent, weight, label }) => ({
    latent, label, amount: state.edits.get(latent) ?? weight, before: weight, after: undefined, moved: state.edits.has(latent),
  }));
}

/** @param {{collection: string, state: SearchState, slider: Slider & {low: boolean}, most: number, set: (latent: number, amount: number) => void, reset: (latent: number) => void}} properties */
function SliderRow({ collection, state, slider, most, set, reset }) {
  const { latent, label, amount, before, after } = slider;
  const { min, max, step } = rangeOf(state, slider, most);
  const weights = steers(state) === "weights";
  const digits = step < 0.01 ? 3 : 2;
  const input = (/** @type {Event} */ event) => set(latent, Number(/** @type {HTMLInputElement} */ (event.target).value));
  const bar = weights ? undefined : { before: (before ?? 0) / most, after: after === undefined ? undefined : after / most };
  return html`<li class=${slider.moved ? "slider touched" : "slider"}>
    <a class="slider-name" href=${address({ collection, view: "latent", rest: latent })}><${LatentName} latent=${latent} label=${label}
      low=${slider.low} /></a>
    <input type="range" min=${min} max=${max} step=${step} value=${amount} data-testid=${`slider-${latent}`}
      aria-label=${`${label || "Latent"} (${latent})`}
      aria-valuetext=${fixed(amount, digits)} onInput=${input} onDblClick=${() => reset(latent)} />
    <output class="number">${weights || state.how === "set" ? fixed(amount, digits) : state.how === "scale" ? `×${fixed(amount, 1)}` : signed(amount, digits)}</output>
    <button type="button" class="quiet" disabled=${!slider.moved} aria-label=${`Back to where ${label || latent} was`} title="Back"
      onClick=${() => reset(latent)}>↺</button>
    ${bar !== undefined && html`<span class="activation"
      title=${`Activation in the query ${fixed(before ?? 0)}${after === undefined ? "" : `, steered ${fixed(after)}`}`}>
      <span class="activation-before" style=${{ width: `${100 * Math.min(1, bar.before)}%` }}></span>
      ${bar.after !== undefined && html`<span class="activation-after" style=${{ left: `${100 * Math.min(1, bar.after)}%` }}></span>`}</span>`}
  </li>`;
}

/** What steering did to the query and to what it finds. @param {{collection: string, state: SearchState, run: Run}} properties */
function Effect({ collection, state, run }) {
  const active = isSteered(state);
  const key = useRested(active ? `${write(unsteered(state))} ${state.how} ${written(state.edits)} ${JSON.stringify(state.presets)}` : "", 200);
  const nearest = nearestOf(state);
  const cost = useLoad(async (signal) => {
    if (key === "" || nearest === undefined) return undefined;
    const filter = state.filter.trim() === "" ? {} : { filter: { kind: { case: /** @type {const} */ ("expression"), value: state.filter } } };
    return (await searchCalls.steerSweep({ collection, nearest, strengths: [1], limit: state.limit, ...filter }, { signal })).steps[0];
  }, [collection, key]);
  const step = active ? cost.value : undefined;
  const steering = active ? run.shown?.steering[0] : undefined;
  const figure = (/** @type {string} */ name, /** @type {string} */ at, /** @type {string} */ value, /** @type {string} */ testid) =>
    html`<div><dt>${name}<${Help} page="methods" at=${at} of=${name} /></dt><dd class="number" data-testid=${testid}>${value}</dd></div>`;
  if (nearest === undefined) return null;
  return html`<dl class="effect">
    ${figure("Cosine to original", "steering", steering === undefined ? "–" : fixed(steering.cosine, 3), "cosine")}
    ${figure("Relevance kept", "steering", step?.relevanceKept === undefined ? "–" : percent(step.relevanceKept), "relevance")}
    ${figure("Hits kept", "steering", step === undefined ? "–" : percent(step.overlap, 0), "overlap")}
    ${figure("Hits with concept", "steering", step === undefined ? "–" : percent(step.targetShare, 0), "target")}
  </dl>`;
}

/** Presets and the sweep, fetched when they are opened. @param {{collection: string, state: SearchState, change: Properties["change"]}} properties */
function Further({ collection, state, change }) {
  const [presets, setPresets] = useState(state.presets.length > 0);
  const [sweep, setSweep] = useState(false);
  const presetModule = useLazy(() => styled(import("./presets.js"), "search-more"), presets);
  const sweepModule = useLazy(() => styled(import("./sweep.js"), "search-more"), sweep);
  return html`<div class="row steer-actions">
      <button type="button" class="small" disabled=${!isSteered(state)} onClick=${() => change({ edits: new Map(), presets: [] })}>Reset all</button>
      <button type="button" class="small" aria-expanded=${presets} onClick=${() => setPresets(!presets)}>Presets</button>
      <button type="button" class="small" disabled=${!isSteered(state)} onClick=${() => setSweep(true)}>Sweep</button>
    </div>
    ${presetModule !== undefined && html`<${presetModule.Presets} collection=${collection} state=${state} change=${change} />`}
    ${sweepModule !== undefined && html`<${sweepModule.Sweep} collection=${collection} state=${state} onClose=${() => setSweep(false)} />`}`;
}
