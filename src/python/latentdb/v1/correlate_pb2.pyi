from latentdb.v1 import diff_pb2 as _diff_pb2
from latentdb.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CorrelateRequest(_message.Message):
    __slots__ = ("collection", "filter", "latents", "others", "attribute", "join_by", "other_filter", "active_above", "min_support", "max_density", "min_npmi", "max_p_adjusted", "max_label_similarity", "limit", "exclude_adjacent", "stratify_by", "all", "min_recurrence")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    JOIN_BY_FIELD_NUMBER: _ClassVar[int]
    OTHER_FILTER_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_ABOVE_FIELD_NUMBER: _ClassVar[int]
    MIN_SUPPORT_FIELD_NUMBER: _ClassVar[int]
    MAX_DENSITY_FIELD_NUMBER: _ClassVar[int]
    MIN_NPMI_FIELD_NUMBER: _ClassVar[int]
    MAX_P_ADJUSTED_FIELD_NUMBER: _ClassVar[int]
    MAX_LABEL_SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_ADJACENT_FIELD_NUMBER: _ClassVar[int]
    STRATIFY_BY_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    MIN_RECURRENCE_FIELD_NUMBER: _ClassVar[int]
    collection: str
    filter: _types_pb2.Filter
    latents: _containers.RepeatedScalarFieldContainer[int]
    others: _containers.RepeatedScalarFieldContainer[int]
    attribute: str
    join_by: str
    other_filter: _types_pb2.Filter
    active_above: float
    min_support: int
    max_density: float
    min_npmi: float
    max_p_adjusted: float
    max_label_similarity: float
    limit: int
    exclude_adjacent: bool
    stratify_by: str
    all: bool
    min_recurrence: float
    def __init__(self, collection: _Optional[str] = ..., filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., latents: _Optional[_Iterable[int]] = ..., others: _Optional[_Iterable[int]] = ..., attribute: _Optional[str] = ..., join_by: _Optional[str] = ..., other_filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., active_above: _Optional[float] = ..., min_support: _Optional[int] = ..., max_density: _Optional[float] = ..., min_npmi: _Optional[float] = ..., max_p_adjusted: _Optional[float] = ..., max_label_similarity: _Optional[float] = ..., limit: _Optional[int] = ..., exclude_adjacent: bool = ..., stratify_by: _Optional[str] = ..., all: bool = ..., min_recurrence: _Optional[float] = ...) -> None: ...

class CorrelateResponse(_message.Message):
    __slots__ = ("progress", "summary", "pairs")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    progress: _diff_pb2.AnalysisProgress
    summary: CorrelateSummary
    pairs: CorrelatePairs
    def __init__(self, progress: _Optional[_Union[_diff_pb2.AnalysisProgress, _Mapping[str, _Any]]] = ..., summary: _Optional[_Union[CorrelateSummary, _Mapping[str, _Any]]] = ..., pairs: _Optional[_Union[CorrelatePairs, _Mapping[str, _Any]]] = ...) -> None: ...

