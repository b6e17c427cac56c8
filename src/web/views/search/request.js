// A search as the message that asks for it.
import {
  ActivationScale, FusionMethod, PropertySelection,
} from "../../gen/latentdb/v1/search_pb.js";
import { TextMode } from "../../gen/latentdb/v1/types_pb.js";
import { isNeutral, steers } from "./state.js";

/** @typedef {import("./state.js").SearchState} SearchState */
/** @typedef {import("./state.js").Part} Part */
/**
 * @template {import("@bufbuild/protobuf").DescMessage} D
 * @typedef {Exclude<import("@bufbuild/protobuf").MessageInitShape<D>, import("@bufbuild/protobuf").MessageShape<D>>} Init
 */
/** @typedef {Init<typeof import("../../gen/latentdb/v1/search_pb.js").QuerySchema>} QueryInit */
/** @typedef {Init<typeof import("../../gen/latentdb/v1/search_pb.js").SearchRequestSchema>} RequestInit */
/** @typedef {Init<typeof import("../../gen/latentdb/v1/search_pb.js").NearestQuerySchema>} NearestInit */
/** @typedef {Init<typeof import("../../gen/latentdb/v1/types_pb.js").SteerEditSchema>} EditInit */
/** @typedef {import("../../gen/latentdb/v1/search_pb.js").ChosenLatents} ChosenLatents */

/** @type {Record<string, FusionMethod>} */
const FUSION = {
  rrf: FusionMethod.RECIPROCAL_RANK, minmax: FusionMethod.MIN_MAX, dbsf: FusionMethod.DISTRIBUTION,
  linear: FusionMethod.LINEAR, standard: FusionMethod.STANDARD,
};
/** @type {Record<string, TextMode>} */
const WORDS = {
  any: TextMode.ANY, all: TextMode.ALL, phrase: TextMode.PHRASE, prefix: TextMode.PREFIX, fuzzy: TextMode.FUZZY,
};
/** @type {Record<string, PropertySelection>} */
const SELECTION = {
  centroids: PropertySelection.CENTROIDS, labels: PropertySelection.LABELS, both: PropertySelection.BOTH,
};

/** A mistake in the form that no server is asked about. */
export class FormError extends Error {
  /** @param {number} part  The ranking at fault, from 0. @param {string} message */
  constructor(part, message) {
    super(message);
    this.part = part;
  }
}

/** "9=1 812=-0.5". @param {string} text @param {number} part */
export function weightsOf(text, part) {
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  return words.map((word) => {
    const found = /^(\d+)(?:=([-+]?\d*\.?\d+(?:e-?\d+)?))?$/.exec(word);
    if (!found) throw new FormError(part, `“${word}” is not LATENT=WEIGHT, as 9=1 or 812=-0.5`);
    return { latent: Number(found[1]), weight: Number(found[2] ?? 1) };
  });
}

/** @param {SearchState} state @returns {EditInit[]} */
export function editsOf(state) {
  if (steers(state) !== "vector") return [];
  return [...state.edits].filter(([, amount]) => !isNeutral(state, amount))
    .map(([latent, amount]) => ({ latent, edit: { case: state.how, value: amount } }));
}

/** The first ranking by a vector, with the edits; sliders and the sweep are of it. @param {SearchState} state @returns {NearestInit | undefined} */
export function nearestOf(state) {
  const part = state.parts.find(({ kind, text }) =>
    (kind === "nearest" || kind === "hybrid" || kind === "like") && text.trim() !== "");
  return part === undefined ? undefined : nearest(state, part);
}

/** @param {SearchState} state @param {Part} part @returns {NearestInit} */
function nearest(state, part) {
  return {
    to: part.kind === "like" ? { case: "document", value: part.text.trim() } : { case: "text", value: part.text },
    steer: editsOf(state),
    presets: state.presets.map(({ name, strength }) => ({ name, ...(strength !== 1 && { strength }) })),
    exact: state.exact,
  };
}

/**
 * @param {SearchState} state
 * @param {Part} part
 * @param {number} at
 * @returns {QueryInit["kind"]}
 */
function kindOf(state, part, at) {
  const text = part.text.trim();
  switch (part.kind) {
    case "nearest": case "like": return { case: "nearest", value: nearest(state, part) };
    case "words": return { case: "text", value: { text, mode: WORDS[part.mode] ?? TextMode.ANY } };
    case "hybrid": return { case: "fusion", value: { children: [
      { query: { kind: { case: "nearest", value: nearest(state, part) }, name: named("meaning", at) } },
      { query: { kind: { case: "text", value: { text, mode: TextMode.ANY } }, name: named("words", at) } },
    ] } };
    case "property": return { case: "property", value: {
      from: { case: "text", value: text }, selection: SELECTION[part.mode] ?? PropertySelection.CENTROIDS,
    } };
    case "own": return { case: "property", value: { from: { case: "ownLatentsOf", value: text } } };
    case "examples": {
      const [positive = "", negative = ""] = text.split(/(?:^|\s)not(?:\s|$)/);
      const ids = (/** @type {string} */ list) => list.split(/[\s,]+/).filter((id) => id !== "");
      return { case: "property", value: { from: { case: "examples", value: { positive: ids(positive), negative: ids(negative) } } } };
    }
    case "latents": return { case: "latents", value: {
      weights: weightsOf(text, at),
      scale: part.mode === "p90" ? ActivationScale.P90 : ActivationScale.RAW,
      ...(part.mode === "bm25" && { bm25: {} }),
    } };
    case "matching": return { case: "matching", value: matching(part.mode) };
  }
}

