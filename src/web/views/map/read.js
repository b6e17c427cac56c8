// The points of a map, read from the server.
import { analyses, expression } from "../../app/analyses.js";

/** @typedef {import("../../gen/latentdb/v1/map_pb.js").MapHead} MapHead */
/** @typedef {import("./state.js").MapState} MapState */

/**
 * Points in an order drawn by chance, so that the first of them are a sample of all.
 * @typedef {object} Points
 * @property {MapHead} head
 * @property {number} size
 * @property {Float32Array<ArrayBuffer>} places   x and y of each.
 * @property {Uint32Array} order     Where each stood among those that the server sent.
 */

/**
 * @typedef {object} Values
 * @property {MapHead} head
 * @property {Float64Array | undefined} values  NaN where there is none.
 * @property {Uint8Array | undefined} marked
 */

/** A permutation that is the same each time (mulberry32, Fisher and Yates). @param {number} size */
export function shuffled(size) {
  const order = Uint32Array.from({ length: size }, (_, at) => at);
  let state = 0x9e3779b9;
  for (let at = size - 1; at > 0; at -= 1) {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    const other = ((mixed ^ (mixed >>> 14)) >>> 0) % (at + 1);
    const kept = order[at] ?? 0;
    order[at] = order[other] ?? 0;
    order[other] = kept;
  }
  return order;
}

/** What a colour asks the server for. @param {string} colour @returns {{case: "attribute", value: string} | {case: "latent", value: number} | {case: undefined}} */
function valueOf(colour) {
  const [kind, rest] = [colour.slice(0, colour.indexOf(":")), colour.slice(colour.indexOf(":") + 1)];
  if (kind === "attribute" && rest !== "") return { case: "attribute", value: rest };
  if (kind === "latent" && /^\d+$/.test(rest)) return { case: "latent", value: Number(rest) };
  return { case: undefined };
}

/**
 * Where the points are.
 * @param {string} collection
 * @param {string} name
 * @param {AbortSignal} signal
 * @param {import("../../app/work.js").Report} report
 * @returns {Promise<Points>}
 */
export async function readPoints(collection, name, signal, report) {
  /** @type {MapHead | undefined} */
  let head;
  let sent = new Float32Array(0);
  let size = 0;
  for await (const { part } of analyses.readMap({ collection, name }, { signal })) {
    if (part.case === "head") {
      head = part.value;
      sent = new Float32Array(2 * Number(part.value.points));
    } else if (part.case === "points") {
      const { x, y } = part.value;
      for (let at = 0; at < x.length; at += 1) {
        sent[2 * (size + at)] = x[at] ?? 0;
        sent[2 * (size + at) + 1] = y[at] ?? 0;
      }
      size += x.length;
      report(size, head?.points ?? 0);
    }
  }
  if (head === undefined) throw new Error("The server sent no map.");
  const order = shuffled(size);
  const places = new Float32Array(2 * size);
  order.forEach((from, at) => {
    places[2 * at] = sent[2 * from] ?? 0;
    places[2 * at + 1] = sent[2 * from + 1] ?? 0;
  });
  return { head, size, places, order };
}

/**
 * What the points are coloured and marked by.
 * @param {string} collection
 * @param {Points} points
 * @param {{colour: string, filter: string}} wanted
 * @param {AbortSignal} signal
 * @param {import("../../app/work.js").Report} report
 * @returns {Promise<Values>}
 */
export async function readValues(collection, points, { colour, filter }, signal, report) {
  const value = valueOf(colour);
  const marks = filter.trim() !== "";
  if (value.case === undefined && !marks) return { head: points.head, values: undefined, marked: undefined };
  const values = new Float64Array(value.case === undefined ? 0 : points.size).fill(NaN);
  const marked = new Uint8Array(marks ? points.size : 0);
  let head = points.head;
  let size = 0;
  for await (const { part } of analyses.readMap({ collection, name: points.head.map?.name ?? "", value, filter: expression(filter) }, { signal })) {
    if (part.case === "head") {
      head = part.value;
      if (Number(head.points) !== points.size) throw new Error("Documents of the map were deleted meanwhile; read the map again.");
    } else if (part.case === "points") {
      values.set(part.value.values, size);
      part.value.marked.forEach((mark, at) => { marked[size + at] = mark ? 1 : 0; });
      size += part.value.x.length;
      report(size, head.points);
    }
  }
  return {
    head,
    values: value.case === undefined ? undefined : Float64Array.from(points.order, (from) => values[from] ?? NaN),
    marked: marks ? Uint8Array.from(points.order, (from) => marked[from] ?? 0) : undefined,
  };
}

/**
 * The ids of the points, in their order.
 * @param {string} collection
 * @param {Points} points
 * @param {AbortSignal} signal
 * @returns {Promise<string[]>}
 */
export async function readIds(collection, points, signal) {
  /** @type {string[]} */
  const sent = [];
  for await (const { part } of analyses.readMap({ collection, name: points.head.map?.name ?? "", ids: true }, { signal })) {
    if (part.case === "points") for (const id of part.value.ids) sent.push(id);
  }
  return Array.from(points.order, (from) => sent[from] ?? "");
}

/** The texts of an axis as they are written in a field. @param {string} axis */
export const textsOf = (axis) => axis.split(";").map((text) => text.trim()).filter((text) => text !== "");

/**
 * Clusters along an axis as values of the points, with the clusters' labels as categories.
 * @param {string} collection
 * @param {string[]} ids
 * @param {string} colour
 * @param {AbortSignal} signal
 * @param {import("../../app/work.js").Report} report
 */
export async function readClusters(collection, ids, colour, signal, report) {
  const texts = textsOf(colour.slice("clusters:".length));
  /** @type {Map<string, number>} */
  const of = new Map();
  /** @type {string[]} */
  let categories = [];
  for await (const { part } of analyses.cluster({ collection, axis: { texts } }, { signal })) {
    if (part.case === "progress") report(part.value.done, part.value.total);
    else if (part.case === "summary") categories = part.value.clusters.map(({ label }, at) => `${at + 1}. ${label}`);
    else if (part.case === "members") for (const { id, cluster } of part.value.members) if (cluster !== undefined) of.set(id, cluster);
  }
  return { categories, values: Float64Array.from(ids, (id) => of.get(id) ?? NaN) };
}
