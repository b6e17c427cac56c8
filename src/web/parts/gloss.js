// What the latents of a filter are called.
import { html } from "../vendor/vendor.js";
import { LatentChip } from "./chip.js";
import { tokens } from "./filter-text.js";
import { useNames } from "./names.js";

/** @typedef {import("../app/collections.js").Collection} Collection */

/** @param {{collection: string, record: Collection | undefined, filter: string}} properties */
export function Gloss({ collection, record, filter }) {
  const latents = latentsIn(filter).filter((latent) => latent < (record?.nLatents ?? 0)).slice(0, 8);
  const names = useNames(collection, latents, record?.nLatents ?? 0);
  if (latents.length === 0) return null;
  return html`<div class="row filter-gloss">${latents.map((latent) => html`<${LatentChip} key=${latent} collection=${collection} latent=${latent}
    ...${names(latent)} />`)}</div>`;
}

/** Latents that a filter tests, each once. @param {string} filter @returns {number[]} */
function latentsIn(filter) {
  const list = tokens(filter);
  const numbers = list.flatMap((token, at) => token.text.toLowerCase() === "latent" && list[at + 1]?.text === "(" && /^\d+$/.test(list[at + 2]?.text ?? "")
    ? [Number(list[at + 2]?.text)] : []);
  return [...new Set(numbers)];
}
