// Made by src/web/tools/generate from latentdb/v1/quality.proto.
import { message } from "../../../wire/messages.js";
import { DocumentSchema, FilterSchema, ProjectionSchema } from "./types_pb.js";
import { AnalysisProgressSchema } from "./diff_pb.js";

export const NearDuplicatesRequestSchema = message("latentdb.v1.NearDuplicatesRequest", "1 collection s|2 filter m0|3 threshold ?d|4 active_above f|5 min_latents u|6 limit u|7 projection m1|8 documents u", () => [FilterSchema, ProjectionSchema]);
export const NearDuplicatesResponseSchema = message("latentdb.v1.NearDuplicatesResponse", "1 progress m0@part|2 summary m1@part|3 groups m2@part", () => [AnalysisProgressSchema, NearDuplicatesSummarySchema, DuplicateGroupsSchema]);
export const NearDuplicatesSummarySchema = message("latentdb.v1.NearDuplicatesSummary", "1 documents U|2 left_out U|3 pairs U|4 n_groups U|5 grouped U|6 warnings *s");
export const DuplicateGroupsSchema = message("latentdb.v1.DuplicateGroups", "1 groups *m0", () => [DuplicateGroupSchema]);
export const DuplicateGroupSchema = message("latentdb.v1.DuplicateGroup", "1 documents *m0|2 size U", () => [DuplicateSchema]);
export const DuplicateSchema = message("latentdb.v1.Duplicate", "1 document m0|2 similarity d", () => [DocumentSchema]);
export const PoorlyExplainedRequestSchema = message("latentdb.v1.PoorlyExplainedRequest", "1 collection s|2 filter m0|3 limit u|4 projection m1", () => [FilterSchema, ProjectionSchema]);
export const PoorlyExplainedResponseSchema = message("latentdb.v1.PoorlyExplainedResponse", "1 progress m0@part|2 result m1@part", () => [AnalysisProgressSchema, PoorlyExplainedSchema]);
export const PoorlyExplainedSchema = message("latentdb.v1.PoorlyExplained", "1 documents U|2 quantiles *d|3 worst *m0|4 warnings *s", () => [UnexplainedDocumentSchema]);
export const UnexplainedDocumentSchema = message("latentdb.v1.UnexplainedDocument", "1 document m0|2 residual_share d", () => [DocumentSchema]);
