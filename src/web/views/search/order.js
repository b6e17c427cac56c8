// What documents are ordered by where no query ranks them.
import { html } from "../../vendor/vendor.js";

/** @typedef {{mode: string, record: import("../../app/collections.js").Collection | undefined, choose: (mode: string) => void}} Properties */

/** @param {Properties} properties */
export function Order({ mode, record, choose }) {
  const names = ["id", ...(record?.attributes ?? []).map(({ name }) => name)];
  return html`<select class="grow" aria-label="Order" value=${mode} onChange=${(/** @type {Event} */ event) =>
    choose(/** @type {HTMLSelectElement} */ (event.target).value)}>
    <option value="">as written</option>
    ${names.flatMap((name) => [html`<option key=${name} value=${name}>${name}, ascending</option>`,
      html`<option key=${`${name}:desc`} value=${`${name}:desc`}>${name}, descending</option>`])}
    <option value="sample:1">a random sample</option><option value="sample:2">another random sample</option>
  </select>`;
}
