// Made by src/web/tools/generate from latentdb/v1/explain.proto.
import { enumeration, message } from "../../../wire/messages.js";
import { DocumentSchema, FilterSchema, ProjectionSchema, ValueSchema } from "./types_pb.js";
import { AnalysisProgressSchema } from "./diff_pb.js";

export const ExplainChoice = enumeration("GAIN=0 MEANS=1", "EXPLAIN_CHOICE_");
export const ExplainForm = enumeration("AMOUNTS=0 PRESENCE=1 PAIRS=2", "EXPLAIN_FORM_");
export const ExplainRequestSchema = message("latentdb.v1.ExplainRequest", "1 collection s|2 filter m0|3 target s|4 latents u|5 held_out d|6 split_by s|7 sample u|8 seed U|9 documents ?u|10 projection m1|11 target_filter m0|12 choice e2|13 min_recurrence ?f", () => [FilterSchema, ProjectionSchema, ExplainChoice]);
export const ExplainResponseSchema = message("latentdb.v1.ExplainResponse", "1 progress m0@part|2 summary m1@part|3 latents m2@part", () => [AnalysisProgressSchema, ExplainSummarySchema, ExplainedLatentsSchema]);
export const TargetScoreSchema = message("latentdb.v1.TargetScore", "1 r2 ?d|2 auc ?d|3 macro_f1 ?d");
export const ExplainSummarySchema = message("latentdb.v1.ExplainSummary", "1 held_out m0|2 dense m0|3 length m0|4 path *m1|5 form e2|6 held_out_documents U|7 discovery_documents U|8 fitted_documents U|9 documents_without U|10 dense_documents U|11 classes *m3|12 pairs *m4|13 warnings *s", () => [TargetScoreSchema, ExplainPathPointSchema, ExplainForm, TargetClassSchema, ExplainedPairSchema]);
export const ExplainPathPointSchema = message("latentdb.v1.ExplainPathPoint", "1 latents u|2 score m0|3 error d", () => [TargetScoreSchema]);
export const TargetClassSchema = message("latentdb.v1.TargetClass", "1 value m0|2 documents U", () => [ValueSchema]);
export const ExplainedLatentsSchema = message("latentdb.v1.ExplainedLatents", "1 latents *m0", () => [ExplainedLatentSchema]);
export const ExplainedLatentSchema = message("latentdb.v1.ExplainedLatent", "1 latent u|2 label s|3 low_confidence b|4 alike *u|5 weights *d|6 presence_weights *d|7 effect_class ?u|8 effect d|9 effect_low d|10 effect_high d|11 p_value d|12 p_adjusted d|13 active_documents U|14 documents *m0|15 recurrence ?f", () => [DocumentSchema]);
export const ExplainedPairSchema = message("latentdb.v1.ExplainedPair", "1 first u|2 second u|3 weights *d");
