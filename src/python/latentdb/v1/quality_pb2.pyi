from latentdb.v1 import diff_pb2 as _diff_pb2
from latentdb.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class NearDuplicatesRequest(_message.Message):
    __slots__ = ("collection", "filter", "threshold", "active_above", "min_latents", "limit", "projection", "documents")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_ABOVE_FIELD_NUMBER: _ClassVar[int]
    MIN_LATENTS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    filter: _types_pb2.Filter
    threshold: float
    active_above: float
    min_latents: int
    limit: int
    projection: _types_pb2.Projection
    documents: int
    def __init__(self, collection: _Optional[str] = ..., filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., threshold: _Optional[float] = ..., active_above: _Optional[float] = ..., min_latents: _Optional[int] = ..., limit: _Optional[int] = ..., projection: _Optional[_Union[_types_pb2.Projection, _Mapping[str, _Any]]] = ..., documents: _Optional[int] = ...) -> None: ...

class NearDuplicatesResponse(_message.Message):
    __slots__ = ("progress", "summary", "groups")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    progress: _diff_pb2.AnalysisProgress
    summary: NearDuplicatesSummary
    groups: DuplicateGroups
    def __init__(self, progress: _Optional[_Union[_diff_pb2.AnalysisProgress, _Mapping[str, _Any]]] = ..., summary: _Optional[_Union[NearDuplicatesSummary, _Mapping[str, _Any]]] = ..., groups: _Optional[_Union[DuplicateGroups, _Mapping[str, _Any]]] = ...) -> None: ...

class NearDuplicatesSummary(_message.Message):
    __slots__ = ("documents", "left_out", "pairs", "n_groups", "grouped", "warnings")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    N_GROUPS_FIELD_NUMBER: _ClassVar[int]
    GROUPED_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    documents: int
    left_out: int
    pairs: int
    n_groups: int
    grouped: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, documents: _Optional[int] = ..., left_out: _Optional[int] = ..., pairs: _Optional[int] = ..., n_groups: _Optional[int] = ..., grouped: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class DuplicateGroups(_message.Message):
    __slots__ = ("groups",)
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    groups: _containers.RepeatedCompositeFieldContainer[DuplicateGroup]
    def __init__(self, groups: _Optional[_Iterable[_Union[DuplicateGroup, _Mapping[str, _Any]]]] = ...) -> None: ...

class DuplicateGroup(_message.Message):
    __slots__ = ("documents", "size")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedCompositeFieldContainer[Duplicate]
    size: int
    def __init__(self, documents: _Optional[_Iterable[_Union[Duplicate, _Mapping[str, _Any]]]] = ..., size: _Optional[int] = ...) -> None: ...

class Duplicate(_message.Message):
    __slots__ = ("document", "similarity")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    document: _types_pb2.Document
    similarity: float
    def __init__(self, document: _Optional[_Union[_types_pb2.Document, _Mapping[str, _Any]]] = ..., similarity: _Optional[float] = ...) -> None: ...

class PoorlyExplainedRequest(_message.Message):
    __slots__ = ("collection", "filter", "limit", "projection")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    filter: _types_pb2.Filter
    limit: int
    projection: _types_pb2.Projection
    def __init__(self, collection: _Optional[str] = ..., filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., limit: _Optional[int] = ..., projection: _Optional[_Union[_types_pb2.Projection, _Mapping[str, _Any]]] = ...) -> None: ...

class PoorlyExplainedResponse(_message.Message):
    __slots__ = ("progress", "result")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    progress: _diff_pb2.AnalysisProgress
    result: PoorlyExplained
    def __init__(self, progress: _Optional[_Union[_diff_pb2.AnalysisProgress, _Mapping[str, _Any]]] = ..., result: _Optional[_Union[PoorlyExplained, _Mapping[str, _Any]]] = ...) -> None: ...

class PoorlyExplained(_message.Message):
    __slots__ = ("documents", "quantiles", "worst", "warnings")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    QUANTILES_FIELD_NUMBER: _ClassVar[int]
    WORST_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    documents: int
    quantiles: _containers.RepeatedScalarFieldContainer[float]
    worst: _containers.RepeatedCompositeFieldContainer[UnexplainedDocument]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, documents: _Optional[int] = ..., quantiles: _Optional[_Iterable[float]] = ..., worst: _Optional[_Iterable[_Union[UnexplainedDocument, _Mapping[str, _Any]]]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class UnexplainedDocument(_message.Message):
    __slots__ = ("document", "residual_share")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    RESIDUAL_SHARE_FIELD_NUMBER: _ClassVar[int]
    document: _types_pb2.Document
    residual_share: float
    def __init__(self, document: _Optional[_Union[_types_pb2.Document, _Mapping[str, _Any]]] = ..., residual_share: _Optional[float] = ...) -> None: ...
