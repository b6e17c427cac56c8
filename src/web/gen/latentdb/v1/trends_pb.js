// Made by src/web/tools/generate from latentdb/v1/trends.proto.
import { enumeration, message } from "../../../wire/messages.js";
import { FilterSchema, ValueSchema } from "./types_pb.js";
import { AnalysisProgressSchema, LatentGroupSchema, NamedSetSchema } from "./diff_pb.js";

export const TrendBuckets = enumeration("VALUES=0 DAY=1 WEEK=2 MONTH=3 YEAR=4 BINS=5 HOUR=6 QUARTER=7", "TREND_BUCKETS_");
export const TrendDirection = enumeration("BOTH=0 RISING=1 FALLING=2", "TREND_DIRECTION_");
export const Monotone = enumeration("NO=0 RISING=1 FALLING=2", "MONOTONE_");
export const TrendsRequestSchema = message("latentdb.v1.TrendsRequest", "1 collection s|2 filter m0|3 attribute s|4 buckets e1|5 bins u|6 sets *m2|7 groups *m3|8 active_above f|9 min_support U|10 direction e4|11 min_change ?d|12 max_p_adjusted ?d|13 only_monotone b|14 limit u|15 all b|16 min_recurrence ?f", () => [FilterSchema, TrendBuckets, NamedSetSchema, LatentGroupSchema, TrendDirection]);
export const TrendsResponseSchema = message("latentdb.v1.TrendsResponse", "1 progress m0@part|2 summary m1@part|3 rows m2@part", () => [AnalysisProgressSchema, TrendsSummarySchema, TrendRowsSchema]);
export const TrendsSummarySchema = message("latentdb.v1.TrendsSummary", "1 buckets *m0|2 tested U|3 passing U|4 warnings *s", () => [TrendBucketSchema]);
export const TrendBucketSchema = message("latentdb.v1.TrendBucket", "1 name s|2 start m0|3 documents U", () => [ValueSchema]);
export const TrendRowsSchema = message("latentdb.v1.TrendRows", "1 rows *m0", () => [TrendRowSchema]);
export const TrendRowSchema = message("latentdb.v1.TrendRow", "1 latent u|2 label s|3 counts *u|4 slope d|5 change d|6 z d|7 p_value d|8 p_adjusted d|9 change_point m0|10 monotone e1|11 low_confidence b|12 recurrence ?f", () => [ChangePointSchema, Monotone]);
export const ChangePointSchema = message("latentdb.v1.ChangePoint", "1 bucket u|2 before d|3 after d|4 statistic d|5 p_value d|6 p_adjusted d");
