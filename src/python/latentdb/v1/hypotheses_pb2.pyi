from latentdb.v1 import cluster_pb2 as _cluster_pb2
from latentdb.v1 import diff_pb2 as _diff_pb2
from latentdb.v1 import latent_pb2 as _latent_pb2
from latentdb.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HypothesiseRequest(_message.Message):
    __slots__ = ("collection", "sets", "clusters", "pairs", "latents", "max_p_adjusted", "confirm", "split_by", "labeller", "labeller_model", "judge", "judge_model", "judge_encoder", "chat", "judged", "seed", "documents", "projection", "min_recurrence")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    CLUSTERS_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    MAX_P_ADJUSTED_FIELD_NUMBER: _ClassVar[int]
    CONFIRM_FIELD_NUMBER: _ClassVar[int]
    SPLIT_BY_FIELD_NUMBER: _ClassVar[int]
    LABELLER_FIELD_NUMBER: _ClassVar[int]
    LABELLER_MODEL_FIELD_NUMBER: _ClassVar[int]
    JUDGE_FIELD_NUMBER: _ClassVar[int]
    JUDGE_MODEL_FIELD_NUMBER: _ClassVar[int]
    JUDGE_ENCODER_FIELD_NUMBER: _ClassVar[int]
    CHAT_FIELD_NUMBER: _ClassVar[int]
    JUDGED_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_FIELD_NUMBER: _ClassVar[int]
    MIN_RECURRENCE_FIELD_NUMBER: _ClassVar[int]
    collection: str
    sets: ComparedSets
    clusters: ComparedClusters
    pairs: ComparedPairs
    latents: int
    max_p_adjusted: float
    confirm: float
    split_by: str
    labeller: _latent_pb2.LabellerKind
    labeller_model: str
    judge: _latent_pb2.JudgeKind
    judge_model: str
    judge_encoder: str
    chat: _latent_pb2.ChatLimits
    judged: int
    seed: int
    documents: int
    projection: _types_pb2.Projection
    min_recurrence: float
    def __init__(self, collection: _Optional[str] = ..., sets: _Optional[_Union[ComparedSets, _Mapping[str, _Any]]] = ..., clusters: _Optional[_Union[ComparedClusters, _Mapping[str, _Any]]] = ..., pairs: _Optional[_Union[ComparedPairs, _Mapping[str, _Any]]] = ..., latents: _Optional[int] = ..., max_p_adjusted: _Optional[float] = ..., confirm: _Optional[float] = ..., split_by: _Optional[str] = ..., labeller: _Optional[_Union[_latent_pb2.LabellerKind, str]] = ..., labeller_model: _Optional[str] = ..., judge: _Optional[_Union[_latent_pb2.JudgeKind, str]] = ..., judge_model: _Optional[str] = ..., judge_encoder: _Optional[str] = ..., chat: _Optional[_Union[_latent_pb2.ChatLimits, _Mapping[str, _Any]]] = ..., judged: _Optional[int] = ..., seed: _Optional[int] = ..., documents: _Optional[int] = ..., projection: _Optional[_Union[_types_pb2.Projection, _Mapping[str, _Any]]] = ..., min_recurrence: _Optional[float] = ...) -> None: ...

class ComparedSets(_message.Message):
    __slots__ = ("a", "b", "overlap")
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    a: _diff_pb2.NamedSet
    b: _diff_pb2.NamedSet
    overlap: _diff_pb2.DiffOverlap
    def __init__(self, a: _Optional[_Union[_diff_pb2.NamedSet, _Mapping[str, _Any]]] = ..., b: _Optional[_Union[_diff_pb2.NamedSet, _Mapping[str, _Any]]] = ..., overlap: _Optional[_Union[_diff_pb2.DiffOverlap, str]] = ...) -> None: ...

