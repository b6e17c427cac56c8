import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from latentdb.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LatentOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LATENT_ORDER_DOCUMENTS: _ClassVar[LatentOrder]
    LATENT_ORDER_NUMBER: _ClassVar[LatentOrder]

class LabelSearchMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LABEL_SEARCH_MODE_DEFAULT: _ClassVar[LabelSearchMode]
    LABEL_SEARCH_MODE_MEANING: _ClassVar[LabelSearchMode]
    LABEL_SEARCH_MODE_WORDS: _ClassVar[LabelSearchMode]

class LabellerKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LABELLER_KIND_KEYPHRASE: _ClassVar[LabellerKind]
    LABELLER_KIND_CHAT: _ClassVar[LabellerKind]
    LABELLER_KIND_LOCAL: _ClassVar[LabellerKind]

class JudgeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JUDGE_KIND_SIMILARITY: _ClassVar[JudgeKind]
    JUDGE_KIND_CHAT: _ClassVar[JudgeKind]
    JUDGE_KIND_LOCAL: _ClassVar[JudgeKind]
LATENT_ORDER_DOCUMENTS: LatentOrder
LATENT_ORDER_NUMBER: LatentOrder
LABEL_SEARCH_MODE_DEFAULT: LabelSearchMode
LABEL_SEARCH_MODE_MEANING: LabelSearchMode
LABEL_SEARCH_MODE_WORDS: LabelSearchMode
LABELLER_KIND_KEYPHRASE: LabellerKind
LABELLER_KIND_CHAT: LabellerKind
LABELLER_KIND_LOCAL: LabellerKind
JUDGE_KIND_SIMILARITY: JudgeKind
JUDGE_KIND_CHAT: JudgeKind
JUDGE_KIND_LOCAL: JudgeKind

class SplitLatentsRequest(_message.Message):
    __slots__ = ("collection", "to", "latents", "limit", "counterparts", "min_cosine")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    COUNTERPARTS_FIELD_NUMBER: _ClassVar[int]
    MIN_COSINE_FIELD_NUMBER: _ClassVar[int]
    collection: str
    to: str
    latents: _containers.RepeatedScalarFieldContainer[int]
    limit: int
    counterparts: int
    min_cosine: float
    def __init__(self, collection: _Optional[str] = ..., to: _Optional[str] = ..., latents: _Optional[_Iterable[int]] = ..., limit: _Optional[int] = ..., counterparts: _Optional[int] = ..., min_cosine: _Optional[float] = ...) -> None: ...

class SplitLatentsResponse(_message.Message):
    __slots__ = ("latents",)
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    latents: _containers.RepeatedCompositeFieldContainer[SplitLatent]
    def __init__(self, latents: _Optional[_Iterable[_Union[SplitLatent, _Mapping[str, _Any]]]] = ...) -> None: ...

class SplitLatent(_message.Message):
    __slots__ = ("latent", "label", "documents", "counterparts", "low_confidence")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    COUNTERPARTS_FIELD_NUMBER: _ClassVar[int]
    LOW_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    latent: int
    label: str
    documents: int
    counterparts: _containers.RepeatedCompositeFieldContainer[Counterpart]
    low_confidence: bool
    def __init__(self, latent: _Optional[int] = ..., label: _Optional[str] = ..., documents: _Optional[int] = ..., counterparts: _Optional[_Iterable[_Union[Counterpart, _Mapping[str, _Any]]]] = ..., low_confidence: bool = ...) -> None: ...

class Counterpart(_message.Message):
    __slots__ = ("latent", "label", "cosine", "mutual", "documents", "shared", "low_confidence")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    COSINE_FIELD_NUMBER: _ClassVar[int]
    MUTUAL_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    LOW_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    latent: int
    label: str
    cosine: float
    mutual: bool
    documents: int
    shared: int
    low_confidence: bool
    def __init__(self, latent: _Optional[int] = ..., label: _Optional[str] = ..., cosine: _Optional[float] = ..., mutual: bool = ..., documents: _Optional[int] = ..., shared: _Optional[int] = ..., low_confidence: bool = ...) -> None: ...

class ListLatentsRequest(_message.Message):
    __slots__ = ("collection", "label_query", "order", "limit", "offset", "min_recurrence")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    LABEL_QUERY_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    MIN_RECURRENCE_FIELD_NUMBER: _ClassVar[int]
    collection: str
    label_query: str
    order: LatentOrder
    limit: int
    offset: int
    min_recurrence: float
    def __init__(self, collection: _Optional[str] = ..., label_query: _Optional[str] = ..., order: _Optional[_Union[LatentOrder, str]] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ..., min_recurrence: _Optional[float] = ...) -> None: ...

