// Made by src/web/tools/generate from latentdb/v1/types.proto.
import { TimestampSchema, enumeration, message } from "../../../wire/messages.js";

export const TextMode = enumeration("ANY=0 ALL=1 PHRASE=2 PREFIX=3 FUZZY=4", "TEXT_MODE_");
export const SteerUnit = enumeration("RAW=0 P90=1", "STEER_UNIT_");
export const ValueSchema = message("latentdb.v1.Value", "1 string s@kind|2 integer I@kind|3 float d@kind|4 boolean b@kind|5 timestamp m0@kind|6 list m1@kind", () => [TimestampSchema, ValueListSchema]);
export const ValueListSchema = message("latentdb.v1.ValueList", "1 values *m0", () => [ValueSchema]);
export const VectorSchema = message("latentdb.v1.Vector", "1 values *f");
export const ActivationSchema = message("latentdb.v1.Activation", "1 latent u|2 activation f");
export const TextSpanSchema = message("latentdb.v1.TextSpan", "1 token u|2 start u|3 end u");
export const ActivationsSchema = message("latentdb.v1.Activations", "1 values *m0", () => [ActivationSchema]);
export const SaeCodesSchema = message("latentdb.v1.SaeCodes", "1 sae s|2 latents *m0|3 positions *m1", () => [ActivationSchema, LatentPositionSchema]);
export const CodesBySaeSchema = message("latentdb.v1.CodesBySae", "1 saes *m0", () => [SaeCodesSchema]);
export const LatentPositionSchema = message("latentdb.v1.LatentPosition", "1 latent u|2 span m0", () => [TextSpanSchema]);
export const DocumentSchema = message("latentdb.v1.Document", "1 id s|2 text ?s|3 attributes %m0|4 vector m1|5 latents m2|6 version ?s|7 codes m3", () => [ValueSchema, VectorSchema, ActivationsSchema, CodesBySaeSchema]);
export const ProjectionSchema = message("latentdb.v1.Projection", "1 text b|2 attributes b|3 attribute_names *s|4 vector b|5 latents b|6 version b");
export const FilterSchema = message("latentdb.v1.Filter", "1 expression s@kind|2 all_of m0@kind|3 any_of m0@kind|4 negated m1@kind|5 latent m2@kind|6 attribute m3@kind|7 ids m4@kind|8 text m5@kind|9 saved_set s@kind|10 all m6@kind|11 through m7@kind", () => [FilterListSchema, FilterSchema, LatentFilterSchema, AttributeFilterSchema, IdFilterSchema, TextFilterSchema, EverythingSchema, ThroughFilterSchema]);
export const ThroughFilterSchema = message("latentdb.v1.ThroughFilter", "1 sae s|2 filter m0", () => [FilterSchema]);
export const EverythingSchema = message("latentdb.v1.Everything", "");
export const FilterListSchema = message("latentdb.v1.FilterList", "1 filters *m0", () => [FilterSchema]);
export const LatentFilterSchema = message("latentdb.v1.LatentFilter", "1 latent u|2 gte f@lower|3 gt f@lower|4 lte f@upper|5 lt f@upper");
export const AttributeFilterSchema = message("latentdb.v1.AttributeFilter", "1 name s|2 equals m0@test|3 one_of m1@test|4 range m2@test|5 exists m3@test|6 like m4@test", () => [ValueSchema, ValueListSchema, RangeSchema, EverythingSchema, PatternSchema]);
export const RangeSchema = message("latentdb.v1.Range", "1 gte m0@lower|2 gt m0@lower|3 lte m0@upper|4 lt m0@upper", () => [ValueSchema]);
export const IdFilterSchema = message("latentdb.v1.IdFilter", "1 ids *s|2 range m0|3 like m1", () => [RangeSchema, PatternSchema]);
export const PatternSchema = message("latentdb.v1.Pattern", "1 pattern s|2 ignore_case b");
export const TextFilterSchema = message("latentdb.v1.TextFilter", "1 text s|2 mode e0", () => [TextMode]);
export const SteerEditSchema = message("latentdb.v1.SteerEdit", "1 latent u|7 concept s|8 concept_latents u|9 family ?u|10 examples *s|11 unit e0|2 add f@edit|3 scale f@edit|4 set f@edit|5 zero m1@edit|6 boost f@edit", () => [SteerUnit, EverythingSchema]);
export const SteeringSchema = message("latentdb.v1.Steering", "1 component s|2 cosine f|3 residual_norm f|4 before *m0|5 after *m0|6 vector m1|7 applied *m2|8 inconsistency_before ?f|9 inconsistency_after ?f", () => [ActivationSchema, VectorSchema, SteerEditSchema]);
export const MadeWithSchema = message("latentdb.v1.MadeWith", "1 encoder_sha256 s|2 sae_sha256 s");
