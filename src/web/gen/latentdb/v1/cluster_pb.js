// Made by src/web/tools/generate from latentdb/v1/cluster.proto.
import { enumeration, message } from "../../../wire/messages.js";
import { DocumentSchema, FilterSchema, ProjectionSchema } from "./types_pb.js";
import { AnalysisProgressSchema } from "./diff_pb.js";

export const AxisSource = enumeration("BEST=0 LABELS=1 CENTROIDS=2", "AXIS_SOURCE_");
export const ClusterRequestSchema = message("latentdb.v1.ClusterRequest", "1 collection s|2 filter m0|3 axis m1|4 clusters u|5 seed U|6 landmarks u|7 distinctive u|8 documents u|9 projection m2", () => [FilterSchema, AxisSchema, ProjectionSchema]);
export const AxisSchema = message("latentdb.v1.Axis", "1 texts *s|2 latents *u|3 latents_per_text u|4 source e0|5 families *u|6 min_recurrence ?f", () => [AxisSource]);
export const ClusterResponseSchema = message("latentdb.v1.ClusterResponse", "1 progress m0@part|2 summary m1@part|3 members m2@part", () => [AnalysisProgressSchema, ClusterSummarySchema, ClusterMembersSchema]);
export const ClusterSummarySchema = message("latentdb.v1.ClusterSummary", "1 clusters *m0|2 documents U|3 uncovered U|4 unreached U|5 landmarks U|6 eigenvalues *d|7 axis *m1|8 source e2|9 sequence U|10 warnings *s", () => [ClusterSchema, AxisLatentSchema, AxisSource]);
export const AxisLatentSchema = message("latentdb.v1.AxisLatent", "1 latent u|2 label s|3 text ?u|4 similarity f|5 family ?u");
export const ClusterSchema = message("latentdb.v1.Cluster", "1 label s|2 size U|3 affinity d|4 over *m0|5 under *m0|6 documents *m1", () => [DistinctiveLatentSchema, DocumentSchema]);
export const DistinctiveLatentSchema = message("latentdb.v1.DistinctiveLatent", "1 latent u|2 label s|3 count U|4 inside d|5 outside d");
export const ClusterMembersSchema = message("latentdb.v1.ClusterMembers", "1 members *m0", () => [ClusterMemberSchema]);
export const ClusterMemberSchema = message("latentdb.v1.ClusterMember", "1 id s|2 cluster ?u|3 affinity f|4 x f|5 y f");
