from latentdb.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CalendarUnit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CALENDAR_UNIT_UNSPECIFIED: _ClassVar[CalendarUnit]
    CALENDAR_UNIT_HOUR: _ClassVar[CalendarUnit]
    CALENDAR_UNIT_DAY: _ClassVar[CalendarUnit]
    CALENDAR_UNIT_WEEK: _ClassVar[CalendarUnit]
    CALENDAR_UNIT_MONTH: _ClassVar[CalendarUnit]
    CALENDAR_UNIT_QUARTER: _ClassVar[CalendarUnit]
    CALENDAR_UNIT_YEAR: _ClassVar[CalendarUnit]
CALENDAR_UNIT_UNSPECIFIED: CalendarUnit
CALENDAR_UNIT_HOUR: CalendarUnit
CALENDAR_UNIT_DAY: CalendarUnit
CALENDAR_UNIT_WEEK: CalendarUnit
CALENDAR_UNIT_MONTH: CalendarUnit
CALENDAR_UNIT_QUARTER: CalendarUnit
CALENDAR_UNIT_YEAR: CalendarUnit

class Facet(_message.Message):
    __slots__ = ("attribute", "latents", "histogram", "statistics", "limit", "then")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    HISTOGRAM_FIELD_NUMBER: _ClassVar[int]
    STATISTICS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    THEN_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    latents: _types_pb2.Everything
    histogram: HistogramFacet
    statistics: StatisticsFacet
    limit: int
    then: Facet
    def __init__(self, attribute: _Optional[str] = ..., latents: _Optional[_Union[_types_pb2.Everything, _Mapping[str, _Any]]] = ..., histogram: _Optional[_Union[HistogramFacet, _Mapping[str, _Any]]] = ..., statistics: _Optional[_Union[StatisticsFacet, _Mapping[str, _Any]]] = ..., limit: _Optional[int] = ..., then: _Optional[_Union[Facet, _Mapping[str, _Any]]] = ...) -> None: ...

class HistogramFacet(_message.Message):
    __slots__ = ("attribute", "width", "calendar", "quantiles")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    CALENDAR_FIELD_NUMBER: _ClassVar[int]
    QUANTILES_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    width: float
    calendar: CalendarUnit
    quantiles: int
    def __init__(self, attribute: _Optional[str] = ..., width: _Optional[float] = ..., calendar: _Optional[_Union[CalendarUnit, str]] = ..., quantiles: _Optional[int] = ...) -> None: ...

class StatisticsFacet(_message.Message):
    __slots__ = ("attribute", "quantiles")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    QUANTILES_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    quantiles: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, attribute: _Optional[str] = ..., quantiles: _Optional[_Iterable[float]] = ...) -> None: ...

class FacetRequest(_message.Message):
    __slots__ = ("collection", "filter", "facets")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    FACETS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    filter: _types_pb2.Filter
    facets: _containers.RepeatedCompositeFieldContainer[Facet]
    def __init__(self, collection: _Optional[str] = ..., filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., facets: _Optional[_Iterable[_Union[Facet, _Mapping[str, _Any]]]] = ...) -> None: ...

class FacetResponse(_message.Message):
    __slots__ = ("facets", "documents", "warnings", "sequence")
    FACETS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    facets: _containers.RepeatedCompositeFieldContainer[FacetResult]
    documents: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    sequence: int
    def __init__(self, facets: _Optional[_Iterable[_Union[FacetResult, _Mapping[str, _Any]]]] = ..., documents: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ..., sequence: _Optional[int] = ...) -> None: ...

