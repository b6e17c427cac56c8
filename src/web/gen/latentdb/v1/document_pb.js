// Made by src/web/tools/generate from latentdb/v1/document.proto.
import { enumeration, message, service } from "../../../wire/messages.js";
import { ActivationsSchema, DocumentSchema, FilterSchema, MadeWithSchema, ProjectionSchema, ValueSchema, VectorSchema } from "./types_pb.js";

export const IfExists = enumeration("REPLACE=0 SKIP=1 FAIL=2", "IF_EXISTS_");
export const UpsertRequestSchema = message("latentdb.v1.UpsertRequest", "1 collection s|2 documents *m0|3 if_exists e1|4 expected_versions %s|5 chunk m2|20 made_with m3", () => [DocumentSchema, IfExists, ChunkingSchema, MadeWithSchema]);
export const ChunkingSchema = message("latentdb.v1.Chunking", "1 tokens u|2 overlap u");
export const WriteResponseSchema = message("latentdb.v1.WriteResponse", "1 sequence U|2 upserted U|3 deleted U|4 existing *s|5 cut_texts U");
export const IngestRequestSchema = message("latentdb.v1.IngestRequest", "1 collection s|2 documents *m0|3 batch U|4 stream_id s|5 set_aside b|6 if_exists e1|7 as_given b|8 chunk m2|20 made_with m3", () => [DocumentSchema, IfExists, ChunkingSchema, MadeWithSchema]);
export const IngestResponseSchema = message("latentdb.v1.IngestResponse", "1 batch U|2 sequence U|3 upserted U|4 duplicate b|5 error m0|6 rejected *m1|7 existing *s|8 cut_texts U", () => [BatchErrorSchema, RejectedDocumentSchema]);
export const RejectedDocumentSchema = message("latentdb.v1.RejectedDocument", "1 document u|2 error m0", () => [BatchErrorSchema]);
export const BatchErrorSchema = message("latentdb.v1.BatchError", "1 code i|2 message s|3 field s");
export const UpdateRequestSchema = message("latentdb.v1.UpdateRequest", "1 collection s|2 updates *m0|3 matching m1|4 expected_versions %s|20 made_with m2", () => [DocumentUpdateSchema, MatchingUpdateSchema, MadeWithSchema]);
export const DocumentUpdateSchema = message("latentdb.v1.DocumentUpdate", "1 id s|2 text ?s|3 vector m0|4 latents m1|5 set_attributes %m2|6 remove_attributes *s", () => [VectorSchema, ActivationsSchema, ValueSchema]);
export const MatchingUpdateSchema = message("latentdb.v1.MatchingUpdate", "1 filter m0|2 set_attributes %m1|3 remove_attributes *s|4 ignore_warnings b", () => [FilterSchema, ValueSchema]);
export const DeleteRequestSchema = message("latentdb.v1.DeleteRequest", "1 collection s|2 ids *s|3 filter m0|4 ignore_warnings b|5 expected_versions %s", () => [FilterSchema]);
export const GetRequestSchema = message("latentdb.v1.GetRequest", "1 collection s|2 ids *s|3 projection m0", () => [ProjectionSchema]);
export const GetResponseSchema = message("latentdb.v1.GetResponse", "1 documents *m0|2 missing *s", () => [DocumentSchema]);
export const ScrollRequestSchema = message("latentdb.v1.ScrollRequest", "1 collection s|2 filter m0|3 projection m1|4 batch_size u|5 limit U|6 codes b", () => [FilterSchema, ProjectionSchema]);
export const ScrollResponseSchema = message("latentdb.v1.ScrollResponse", "1 documents *m0|2 warnings *s", () => [DocumentSchema]);
export const DocumentService = service("latentdb.v1.DocumentService", "Upsert Update Delete Get Scroll*", [UpsertRequestSchema, WriteResponseSchema, UpdateRequestSchema, WriteResponseSchema, DeleteRequestSchema, WriteResponseSchema, GetRequestSchema, GetResponseSchema, ScrollRequestSchema, ScrollResponseSchema]);
