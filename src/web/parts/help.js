// The `?` beside a statistic.
import { html } from "../vendor/vendor.js";
import { address } from "../app/router.js";

/**
 * Opens the guide where a figure is explained.
 * @param {{page: string, at?: string, of: string}} properties  `at`: the heading's anchor; `of`: the figure's name.
 */
export function Help({ page, at = "", of }) {
  const to = address({ view: "guide", rest: page, params: { at } });
  return html`<a class="help" href=${to} title=${`What ${of} is`} aria-label=${`What ${of} is`}>?</a>`;
}
