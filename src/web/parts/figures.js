// Names and figures, side by side.
import { html } from "../vendor/vendor.js";
import { Bar } from "./bars.js";
import { percent } from "./format.js";

/** @typedef {import("../vendor/vendor.js").ComponentChildren} ComponentChildren */
/** @typedef {{name: string, value: ComponentChildren, help?: ComponentChildren, title?: string}} Figure */

/** @param {{of: (Figure | false | undefined)[]}} properties */
export function Figures({ of }) {
  return html`<dl class="figures">${of.map((figure) => figure && html`<div key=${figure.name} title=${figure.title}>
    <dt>${figure.name}${figure.help}</dt><dd>${figure.value}</dd></div>`)}</dl>`;
}

/** A share with its bar. @param {{share: number, label: string}} properties */
export function Share({ share, label }) {
  return html`<span class="share"><${Bar} share=${share} label=${`${label} ${percent(share)}`} /><span class="number">${percent(share)}</span></span>`;
}

/**
 * Counts as upright bars with their values.
 * @param {{of: {name: string, value: number}[], label: string}} properties
 */
export function Columns({ of, label }) {
  const most = Math.max(...of.map(({ value }) => value), 1);
  return html`<div class="bars-upright" role="img" aria-label=${`${label}: ${of.map(({ name, value }) => `${name} ${value}`).join(", ")}`}>${of.map(({ name, value }) => html`
    <div key=${name} aria-hidden="true"><span class="bar-value">${value > 0 ? value.toLocaleString("en") : ""}</span>
      <span class="bar-body" style=${{ height: `${Math.max((90 * value) / most, value > 0 ? 2 : 0)}px` }}></span><span class="bar-name">${name}</span></div>`)}</div>`;
}