class ListLatentsResponse(_message.Message):
    __slots__ = ("latents", "total")
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    latents: _containers.RepeatedCompositeFieldContainer[LatentSummary]
    total: int
    def __init__(self, latents: _Optional[_Iterable[_Union[LatentSummary, _Mapping[str, _Any]]]] = ..., total: _Optional[int] = ...) -> None: ...

class LatentSummary(_message.Message):
    __slots__ = ("latent", "label", "documents", "density", "mean_activation", "recurrence")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    DENSITY_FIELD_NUMBER: _ClassVar[int]
    MEAN_ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    RECURRENCE_FIELD_NUMBER: _ClassVar[int]
    latent: int
    label: Label
    documents: int
    density: float
    mean_activation: float
    recurrence: float
    def __init__(self, latent: _Optional[int] = ..., label: _Optional[_Union[Label, _Mapping[str, _Any]]] = ..., documents: _Optional[int] = ..., density: _Optional[float] = ..., mean_activation: _Optional[float] = ..., recurrence: _Optional[float] = ...) -> None: ...

class Label(_message.Message):
    __slots__ = ("text", "source", "score", "created", "version", "scores", "low_confidence", "moved_from", "moved_phi")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    LOW_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    MOVED_FROM_FIELD_NUMBER: _ClassVar[int]
    MOVED_PHI_FIELD_NUMBER: _ClassVar[int]
    text: str
    source: str
    score: float
    created: _timestamp_pb2.Timestamp
    version: int
    scores: _containers.RepeatedCompositeFieldContainer[LabelScore]
    low_confidence: bool
    moved_from: str
    moved_phi: float
    def __init__(self, text: _Optional[str] = ..., source: _Optional[str] = ..., score: _Optional[float] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, _Any]]] = ..., version: _Optional[int] = ..., scores: _Optional[_Iterable[_Union[LabelScore, _Mapping[str, _Any]]]] = ..., low_confidence: bool = ..., moved_from: _Optional[str] = ..., moved_phi: _Optional[float] = ...) -> None: ...

class LabelScore(_message.Message):
    __slots__ = ("judge", "pearson", "f1", "positives", "negatives", "created", "low", "high", "same_encoder")
    JUDGE_FIELD_NUMBER: _ClassVar[int]
    PEARSON_FIELD_NUMBER: _ClassVar[int]
    F1_FIELD_NUMBER: _ClassVar[int]
    POSITIVES_FIELD_NUMBER: _ClassVar[int]
    NEGATIVES_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    SAME_ENCODER_FIELD_NUMBER: _ClassVar[int]
    judge: str
    pearson: float
    f1: float
    positives: int
    negatives: int
    created: _timestamp_pb2.Timestamp
    low: float
    high: float
    same_encoder: bool
    def __init__(self, judge: _Optional[str] = ..., pearson: _Optional[float] = ..., f1: _Optional[float] = ..., positives: _Optional[int] = ..., negatives: _Optional[int] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, _Any]]] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., same_encoder: bool = ...) -> None: ...

class GetLatentRequest(_message.Message):
    __slots__ = ("collection", "latent", "documents", "random_documents", "seed", "related")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    LATENT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    RANDOM_DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    RELATED_FIELD_NUMBER: _ClassVar[int]
    collection: str
    latent: int
    documents: int
    random_documents: int
    seed: int
    related: int
    def __init__(self, collection: _Optional[str] = ..., latent: _Optional[int] = ..., documents: _Optional[int] = ..., random_documents: _Optional[int] = ..., seed: _Optional[int] = ..., related: _Optional[int] = ...) -> None: ...