class CorrelateSummary(_message.Message):
    __slots__ = ("documents", "tested", "listed", "stopped", "similar_labels", "unpaired", "other_unpaired", "adjacent_pairs", "eligible", "strata", "outside", "warnings")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    TESTED_FIELD_NUMBER: _ClassVar[int]
    LISTED_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    SIMILAR_LABELS_FIELD_NUMBER: _ClassVar[int]
    UNPAIRED_FIELD_NUMBER: _ClassVar[int]
    OTHER_UNPAIRED_FIELD_NUMBER: _ClassVar[int]
    ADJACENT_PAIRS_FIELD_NUMBER: _ClassVar[int]
    ELIGIBLE_FIELD_NUMBER: _ClassVar[int]
    STRATA_FIELD_NUMBER: _ClassVar[int]
    OUTSIDE_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    documents: int
    tested: int
    listed: int
    stopped: _containers.RepeatedScalarFieldContainer[int]
    similar_labels: int
    unpaired: int
    other_unpaired: int
    adjacent_pairs: int
    eligible: int
    strata: int
    outside: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, documents: _Optional[int] = ..., tested: _Optional[int] = ..., listed: _Optional[int] = ..., stopped: _Optional[_Iterable[int]] = ..., similar_labels: _Optional[int] = ..., unpaired: _Optional[int] = ..., other_unpaired: _Optional[int] = ..., adjacent_pairs: _Optional[int] = ..., eligible: _Optional[int] = ..., strata: _Optional[int] = ..., outside: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class CorrelatePairs(_message.Message):
    __slots__ = ("pairs",)
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    pairs: _containers.RepeatedCompositeFieldContainer[CorrelatedPair]
    def __init__(self, pairs: _Optional[_Iterable[_Union[CorrelatedPair, _Mapping[str, _Any]]]] = ...) -> None: ...

class CorrelatedPair(_message.Message):
    __slots__ = ("i", "i_label", "j", "value", "j_label", "count", "i_count", "j_count", "pmi", "npmi", "j_given_i", "i_given_j", "test", "p_value", "p_adjusted", "label_similarity", "i_low_confidence", "j_low_confidence", "adjacent", "npmi_low", "i_recurrence", "j_recurrence")
    I_FIELD_NUMBER: _ClassVar[int]
    I_LABEL_FIELD_NUMBER: _ClassVar[int]
    J_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    J_LABEL_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    I_COUNT_FIELD_NUMBER: _ClassVar[int]
    J_COUNT_FIELD_NUMBER: _ClassVar[int]
    PMI_FIELD_NUMBER: _ClassVar[int]
    NPMI_FIELD_NUMBER: _ClassVar[int]
    J_GIVEN_I_FIELD_NUMBER: _ClassVar[int]
    I_GIVEN_J_FIELD_NUMBER: _ClassVar[int]
    TEST_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    P_ADJUSTED_FIELD_NUMBER: _ClassVar[int]
    LABEL_SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    I_LOW_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    J_LOW_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    ADJACENT_FIELD_NUMBER: _ClassVar[int]
    NPMI_LOW_FIELD_NUMBER: _ClassVar[int]
    I_RECURRENCE_FIELD_NUMBER: _ClassVar[int]
    J_RECURRENCE_FIELD_NUMBER: _ClassVar[int]
    i: int
    i_label: str
    j: int
    value: _types_pb2.Value
    j_label: str
    count: int
    i_count: int
    j_count: int
    pmi: float
    npmi: float
    j_given_i: float
    i_given_j: float
    test: _diff_pb2.StatisticalTest
    p_value: float
    p_adjusted: float
    label_similarity: float
    i_low_confidence: bool
    j_low_confidence: bool
    adjacent: int
    npmi_low: float
    i_recurrence: float
    j_recurrence: float
    def __init__(self, i: _Optional[int] = ..., i_label: _Optional[str] = ..., j: _Optional[int] = ..., value: _Optional[_Union[_types_pb2.Value, _Mapping[str, _Any]]] = ..., j_label: _Optional[str] = ..., count: _Optional[int] = ..., i_count: _Optional[int] = ..., j_count: _Optional[int] = ..., pmi: _Optional[float] = ..., npmi: _Optional[float] = ..., j_given_i: _Optional[float] = ..., i_given_j: _Optional[float] = ..., test: _Optional[_Union[_diff_pb2.StatisticalTest, str]] = ..., p_value: _Optional[float] = ..., p_adjusted: _Optional[float] = ..., label_similarity: _Optional[float] = ..., i_low_confidence: bool = ..., j_low_confidence: bool = ..., adjacent: _Optional[int] = ..., npmi_low: _Optional[float] = ..., i_recurrence: _Optional[float] = ..., j_recurrence: _Optional[float] = ...) -> None: ...
