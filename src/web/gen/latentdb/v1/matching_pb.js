// Made by src/web/tools/generate from latentdb/v1/matching.proto.
import { enumeration, message } from "../../../wire/messages.js";
import { AnalysisProgressSchema } from "./diff_pb.js";

export const RecordOfLatents = enumeration("LABEL=0 PRESET=1 SET=2", "RECORD_OF_LATENTS_");
export const MatchLatentsRequestSchema = message("latentdb.v1.MatchLatentsRequest", "1 collection s|2 other s|3 min_support U|4 min_phi ?d");
export const MoveLatentsRequestSchema = message("latentdb.v1.MoveLatentsRequest", "1 matching m0|2 labels b|3 replace b|4 presets b|5 sets b", () => [MatchLatentsRequestSchema]);
export const MatchLatentsResponseSchema = message("latentdb.v1.MatchLatentsResponse", "1 progress m0@part|2 summary m1@part|3 latents m2@part", () => [AnalysisProgressSchema, MatchSummarySchema, MatchedLatentsSchema]);
export const MatchSummarySchema = message("latentdb.v1.MatchSummary", "1 documents U|2 active U|3 other_active U|4 matched U|5 mean_phi d|6 moved *m0|7 stayed *m1|8 warnings *s", () => [MovedRecordSchema, StayedRecordSchema]);
export const MatchedLatentsSchema = message("latentdb.v1.MatchedLatents", "1 latents *m0", () => [MatchedLatentSchema]);
export const MatchedLatentSchema = message("latentdb.v1.MatchedLatent", "1 latent u|2 label s|3 documents U|4 other m0|5 nearest m0", () => [LatentCounterpartSchema]);
export const LatentCounterpartSchema = message("latentdb.v1.LatentCounterpart", "1 latent u|2 label s|3 documents U|4 both U|5 phi d");
export const MovedRecordSchema = message("latentdb.v1.MovedRecord", "1 kind e0|2 name s|3 to s|4 phi d", () => [RecordOfLatents]);
export const StayedRecordSchema = message("latentdb.v1.StayedRecord", "1 kind e0|2 name s|3 why s", () => [RecordOfLatents]);