class ComparedClusters(_message.Message):
    __slots__ = ("filter", "axis", "clusters", "landmarks")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    CLUSTERS_FIELD_NUMBER: _ClassVar[int]
    LANDMARKS_FIELD_NUMBER: _ClassVar[int]
    filter: _types_pb2.Filter
    axis: _cluster_pb2.Axis
    clusters: int
    landmarks: int
    def __init__(self, filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., axis: _Optional[_Union[_cluster_pb2.Axis, _Mapping[str, _Any]]] = ..., clusters: _Optional[int] = ..., landmarks: _Optional[int] = ...) -> None: ...

class ComparedPairs(_message.Message):
    __slots__ = ("filter", "latents", "min_support", "max_label_similarity")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    MIN_SUPPORT_FIELD_NUMBER: _ClassVar[int]
    MAX_LABEL_SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    filter: _types_pb2.Filter
    latents: _containers.RepeatedScalarFieldContainer[int]
    min_support: int
    max_label_similarity: float
    def __init__(self, filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., latents: _Optional[_Iterable[int]] = ..., min_support: _Optional[int] = ..., max_label_similarity: _Optional[float] = ...) -> None: ...

class HypothesiseResponse(_message.Message):
    __slots__ = ("progress", "summary", "hypotheses")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    HYPOTHESES_FIELD_NUMBER: _ClassVar[int]
    progress: _diff_pb2.AnalysisProgress
    summary: HypothesiseSummary
    hypotheses: Hypotheses
    def __init__(self, progress: _Optional[_Union[_diff_pb2.AnalysisProgress, _Mapping[str, _Any]]] = ..., summary: _Optional[_Union[HypothesiseSummary, _Mapping[str, _Any]]] = ..., hypotheses: _Optional[_Union[Hypotheses, _Mapping[str, _Any]]] = ...) -> None: ...

class HypothesiseSummary(_message.Message):
    __slots__ = ("comparisons", "left_out", "labeller", "judge", "tokens", "naming_tokens", "expected_tokens", "naming_seconds", "judging_seconds", "warnings")
    COMPARISONS_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    LABELLER_FIELD_NUMBER: _ClassVar[int]
    JUDGE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    NAMING_TOKENS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    NAMING_SECONDS_FIELD_NUMBER: _ClassVar[int]
    JUDGING_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    comparisons: _containers.RepeatedCompositeFieldContainer[ComparedHalves]
    left_out: _containers.RepeatedCompositeFieldContainer[LeftOutLatent]
    labeller: str
    judge: str
    tokens: int
    naming_tokens: int
    expected_tokens: int
    naming_seconds: float
    judging_seconds: float
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, comparisons: _Optional[_Iterable[_Union[ComparedHalves, _Mapping[str, _Any]]]] = ..., left_out: _Optional[_Iterable[_Union[LeftOutLatent, _Mapping[str, _Any]]]] = ..., labeller: _Optional[str] = ..., judge: _Optional[str] = ..., tokens: _Optional[int] = ..., naming_tokens: _Optional[int] = ..., expected_tokens: _Optional[int] = ..., naming_seconds: _Optional[float] = ..., judging_seconds: _Optional[float] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class ComparedHalves(_message.Message):
    __slots__ = ("a", "b", "a_discovery", "b_discovery", "a_confirmation", "b_confirmation", "differing")
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    A_DISCOVERY_FIELD_NUMBER: _ClassVar[int]
    B_DISCOVERY_FIELD_NUMBER: _ClassVar[int]
    A_CONFIRMATION_FIELD_NUMBER: _ClassVar[int]
    B_CONFIRMATION_FIELD_NUMBER: _ClassVar[int]
    DIFFERING_FIELD_NUMBER: _ClassVar[int]
    a: str
    b: str
    a_discovery: int
    b_discovery: int
    a_confirmation: int
    b_confirmation: int
    differing: int
    def __init__(self, a: _Optional[str] = ..., b: _Optional[str] = ..., a_discovery: _Optional[int] = ..., b_discovery: _Optional[int] = ..., a_confirmation: _Optional[int] = ..., b_confirmation: _Optional[int] = ..., differing: _Optional[int] = ...) -> None: ...

