// Labels by latent, for places where the server answers with numbers alone.
import { useEffect, useState } from "../vendor/vendor.js";
import { epoch } from "../app/connection.js";

/** @typedef {{label: string, low: boolean}} Name */

/** Collections with more latents are asked latent by latent. */
const ALL_AT_ONCE = 8192;

/** @type {Map<string, Map<number, Name>>} */
const known = new Map();
/** @type {Map<string, Promise<void>>} */
const reading = new Map();
epoch.subscribe(() => { known.clear(); reading.clear(); });

/** To call after labels were changed. @param {string} collection */
export function namesChanged(collection) {
  known.delete(collection);
  reading.delete(collection);
}

/**
 * @param {string} collection
 * @param {number[]} latents
 * @param {number} nLatents  Of the collection.
 * @returns {(latent: number) => Name}
 */
export function useNames(collection, latents, nLatents) {
  const [, setRead] = useState(0);
  const names = known.get(collection);
  const missing = latents.filter((latent) => !names?.has(latent));
  const wanted = missing.join(",");
  useEffect(() => {
    if (missing.length === 0 || nLatents === 0) return;
    let shown = true;
    read(collection, missing, nLatents).then(() => { if (shown) setRead((before) => before + 1); }, () => undefined);
    return () => { shown = false; };
  }, [collection, wanted, nLatents]);
  return (latent) => names?.get(latent) ?? { label: "", low: false };
}

/** @param {string} collection @param {number[]} latents @param {number} nLatents */
async function read(collection, latents, nLatents) {
  const { latentCalls } = await import("../app/latents.js");
  const names = known.get(collection) ?? new Map();
  known.set(collection, names);
  if (nLatents > ALL_AT_ONCE) {
    await Promise.all(latents.map(async (latent) => {
      const { summary } = await latentCalls.getLatent({ collection, latent, documents: 1 });
      names.set(latent, { label: summary?.label?.text ?? "", low: summary?.label?.lowConfidence ?? false });
    }));
    return;
  }
  let all = reading.get(collection);
  if (all === undefined) {
    all = readAll(collection, names, latentCalls);
    reading.set(collection, all);
    all.catch(() => reading.delete(collection));
  }
  await all;
  // Those without a label are known to have none.
  for (const latent of latents) if (!names.has(latent)) names.set(latent, { label: "", low: false });
}

/** @param {string} collection @param {Map<number, Name>} names @param {typeof import("../app/latents.js").latentCalls} calls */
async function readAll(collection, names, calls) {
  for await (const { labels } of calls.listLabels({ collection })) {
    for (const { latent, label } of labels) names.set(latent, { label: label?.text ?? "", low: label?.lowConfidence ?? false });
  }
}
