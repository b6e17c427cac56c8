from latentdb.v1 import diff_pb2 as _diff_pb2
from latentdb.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExplainChoice(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPLAIN_CHOICE_GAIN: _ClassVar[ExplainChoice]
    EXPLAIN_CHOICE_MEANS: _ClassVar[ExplainChoice]

class ExplainForm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPLAIN_FORM_AMOUNTS: _ClassVar[ExplainForm]
    EXPLAIN_FORM_PRESENCE: _ClassVar[ExplainForm]
    EXPLAIN_FORM_PAIRS: _ClassVar[ExplainForm]
EXPLAIN_CHOICE_GAIN: ExplainChoice
EXPLAIN_CHOICE_MEANS: ExplainChoice
EXPLAIN_FORM_AMOUNTS: ExplainForm
EXPLAIN_FORM_PRESENCE: ExplainForm
EXPLAIN_FORM_PAIRS: ExplainForm

class ExplainRequest(_message.Message):
    __slots__ = ("collection", "filter", "target", "latents", "held_out", "split_by", "sample", "seed", "documents", "projection", "target_filter", "choice", "min_recurrence")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    HELD_OUT_FIELD_NUMBER: _ClassVar[int]
    SPLIT_BY_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_FIELD_NUMBER: _ClassVar[int]
    TARGET_FILTER_FIELD_NUMBER: _ClassVar[int]
    CHOICE_FIELD_NUMBER: _ClassVar[int]
    MIN_RECURRENCE_FIELD_NUMBER: _ClassVar[int]
    collection: str
    filter: _types_pb2.Filter
    target: str
    latents: int
    held_out: float
    split_by: str
    sample: int
    seed: int
    documents: int
    projection: _types_pb2.Projection
    target_filter: _types_pb2.Filter
    choice: ExplainChoice
    min_recurrence: float
    def __init__(self, collection: _Optional[str] = ..., filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., target: _Optional[str] = ..., latents: _Optional[int] = ..., held_out: _Optional[float] = ..., split_by: _Optional[str] = ..., sample: _Optional[int] = ..., seed: _Optional[int] = ..., documents: _Optional[int] = ..., projection: _Optional[_Union[_types_pb2.Projection, _Mapping[str, _Any]]] = ..., target_filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., choice: _Optional[_Union[ExplainChoice, str]] = ..., min_recurrence: _Optional[float] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("progress", "summary", "latents")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    progress: _diff_pb2.AnalysisProgress
    summary: ExplainSummary
    latents: ExplainedLatents
    def __init__(self, progress: _Optional[_Union[_diff_pb2.AnalysisProgress, _Mapping[str, _Any]]] = ..., summary: _Optional[_Union[ExplainSummary, _Mapping[str, _Any]]] = ..., latents: _Optional[_Union[ExplainedLatents, _Mapping[str, _Any]]] = ...) -> None: ...

class TargetScore(_message.Message):
    __slots__ = ("r2", "auc", "macro_f1")
    R2_FIELD_NUMBER: _ClassVar[int]
    AUC_FIELD_NUMBER: _ClassVar[int]
    MACRO_F1_FIELD_NUMBER: _ClassVar[int]
    r2: float
    auc: float
    macro_f1: float
    def __init__(self, r2: _Optional[float] = ..., auc: _Optional[float] = ..., macro_f1: _Optional[float] = ...) -> None: ...

class ExplainSummary(_message.Message):
    __slots__ = ("held_out", "dense", "length", "path", "form", "held_out_documents", "discovery_documents", "fitted_documents", "documents_without", "dense_documents", "classes", "pairs", "warnings")
    HELD_OUT_FIELD_NUMBER: _ClassVar[int]
    DENSE_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    HELD_OUT_DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    DISCOVERY_DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    FITTED_DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_WITHOUT_FIELD_NUMBER: _ClassVar[int]
    DENSE_DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    held_out: TargetScore
    dense: TargetScore
    length: TargetScore
    path: _containers.RepeatedCompositeFieldContainer[ExplainPathPoint]
    form: ExplainForm
    held_out_documents: int
    discovery_documents: int
    fitted_documents: int
    documents_without: int
    dense_documents: int
    classes: _containers.RepeatedCompositeFieldContainer[TargetClass]
    pairs: _containers.RepeatedCompositeFieldContainer[ExplainedPair]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, held_out: _Optional[_Union[TargetScore, _Mapping[str, _Any]]] = ..., dense: _Optional[_Union[TargetScore, _Mapping[str, _Any]]] = ..., length: _Optional[_Union[TargetScore, _Mapping[str, _Any]]] = ..., path: _Optional[_Iterable[_Union[ExplainPathPoint, _Mapping[str, _Any]]]] = ..., form: _Optional[_Union[ExplainForm, str]] = ..., held_out_documents: _Optional[int] = ..., discovery_documents: _Optional[int] = ..., fitted_documents: _Optional[int] = ..., documents_without: _Optional[int] = ..., dense_documents: _Optional[int] = ..., classes: _Optional[_Iterable[_Union[TargetClass, _Mapping[str, _Any]]]] = ..., pairs: _Optional[_Iterable[_Union[ExplainedPair, _Mapping[str, _Any]]]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class ExplainPathPoint(_message.Message):
    __slots__ = ("latents", "score", "error")
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    latents: int
    score: TargetScore
    error: float
    def __init__(self, latents: _Optional[int] = ..., score: _Optional[_Union[TargetScore, _Mapping[str, _Any]]] = ..., error: _Optional[float] = ...) -> None: ...

class TargetClass(_message.Message):
    __slots__ = ("value", "documents")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    value: _types_pb2.Value
    documents: int
    def __init__(self, value: _Optional[_Union[_types_pb2.Value, _Mapping[str, _Any]]] = ..., documents: _Optional[int] = ...) -> None: ...

class ExplainedLatents(_message.Message):
    __slots__ = ("latents",)
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    latents: _containers.RepeatedCompositeFieldContainer[ExplainedLatent]
    def __init__(self, latents: _Optional[_Iterable[_Union[ExplainedLatent, _Mapping[str, _Any]]]] = ...) -> None: ...

class ExplainedLatent(_message.Message):
    __slots__ = ("latent", "label", "low_confidence", "alike", "weights", "presence_weights", "effect_class", "effect", "effect_low", "effect_high", "p_value", "p_adjusted", "active_documents", "documents", "recurrence")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    LOW_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    ALIKE_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    EFFECT_CLASS_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    EFFECT_LOW_FIELD_NUMBER: _ClassVar[int]
    EFFECT_HIGH_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    P_ADJUSTED_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    RECURRENCE_FIELD_NUMBER: _ClassVar[int]
    latent: int
    label: str
    low_confidence: bool
    alike: _containers.RepeatedScalarFieldContainer[int]
    weights: _containers.RepeatedScalarFieldContainer[float]
    presence_weights: _containers.RepeatedScalarFieldContainer[float]
    effect_class: int
    effect: float
    effect_low: float
    effect_high: float
    p_value: float
    p_adjusted: float
    active_documents: int
    documents: _containers.RepeatedCompositeFieldContainer[_types_pb2.Document]
    recurrence: float
    def __init__(self, latent: _Optional[int] = ..., label: _Optional[str] = ..., low_confidence: bool = ..., alike: _Optional[_Iterable[int]] = ..., weights: _Optional[_Iterable[float]] = ..., presence_weights: _Optional[_Iterable[float]] = ..., effect_class: _Optional[int] = ..., effect: _Optional[float] = ..., effect_low: _Optional[float] = ..., effect_high: _Optional[float] = ..., p_value: _Optional[float] = ..., p_adjusted: _Optional[float] = ..., active_documents: _Optional[int] = ..., documents: _Optional[_Iterable[_Union[_types_pb2.Document, _Mapping[str, _Any]]]] = ..., recurrence: _Optional[float] = ...) -> None: ...

class ExplainedPair(_message.Message):
    __slots__ = ("first", "second", "weights")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    first: int
    second: int
    weights: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, first: _Optional[int] = ..., second: _Optional[int] = ..., weights: _Optional[_Iterable[float]] = ...) -> None: ...
