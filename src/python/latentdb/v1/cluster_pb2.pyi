from latentdb.v1 import diff_pb2 as _diff_pb2
from latentdb.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AxisSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AXIS_SOURCE_BEST: _ClassVar[AxisSource]
    AXIS_SOURCE_LABELS: _ClassVar[AxisSource]
    AXIS_SOURCE_CENTROIDS: _ClassVar[AxisSource]
AXIS_SOURCE_BEST: AxisSource
AXIS_SOURCE_LABELS: AxisSource
AXIS_SOURCE_CENTROIDS: AxisSource

class ClusterRequest(_message.Message):
    __slots__ = ("collection", "filter", "axis", "clusters", "seed", "landmarks", "distinctive", "documents", "projection")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    CLUSTERS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    LANDMARKS_FIELD_NUMBER: _ClassVar[int]
    DISTINCTIVE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    filter: _types_pb2.Filter
    axis: Axis
    clusters: int
    seed: int
    landmarks: int
    distinctive: int
    documents: int
    projection: _types_pb2.Projection
    def __init__(self, collection: _Optional[str] = ..., filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., axis: _Optional[_Union[Axis, _Mapping[str, _Any]]] = ..., clusters: _Optional[int] = ..., seed: _Optional[int] = ..., landmarks: _Optional[int] = ..., distinctive: _Optional[int] = ..., documents: _Optional[int] = ..., projection: _Optional[_Union[_types_pb2.Projection, _Mapping[str, _Any]]] = ...) -> None: ...

class Axis(_message.Message):
    __slots__ = ("texts", "latents", "latents_per_text", "source", "families", "min_recurrence")
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    LATENTS_PER_TEXT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    FAMILIES_FIELD_NUMBER: _ClassVar[int]
    MIN_RECURRENCE_FIELD_NUMBER: _ClassVar[int]
    texts: _containers.RepeatedScalarFieldContainer[str]
    latents: _containers.RepeatedScalarFieldContainer[int]
    latents_per_text: int
    source: AxisSource
    families: _containers.RepeatedScalarFieldContainer[int]
    min_recurrence: float
    def __init__(self, texts: _Optional[_Iterable[str]] = ..., latents: _Optional[_Iterable[int]] = ..., latents_per_text: _Optional[int] = ..., source: _Optional[_Union[AxisSource, str]] = ..., families: _Optional[_Iterable[int]] = ..., min_recurrence: _Optional[float] = ...) -> None: ...

class ClusterResponse(_message.Message):
    __slots__ = ("progress", "summary", "members")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    progress: _diff_pb2.AnalysisProgress
    summary: ClusterSummary
    members: ClusterMembers
    def __init__(self, progress: _Optional[_Union[_diff_pb2.AnalysisProgress, _Mapping[str, _Any]]] = ..., summary: _Optional[_Union[ClusterSummary, _Mapping[str, _Any]]] = ..., members: _Optional[_Union[ClusterMembers, _Mapping[str, _Any]]] = ...) -> None: ...

class ClusterSummary(_message.Message):
    __slots__ = ("clusters", "documents", "uncovered", "unreached", "landmarks", "eigenvalues", "axis", "source", "sequence", "warnings")
    CLUSTERS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    UNCOVERED_FIELD_NUMBER: _ClassVar[int]
    UNREACHED_FIELD_NUMBER: _ClassVar[int]
    LANDMARKS_FIELD_NUMBER: _ClassVar[int]
    EIGENVALUES_FIELD_NUMBER: _ClassVar[int]
    AXIS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    clusters: _containers.RepeatedCompositeFieldContainer[Cluster]
    documents: int
    uncovered: int
    unreached: int
    landmarks: int
    eigenvalues: _containers.RepeatedScalarFieldContainer[float]
    axis: _containers.RepeatedCompositeFieldContainer[AxisLatent]
    source: AxisSource
    sequence: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, clusters: _Optional[_Iterable[_Union[Cluster, _Mapping[str, _Any]]]] = ..., documents: _Optional[int] = ..., uncovered: _Optional[int] = ..., unreached: _Optional[int] = ..., landmarks: _Optional[int] = ..., eigenvalues: _Optional[_Iterable[float]] = ..., axis: _Optional[_Iterable[_Union[AxisLatent, _Mapping[str, _Any]]]] = ..., source: _Optional[_Union[AxisSource, str]] = ..., sequence: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class AxisLatent(_message.Message):
    __slots__ = ("latent", "label", "text", "similarity", "family")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    latent: int
    label: str
    text: int
    similarity: float
    family: int
    def __init__(self, latent: _Optional[int] = ..., label: _Optional[str] = ..., text: _Optional[int] = ..., similarity: _Optional[float] = ..., family: _Optional[int] = ...) -> None: ...

class Cluster(_message.Message):
    __slots__ = ("label", "size", "affinity", "over", "under", "documents")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    AFFINITY_FIELD_NUMBER: _ClassVar[int]
    OVER_FIELD_NUMBER: _ClassVar[int]
    UNDER_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    label: str
    size: int
    affinity: float
    over: _containers.RepeatedCompositeFieldContainer[DistinctiveLatent]
    under: _containers.RepeatedCompositeFieldContainer[DistinctiveLatent]
    documents: _containers.RepeatedCompositeFieldContainer[_types_pb2.Document]
    def __init__(self, label: _Optional[str] = ..., size: _Optional[int] = ..., affinity: _Optional[float] = ..., over: _Optional[_Iterable[_Union[DistinctiveLatent, _Mapping[str, _Any]]]] = ..., under: _Optional[_Iterable[_Union[DistinctiveLatent, _Mapping[str, _Any]]]] = ..., documents: _Optional[_Iterable[_Union[_types_pb2.Document, _Mapping[str, _Any]]]] = ...) -> None: ...

class DistinctiveLatent(_message.Message):
    __slots__ = ("latent", "label", "count", "inside", "outside")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    INSIDE_FIELD_NUMBER: _ClassVar[int]
    OUTSIDE_FIELD_NUMBER: _ClassVar[int]
    latent: int
    label: str
    count: int
    inside: float
    outside: float
    def __init__(self, latent: _Optional[int] = ..., label: _Optional[str] = ..., count: _Optional[int] = ..., inside: _Optional[float] = ..., outside: _Optional[float] = ...) -> None: ...

class ClusterMembers(_message.Message):
    __slots__ = ("members",)
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    members: _containers.RepeatedCompositeFieldContainer[ClusterMember]
    def __init__(self, members: _Optional[_Iterable[_Union[ClusterMember, _Mapping[str, _Any]]]] = ...) -> None: ...

class ClusterMember(_message.Message):
    __slots__ = ("id", "cluster", "affinity", "x", "y")
    ID_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    AFFINITY_FIELD_NUMBER: _ClassVar[int]
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    id: str
    cluster: int
    affinity: float
    x: float
    y: float
    def __init__(self, id: _Optional[str] = ..., cluster: _Optional[int] = ..., affinity: _Optional[float] = ..., x: _Optional[float] = ..., y: _Optional[float] = ...) -> None: ...
