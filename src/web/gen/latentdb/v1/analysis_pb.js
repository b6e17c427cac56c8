// Made by src/web/tools/generate from latentdb/v1/analysis.proto.
import { service } from "../../../wire/messages.js";
import { DiffRequestSchema, DiffResponseSchema } from "./diff_pb.js";
import { CorrelateRequestSchema, CorrelateResponseSchema } from "./correlate_pb.js";
import { ExplainRequestSchema, ExplainResponseSchema } from "./explain_pb.js";
import { HypothesiseRequestSchema, HypothesiseResponseSchema } from "./hypotheses_pb.js";
import { MatchLatentsRequestSchema, MatchLatentsResponseSchema, MoveLatentsRequestSchema } from "./matching_pb.js";
import { TrendsRequestSchema, TrendsResponseSchema } from "./trends_pb.js";
import { NearDuplicatesRequestSchema, NearDuplicatesResponseSchema, PoorlyExplainedRequestSchema, PoorlyExplainedResponseSchema } from "./quality_pb.js";
import { ClusterRequestSchema, ClusterResponseSchema } from "./cluster_pb.js";
import { DropMapRequestSchema, DropMapResponseSchema, ListMapsRequestSchema, ListMapsResponseSchema, MakeMapRequestSchema, MakeMapResponseSchema, ReadMapRequestSchema, ReadMapResponseSchema } from "./map_pb.js";

export const AnalysisService = service("latentdb.v1.AnalysisService", "Diff* Correlate* Explain* Hypothesise* MatchLatents* MoveLatents* Trends* NearDuplicates* PoorlyExplained* Cluster* MakeMap* ListMaps ReadMap* DropMap", [DiffRequestSchema, DiffResponseSchema, CorrelateRequestSchema, CorrelateResponseSchema, ExplainRequestSchema, ExplainResponseSchema, HypothesiseRequestSchema, HypothesiseResponseSchema, MatchLatentsRequestSchema, MatchLatentsResponseSchema, MoveLatentsRequestSchema, MatchLatentsResponseSchema, TrendsRequestSchema, TrendsResponseSchema, NearDuplicatesRequestSchema, NearDuplicatesResponseSchema, PoorlyExplainedRequestSchema, PoorlyExplainedResponseSchema, ClusterRequestSchema, ClusterResponseSchema, MakeMapRequestSchema, MakeMapResponseSchema, ListMapsRequestSchema, ListMapsResponseSchema, ReadMapRequestSchema, ReadMapResponseSchema, DropMapRequestSchema, DropMapResponseSchema]);
