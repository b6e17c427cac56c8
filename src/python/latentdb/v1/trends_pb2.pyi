from latentdb.v1 import diff_pb2 as _diff_pb2
from latentdb.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TrendBuckets(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TREND_BUCKETS_VALUES: _ClassVar[TrendBuckets]
    TREND_BUCKETS_DAY: _ClassVar[TrendBuckets]
    TREND_BUCKETS_WEEK: _ClassVar[TrendBuckets]
    TREND_BUCKETS_MONTH: _ClassVar[TrendBuckets]
    TREND_BUCKETS_YEAR: _ClassVar[TrendBuckets]
    TREND_BUCKETS_BINS: _ClassVar[TrendBuckets]
    TREND_BUCKETS_HOUR: _ClassVar[TrendBuckets]
    TREND_BUCKETS_QUARTER: _ClassVar[TrendBuckets]

class TrendDirection(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TREND_DIRECTION_BOTH: _ClassVar[TrendDirection]
    TREND_DIRECTION_RISING: _ClassVar[TrendDirection]
    TREND_DIRECTION_FALLING: _ClassVar[TrendDirection]

class Monotone(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MONOTONE_NO: _ClassVar[Monotone]
    MONOTONE_RISING: _ClassVar[Monotone]
    MONOTONE_FALLING: _ClassVar[Monotone]
TREND_BUCKETS_VALUES: TrendBuckets
TREND_BUCKETS_DAY: TrendBuckets
TREND_BUCKETS_WEEK: TrendBuckets
TREND_BUCKETS_MONTH: TrendBuckets
TREND_BUCKETS_YEAR: TrendBuckets
TREND_BUCKETS_BINS: TrendBuckets
TREND_BUCKETS_HOUR: TrendBuckets
TREND_BUCKETS_QUARTER: TrendBuckets
TREND_DIRECTION_BOTH: TrendDirection
TREND_DIRECTION_RISING: TrendDirection
TREND_DIRECTION_FALLING: TrendDirection
MONOTONE_NO: Monotone
MONOTONE_RISING: Monotone
MONOTONE_FALLING: Monotone

class TrendsRequest(_message.Message):
    __slots__ = ("collection", "filter", "attribute", "buckets", "bins", "sets", "groups", "active_above", "min_support", "direction", "min_change", "max_p_adjusted", "only_monotone", "limit", "all", "min_recurrence")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    BINS_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_ABOVE_FIELD_NUMBER: _ClassVar[int]
    MIN_SUPPORT_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    MIN_CHANGE_FIELD_NUMBER: _ClassVar[int]
    MAX_P_ADJUSTED_FIELD_NUMBER: _ClassVar[int]
    ONLY_MONOTONE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    MIN_RECURRENCE_FIELD_NUMBER: _ClassVar[int]
    collection: str
    filter: _types_pb2.Filter
    attribute: str
    buckets: TrendBuckets
    bins: int
    sets: _containers.RepeatedCompositeFieldContainer[_diff_pb2.NamedSet]
    groups: _containers.RepeatedCompositeFieldContainer[_diff_pb2.LatentGroup]
    active_above: float
    min_support: int
    direction: TrendDirection
    min_change: float
    max_p_adjusted: float
    only_monotone: bool
    limit: int
    all: bool
    min_recurrence: float
    def __init__(self, collection: _Optional[str] = ..., filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., attribute: _Optional[str] = ..., buckets: _Optional[_Union[TrendBuckets, str]] = ..., bins: _Optional[int] = ..., sets: _Optional[_Iterable[_Union[_diff_pb2.NamedSet, _Mapping[str, _Any]]]] = ..., groups: _Optional[_Iterable[_Union[_diff_pb2.LatentGroup, _Mapping[str, _Any]]]] = ..., active_above: _Optional[float] = ..., min_support: _Optional[int] = ..., direction: _Optional[_Union[TrendDirection, str]] = ..., min_change: _Optional[float] = ..., max_p_adjusted: _Optional[float] = ..., only_monotone: bool = ..., limit: _Optional[int] = ..., all: bool = ..., min_recurrence: _Optional[float] = ...) -> None: ...

class TrendsResponse(_message.Message):
    __slots__ = ("progress", "summary", "rows")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    progress: _diff_pb2.AnalysisProgress
    summary: TrendsSummary
    rows: TrendRows
    def __init__(self, progress: _Optional[_Union[_diff_pb2.AnalysisProgress, _Mapping[str, _Any]]] = ..., summary: _Optional[_Union[TrendsSummary, _Mapping[str, _Any]]] = ..., rows: _Optional[_Union[TrendRows, _Mapping[str, _Any]]] = ...) -> None: ...

class TrendsSummary(_message.Message):
    __slots__ = ("buckets", "tested", "passing", "warnings")
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    TESTED_FIELD_NUMBER: _ClassVar[int]
    PASSING_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    buckets: _containers.RepeatedCompositeFieldContainer[TrendBucket]
    tested: int
    passing: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, buckets: _Optional[_Iterable[_Union[TrendBucket, _Mapping[str, _Any]]]] = ..., tested: _Optional[int] = ..., passing: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class TrendBucket(_message.Message):
    __slots__ = ("name", "start", "documents")
    NAME_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    start: _types_pb2.Value
    documents: int
    def __init__(self, name: _Optional[str] = ..., start: _Optional[_Union[_types_pb2.Value, _Mapping[str, _Any]]] = ..., documents: _Optional[int] = ...) -> None: ...

class TrendRows(_message.Message):
    __slots__ = ("rows",)
    ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[TrendRow]
    def __init__(self, rows: _Optional[_Iterable[_Union[TrendRow, _Mapping[str, _Any]]]] = ...) -> None: ...

class TrendRow(_message.Message):
    __slots__ = ("latent", "label", "counts", "slope", "change", "z", "p_value", "p_adjusted", "change_point", "monotone", "low_confidence", "recurrence")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    SLOPE_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    Z_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    P_ADJUSTED_FIELD_NUMBER: _ClassVar[int]
    CHANGE_POINT_FIELD_NUMBER: _ClassVar[int]
    MONOTONE_FIELD_NUMBER: _ClassVar[int]
    LOW_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    RECURRENCE_FIELD_NUMBER: _ClassVar[int]
    latent: int
    label: str
    counts: _containers.RepeatedScalarFieldContainer[int]
    slope: float
    change: float
    z: float
    p_value: float
    p_adjusted: float
    change_point: ChangePoint
    monotone: Monotone
    low_confidence: bool
    recurrence: float
    def __init__(self, latent: _Optional[int] = ..., label: _Optional[str] = ..., counts: _Optional[_Iterable[int]] = ..., slope: _Optional[float] = ..., change: _Optional[float] = ..., z: _Optional[float] = ..., p_value: _Optional[float] = ..., p_adjusted: _Optional[float] = ..., change_point: _Optional[_Union[ChangePoint, _Mapping[str, _Any]]] = ..., monotone: _Optional[_Union[Monotone, str]] = ..., low_confidence: bool = ..., recurrence: _Optional[float] = ...) -> None: ...

class ChangePoint(_message.Message):
    __slots__ = ("bucket", "before", "after", "statistic", "p_value", "p_adjusted")
    BUCKET_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    STATISTIC_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    P_ADJUSTED_FIELD_NUMBER: _ClassVar[int]
    bucket: int
    before: float
    after: float
    statistic: float
    p_value: float
    p_adjusted: float
    def __init__(self, bucket: _Optional[int] = ..., before: _Optional[float] = ..., after: _Optional[float] = ..., statistic: _Optional[float] = ..., p_value: _Optional[float] = ..., p_adjusted: _Optional[float] = ...) -> None: ...
