// A search as the address writes it, and back. Everything that is shown follows from it.

/** @typedef {import("./types.js").Kind} Kind */
/** @typedef {import("./types.js").Method} Method */
/** @typedef {import("./types.js").Part} Part */
/** @typedef {import("./types.js").SearchState} SearchState */
/** @typedef {import("./types.js").Edits} Edits */

/** @type {Record<Kind, {title: string, hint: string}>} */
export const KINDS = {
  nearest: { title: "Meaning", hint: "What the documents are about" },
  words: { title: "Words", hint: "Words the documents hold (BM25)" },
  hybrid: { title: "Meaning and words", hint: "Both, combined" },
  property: { title: "Property", hint: "A property no text states, as: a complaint about late delivery" },
  own: { title: "Latents of a text", hint: "A text whose own latents are looked for" },
  latents: { title: "Weighted latents", hint: "As: 9=1 812=-0.5" },
  like: { title: "Like a document", hint: "The document's id" },
  examples: { title: "Like examples", hint: "Ids of documents with the property, then after “not” ids of others" },
  matching: { title: "All that match", hint: "No query: every document the filter allows" },
};

/** The default of each is the first. @type {Partial<Record<Kind, Record<string, string>>>} */
export const MODES = {
  words: { any: "any word", all: "all words", phrase: "phrase", prefix: "beginnings of words", fuzzy: "with typos" },
  property: { centroids: "by centroids", labels: "by labels", both: "by both" },
  latents: { raw: "raw activations", p90: "over p90", bm25: "BM25" },
};

/** @type {Record<string, string>} */
export const FUSIONS = {
  rrf: "by rank (RRF)", minmax: "by score, min–max", dbsf: "by score, distribution", linear: "linear", standard: "standardised",
};

/** What each way of steering takes: neutral is where a slider starts. @type {Record<Method, {title: string, does: string, min: number, max: number, step: number}>} */
export const METHODS = {
  boost: { title: "Boost", does: "adds to the scores of documents with the concept; the query stays", min: -0.5, max: 0.5, step: 0.01 },
  add: { title: "Add", does: "moves the query along the latent's direction", min: -1.5, max: 1.5, step: 0.05 },
  scale: { title: "Scale", does: "multiplies the latent's activation in the query; 0 switches it off", min: 0, max: 4, step: 0.1 },
  set: { title: "Set", does: "sets the latent's activation in the query", min: 0, max: 1, step: 0.01 },
};

export const LIMIT = 10;

/** @param {URLSearchParams} params @returns {SearchState} */
export function read(params) {
  const number = (/** @type {string} */ name, /** @type {number} */ otherwise, /** @type {number} */ most) => {
    const value = Number(params.get(name) ?? otherwise);
    return Number.isInteger(value) && value >= 1 && value <= most ? value : otherwise;
  };
  const how = params.get("how") ?? "boost";
  return {
    parts: partsOf(params),
    filter: params.get("filter") ?? "",
    fusion: params.get("fusion") ?? "rrf",
    except: params.get("except") ?? "",
    exceptTop: number("except-top", 100, 10_000),
    group: params.get("group") ?? "",
    min: params.get("min") ?? "",
    exact: params.get("exact") === "1",
    limit: number("limit", LIMIT, 1000),
    page: number("page", 1, 10_000),
    how: how in METHODS ? /** @type {Method} */ (how) : "boost",
    edits: new Map(pairs(params.get("steer")).map(([latent, amount]) => [Number(latent), amount])),
    presets: pairs(params.get("preset")).map(([name, strength]) => ({ name, strength })),
  };
}

/** "9:0.15,812:-1". @param {string | null} text @returns {[string, number][]} */
function pairs(text) {
  return (text ?? "").split(",").flatMap((pair) => {
    const at = pair.lastIndexOf(":");
    const amount = Number(pair.slice(at + 1));
    return at > 0 && Number.isFinite(amount) ? [/** @type {[string, number]} */ ([pair.slice(0, at), amount])] : [];
  });
}

/** @param {URLSearchParams} params */
function partsOf(params) {
  /** @type {Part[]} */
  const parts = [];
  for (let number = 1; number <= 9; number += 1) {
    const end = number === 1 ? "" : String(number);
    const kind = params.get(`kind${end}`) ?? "nearest";
    if (number > 1 && !params.has(`q${end}`) && !params.has(`kind${end}`)) break;
    parts.push({
      kind: kind in KINDS ? /** @type {Kind} */ (kind) : "nearest",
      text: params.get(`q${end}`) ?? "",
      weight: params.get(`w${end}`) ?? "",
      mode: params.get(`mode${end}`) ?? "",
    });
  }
  return parts;
}

/** @param {SearchState} state @returns {URLSearchParams} */
export function write(state) {
  const params = new URLSearchParams();
  const put = (/** @type {string} */ name, /** @type {string | number} */ value, /** @type {string | number} */ otherwise = "") => {
    if (value !== otherwise) params.set(name, String(value));
  };
  state.parts.forEach((part, at) => {
    const end = at === 0 ? "" : String(at + 1);
    put(`q${end}`, part.text);
    if (at > 0 || part.kind !== "nearest") params.set(`kind${end}`, part.kind);
    put(`w${end}`, part.weight);
    put(`mode${end}`, part.mode);
  });
  put("filter", state.filter);
  put("fusion", state.fusion, "rrf");
  put("except", state.except);
  put("except-top", state.exceptTop, 100);
  put("group", state.group);
  put("min", state.min);
  put("exact", state.exact ? "1" : "");
  put("limit", state.limit, LIMIT);
  put("page", state.page, 1);
  put("how", state.how, "boost");
  put("steer", written(state.edits));
  put("preset", state.presets.map(({ name, strength }) => `${name}:${strength}`).join(","));
  return params;
}

/** @param {Edits} edits */
export function written(edits) {
  return [...edits].map(([latent, amount]) => `${latent}:${Number(amount.toFixed(4))}`).join(",");
}

/** The same search without steering. @param {SearchState} state @returns {SearchState} */
export function unsteered(state) {
  return { ...state, edits: new Map(), presets: [] };
}

/** Whether any slider or preset does something. @param {SearchState} state */
export function isSteered(state) {
  if (steers(state) === "nothing") return false;
  return state.presets.length > 0 || [...state.edits].some(([, amount]) => !isNeutral(state, amount));
}

/** Whether an amount leaves the query as it is. @param {SearchState} state @param {number} amount */
export function isNeutral(state, amount) {
  if (steers(state) === "weights" || state.how === "set") return false;
  return amount === (state.how === "scale" ? 1 : 0);
}

/**
 * What sliders work on: the vector of the query, the weights of its latents, or nothing.
 * @param {SearchState} state
 * @returns {"vector" | "weights" | "nothing"}
 */
export function steers(state) {
  const kinds = state.parts.filter((part) => part.text.trim() !== "").map((part) => part.kind);
  if (kinds.some((kind) => kind === "nearest" || kind === "hybrid" || kind === "like")) return "vector";
  const [first, ...others] = kinds;
  const weighted = first === "property" || first === "own" || first === "latents" || first === "examples";
  return weighted && others.length === 0 ? "weights" : "nothing";
}
