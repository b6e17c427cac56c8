// What a search rarely takes: what is taken away, groups, a least score, exactness, hits a page.
import { html } from "../../vendor/vendor.js";
import { Help } from "../../parts/help.js";
import { LIMIT } from "./state.js";

/**
 * @param {object} properties
 * @param {import("../../app/collections.js").Collection | undefined} properties.record
 * @param {import("./state.js").SearchState} properties.state
 * @param {import("./form.js").Change} properties.change
 */
export function Options({ record, state, change }) {
  const value = (/** @type {Event} */ event) => /** @type {HTMLInputElement} */ (event.target).value;
  const whole = (/** @type {Event} */ event, /** @type {number} */ otherwise) => {
    const number = Number(value(event));
    return Number.isInteger(number) && number > 0 ? number : otherwise;
  };
  return html`<div class="options" data-testid="options">
    <label class="field"><span>Without what is nearest to<${Help} page="search" at="combining-rankings" of="taking hits away" /></span>
      <input type="text" dir="auto" value=${state.except} placeholder="a text"
        onChange=${(/** @type {Event} */ event) => change({ except: value(event) })} /></label>
    <label class="field"><span>How many of those</span>
      <input type="number" min="1" max="10000" value=${state.exceptTop}
        onChange=${(/** @type {Event} */ event) => change({ exceptTop: whole(event, 100) })} /></label>
    <label class="field"><span>One hit of each<${Help} page="search" at="order-samples-groups" of="grouping" /></span>
      <select value=${state.group} onChange=${(/** @type {Event} */ event) => change({ group: value(event) })}><option value="">(not grouped)</option>
        ${(record?.attributes ?? []).map(({ name }) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>
    <label class="field"><span>Score at least</span>
      <input type="number" step="any" value=${state.min} onChange=${(/** @type {Event} */ event) => change({ min: value(event) })} /></label>
    <label class="field"><span>Hits a page</span>
      <select value=${String(state.limit)} onChange=${(/** @type {Event} */ event) => change({ limit: whole(event, LIMIT) })}>
        ${[...new Set([10, 20, 50, 100, state.limit])].sort((a, b) => a - b).map((limit) => html`<option key=${limit}
          value=${String(limit)}>${limit}</option>`)}</select></label>
    <label class="check"><input type="checkbox" checked=${state.exact} onChange=${(/** @type {Event} */ event) =>
      change({ exact: /** @type {HTMLInputElement} */ (event.target).checked })} /> Compare with every document (exact)</label>
  </div>`;
}