class LeftOutLatent(_message.Message):
    __slots__ = ("latent", "comparison", "label", "why")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    latent: int
    comparison: int
    label: str
    why: str
    def __init__(self, latent: _Optional[int] = ..., comparison: _Optional[int] = ..., label: _Optional[str] = ..., why: _Optional[str] = ...) -> None: ...

class Hypotheses(_message.Message):
    __slots__ = ("hypotheses",)
    HYPOTHESES_FIELD_NUMBER: _ClassVar[int]
    hypotheses: _containers.RepeatedCompositeFieldContainer[Hypothesis]
    def __init__(self, hypotheses: _Optional[_Iterable[_Union[Hypothesis, _Mapping[str, _Any]]]] = ...) -> None: ...

class Hypothesis(_message.Message):
    __slots__ = ("sentence", "label", "relabelled", "label_score", "comparison", "more_in_a", "latent", "alike", "given", "found_a", "found_b", "found_p_adjusted", "judged")
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    RELABELLED_FIELD_NUMBER: _ClassVar[int]
    LABEL_SCORE_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    MORE_IN_A_FIELD_NUMBER: _ClassVar[int]
    LATENT_FIELD_NUMBER: _ClassVar[int]
    ALIKE_FIELD_NUMBER: _ClassVar[int]
    GIVEN_FIELD_NUMBER: _ClassVar[int]
    FOUND_A_FIELD_NUMBER: _ClassVar[int]
    FOUND_B_FIELD_NUMBER: _ClassVar[int]
    FOUND_P_ADJUSTED_FIELD_NUMBER: _ClassVar[int]
    JUDGED_FIELD_NUMBER: _ClassVar[int]
    sentence: str
    label: str
    relabelled: bool
    label_score: float
    comparison: int
    more_in_a: bool
    latent: int
    alike: _containers.RepeatedScalarFieldContainer[int]
    given: int
    found_a: float
    found_b: float
    found_p_adjusted: float
    judged: JudgedHypothesis
    def __init__(self, sentence: _Optional[str] = ..., label: _Optional[str] = ..., relabelled: bool = ..., label_score: _Optional[float] = ..., comparison: _Optional[int] = ..., more_in_a: bool = ..., latent: _Optional[int] = ..., alike: _Optional[_Iterable[int]] = ..., given: _Optional[int] = ..., found_a: _Optional[float] = ..., found_b: _Optional[float] = ..., found_p_adjusted: _Optional[float] = ..., judged: _Optional[_Union[JudgedHypothesis, _Mapping[str, _Any]]] = ...) -> None: ...

class JudgedHypothesis(_message.Message):
    __slots__ = ("a_documents", "a_yes", "b_documents", "b_yes", "a_active", "b_active", "unusable", "delta", "low", "high", "p_value", "p_adjusted", "holds", "kappa", "documents")
    A_DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    A_YES_FIELD_NUMBER: _ClassVar[int]
    B_DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    B_YES_FIELD_NUMBER: _ClassVar[int]
    A_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    B_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    UNUSABLE_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    P_ADJUSTED_FIELD_NUMBER: _ClassVar[int]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    KAPPA_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    a_documents: int
    a_yes: int
    b_documents: int
    b_yes: int
    a_active: int
    b_active: int
    unusable: int
    delta: float
    low: float
    high: float
    p_value: float
    p_adjusted: float
    holds: bool
    kappa: float
    documents: _containers.RepeatedCompositeFieldContainer[_types_pb2.Document]
    def __init__(self, a_documents: _Optional[int] = ..., a_yes: _Optional[int] = ..., b_documents: _Optional[int] = ..., b_yes: _Optional[int] = ..., a_active: _Optional[int] = ..., b_active: _Optional[int] = ..., unusable: _Optional[int] = ..., delta: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., p_value: _Optional[float] = ..., p_adjusted: _Optional[float] = ..., holds: bool = ..., kappa: _Optional[float] = ..., documents: _Optional[_Iterable[_Union[_types_pb2.Document, _Mapping[str, _Any]]]] = ...) -> None: ...
