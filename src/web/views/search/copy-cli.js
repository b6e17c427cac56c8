// A search as a command. What no flag says is said as a comment, so that nothing is lost silently.
import { editsOf, weightsOf } from "./request.js";
import { quotedForShell as quoted } from "./shell.js";

/** @typedef {import("./state.js").SearchState} SearchState */
/** @typedef {import("./state.js").Part} Part */

/** Rankings in the order in which `--weights` counts them. @type {import("./state.js").Kind[]} */
const ORDER = ["nearest", "hybrid", "like", "latents", "property", "own", "examples", "words"];

/**
 * @param {string} collection
 * @param {SearchState} state
 * @param {{host: string, secure: boolean, keyed: boolean}} place
 */
export function commandLine(collection, state, { host, secure }) {
  /** @type {string[]} */
  const left = [];
  const parts = state.parts.filter(({ kind, text }) => kind === "matching" || text.trim() !== "")
    .sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
  const words = [quoted(collection)];
  const text = parts.find(({ kind }) => kind === "nearest" || kind === "hybrid");
  if (text !== undefined) words.push(quoted(text.text));
  const kinds = new Set();
  for (const part of parts) {
    const slot = part.kind === "hybrid" ? "nearest" : part.kind === "own" || part.kind === "examples" ? "property" : part.kind;
    if (kinds.has(slot)) left.push(`a second ranking by ${slot}`);
    else words.push(...flagsOf(part, left));
    kinds.add(slot);
  }
  if (parts.length > 1 && parts.some(({ kind }) => kind === "hybrid")) left.push("that meaning and words are combined before the other rankings");
  if (parts.some(({ weight }) => weight !== "") && parts.length > 1) words.push(`--weights=${parts.map(({ weight }) => weight || "1").join(",")}`);
  if (parts.length > 1 && state.fusion !== "rrf") words.push("--fusion", state.fusion);
  if (state.except !== "") words.push("--except", quoted(state.except), "--except-top", String(state.exceptTop));
  for (const { latent, edit } of editsOf(state)) words.push(...steered(Number(latent), edit?.case, Number(edit?.value)));
  for (const { name, strength } of state.presets) words.push("--preset", quoted(strength === 1 ? name : `${name}=${strength}`));
  if (state.filter.trim() !== "") words.push("--filter", quoted(state.filter.trim()));
  else if (parts.length === 0) words.push("--order-by", "id");
  if (state.group !== "") words.push("--group-by", quoted(state.group));
  if (state.min !== "") words.push(`--min-score=${state.min}`);
  if (state.exact) words.push("--exact");
  words.push("--limit", String(state.limit));
  if (state.page > 1) words.push("--offset", String((state.page - 1) * state.limit));
  words.push("--server", quoted(secure ? `https://${host}` : host));
  const notes = left.map((what) => `# No flag says ${what}: Python and grpcurl do.\n`).join("");
  return `${notes}latentdb search ${words.join(" ")}`;
}

/** @param {Part} part @param {string[]} left  What no flag says. @returns {string[]} */
function flagsOf(part, left) {
  const text = part.text.trim();
  switch (part.kind) {
    case "nearest": return [];
    case "hybrid": return ["--hybrid"];
    case "like": return ["--like", quoted(text)];
    case "words":
      if (part.mode !== "" && part.mode !== "any") left.push(`how words are taken (${part.mode})`);
      return ["--text-query", quoted(text)];
    case "property": return ["--property", quoted(text), ...(part.mode === "" ? [] : ["--select", part.mode])];
    case "own": return ["--own-latents", quoted(text)];
    case "latents":
      if (part.mode === "bm25") left.push("that latents are scored by BM25");
      return [...weightsOf(text, 0).map(({ latent, weight }) => `--latent=${latent}=${weight}`), ...(part.mode === "p90" ? ["--p90"] : [])];
    case "examples": {
      const [positive = "", negative = ""] = text.split(/(?:^|\s)not(?:\s|$)/);
      const flags = (/** @type {string} */ flag, /** @type {string} */ list) => list.split(/[\s,]+/).filter((id) => id !== "").flatMap((id) => [flag, quoted(id)]);
      return [...flags("--positive", positive), ...flags("--negative", negative)];
    }
    case "matching": {
      const sample = /^sample:(\d+)$/.exec(part.mode);
      return sample ? ["--sample", sample[1] ?? "1"] : part.mode === "" ? [] : ["--order-by", quoted(part.mode)];
    }
  }
}

/** @param {number} latent @param {string | undefined} how @param {number} amount @returns {string[]} */
function steered(latent, how, amount) {
  switch (how) {
    case "boost": return [`--boost=${latent}=${amount}`];
    case "add": return [`--steer=${latent}=${amount < 0 ? amount : `+${amount}`}`];
    case "scale": return [quoted(`--steer=${latent}*${amount}`)];
    default: return [`--steer=${latent}:=${amount}`];
  }
}
