// Latents that a person may mean, and the list that shows them.
import { latentCalls } from "../app/latents.js";
import { counted } from "./format.js";

export { Suggestions, suggestionKey } from "./suggest.js";

/** Latents by number or by what their labels mean. @param {string} collection @param {string} text @param {AbortSignal} signal */
export async function labelSearch(collection, text, signal) {
  if (/^\d+$/.test(text)) {
    const { summary } = await latentCalls.getLatent({ collection, latent: Number(text), documents: 1 }, { signal });
    return summary === undefined ? [] : [suggestion(summary.latent, summary.label?.text ?? "", summary.documents)];
  }
  const { labels } = await latentCalls.searchLabels({ collection, text, limit: 8 }, { signal });
  return labels.map((found) => suggestion(found.latent, found.label?.text ?? "", found.documents));
}

/** @param {number} latent @param {string} label @param {bigint} documents */
function suggestion(latent, label, documents) {
  return { latent, insert: String(latent), label: `${latent} ${label}`, name: label, note: counted(documents, "document") };
}