class Latent(_message.Message):
    __slots__ = ("summary", "quantiles", "documents", "labels", "histogram", "random_documents", "nearest", "co_occurring", "attributes")
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    QUANTILES_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    HISTOGRAM_FIELD_NUMBER: _ClassVar[int]
    RANDOM_DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    NEAREST_FIELD_NUMBER: _ClassVar[int]
    CO_OCCURRING_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    summary: LatentSummary
    quantiles: _containers.RepeatedScalarFieldContainer[float]
    documents: _containers.RepeatedCompositeFieldContainer[ActivatingDocument]
    labels: _containers.RepeatedCompositeFieldContainer[Label]
    histogram: Histogram
    random_documents: _containers.RepeatedCompositeFieldContainer[ActivatingDocument]
    nearest: _containers.RepeatedCompositeFieldContainer[RelatedLatent]
    co_occurring: _containers.RepeatedCompositeFieldContainer[RelatedLatent]
    attributes: _containers.RepeatedCompositeFieldContainer[AttributeLift]
    def __init__(self, summary: _Optional[_Union[LatentSummary, _Mapping[str, _Any]]] = ..., quantiles: _Optional[_Iterable[float]] = ..., documents: _Optional[_Iterable[_Union[ActivatingDocument, _Mapping[str, _Any]]]] = ..., labels: _Optional[_Iterable[_Union[Label, _Mapping[str, _Any]]]] = ..., histogram: _Optional[_Union[Histogram, _Mapping[str, _Any]]] = ..., random_documents: _Optional[_Iterable[_Union[ActivatingDocument, _Mapping[str, _Any]]]] = ..., nearest: _Optional[_Iterable[_Union[RelatedLatent, _Mapping[str, _Any]]]] = ..., co_occurring: _Optional[_Iterable[_Union[RelatedLatent, _Mapping[str, _Any]]]] = ..., attributes: _Optional[_Iterable[_Union[AttributeLift, _Mapping[str, _Any]]]] = ...) -> None: ...

class ActivatingDocument(_message.Message):
    __slots__ = ("document", "activation", "span")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    SPAN_FIELD_NUMBER: _ClassVar[int]
    document: _types_pb2.Document
    activation: float
    span: _types_pb2.TextSpan
    def __init__(self, document: _Optional[_Union[_types_pb2.Document, _Mapping[str, _Any]]] = ..., activation: _Optional[float] = ..., span: _Optional[_Union[_types_pb2.TextSpan, _Mapping[str, _Any]]] = ...) -> None: ...

class Histogram(_message.Message):
    __slots__ = ("lower", "width", "counts")
    LOWER_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    lower: float
    width: float
    counts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, lower: _Optional[float] = ..., width: _Optional[float] = ..., counts: _Optional[_Iterable[int]] = ...) -> None: ...

class RelatedLatent(_message.Message):
    __slots__ = ("latent", "label", "score", "documents")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    latent: int
    label: Label
    score: float
    documents: int
    def __init__(self, latent: _Optional[int] = ..., label: _Optional[_Union[Label, _Mapping[str, _Any]]] = ..., score: _Optional[float] = ..., documents: _Optional[int] = ...) -> None: ...

class AttributeLift(_message.Message):
    __slots__ = ("name", "value", "documents", "total", "lift")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    LIFT_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: _types_pb2.Value
    documents: int
    total: int
    lift: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[_Union[_types_pb2.Value, _Mapping[str, _Any]]] = ..., documents: _Optional[int] = ..., total: _Optional[int] = ..., lift: _Optional[float] = ...) -> None: ...

class SetLabelsRequest(_message.Message):
    __slots__ = ("collection", "labels", "sae_sha256")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    SAE_SHA256_FIELD_NUMBER: _ClassVar[int]
    collection: str
    labels: _containers.RepeatedCompositeFieldContainer[LabelEntry]
    sae_sha256: str
    def __init__(self, collection: _Optional[str] = ..., labels: _Optional[_Iterable[_Union[LabelEntry, _Mapping[str, _Any]]]] = ..., sae_sha256: _Optional[str] = ...) -> None: ...

class LabelEntry(_message.Message):
    __slots__ = ("latent", "text", "source", "score", "created")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    latent: int
    text: str
    source: str
    score: float
    created: _timestamp_pb2.Timestamp
    def __init__(self, latent: _Optional[int] = ..., text: _Optional[str] = ..., source: _Optional[str] = ..., score: _Optional[float] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, _Any]]] = ...) -> None: ...

class SetLabelsResponse(_message.Message):
    __slots__ = ("written",)
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    written: int
    def __init__(self, written: _Optional[int] = ...) -> None: ...

class UseLabelRequest(_message.Message):
    __slots__ = ("collection", "latent", "version")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    LATENT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    latent: int
    version: int
    def __init__(self, collection: _Optional[str] = ..., latent: _Optional[int] = ..., version: _Optional[int] = ...) -> None: ...

class ListLabelsRequest(_message.Message):
    __slots__ = ("collection", "all_versions")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    ALL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    all_versions: bool
    def __init__(self, collection: _Optional[str] = ..., all_versions: bool = ...) -> None: ...

class ListLabelsResponse(_message.Message):
    __slots__ = ("labels",)
    LABELS_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.RepeatedCompositeFieldContainer[LatentLabel]
    def __init__(self, labels: _Optional[_Iterable[_Union[LatentLabel, _Mapping[str, _Any]]]] = ...) -> None: ...

class LatentLabel(_message.Message):
    __slots__ = ("latent", "label")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    latent: int
    label: Label
    def __init__(self, latent: _Optional[int] = ..., label: _Optional[_Union[Label, _Mapping[str, _Any]]] = ...) -> None: ...

