// Made by src/web/tools/generate from latentdb/v1/model.proto.
import { enumeration, message, service } from "../../../wire/messages.js";
import { EncoderSettingsSchema, SaeInfoSchema } from "./collection_pb.js";
import { ActivationsSchema, VectorSchema } from "./types_pb.js";

export const TextRole = enumeration("UNSPECIFIED=0 QUERY=1 DOCUMENT=2", "TEXT_ROLE_");
export const TrainingObjective = enumeration("RECONSTRUCTION=0 RETRIEVAL=1", "TRAINING_OBJECTIVE_");
export const EncodeTextsRequestSchema = message("latentdb.v1.EncodeTextsRequest", "1 collection s@with|2 model s@with|3 texts *s|4 role e0|5 settings m1", () => [TextRole, EncoderSettingsSchema]);
export const EncodeTextsResponseSchema = message("latentdb.v1.EncodeTextsResponse", "1 vectors *m0", () => [VectorSchema]);
export const EncodeVectorsRequestSchema = message("latentdb.v1.EncodeVectorsRequest", "1 collection s|2 vectors *m0", () => [VectorSchema]);
export const EncodeVectorsResponseSchema = message("latentdb.v1.EncodeVectorsResponse", "1 rows *m0", () => [ActivationsSchema]);
export const DecodeLatentsRequestSchema = message("latentdb.v1.DecodeLatentsRequest", "1 collection s|2 rows *m0", () => [ActivationsSchema]);
export const DecodeLatentsResponseSchema = message("latentdb.v1.DecodeLatentsResponse", "1 vectors *m0", () => [VectorSchema]);
export const TrainSaeRequestSchema = message("latentdb.v1.TrainSaeRequest", "1 collection s|2 n_latents u|3 k u|4 epochs u|5 seed U|20 batch_top_k b|21 matryoshka b|22 prefixes *u|23 batch_size u|24 learning_rate ?f|25 warm_up ?f|26 decay ?f|27 held_out ?f|28 patience ?u|29 seeds u|30 objective e0|31 query_field s|32 contrast ?f", () => [TrainingObjective]);
export const TrainSaeProgressSchema = message("latentdb.v1.TrainSaeProgress", "1 step U|2 steps U|3 examples_per_second d|4 fvu d|5 dead d|6 sae m0|7 quality m1|20 loss d|21 l0 d|22 epoch U|23 held_out_fvu ?d|24 queries_encoded U|25 queries U", () => [SaeInfoSchema, SaeQualitySchema]);
export const SaeQualitySchema = message("latentdb.v1.SaeQuality", "1 rows U|2 fvu d|3 l0 d|4 dead d|5 cosine d|20 density *m0|21 encoder_decoder_cosine m1|22 recall m2", () => [DensityBinSchema, SpreadSchema, SaeRecallSchema]);
export const DensityBinSchema = message("latentdb.v1.DensityBin", "1 lower d|2 latents U");
export const SpreadSchema = message("latentdb.v1.Spread", "1 mean d|2 p10 d|3 p50 d|4 p90 d");
export const SaeRecallSchema = message("latentdb.v1.SaeRecall", "1 queries U|2 rows U|3 k U|4 recall d");
export const EvaluateSaeRequestSchema = message("latentdb.v1.EvaluateSaeRequest", "1 collection s|2 sae s");
export const EvaluateSaeResponseSchema = message("latentdb.v1.EvaluateSaeResponse", "1 sae m0|2 quality m1", () => [SaeInfoSchema, SaeQualitySchema]);
export const UploadSaeRequestSchema = message("latentdb.v1.UploadSaeRequest", "1 file s|2 content y");
export const DownloadSaeRequestSchema = message("latentdb.v1.DownloadSaeRequest", "1 sae s");
export const DownloadSaeResponseSchema = message("latentdb.v1.DownloadSaeResponse", "1 file s|2 content y");
export const GetSaeRequestSchema = message("latentdb.v1.GetSaeRequest", "1 path s@of|2 collection s@of");
export const ModelService = service("latentdb.v1.ModelService", "EncodeTexts EncodeVectors DecodeLatents TrainSae* EvaluateSae GetSae DownloadSae*", [EncodeTextsRequestSchema, EncodeTextsResponseSchema, EncodeVectorsRequestSchema, EncodeVectorsResponseSchema, DecodeLatentsRequestSchema, DecodeLatentsResponseSchema, TrainSaeRequestSchema, TrainSaeProgressSchema, EvaluateSaeRequestSchema, EvaluateSaeResponseSchema, GetSaeRequestSchema, SaeInfoSchema, DownloadSaeRequestSchema, DownloadSaeResponseSchema]);