class FacetResult(_message.Message):
    __slots__ = ("values", "latents", "buckets", "statistics", "distinct", "documents", "missing")
    VALUES_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    STATISTICS_FIELD_NUMBER: _ClassVar[int]
    DISTINCT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[ValueCount]
    latents: _containers.RepeatedCompositeFieldContainer[LatentCount]
    buckets: _containers.RepeatedCompositeFieldContainer[BucketCount]
    statistics: Statistics
    distinct: int
    documents: int
    missing: int
    def __init__(self, values: _Optional[_Iterable[_Union[ValueCount, _Mapping[str, _Any]]]] = ..., latents: _Optional[_Iterable[_Union[LatentCount, _Mapping[str, _Any]]]] = ..., buckets: _Optional[_Iterable[_Union[BucketCount, _Mapping[str, _Any]]]] = ..., statistics: _Optional[_Union[Statistics, _Mapping[str, _Any]]] = ..., distinct: _Optional[int] = ..., documents: _Optional[int] = ..., missing: _Optional[int] = ...) -> None: ...

class ValueCount(_message.Message):
    __slots__ = ("value", "count", "then")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    THEN_FIELD_NUMBER: _ClassVar[int]
    value: _types_pb2.Value
    count: int
    then: FacetResult
    def __init__(self, value: _Optional[_Union[_types_pb2.Value, _Mapping[str, _Any]]] = ..., count: _Optional[int] = ..., then: _Optional[_Union[FacetResult, _Mapping[str, _Any]]] = ...) -> None: ...

class LatentCount(_message.Message):
    __slots__ = ("latent", "label", "count", "mean_activation", "low_confidence", "then")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    MEAN_ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    LOW_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    THEN_FIELD_NUMBER: _ClassVar[int]
    latent: int
    label: str
    count: int
    mean_activation: float
    low_confidence: bool
    then: FacetResult
    def __init__(self, latent: _Optional[int] = ..., label: _Optional[str] = ..., count: _Optional[int] = ..., mean_activation: _Optional[float] = ..., low_confidence: bool = ..., then: _Optional[_Union[FacetResult, _Mapping[str, _Any]]] = ...) -> None: ...

class BucketCount(_message.Message):
    __slots__ = ("lower", "upper", "count", "then")
    LOWER_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    THEN_FIELD_NUMBER: _ClassVar[int]
    lower: _types_pb2.Value
    upper: _types_pb2.Value
    count: int
    then: FacetResult
    def __init__(self, lower: _Optional[_Union[_types_pb2.Value, _Mapping[str, _Any]]] = ..., upper: _Optional[_Union[_types_pb2.Value, _Mapping[str, _Any]]] = ..., count: _Optional[int] = ..., then: _Optional[_Union[FacetResult, _Mapping[str, _Any]]] = ...) -> None: ...

class Statistics(_message.Message):
    __slots__ = ("values", "min", "max", "mean", "sum", "standard_deviation", "quantiles")
    VALUES_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    SUM_FIELD_NUMBER: _ClassVar[int]
    STANDARD_DEVIATION_FIELD_NUMBER: _ClassVar[int]
    QUANTILES_FIELD_NUMBER: _ClassVar[int]
    values: int
    min: _types_pb2.Value
    max: _types_pb2.Value
    mean: _types_pb2.Value
    sum: _types_pb2.Value
    standard_deviation: float
    quantiles: _containers.RepeatedCompositeFieldContainer[Quantile]
    def __init__(self, values: _Optional[int] = ..., min: _Optional[_Union[_types_pb2.Value, _Mapping[str, _Any]]] = ..., max: _Optional[_Union[_types_pb2.Value, _Mapping[str, _Any]]] = ..., mean: _Optional[_Union[_types_pb2.Value, _Mapping[str, _Any]]] = ..., sum: _Optional[_Union[_types_pb2.Value, _Mapping[str, _Any]]] = ..., standard_deviation: _Optional[float] = ..., quantiles: _Optional[_Iterable[_Union[Quantile, _Mapping[str, _Any]]]] = ...) -> None: ...

class Quantile(_message.Message):
    __slots__ = ("at", "value")
    AT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    at: float
    value: _types_pb2.Value
    def __init__(self, at: _Optional[float] = ..., value: _Optional[_Union[_types_pb2.Value, _Mapping[str, _Any]]] = ...) -> None: ...
