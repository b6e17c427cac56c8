// Made by src/web/tools/generate from latentdb/v1/correlate.proto.
import { message } from "../../../wire/messages.js";
import { FilterSchema, ValueSchema } from "./types_pb.js";
import { AnalysisProgressSchema, StatisticalTest } from "./diff_pb.js";

export const CorrelateRequestSchema = message("latentdb.v1.CorrelateRequest", "1 collection s|2 filter m0|3 latents *u|4 others *u|5 attribute s|6 join_by s|7 other_filter m0|8 active_above f|9 min_support U|10 max_density ?d|11 min_npmi ?d|12 max_p_adjusted ?d|13 max_label_similarity ?d|14 limit u|15 exclude_adjacent b|16 stratify_by s|17 all b|18 min_recurrence ?f", () => [FilterSchema]);
export const CorrelateResponseSchema = message("latentdb.v1.CorrelateResponse", "1 progress m0@part|2 summary m1@part|3 pairs m2@part", () => [AnalysisProgressSchema, CorrelateSummarySchema, CorrelatePairsSchema]);
export const CorrelateSummarySchema = message("latentdb.v1.CorrelateSummary", "1 documents U|2 tested U|3 listed U|4 stopped *u|5 similar_labels ?U|6 unpaired ?U|7 other_unpaired ?U|8 adjacent_pairs ?U|9 eligible U|10 strata ?U|11 outside ?U|12 warnings *s");
export const CorrelatePairsSchema = message("latentdb.v1.CorrelatePairs", "1 pairs *m0", () => [CorrelatedPairSchema]);
export const CorrelatedPairSchema = message("latentdb.v1.CorrelatedPair", "1 i u|2 i_label s|3 j u@other|4 value m0@other|5 j_label s|6 count U|7 i_count U|8 j_count U|9 pmi d|10 npmi d|11 j_given_i d|12 i_given_j d|13 test e1|14 p_value d|15 p_adjusted d|16 label_similarity ?f|17 i_low_confidence b|18 j_low_confidence b|19 adjacent U|20 npmi_low d|21 i_recurrence ?f|22 j_recurrence ?f", () => [ValueSchema, StatisticalTest]);
