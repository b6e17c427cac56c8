// The query: one or several rankings, the filter, and what else a search takes.
import { html, useState } from "../../vendor/vendor.js";
import { Loading } from "../../parts/states.js";
import { FilterBox } from "../../parts/filter-box.js";
import { styled, useLazy } from "../../parts/lazy.js";
import { useTyped } from "../../parts/typed.js";
import { FormError } from "./request.js";
import { FUSIONS, KINDS, MODES } from "./state.js";

/** @typedef {import("./state.js").SearchState} SearchState */
/** @typedef {import("./state.js").Part} Part */
/** @typedef {import("./view.js").Shared["change"]} Change */

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;

/** @param {import("./view.js").Shared} properties */
export function QueryForm({ collection, record, state, run, change }) {
  const { problem, failure } = run;
  const there = JSON.stringify([state.parts, state.filter]);
  const [parts, setParts] = useTyped(state.parts, there);
  const [filter, setFilter] = useTyped(state.filter, there);
  const [more, setMore] = useState(false);
  const options = useLazy(() => styled(import("./options.js"), "search-more"), more);
  const copy = useCopy();
  /** @param {Part[]} rows */
  const send = (rows) => change({ parts: rows, filter, edits: kept(rows, state), presets: state.presets });
  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault();
    send(parts);
  };
  /** @param {number} at @param {Partial<Part>} changes @param {boolean} now */
  const edit = (at, changes, now) => {
    const rows = parts.map((part, number) => number === at ? { ...part, ...changes } : part);
    setParts(rows);
    if (now) send(rows);
  };
  const remove = (/** @type {number} */ at) => send(parts.filter((_, number) => number !== at));
  const extras = (state.except === "" ? 0 : 1) + (state.group === "" ? 0 : 1) + (state.min === "" ? 0 : 1) + (state.exact ? 1 : 0);
  return html`<form class="query-form panel" role="search" onSubmit=${submit}>
    ${parts.map((part, at) => html`<${Row} key=${at} part=${part} at=${at} several=${parts.length > 1} edit=${edit} remove=${remove}
      record=${record} problem=${failure instanceof FormError && failure.part === at ? failure.message : rowProblem(problem, at)} />`)}
    <${FilterBox} collection=${collection} record=${record} text=${filter} onText=${setFilter} onEnter=${() => send(parts)} />
    <div class="row">
      <button type="button" class="small"
        onClick=${() => setParts([...parts, { kind: "words", text: parts[0]?.text ?? "", weight: "", mode: "" }])}>Add a ranking</button>
      ${parts.length > 1 && html`<label class="inline">Combined <select value=${state.fusion}
        onChange=${(/** @type {Event} */ event) => change({ fusion: valueOf(event) })}>
        ${Object.entries(FUSIONS).map(([name, title]) => html`<option key=${name} value=${name}>${title}</option>`)}</select></label>`}
      <button type="button" class="small" aria-expanded=${more} onClick=${() => setMore(!more)}>More options${extras > 0 && ` (${extras})`}</button>
      <button type="button" class="small" onClick=${copy.open}>Copy as…</button>
    </div>
    ${more && (options === undefined ? html`<${Loading} lines=${2} />` : html`<${options.Options} record=${record} state=${state} change=${change}
      />`)}
    ${copy.dialog(collection, state, run.base?.properties[0])}
  </form>`;
}

/**
 * The dialog of "Copy as", which is fetched when it is first opened.
 */
function useCopy() {
  const [open, setOpen] = useState(false);
  const module = useLazy(() => styled(import("./copy.js"), "search-more"), open);
  return {
    open: () => setOpen(true),
    /** @param {string} collection @param {SearchState} state @param {import("./request.js").ChosenLatents | undefined} chosen */
    dialog: (collection, state, chosen) => module !== undefined && html`<${module.CopyAs} collection=${collection} state=${state} chosen=${chosen}
      onClose=${() => setOpen(false)} />`,
  };
}

