// Made by src/web/tools/generate from latentdb/v1/map.proto.
import { TimestampSchema, enumeration, message } from "../../../wire/messages.js";
import { FilterSchema } from "./types_pb.js";
import { AxisSchema } from "./cluster_pb.js";
import { AnalysisProgressSchema } from "./diff_pb.js";

export const MapSpace = enumeration("VECTORS=0 LATENTS=1", "MAP_SPACE_");
export const MapLayout = enumeration("TSNE=0 PCA=1 AXIS=2", "MAP_LAYOUT_");
export const DocumentMapSchema = message("latentdb.v1.DocumentMap", "1 name s|2 space e0|3 layout e1|4 documents U|5 laid_out U|6 created m2|7 sequence U|8 left_out U", () => [MapSpace, MapLayout, TimestampSchema]);
export const MakeMapRequestSchema = message("latentdb.v1.MakeMapRequest", "1 collection s|2 name s|3 filter m0|4 space e1|5 layout e2|6 sample u|7 perplexity f|8 seed U|9 axis m3", () => [FilterSchema, MapSpace, MapLayout, AxisSchema]);
export const MakeMapResponseSchema = message("latentdb.v1.MakeMapResponse", "1 progress m0@part|2 map m1@part", () => [AnalysisProgressSchema, DocumentMapSchema]);
export const ListMapsRequestSchema = message("latentdb.v1.ListMapsRequest", "1 collection s");
export const ListMapsResponseSchema = message("latentdb.v1.ListMapsResponse", "1 maps *m0", () => [DocumentMapSchema]);
export const DropMapRequestSchema = message("latentdb.v1.DropMapRequest", "1 collection s|2 name s");
export const DropMapResponseSchema = message("latentdb.v1.DropMapResponse", "");
export const ReadMapRequestSchema = message("latentdb.v1.ReadMapRequest", "1 collection s|2 name s|3 attribute s@value|4 latent u@value|5 filter m0|6 ids b", () => [FilterSchema]);
export const ReadMapResponseSchema = message("latentdb.v1.ReadMapResponse", "1 head m0@part|2 points m1@part|3 progress m2@part", () => [MapHeadSchema, MapPointsSchema, AnalysisProgressSchema]);
export const MapHeadSchema = message("latentdb.v1.MapHead", "1 map m0|2 points U|3 categories *s|4 times b|5 warnings *s", () => [DocumentMapSchema]);
export const MapPointsSchema = message("latentdb.v1.MapPoints", "1 x *f|2 y *f|3 values *d|4 marked *b|5 ids *s");
