// Analyses, and what reading their streams has in common.
import { AnalysisService } from "../gen/latentdb/v1/analysis_pb.js";
import { client } from "./transport.js";

export const analyses = client(AnalysisService);

/** @typedef {import("../gen/latentdb/v1/types_pb.js").Filter} Filter */
/** @typedef {import("@bufbuild/protobuf").MessageInitShape<typeof import("../gen/latentdb/v1/types_pb.js").FilterSchema>} FilterInit */

/**
 * A filter in text form; every document where it is empty.
 * @param {string} text
 * @returns {FilterInit | undefined}
 */
export function expression(text) {
  return text.trim() === "" ? undefined : { kind: { case: "expression", value: text.trim() } };
}

/**
 * Documents in all of some filters.
 * @param {(FilterInit | undefined)[]} filters
 * @returns {FilterInit | undefined}
 */
export function allOf(filters) {
  const given = filters.filter((filter) => filter !== undefined);
  return given.length < 2 ? given[0] : { kind: { case: "allOf", value: { filters: given } } };
}