/** Sliders belong to a query: another text keeps those that were moved, another kind does not. @param {Part[]} parts @param {SearchState} state */
function kept(parts, state) {
  const same = parts[0]?.kind === state.parts[0]?.kind;
  const weighted = parts[0]?.kind !== "nearest" && parts[0]?.kind !== "hybrid" && parts[0]?.kind !== "like";
  return same && !(weighted && parts[0]?.text !== state.parts[0]?.text) ? state.edits : new Map();
}

/** What the server says of a row: of the only query, or of a child of the fusion. @param {import("../../app/errors.js").Problem | undefined} problem @param {number} at */
function rowProblem(problem, at) {
  const found = problem?.fields.find(({ field }) => {
    const child = /children\[(\d+)\]/.exec(field);
    return /query/.test(field) && !/filter/.test(field) && Number(child?.[1] ?? 0) === at;
  });
  return found?.description;
}

/** The order of all that match, which few searches need. @param {import("./order.js").Properties} properties */
function Ordered(properties) {
  const module = useLazy(() => import("./order.js"), true);
  return module === undefined ? html`<span class="grow"></span>` : html`<${module.Order} ...${properties} />`;
}

/**
 * @param {object} properties
 * @param {Part} properties.part
 * @param {number} properties.at
 * @param {boolean} properties.several
 * @param {(at: number, changes: Partial<Part>, now: boolean) => void} properties.edit
 * @param {(at: number) => void} properties.remove
 * @param {import("../../app/collections.js").Collection | undefined} properties.record
 * @param {string | undefined} properties.problem
 */
function Row({ part, at, several, edit, remove, record, problem }) {
  const first = at === 0;
  const modes = MODES[part.kind];
  const number = first ? "" : ` ${at + 1}`;
  return html`<div class="query-row">
    <div class="query-line">
      <select aria-label=${`Kind of query${number}`} data-testid=${`kind${first ? "" : at + 1}`} value=${part.kind}
        onChange=${(/** @type {Event} */ event) => edit(at, { kind: /** @type {Part["kind"]} */ (valueOf(event)), mode: "" }, true)}>
        ${Object.entries(KINDS).map(([name, { title }]) => html`<option key=${name} value=${name}>${title}</option>`)}
      </select>
      ${part.kind === "matching" ? html`<${Ordered} mode=${part.mode} record=${record}
        choose=${(/** @type {string} */ mode) => edit(at, { mode }, true)} />`
        : html`<input type="search" dir="auto" aria-label=${`Query${number}`} data-testid=${`query${first ? "" : at + 1}`}
          placeholder=${KINDS[part.kind].hint}
          value=${part.text} autocomplete="off" spellcheck=${false} aria-invalid=${problem !== undefined}
          onInput=${(/** @type {Event} */ event) => edit(at, { text: valueOf(event) }, false)} />`}
      ${modes !== undefined && html`<select aria-label="How" value=${part.mode || Object.keys(modes)[0]} onChange=${(/** @type {Event} */ event) =>
        edit(at, { mode: valueOf(event) === Object.keys(modes)[0] ? "" : valueOf(event) }, true)}>
        ${Object.entries(modes).map(([name, title]) => html`<option key=${name} value=${name}>${title}</option>`)}</select>`}
      ${several && html`<label class="inline">× <input type="number" class="weight" step="0.1" aria-label=${`Weight${number}`} placeholder="1"
        value=${part.weight}
        onChange=${(/** @type {Event} */ event) => edit(at, { weight: valueOf(event) }, true)} /></label>`}
      ${first ? html`<button type="submit" class="primary">Search</button>`
        : html`<button type="button" class="quiet" aria-label=${`Remove ranking ${at + 1}`} onClick=${() => remove(at)}>✕</button>`}
    </div>
    ${problem !== undefined && html`<p class="field-error" role="alert" dir="auto">${problem}</p>`}
  </div>`;
}
