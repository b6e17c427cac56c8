// The legend, which is a table too: what each colour is, and how many documents it has.
import { html } from "../../vendor/vendor.js";
import { count } from "../../parts/format.js";
import { countsOf, shareText } from "./colours.js";

/** @typedef {import("./colours.js").Scale} Scale */
/** @typedef {import("./read.js").Values} Values */

/**
 * @param {object} properties
 * @param {number} properties.size
 * @param {Values} properties.of
 * @param {Scale} properties.scale
 * @param {((at: number) => boolean) | undefined} properties.some  Which stand out.
 * @param {string} properties.what   How those are called.
 * @param {string} properties.title
 * @param {(entry: import("./colours.js").Entry) => string} properties.filterOf  Empty: it cannot be written.
 * @param {(filter: string) => void} properties.mark
 */
export function Legend({ size, of, scale, some, what, title, filterOf, mark }) {
  const { counts, none } = countsOf(size, of, scale, some ?? (() => false));
  const marked = [...counts, none].reduce((sum, entry) => sum + entry.some, 0);
  const row = (/** @type {string} */ name, /** @type {import("../../vendor/vendor.js").ComponentChildren} */ head, /** @type {{all: number, some: number}} */ entry) => html`<tr key=${name}><th scope="row">${head}</th>
    <td class="number">${count(entry.all)}</td><td class="number muted">${shareText(entry.all, size)}</td>
    ${some !== undefined && html`<td class="number">${count(entry.some)}</td><td class="number muted">${shareText(entry.some, marked)}</td>`}</tr>`;
  return html`<div class="scroll-x"><table class="legend" data-testid="legend"><caption>${title}</caption>
    <thead><tr><th scope="col"><span class="visually-hidden">Colour</span></th><th scope="col" class="number" colspan="2">Documents</th>${some !== undefined && html`<th scope="col" class="number" colspan="2">${what}</th>`}</tr></thead>
    <tbody>${scale.entries.map((entry, at) => {
      const filter = filterOf(entry);
      const name = html`<span class="swatch" style=${{ background: entry.css }}></span> <span dir="auto">${entry.name}</span>`;
      return row(entry.name, filter === "" ? html`<span class="legend-name">${name}</span>` : html`<button type="button" class="plain legend-name" title="Mark these" onClick=${() => mark(filter)}>${name}</button>`, counts[at] ?? { all: 0, some: 0 });
    })}
    ${none.all > 0 && row("none", html`<span class="legend-name"><span class="swatch none"></span> none</span>`, none)}</tbody></table></div>`;
}
