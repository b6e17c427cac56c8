// Made by src/web/tools/generate from latentdb/v1/admin.proto.
import { TimestampSchema, message, service } from "../../../wire/messages.js";
import { ExplanationSchema } from "./search_pb.js";

export const GetServerInfoRequestSchema = message("latentdb.v1.GetServerInfoRequest", "");
export const ServerInfoSchema = message("latentdb.v1.ServerInfo", "1 version s|2 uptime_seconds U|3 collections u|4 resident_bytes U|5 limits m0|6 slow_searches *m1", () => [LimitsSchema, SlowSearchSchema]);
export const SlowSearchSchema = message("latentdb.v1.SlowSearch", "1 collection s|2 ended m0|3 explanation m1", () => [TimestampSchema, ExplanationSchema]);
export const LimitsSchema = message("latentdb.v1.Limits", "1 max_batch_documents u|2 max_message_bytes u|3 max_text_bytes u|4 max_id_bytes u|5 max_hits u|6 max_page u");
export const OptimizeRequestSchema = message("latentdb.v1.OptimizeRequest", "1 collection s");
export const OptimizeResponseSchema = message("latentdb.v1.OptimizeResponse", "1 segments u");
export const AdminService = service("latentdb.v1.AdminService", "GetServerInfo Optimize", [GetServerInfoRequestSchema, ServerInfoSchema, OptimizeRequestSchema, OptimizeResponseSchema]);
