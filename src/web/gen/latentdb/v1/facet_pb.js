// Made by src/web/tools/generate from latentdb/v1/facet.proto.
import { enumeration, message } from "../../../wire/messages.js";
import { EverythingSchema, FilterSchema, ValueSchema } from "./types_pb.js";

export const CalendarUnit = enumeration("UNSPECIFIED=0 HOUR=1 DAY=2 WEEK=3 MONTH=4 QUARTER=5 YEAR=6", "CALENDAR_UNIT_");
export const FacetSchema = message("latentdb.v1.Facet", "1 attribute s@by|2 latents m0@by|3 histogram m1@by|4 statistics m2@by|5 limit u|6 then m3", () => [EverythingSchema, HistogramFacetSchema, StatisticsFacetSchema, FacetSchema]);
export const HistogramFacetSchema = message("latentdb.v1.HistogramFacet", "1 attribute s|2 width d@buckets|3 calendar e0@buckets|4 quantiles u@buckets", () => [CalendarUnit]);
export const StatisticsFacetSchema = message("latentdb.v1.StatisticsFacet", "1 attribute s|2 quantiles *d");
export const FacetRequestSchema = message("latentdb.v1.FacetRequest", "1 collection s|2 filter m0|3 facets *m1", () => [FilterSchema, FacetSchema]);
export const FacetResponseSchema = message("latentdb.v1.FacetResponse", "1 facets *m0|2 documents U|3 warnings *s|4 sequence U", () => [FacetResultSchema]);
export const FacetResultSchema = message("latentdb.v1.FacetResult", "1 values *m0|2 latents *m1|3 buckets *m2|4 statistics m3|5 distinct U|6 documents U|7 missing U", () => [ValueCountSchema, LatentCountSchema, BucketCountSchema, StatisticsSchema]);
export const ValueCountSchema = message("latentdb.v1.ValueCount", "1 value m0|2 count U|3 then m1", () => [ValueSchema, FacetResultSchema]);
export const LatentCountSchema = message("latentdb.v1.LatentCount", "1 latent u|2 label s|3 count U|4 mean_activation f|5 low_confidence b|6 then m0", () => [FacetResultSchema]);
export const BucketCountSchema = message("latentdb.v1.BucketCount", "1 lower m0|2 upper m0|3 count U|4 then m1", () => [ValueSchema, FacetResultSchema]);
export const StatisticsSchema = message("latentdb.v1.Statistics", "1 values U|2 min m0|3 max m0|4 mean m0|5 sum m0|6 standard_deviation ?d|7 quantiles *m1", () => [ValueSchema, QuantileSchema]);
export const QuantileSchema = message("latentdb.v1.Quantile", "1 at d|2 value m0", () => [ValueSchema]);
