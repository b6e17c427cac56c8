// Made by src/web/tools/generate from latentdb/v1/hypotheses.proto.
import { message } from "../../../wire/messages.js";
import { ChatLimitsSchema, JudgeKind, LabellerKind } from "./latent_pb.js";
import { DocumentSchema, FilterSchema, ProjectionSchema } from "./types_pb.js";
import { AnalysisProgressSchema, DiffOverlap, NamedSetSchema } from "./diff_pb.js";
import { AxisSchema } from "./cluster_pb.js";

export const HypothesiseRequestSchema = message("latentdb.v1.HypothesiseRequest", "1 collection s|2 sets m0@compared|3 clusters m1@compared|4 pairs m2@compared|5 latents u|6 max_p_adjusted ?d|7 confirm d|8 split_by s|9 labeller e3|10 labeller_model s|11 judge e4|12 judge_model s|13 judge_encoder s|14 chat m5|15 judged u|16 seed U|17 documents ?u|18 projection m6|19 min_recurrence ?f", () => [ComparedSetsSchema, ComparedClustersSchema, ComparedPairsSchema, LabellerKind, JudgeKind, ChatLimitsSchema, ProjectionSchema]);
export const ComparedSetsSchema = message("latentdb.v1.ComparedSets", "1 a m0|2 b m0|3 overlap e1", () => [NamedSetSchema, DiffOverlap]);
export const ComparedClustersSchema = message("latentdb.v1.ComparedClusters", "1 filter m0|2 axis m1|3 clusters u|4 landmarks u", () => [FilterSchema, AxisSchema]);
export const ComparedPairsSchema = message("latentdb.v1.ComparedPairs", "1 filter m0|2 latents *u|3 min_support U|4 max_label_similarity ?d", () => [FilterSchema]);
export const HypothesiseResponseSchema = message("latentdb.v1.HypothesiseResponse", "1 progress m0@part|2 summary m1@part|3 hypotheses m2@part", () => [AnalysisProgressSchema, HypothesiseSummarySchema, HypothesesSchema]);
export const HypothesiseSummarySchema = message("latentdb.v1.HypothesiseSummary", "1 comparisons *m0|2 left_out *m1|3 labeller s|4 judge s|5 tokens U|10 naming_tokens U|6 expected_tokens U|7 naming_seconds d|8 judging_seconds d|9 warnings *s", () => [ComparedHalvesSchema, LeftOutLatentSchema]);
export const ComparedHalvesSchema = message("latentdb.v1.ComparedHalves", "1 a s|2 b s|3 a_discovery U|4 b_discovery U|5 a_confirmation U|6 b_confirmation U|7 differing U");
export const LeftOutLatentSchema = message("latentdb.v1.LeftOutLatent", "1 latent u|2 comparison u|3 label s|4 why s");
export const HypothesesSchema = message("latentdb.v1.Hypotheses", "1 hypotheses *m0", () => [HypothesisSchema]);
export const HypothesisSchema = message("latentdb.v1.Hypothesis", "1 sentence s|2 label s|3 relabelled b|4 label_score d|5 comparison u|6 more_in_a b|7 latent u|8 alike *u|9 given ?u|10 found_a d|11 found_b d|12 found_p_adjusted d|13 judged m0", () => [JudgedHypothesisSchema]);
export const JudgedHypothesisSchema = message("latentdb.v1.JudgedHypothesis", "1 a_documents U|2 a_yes U|3 b_documents U|4 b_yes U|5 a_active U|6 b_active U|7 unusable U|8 delta d|9 low d|10 high d|11 p_value d|12 p_adjusted d|13 holds b|14 kappa ?d|15 documents *m0", () => [DocumentSchema]);
