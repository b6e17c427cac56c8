// Latents and attributes as chips.
import { html } from "../vendor/vendor.js";
import { address } from "../app/router.js";
import { Menu } from "./menu.js";

/**
 * A latent's label with the mark of labels that tell little.
 * @param {{latent: number, label: string, low?: boolean, recurrence?: number | undefined}} properties
 */
export function LatentName({ latent, label, low = false, recurrence = 1 }) {
  const name = label === "" ? html`<i>no label</i>` : html`<span dir="auto">${label}</span>`;
  return html`<span class="latent-number">${latent}</span>${" "}${name}${low
    && html`<abbr class="doubt" title="The label's score is below 0.3: it tells little about the latent">?</abbr>`}${recurrence < 0.5
    && html`<abbr class="doubt" title=${`Recurs at ${recurrence.toFixed(2)} in SAEs of other seeds`}>↻</abbr>`}`;
}

/**
 * A latent. Without actions it leads to its page; with actions it opens a list of them, its page first.
 * @param {{collection: string, latent: number, label: string, low?: boolean, recurrence?: number | undefined, note?: string, share?: number, negative?: boolean, actions?: import("./menu.js").Action[]}} properties
 *   `note`: a figure behind the label; `share`: 0 to 1, how much of the chip is tinted.
 */
export function LatentChip({ collection, latent, label, low = false, recurrence, note, share, negative = false, actions }) {
  const page = address({ collection, view: "latent", rest: latent });
  const tint = share === undefined ? 0 : Math.round(100 * Math.max(0, Math.min(1, share)));
  const inside = html`<span class=${negative ? "chip-tint down" : "chip-tint"} style=${{ width: `${tint}%` }}></span>
    <span class="chip-text"><${LatentName} latent=${latent} label=${label} low=${low} recurrence=${recurrence} /></span>${
      note !== undefined && html`<span class="chip-note">${note}</span>`}`;
  if (actions === undefined) return html`<a class="chip" href=${page}>${inside}</a>`;
  const all = [{ label: "Open the latent", href: page }, ...actions];
  return html`<${Menu} class="chip" label=${`Latent ${latent} ${label}`} actions=${all}>${inside}</${Menu}>`;
}

/** @param {{name: string, value: string}} properties */
export function AttributeChip({ name, value }) {
  return html`<span class="attribute"><span class="attribute-name">${name}</span> <span dir="auto">${value}</span></span>`;
}
