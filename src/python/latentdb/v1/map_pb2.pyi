import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from latentdb.v1 import cluster_pb2 as _cluster_pb2
from latentdb.v1 import diff_pb2 as _diff_pb2
from latentdb.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MapSpace(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MAP_SPACE_VECTORS: _ClassVar[MapSpace]
    MAP_SPACE_LATENTS: _ClassVar[MapSpace]

class MapLayout(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MAP_LAYOUT_TSNE: _ClassVar[MapLayout]
    MAP_LAYOUT_PCA: _ClassVar[MapLayout]
    MAP_LAYOUT_AXIS: _ClassVar[MapLayout]
MAP_SPACE_VECTORS: MapSpace
MAP_SPACE_LATENTS: MapSpace
MAP_LAYOUT_TSNE: MapLayout
MAP_LAYOUT_PCA: MapLayout
MAP_LAYOUT_AXIS: MapLayout

class DocumentMap(_message.Message):
    __slots__ = ("name", "space", "layout", "documents", "laid_out", "created", "sequence", "left_out")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    LAID_OUT_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    name: str
    space: MapSpace
    layout: MapLayout
    documents: int
    laid_out: int
    created: _timestamp_pb2.Timestamp
    sequence: int
    left_out: int
    def __init__(self, name: _Optional[str] = ..., space: _Optional[_Union[MapSpace, str]] = ..., layout: _Optional[_Union[MapLayout, str]] = ..., documents: _Optional[int] = ..., laid_out: _Optional[int] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, _Any]]] = ..., sequence: _Optional[int] = ..., left_out: _Optional[int] = ...) -> None: ...

class MakeMapRequest(_message.Message):
    __slots__ = ("collection", "name", "filter", "space", "layout", "sample", "perplexity", "seed", "axis")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    PERPLEXITY_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    name: str
    filter: _types_pb2.Filter
    space: MapSpace
    layout: MapLayout
    sample: int
    perplexity: float
    seed: int
    axis: _cluster_pb2.Axis
    def __init__(self, collection: _Optional[str] = ..., name: _Optional[str] = ..., filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., space: _Optional[_Union[MapSpace, str]] = ..., layout: _Optional[_Union[MapLayout, str]] = ..., sample: _Optional[int] = ..., perplexity: _Optional[float] = ..., seed: _Optional[int] = ..., axis: _Optional[_Union[_cluster_pb2.Axis, _Mapping[str, _Any]]] = ...) -> None: ...

class MakeMapResponse(_message.Message):
    __slots__ = ("progress", "map")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    MAP_FIELD_NUMBER: _ClassVar[int]
    progress: _diff_pb2.AnalysisProgress
    map: DocumentMap
    def __init__(self, progress: _Optional[_Union[_diff_pb2.AnalysisProgress, _Mapping[str, _Any]]] = ..., map: _Optional[_Union[DocumentMap, _Mapping[str, _Any]]] = ...) -> None: ...

class ListMapsRequest(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    def __init__(self, collection: _Optional[str] = ...) -> None: ...

class ListMapsResponse(_message.Message):
    __slots__ = ("maps",)
    MAPS_FIELD_NUMBER: _ClassVar[int]
    maps: _containers.RepeatedCompositeFieldContainer[DocumentMap]
    def __init__(self, maps: _Optional[_Iterable[_Union[DocumentMap, _Mapping[str, _Any]]]] = ...) -> None: ...

class DropMapRequest(_message.Message):
    __slots__ = ("collection", "name")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    collection: str
    name: str
    def __init__(self, collection: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class DropMapResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReadMapRequest(_message.Message):
    __slots__ = ("collection", "name", "attribute", "latent", "filter", "ids")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    LATENT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    name: str
    attribute: str
    latent: int
    filter: _types_pb2.Filter
    ids: bool
    def __init__(self, collection: _Optional[str] = ..., name: _Optional[str] = ..., attribute: _Optional[str] = ..., latent: _Optional[int] = ..., filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., ids: bool = ...) -> None: ...

class ReadMapResponse(_message.Message):
    __slots__ = ("head", "points", "progress")
    HEAD_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    head: MapHead
    points: MapPoints
    progress: _diff_pb2.AnalysisProgress
    def __init__(self, head: _Optional[_Union[MapHead, _Mapping[str, _Any]]] = ..., points: _Optional[_Union[MapPoints, _Mapping[str, _Any]]] = ..., progress: _Optional[_Union[_diff_pb2.AnalysisProgress, _Mapping[str, _Any]]] = ...) -> None: ...

class MapHead(_message.Message):
    __slots__ = ("map", "points", "categories", "times", "warnings")
    MAP_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    map: DocumentMap
    points: int
    categories: _containers.RepeatedScalarFieldContainer[str]
    times: bool
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, map: _Optional[_Union[DocumentMap, _Mapping[str, _Any]]] = ..., points: _Optional[int] = ..., categories: _Optional[_Iterable[str]] = ..., times: bool = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class MapPoints(_message.Message):
    __slots__ = ("x", "y", "values", "marked", "ids")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    MARKED_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    x: _containers.RepeatedScalarFieldContainer[float]
    y: _containers.RepeatedScalarFieldContainer[float]
    values: _containers.RepeatedScalarFieldContainer[float]
    marked: _containers.RepeatedScalarFieldContainer[bool]
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, x: _Optional[_Iterable[float]] = ..., y: _Optional[_Iterable[float]] = ..., values: _Optional[_Iterable[float]] = ..., marked: _Optional[_Iterable[bool]] = ..., ids: _Optional[_Iterable[str]] = ...) -> None: ...
