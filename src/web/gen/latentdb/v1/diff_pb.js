// Made by src/web/tools/generate from latentdb/v1/diff.proto.
import { enumeration, message } from "../../../wire/messages.js";
import { DocumentSchema, FilterSchema } from "./types_pb.js";
import { ActivatingDocumentSchema } from "./latent_pb.js";

export const DiffOverlap = enumeration("REFUSE=0 DROP=1 KEEP=2", "DIFF_OVERLAP_");
export const DiffMeasure = enumeration("PREVALENCE=0 MEAN_ACTIVATION=1", "DIFF_MEASURE_");
export const DiffDirection = enumeration("BOTH=0 MORE_IN_A=1 MORE_IN_B=2", "DIFF_DIRECTION_");
export const StatisticalTest = enumeration("UNTESTED=0 FISHER=1 TWO_PROPORTION=2 WELCH=3 MCNEMAR_EXACT=4 MCNEMAR=5 COCHRAN_MANTEL_HAENSZEL=6 STRATIFIED_EXACT=7 CLUSTER_ROBUST=8", "STATISTICAL_TEST_");
export const AnalysisProgressSchema = message("latentdb.v1.AnalysisProgress", "1 done U|2 total U");
export const NamedSetSchema = message("latentdb.v1.NamedSet", "1 name s|2 filter m0", () => [FilterSchema]);
export const LatentGroupSchema = message("latentdb.v1.LatentGroup", "1 name s|2 latents *u");
export const DiffRequestSchema = message("latentdb.v1.DiffRequest", "1 collection s|2 a m0|3 b *m1|4 b_collection s|5 measure e2|6 active_above f|7 min_support U|8 confidence ?d|9 pair_by s|10 groups *m3|11 all b|12 min_delta ?d|13 direction e4|14 max_p_adjusted ?d|15 max_b_share ?d|16 limit u|17 documents u|18 same_latents b|19 overlap e5|20 stratify_by s|21 cluster_by s|22 confirm ?d|23 min_recurrence ?f", () => [FilterSchema, NamedSetSchema, DiffMeasure, LatentGroupSchema, DiffDirection, DiffOverlap]);
export const DiffResponseSchema = message("latentdb.v1.DiffResponse", "1 progress m0@part|2 comparison m1@part|3 rows m2@part", () => [AnalysisProgressSchema, DiffComparisonSchema, DiffRowsSchema]);
export const DiffComparisonSchema = message("latentdb.v1.DiffComparison", "1 name s|2 a_documents U|3 b_documents U|4 shared ?U|5 a_unpaired ?U|6 b_unpaired ?U|7 tested U|8 passing U|9 found ?U|10 groups ?U|11 a_outside ?U|12 b_outside ?U|13 a_median_length ?U|14 b_median_length ?U|15 warnings *s");
export const DiffRowsSchema = message("latentdb.v1.DiffRows", "1 rows *m0", () => [DiffRowSchema]);
export const DiffRowSchema = message("latentdb.v1.DiffRow", "1 latent u|2 label s|3 a_count U|4 b_count U|5 a d|6 b d|7 delta d|8 relative d|9 low d|10 high d|11 only_a ?U|12 only_b ?U|13 test e0|14 p_value d|15 p_adjusted d|16 documents *m1|17 low_confidence b|18 counterparts *m2|19 recurrence ?f", () => [StatisticalTest, ActivatingDocumentSchema, DocumentSchema]);
