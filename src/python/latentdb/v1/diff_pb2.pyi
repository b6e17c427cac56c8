from latentdb.v1 import latent_pb2 as _latent_pb2
from latentdb.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DiffOverlap(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIFF_OVERLAP_REFUSE: _ClassVar[DiffOverlap]
    DIFF_OVERLAP_DROP: _ClassVar[DiffOverlap]
    DIFF_OVERLAP_KEEP: _ClassVar[DiffOverlap]

class DiffMeasure(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIFF_MEASURE_PREVALENCE: _ClassVar[DiffMeasure]
    DIFF_MEASURE_MEAN_ACTIVATION: _ClassVar[DiffMeasure]

class DiffDirection(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIFF_DIRECTION_BOTH: _ClassVar[DiffDirection]
    DIFF_DIRECTION_MORE_IN_A: _ClassVar[DiffDirection]
    DIFF_DIRECTION_MORE_IN_B: _ClassVar[DiffDirection]

class StatisticalTest(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATISTICAL_TEST_UNTESTED: _ClassVar[StatisticalTest]
    STATISTICAL_TEST_FISHER: _ClassVar[StatisticalTest]
    STATISTICAL_TEST_TWO_PROPORTION: _ClassVar[StatisticalTest]
    STATISTICAL_TEST_WELCH: _ClassVar[StatisticalTest]
    STATISTICAL_TEST_MCNEMAR_EXACT: _ClassVar[StatisticalTest]
    STATISTICAL_TEST_MCNEMAR: _ClassVar[StatisticalTest]
    STATISTICAL_TEST_COCHRAN_MANTEL_HAENSZEL: _ClassVar[StatisticalTest]
    STATISTICAL_TEST_STRATIFIED_EXACT: _ClassVar[StatisticalTest]
    STATISTICAL_TEST_CLUSTER_ROBUST: _ClassVar[StatisticalTest]
DIFF_OVERLAP_REFUSE: DiffOverlap
DIFF_OVERLAP_DROP: DiffOverlap
DIFF_OVERLAP_KEEP: DiffOverlap
DIFF_MEASURE_PREVALENCE: DiffMeasure
DIFF_MEASURE_MEAN_ACTIVATION: DiffMeasure
DIFF_DIRECTION_BOTH: DiffDirection
DIFF_DIRECTION_MORE_IN_A: DiffDirection
DIFF_DIRECTION_MORE_IN_B: DiffDirection
STATISTICAL_TEST_UNTESTED: StatisticalTest
STATISTICAL_TEST_FISHER: StatisticalTest
STATISTICAL_TEST_TWO_PROPORTION: StatisticalTest
STATISTICAL_TEST_WELCH: StatisticalTest
STATISTICAL_TEST_MCNEMAR_EXACT: StatisticalTest
STATISTICAL_TEST_MCNEMAR: StatisticalTest
STATISTICAL_TEST_COCHRAN_MANTEL_HAENSZEL: StatisticalTest
STATISTICAL_TEST_STRATIFIED_EXACT: StatisticalTest
STATISTICAL_TEST_CLUSTER_ROBUST: StatisticalTest

class AnalysisProgress(_message.Message):
    __slots__ = ("done", "total")
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    done: int
    total: int
    def __init__(self, done: _Optional[int] = ..., total: _Optional[int] = ...) -> None: ...

class NamedSet(_message.Message):
    __slots__ = ("name", "filter")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    name: str
    filter: _types_pb2.Filter
    def __init__(self, name: _Optional[str] = ..., filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ...) -> None: ...

class LatentGroup(_message.Message):
    __slots__ = ("name", "latents")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    latents: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, name: _Optional[str] = ..., latents: _Optional[_Iterable[int]] = ...) -> None: ...

class DiffRequest(_message.Message):
    __slots__ = ("collection", "a", "b", "b_collection", "measure", "active_above", "min_support", "confidence", "pair_by", "groups", "all", "min_delta", "direction", "max_p_adjusted", "max_b_share", "limit", "documents", "same_latents", "overlap", "stratify_by", "cluster_by", "confirm", "min_recurrence")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    B_COLLECTION_FIELD_NUMBER: _ClassVar[int]
    MEASURE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_ABOVE_FIELD_NUMBER: _ClassVar[int]
    MIN_SUPPORT_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    PAIR_BY_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    MIN_DELTA_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    MAX_P_ADJUSTED_FIELD_NUMBER: _ClassVar[int]
    MAX_B_SHARE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    SAME_LATENTS_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    STRATIFY_BY_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_BY_FIELD_NUMBER: _ClassVar[int]
    CONFIRM_FIELD_NUMBER: _ClassVar[int]
    MIN_RECURRENCE_FIELD_NUMBER: _ClassVar[int]
    collection: str
    a: _types_pb2.Filter
    b: _containers.RepeatedCompositeFieldContainer[NamedSet]
    b_collection: str
    measure: DiffMeasure
    active_above: float
    min_support: int
    confidence: float
    pair_by: str
    groups: _containers.RepeatedCompositeFieldContainer[LatentGroup]
    all: bool
    min_delta: float
    direction: DiffDirection
    max_p_adjusted: float
    max_b_share: float
    limit: int
    documents: int
    same_latents: bool
    overlap: DiffOverlap
    stratify_by: str
    cluster_by: str
    confirm: float
    min_recurrence: float
    def __init__(self, collection: _Optional[str] = ..., a: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., b: _Optional[_Iterable[_Union[NamedSet, _Mapping[str, _Any]]]] = ..., b_collection: _Optional[str] = ..., measure: _Optional[_Union[DiffMeasure, str]] = ..., active_above: _Optional[float] = ..., min_support: _Optional[int] = ..., confidence: _Optional[float] = ..., pair_by: _Optional[str] = ..., groups: _Optional[_Iterable[_Union[LatentGroup, _Mapping[str, _Any]]]] = ..., all: bool = ..., min_delta: _Optional[float] = ..., direction: _Optional[_Union[DiffDirection, str]] = ..., max_p_adjusted: _Optional[float] = ..., max_b_share: _Optional[float] = ..., limit: _Optional[int] = ..., documents: _Optional[int] = ..., same_latents: bool = ..., overlap: _Optional[_Union[DiffOverlap, str]] = ..., stratify_by: _Optional[str] = ..., cluster_by: _Optional[str] = ..., confirm: _Optional[float] = ..., min_recurrence: _Optional[float] = ...) -> None: ...

class DiffResponse(_message.Message):
    __slots__ = ("progress", "comparison", "rows")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    progress: AnalysisProgress
    comparison: DiffComparison
    rows: DiffRows
    def __init__(self, progress: _Optional[_Union[AnalysisProgress, _Mapping[str, _Any]]] = ..., comparison: _Optional[_Union[DiffComparison, _Mapping[str, _Any]]] = ..., rows: _Optional[_Union[DiffRows, _Mapping[str, _Any]]] = ...) -> None: ...

class DiffComparison(_message.Message):
    __slots__ = ("name", "a_documents", "b_documents", "shared", "a_unpaired", "b_unpaired", "tested", "passing", "found", "groups", "a_outside", "b_outside", "a_median_length", "b_median_length", "warnings")
    NAME_FIELD_NUMBER: _ClassVar[int]
    A_DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    B_DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    A_UNPAIRED_FIELD_NUMBER: _ClassVar[int]
    B_UNPAIRED_FIELD_NUMBER: _ClassVar[int]
    TESTED_FIELD_NUMBER: _ClassVar[int]
    PASSING_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    A_OUTSIDE_FIELD_NUMBER: _ClassVar[int]
    B_OUTSIDE_FIELD_NUMBER: _ClassVar[int]
    A_MEDIAN_LENGTH_FIELD_NUMBER: _ClassVar[int]
    B_MEDIAN_LENGTH_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    name: str
    a_documents: int
    b_documents: int
    shared: int
    a_unpaired: int
    b_unpaired: int
    tested: int
    passing: int
    found: int
    groups: int
    a_outside: int
    b_outside: int
    a_median_length: int
    b_median_length: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., a_documents: _Optional[int] = ..., b_documents: _Optional[int] = ..., shared: _Optional[int] = ..., a_unpaired: _Optional[int] = ..., b_unpaired: _Optional[int] = ..., tested: _Optional[int] = ..., passing: _Optional[int] = ..., found: _Optional[int] = ..., groups: _Optional[int] = ..., a_outside: _Optional[int] = ..., b_outside: _Optional[int] = ..., a_median_length: _Optional[int] = ..., b_median_length: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class DiffRows(_message.Message):
    __slots__ = ("rows",)
    ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[DiffRow]
    def __init__(self, rows: _Optional[_Iterable[_Union[DiffRow, _Mapping[str, _Any]]]] = ...) -> None: ...

class DiffRow(_message.Message):
    __slots__ = ("latent", "label", "a_count", "b_count", "a", "b", "delta", "relative", "low", "high", "only_a", "only_b", "test", "p_value", "p_adjusted", "documents", "low_confidence", "counterparts", "recurrence")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    A_COUNT_FIELD_NUMBER: _ClassVar[int]
    B_COUNT_FIELD_NUMBER: _ClassVar[int]
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    ONLY_A_FIELD_NUMBER: _ClassVar[int]
    ONLY_B_FIELD_NUMBER: _ClassVar[int]
    TEST_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    P_ADJUSTED_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    LOW_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    COUNTERPARTS_FIELD_NUMBER: _ClassVar[int]
    RECURRENCE_FIELD_NUMBER: _ClassVar[int]
    latent: int
    label: str
    a_count: int
    b_count: int
    a: float
    b: float
    delta: float
    relative: float
    low: float
    high: float
    only_a: int
    only_b: int
    test: StatisticalTest
    p_value: float
    p_adjusted: float
    documents: _containers.RepeatedCompositeFieldContainer[_latent_pb2.ActivatingDocument]
    low_confidence: bool
    counterparts: _containers.RepeatedCompositeFieldContainer[_types_pb2.Document]
    recurrence: float
    def __init__(self, latent: _Optional[int] = ..., label: _Optional[str] = ..., a_count: _Optional[int] = ..., b_count: _Optional[int] = ..., a: _Optional[float] = ..., b: _Optional[float] = ..., delta: _Optional[float] = ..., relative: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ..., only_a: _Optional[int] = ..., only_b: _Optional[int] = ..., test: _Optional[_Union[StatisticalTest, str]] = ..., p_value: _Optional[float] = ..., p_adjusted: _Optional[float] = ..., documents: _Optional[_Iterable[_Union[_latent_pb2.ActivatingDocument, _Mapping[str, _Any]]]] = ..., low_confidence: bool = ..., counterparts: _Optional[_Iterable[_Union[_types_pb2.Document, _Mapping[str, _Any]]]] = ..., recurrence: _Optional[float] = ...) -> None: ...