/**
 * "sentiment:desc", "id", or "sample:7".
 * @param {string} mode
 * @returns {Init<typeof import("../../gen/latentdb/v1/search_pb.js").MatchingQuerySchema>}
 */
function matching(mode) {
  if (mode === "") return {};
  const [by = "", direction = ""] = /^(.*?)(?::(desc|\d+))?$/.exec(mode)?.slice(1) ?? [];
  if (by === "sample") return { sampleSeed: BigInt(direction || 1) };
  const descending = direction === "desc";
  if (by === "id") return { order: [{ by: { case: "id", value: {} }, descending }] };
  return { order: [{ by: { case: "attribute", value: by }, descending }] };
}

/** @param {string} name @param {number} at */
function named(name, at) {
  return at === 0 ? name : `${name} ${at + 1}`;
}

/** @type {Record<import("./state.js").Kind, string>} */
const NODE = {
  nearest: "meaning", words: "words", hybrid: "both", property: "property", own: "property", latents: "latents", like: "like",
  examples: "property", matching: "matching",
};

/**
 * The query tree. Throws a FormError where the form holds no query.
 * @param {SearchState} state
 * @returns {QueryInit}
 */
export function queryOf(state) {
  const filled = state.parts.map((part, at) => ({ part, at })).filter(({ part }) => part.kind === "matching" || part.text.trim() !== "");
  const nodes = filled.map(({ part, at }) => ({ kind: kindOf(state, part, at), name: named(NODE[part.kind], at), weight: part.weight }));
  const [first, ...others] = nodes;
  /** @type {QueryInit} */
  let query = first === undefined ? { kind: { case: "matching", value: {} }, name: "matching" } : { kind: first.kind, name: first.name };
  if (others.length > 0) {
    const children = nodes.map(({ kind, name, weight }) => ({ query: { kind, name }, ...(weight !== "" && { weight: Number(weight) }) }));
    query = { kind: { case: "fusion", value: { children, method: FUSION[state.fusion] ?? FusionMethod.RECIPROCAL_RANK } }, name: "fusion" };
  }
  if (state.except.trim() !== "") {
    /** @type {QueryInit} */
    const minus = { kind: { case: "nearest", value: { to: { case: "text", value: state.except } } }, name: "minus" };
    query = { kind: { case: "excluding", value: { query, minus, top: state.exceptTop } }, name: "except" };
  }
  if (state.filter.trim() !== "") query = { ...query, filter: { kind: { case: "expression", value: state.filter } } };
  return query;
}

/**
 * The same search with moved sliders written into its weights, where sliders are weights.
 * @param {SearchState} state
 * @param {ChosenLatents | undefined} chosen  The latents that the server chose for the unsteered query, where it did.
 * @returns {SearchState}
 */
export function withWeights(state, chosen) {
  const [part] = state.parts;
  if (part === undefined || steers(state) !== "weights" || state.edits.size === 0) return state;
  const kind = chosen?.query?.kind;
  if (part.kind !== "latents" && kind?.case !== "latents") return state;
  const before = kind?.case === "latents" ? kind.value.weights : weightsOf(part.text, 0);
  const weights = new Map(before.map(({ latent, weight }) => [latent, weight]));
  for (const [latent, weight] of state.edits) weights.set(latent, weight);
  // Nine digits tell one 32-bit float from the next.
  const text = [...weights].map(([latent, weight]) => `${latent}=${Number(weight.toPrecision(9))}`).join(" ");
  const mode = kind?.case !== "latents" ? part.mode : kind.value.bm25 !== undefined ? "bm25" : kind.value.scale === ActivationScale.P90 ? "p90" : "";
  return { ...state, parts: [{ ...part, kind: "latents", text, mode }], edits: new Map() };
}

/**
 * @param {string} collection
 * @param {SearchState} state
 * @param {QueryInit} query
 * @returns {RequestInit}
 */
export function requestOf(collection, state, query) {
  const offset = (state.page - 1) * state.limit;
  return {
    collection, query, limit: state.limit, offset,
    projection: { text: true, attributes: true },
    latentsPerHit: 6,
    ...(state.min !== "" && { minScore: Number(state.min) }),
    ...(state.group !== "" && { groupBy: state.group, perGroup: 1 }),
  };
}