class SearchLabelsRequest(_message.Message):
    __slots__ = ("collection", "text", "mode", "limit")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    collection: str
    text: str
    mode: LabelSearchMode
    limit: int
    def __init__(self, collection: _Optional[str] = ..., text: _Optional[str] = ..., mode: _Optional[_Union[LabelSearchMode, str]] = ..., limit: _Optional[int] = ...) -> None: ...

class SearchLabelsResponse(_message.Message):
    __slots__ = ("labels", "warnings")
    LABELS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.RepeatedCompositeFieldContainer[FoundLabel]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, labels: _Optional[_Iterable[_Union[FoundLabel, _Mapping[str, _Any]]]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class FoundLabel(_message.Message):
    __slots__ = ("latent", "label", "score", "documents")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    latent: int
    label: Label
    score: float
    documents: int
    def __init__(self, latent: _Optional[int] = ..., label: _Optional[_Union[Label, _Mapping[str, _Any]]] = ..., score: _Optional[float] = ..., documents: _Optional[int] = ...) -> None: ...

class LabelLatentsRequest(_message.Message):
    __slots__ = ("collection", "replace", "labeller", "model", "again", "latents", "limit", "seed", "chat")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    LABELLER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    CHAT_FIELD_NUMBER: _ClassVar[int]
    collection: str
    replace: bool
    labeller: LabellerKind
    model: str
    again: bool
    latents: _containers.RepeatedScalarFieldContainer[int]
    limit: int
    seed: int
    chat: ChatLimits
    def __init__(self, collection: _Optional[str] = ..., replace: bool = ..., labeller: _Optional[_Union[LabellerKind, str]] = ..., model: _Optional[str] = ..., again: bool = ..., latents: _Optional[_Iterable[int]] = ..., limit: _Optional[int] = ..., seed: _Optional[int] = ..., chat: _Optional[_Union[ChatLimits, _Mapping[str, _Any]]] = ...) -> None: ...

class ChatLimits(_message.Message):
    __slots__ = ("concurrency", "requests_per_minute", "tokens")
    CONCURRENCY_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    concurrency: int
    requests_per_minute: int
    tokens: int
    def __init__(self, concurrency: _Optional[int] = ..., requests_per_minute: _Optional[int] = ..., tokens: _Optional[int] = ...) -> None: ...

class LabelLatentsProgress(_message.Message):
    __slots__ = ("done", "total", "written", "passed_over", "labels", "tokens", "unlabelled")
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    PASSED_OVER_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    UNLABELLED_FIELD_NUMBER: _ClassVar[int]
    done: int
    total: int
    written: int
    passed_over: int
    labels: _containers.RepeatedCompositeFieldContainer[LatentLabel]
    tokens: int
    unlabelled: _containers.RepeatedCompositeFieldContainer[UnlabelledLatent]
    def __init__(self, done: _Optional[int] = ..., total: _Optional[int] = ..., written: _Optional[int] = ..., passed_over: _Optional[int] = ..., labels: _Optional[_Iterable[_Union[LatentLabel, _Mapping[str, _Any]]]] = ..., tokens: _Optional[int] = ..., unlabelled: _Optional[_Iterable[_Union[UnlabelledLatent, _Mapping[str, _Any]]]] = ...) -> None: ...

class UnlabelledLatent(_message.Message):
    __slots__ = ("latent", "why")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    latent: int
    why: str
    def __init__(self, latent: _Optional[int] = ..., why: _Optional[str] = ...) -> None: ...

class ScoreLabelsRequest(_message.Message):
    __slots__ = ("collection", "judge", "model", "latents", "sample", "seed", "documents", "chat", "compare", "judge_encoder")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    JUDGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    CHAT_FIELD_NUMBER: _ClassVar[int]
    COMPARE_FIELD_NUMBER: _ClassVar[int]
    JUDGE_ENCODER_FIELD_NUMBER: _ClassVar[int]
    collection: str
    judge: JudgeKind
    model: str
    latents: _containers.RepeatedScalarFieldContainer[int]
    sample: int
    seed: int
    documents: int
    chat: ChatLimits
    compare: bool
    judge_encoder: str
    def __init__(self, collection: _Optional[str] = ..., judge: _Optional[_Union[JudgeKind, str]] = ..., model: _Optional[str] = ..., latents: _Optional[_Iterable[int]] = ..., sample: _Optional[int] = ..., seed: _Optional[int] = ..., documents: _Optional[int] = ..., chat: _Optional[_Union[ChatLimits, _Mapping[str, _Any]]] = ..., compare: bool = ..., judge_encoder: _Optional[str] = ...) -> None: ...

class ScoreLabelsProgress(_message.Message):
    __slots__ = ("done", "total", "scores", "tokens", "summary")
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    done: int
    total: int
    scores: _containers.RepeatedCompositeFieldContainer[ScoredLabel]
    tokens: int
    summary: LabelScoreSummary
    def __init__(self, done: _Optional[int] = ..., total: _Optional[int] = ..., scores: _Optional[_Iterable[_Union[ScoredLabel, _Mapping[str, _Any]]]] = ..., tokens: _Optional[int] = ..., summary: _Optional[_Union[LabelScoreSummary, _Mapping[str, _Any]]] = ...) -> None: ...

class ScoredLabel(_message.Message):
    __slots__ = ("latent", "text", "score", "source")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    latent: int
    text: str
    score: LabelScore
    source: str
    def __init__(self, latent: _Optional[int] = ..., text: _Optional[str] = ..., score: _Optional[_Union[LabelScore, _Mapping[str, _Any]]] = ..., source: _Optional[str] = ...) -> None: ...

class LabelScoreSummary(_message.Message):
    __slots__ = ("scored", "unscored", "median_pearson", "median_f1", "low_confidence", "at_least_03", "at_least_05", "at_least_08")
    SCORED_FIELD_NUMBER: _ClassVar[int]
    UNSCORED_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_PEARSON_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_F1_FIELD_NUMBER: _ClassVar[int]
    LOW_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_03_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_05_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_08_FIELD_NUMBER: _ClassVar[int]
    scored: int
    unscored: int
    median_pearson: float
    median_f1: float
    low_confidence: int
    at_least_03: int
    at_least_05: int
    at_least_08: int
    def __init__(self, scored: _Optional[int] = ..., unscored: _Optional[int] = ..., median_pearson: _Optional[float] = ..., median_f1: _Optional[float] = ..., low_confidence: _Optional[int] = ..., at_least_03: _Optional[int] = ..., at_least_05: _Optional[int] = ..., at_least_08: _Optional[int] = ...) -> None: ...

class FindFamiliesRequest(_message.Message):
    __slots__ = ("collection", "max_density", "min_similarity", "min_members", "rounds", "max_overlap", "min_label_score", "all_shared")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    MAX_DENSITY_FIELD_NUMBER: _ClassVar[int]
    MIN_SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    MIN_MEMBERS_FIELD_NUMBER: _ClassVar[int]
    ROUNDS_FIELD_NUMBER: _ClassVar[int]
    MAX_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    MIN_LABEL_SCORE_FIELD_NUMBER: _ClassVar[int]
    ALL_SHARED_FIELD_NUMBER: _ClassVar[int]
    collection: str
    max_density: float
    min_similarity: float
    min_members: int
    rounds: int
    max_overlap: float
    min_label_score: float
    all_shared: bool
    def __init__(self, collection: _Optional[str] = ..., max_density: _Optional[float] = ..., min_similarity: _Optional[float] = ..., min_members: _Optional[int] = ..., rounds: _Optional[int] = ..., max_overlap: _Optional[float] = ..., min_label_score: _Optional[float] = ..., all_shared: bool = ...) -> None: ...

class ListFamiliesRequest(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    def __init__(self, collection: _Optional[str] = ...) -> None: ...

class FamiliesResponse(_message.Message):
    __slots__ = ("families",)
    FAMILIES_FIELD_NUMBER: _ClassVar[int]
    families: _containers.RepeatedCompositeFieldContainer[Family]
    def __init__(self, families: _Optional[_Iterable[_Union[Family, _Mapping[str, _Any]]]] = ...) -> None: ...

class Family(_message.Message):
    __slots__ = ("root", "label", "members", "score", "documents", "round")
    ROOT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    root: int
    label: str
    members: _containers.RepeatedCompositeFieldContainer[FamilyMember]
    score: float
    documents: int
    round: int
    def __init__(self, root: _Optional[int] = ..., label: _Optional[str] = ..., members: _Optional[_Iterable[_Union[FamilyMember, _Mapping[str, _Any]]]] = ..., score: _Optional[float] = ..., documents: _Optional[int] = ..., round: _Optional[int] = ...) -> None: ...

class FamilyMember(_message.Message):
    __slots__ = ("latent", "label", "below", "depth")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    BELOW_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    latent: int
    label: str
    below: int
    depth: int
    def __init__(self, latent: _Optional[int] = ..., label: _Optional[str] = ..., below: _Optional[int] = ..., depth: _Optional[int] = ...) -> None: ...
