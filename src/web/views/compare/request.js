// A comparison as the server is asked for it.
import { DiffDirection, DiffMeasure, DiffOverlap } from "../../gen/latentdb/v1/diff_pb.js";
import { written } from "../../parts/fields.js";
import { allOf, analyses, expression } from "../../app/analyses.js";

/** @typedef {import("./state.js").Comparison} Comparison */
/** @typedef {import("../../gen/latentdb/v1/diff_pb.js").DiffComparison} Head */
/** @typedef {import("../../gen/latentdb/v1/diff_pb.js").DiffRow} DiffRow */
/** @typedef {import("../../app/analyses.js").FilterInit} FilterInit */
/** @typedef {{head: Head, rows: DiffRow[]}} Answer */
/** @typedef {import("@bufbuild/protobuf").MessageInitShape<typeof import("../../gen/latentdb/v1/diff_pb.js").DiffRequestSchema>} RequestInit */

/** Rows in the table. */
export const LISTED = 200;

/** @param {string} collection @param {Comparison} state @returns {RequestInit} */
export function requestOf(collection, state) {
  const by = state.by.trim();
  return {
    collection,
    a: expression(state.a),
    b: state.b.filter((filter) => filter.trim() !== "").map((filter) => ({ filter: expression(filter) })),
    bCollection: state.other,
    sameLatents: state.vouched,
    measure: state.means ? DiffMeasure.MEAN_ACTIVATION : DiffMeasure.PREVALENCE,
    pairBy: state.how === "pair" ? by : "",
    stratifyBy: state.how === "stratify" ? by : "",
    clusterBy: state.how === "cluster" ? by : "",
    overlap: state.overlap === "drop" ? DiffOverlap.DROP : state.overlap === "keep" ? DiffOverlap.KEEP : DiffOverlap.REFUSE,
    direction: state.favours === "a" ? DiffDirection.MORE_IN_A : state.favours === "b" ? DiffDirection.MORE_IN_B : DiffDirection.BOTH,
    minSupport: BigInt(Math.max(0, Math.round(written(state.support) ?? 0))),
    activeAbove: written(state.above) ?? 0,
    minDelta: written(state.delta),
    maxPAdjusted: written(state.p),
    maxBShare: written(state.bShare),
    confirm: written(state.confirm),
    limit: LISTED,
  };
}

/**
 * @param {RequestInit} request
 * @param {AbortSignal} signal
 * @param {import("../../app/work.js").Report} report
 */
export async function diff(request, signal, report) {
  /** @type {Answer[]} */
  const answers = [];
  for await (const { part } of analyses.diff(request, { signal })) {
    if (part.case === "progress") report(part.value.done, part.value.total);
    else if (part.case === "comparison") answers.push({ head: part.value, rows: [] });
    else if (part.case === "rows") answers.at(-1)?.rows.push(...part.value.rows);
  }
  return answers;
}

/**
 * One side of a comparison: where its documents are and which.
 * @typedef {object} Side
 * @property {string} collection
 * @property {FilterInit | undefined} filter  All documents where absent.
 * @property {string} text                    The same to read and to link to; empty: cannot be written.
 */

/**
 * Both sides of the comparison that is shown.
 * @param {string} collection
 * @param {Comparison} state
 * @returns {{a: Side, b: Side}}
 */
export function sides(collection, state) {
  const given = state.b.map((filter) => filter.trim()).filter((filter) => filter !== "");
  const a = { collection, filter: expression(state.a), text: state.a.trim() };
  const elsewhere = state.other === "" ? collection : state.other;
  // Behind several sets comes their union.
  const text = given.length === 0 ? (state.other === "" ? `not (${a.text})` : "")
    : state.which < given.length ? given[state.which] ?? "" : given.map((filter) => `(${filter})`).join(" or ");
  return { a, b: { collection: elsewhere, filter: expression(text), text } };
}

/** What the sets of B are called. @param {Comparison} state @param {number} which @param {string} name */
export function nameOf(state, which, name) {
  const given = state.b.filter((filter) => filter.trim() !== "");
  if (given.length === 0) return state.other === "" ? "everything else" : `all of ${state.other}`;
  return given[which] ?? (name === "any" ? "any of them" : name);
}

/** A side's documents that have a latent. @param {Side} side @param {number} latent @param {string} above */
export function having(side, latent, above) {
  return allOf([side.filter, { kind: { case: "latent", value: { latent, lower: { case: "gt", value: written(above) ?? 0 } } } }]);
}
