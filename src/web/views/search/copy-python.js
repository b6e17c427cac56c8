// A search as Python, by the client of src/python.
import { editsOf, weightsOf } from "./request.js";

/** @typedef {import("./state.js").SearchState} SearchState */
/** @typedef {import("./state.js").Part} Part */

/** @type {Record<string, string>} */
const FUSION = { rrf: "rrf", minmax: "min_max", dbsf: "distribution", linear: "linear", standard: "standard" };

/** A string of Python; JSON's escapes are Python's. @param {string} text */
const quoted = (text) => JSON.stringify(text);

/**
 * @param {string} collection
 * @param {SearchState} state
 * @param {{host: string, secure: boolean, keyed: boolean}} place
 */
export function python(collection, state, { host, secure, keyed }) {
  /** @type {Set<string>} */
  const used = new Set();
  const call = (/** @type {string} */ name, /** @type {string[]} */ given) => {
    used.add(name);
    return `${name}(${given.join(", ")})`;
  };
  const parts = state.parts.filter(({ kind, text }) => kind === "matching" || text.trim() !== "");
  const nodes = parts.map((part) => nodeOf(state, part, call));
  const weights = parts.some(({ weight }) => weight !== "") ? [`weights=[${parts.map(({ weight }) => weight || "1").join(", ")}]`] : [];
  const method = state.fusion === "rrf" ? [] : [`method=${quoted(FUSION[state.fusion] ?? "rrf")}`];
  let query = nodes.length > 1 ? call("fuse", [...nodes, ...weights, ...method]) : nodes[0] ?? call("matching", []);
  if (state.except !== "") query = call("excluding", [query, call("nearest", [quoted(state.except)]), `top=${state.exceptTop}`]);
  const filter = state.filter.trim() === "" ? "" : `, filter=${quoted(state.filter.trim())}`;
  const chain = [
    `.limit(${state.limit})`,
    ...(state.page > 1 ? [`.offset(${(state.page - 1) * state.limit})`] : []),
    ...(state.min === "" ? [] : [`.min_score(${Number(state.min)})`]),
    ...(state.group === "" ? [] : [`.group_by(${quoted(state.group)})`]),
  ].join("");
  const options = `${keyed ? ', api_key=os.environ["LATENTDB_API_KEY"]' : ""}${secure ? ", tls=True" : ""}`;
  const names = [...used].sort();
  return [
    ...(keyed ? ["import os", ""] : []),
    "import latentdb",
    `from latentdb.queries import ${names.join(", ")}`,
    "",
    `db = latentdb.connect(${quoted(host)}${options})`,
    `query = ${query}`,
    `hits = db[${quoted(collection)}].search(query${filter})${chain}`,
    "for hit in hits:",
    "    print(hit.score, hit.id, hit.text)",
  ].join("\n");
}

/** @param {SearchState} state @param {Part} part @param {(name: string, given: string[]) => string} call @returns {string} */
function nodeOf(state, part, call) {
  const text = part.text.trim();
  const near = (/** @type {string} */ to) => call("nearest", [to, ...steering(state, call)]);
  switch (part.kind) {
    case "nearest": return near(quoted(part.text));
    case "like": return near(`document=${quoted(text)}`);
    case "words": return call("bm25", [quoted(text), ...(part.mode === "" ? [] : [`mode=${quoted(part.mode)}`])]);
    case "hybrid": return call("fuse", [near(quoted(part.text)), call("bm25", [quoted(text)])]);
    case "property": return call("property", [quoted(text), ...(part.mode === "" ? [] : [`selection=${quoted(part.mode)}`])]);
    case "own": return call("property", [`own_latents_of=${quoted(text)}`]);
    case "examples": {
      const [positive = "", negative = ""] = text.split(/(?:^|\s)not(?:\s|$)/);
      const list = (/** @type {string} */ ids) => `[${ids.split(/[\s,]+/).filter((id) => id !== "").map(quoted).join(", ")}]`;
      return call("property", [`positive=${list(positive)}`, ...(negative.trim() === "" ? [] : [`negative=${list(negative)}`])]);
    }
    case "latents": {
      const weights = weightsOf(text, 0).map(({ latent, weight }) => `${latent}: ${weight}`).join(", ");
      return call("latents", [`{${weights}}`, ...(part.mode === "p90" ? ['scale="p90"'] : part.mode === "bm25" ? ["bm25=True"] : [])]);
    }
    case "matching": return call("matching", orderOf(part.mode));
  }
}

/** @param {string} mode @returns {string[]} */
function orderOf(mode) {
  const sample = /^sample:(\d+)$/.exec(mode);
  if (sample) return [`sample_seed=${sample[1]}`];
  if (mode === "") return [];
  return [quoted(mode.endsWith(":desc") ? `-${mode.slice(0, -":desc".length)}` : mode)];
}

/** @param {SearchState} state @param {(name: string, given: string[]) => string} call @returns {string[]} */
function steering(state, call) {
  const edits = editsOf(state);
  const boosts = state.how === "boost";
  const list = boosts ? `{${edits.map(({ latent, edit }) => `${latent}: ${edit?.value}`).join(", ")}}`
    : `[${edits.map(({ latent, edit }) => call("Edit", [String(latent), `${edit?.case}=${edit?.value}`])).join(", ")}]`;
  return [
    ...(edits.length === 0 ? [] : [`steer=${list}`]),
    ...(state.presets.length === 0 ? [] : [`presets={${state.presets.map(({ name, strength }) => `${quoted(name)}: ${strength}`).join(", ")}}`]),
    ...(state.exact ? ["exact=True"] : []),
  ];
}
