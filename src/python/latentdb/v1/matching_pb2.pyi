from latentdb.v1 import diff_pb2 as _diff_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecordOfLatents(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECORD_OF_LATENTS_LABEL: _ClassVar[RecordOfLatents]
    RECORD_OF_LATENTS_PRESET: _ClassVar[RecordOfLatents]
    RECORD_OF_LATENTS_SET: _ClassVar[RecordOfLatents]
RECORD_OF_LATENTS_LABEL: RecordOfLatents
RECORD_OF_LATENTS_PRESET: RecordOfLatents
RECORD_OF_LATENTS_SET: RecordOfLatents

class MatchLatentsRequest(_message.Message):
    __slots__ = ("collection", "other", "min_support", "min_phi")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    MIN_SUPPORT_FIELD_NUMBER: _ClassVar[int]
    MIN_PHI_FIELD_NUMBER: _ClassVar[int]
    collection: str
    other: str
    min_support: int
    min_phi: float
    def __init__(self, collection: _Optional[str] = ..., other: _Optional[str] = ..., min_support: _Optional[int] = ..., min_phi: _Optional[float] = ...) -> None: ...

class MoveLatentsRequest(_message.Message):
    __slots__ = ("matching", "labels", "replace", "presets", "sets")
    MATCHING_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    PRESETS_FIELD_NUMBER: _ClassVar[int]
    SETS_FIELD_NUMBER: _ClassVar[int]
    matching: MatchLatentsRequest
    labels: bool
    replace: bool
    presets: bool
    sets: bool
    def __init__(self, matching: _Optional[_Union[MatchLatentsRequest, _Mapping[str, _Any]]] = ..., labels: bool = ..., replace: bool = ..., presets: bool = ..., sets: bool = ...) -> None: ...

class MatchLatentsResponse(_message.Message):
    __slots__ = ("progress", "summary", "latents")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    progress: _diff_pb2.AnalysisProgress
    summary: MatchSummary
    latents: MatchedLatents
    def __init__(self, progress: _Optional[_Union[_diff_pb2.AnalysisProgress, _Mapping[str, _Any]]] = ..., summary: _Optional[_Union[MatchSummary, _Mapping[str, _Any]]] = ..., latents: _Optional[_Union[MatchedLatents, _Mapping[str, _Any]]] = ...) -> None: ...

class MatchSummary(_message.Message):
    __slots__ = ("documents", "active", "other_active", "matched", "mean_phi", "moved", "stayed", "warnings")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    OTHER_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    MATCHED_FIELD_NUMBER: _ClassVar[int]
    MEAN_PHI_FIELD_NUMBER: _ClassVar[int]
    MOVED_FIELD_NUMBER: _ClassVar[int]
    STAYED_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    documents: int
    active: int
    other_active: int
    matched: int
    mean_phi: float
    moved: _containers.RepeatedCompositeFieldContainer[MovedRecord]
    stayed: _containers.RepeatedCompositeFieldContainer[StayedRecord]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, documents: _Optional[int] = ..., active: _Optional[int] = ..., other_active: _Optional[int] = ..., matched: _Optional[int] = ..., mean_phi: _Optional[float] = ..., moved: _Optional[_Iterable[_Union[MovedRecord, _Mapping[str, _Any]]]] = ..., stayed: _Optional[_Iterable[_Union[StayedRecord, _Mapping[str, _Any]]]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class MatchedLatents(_message.Message):
    __slots__ = ("latents",)
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    latents: _containers.RepeatedCompositeFieldContainer[MatchedLatent]
    def __init__(self, latents: _Optional[_Iterable[_Union[MatchedLatent, _Mapping[str, _Any]]]] = ...) -> None: ...

class MatchedLatent(_message.Message):
    __slots__ = ("latent", "label", "documents", "other", "nearest")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    NEAREST_FIELD_NUMBER: _ClassVar[int]
    latent: int
    label: str
    documents: int
    other: LatentCounterpart
    nearest: LatentCounterpart
    def __init__(self, latent: _Optional[int] = ..., label: _Optional[str] = ..., documents: _Optional[int] = ..., other: _Optional[_Union[LatentCounterpart, _Mapping[str, _Any]]] = ..., nearest: _Optional[_Union[LatentCounterpart, _Mapping[str, _Any]]] = ...) -> None: ...

class LatentCounterpart(_message.Message):
    __slots__ = ("latent", "label", "documents", "both", "phi")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    BOTH_FIELD_NUMBER: _ClassVar[int]
    PHI_FIELD_NUMBER: _ClassVar[int]
    latent: int
    label: str
    documents: int
    both: int
    phi: float
    def __init__(self, latent: _Optional[int] = ..., label: _Optional[str] = ..., documents: _Optional[int] = ..., both: _Optional[int] = ..., phi: _Optional[float] = ...) -> None: ...

class MovedRecord(_message.Message):
    __slots__ = ("kind", "name", "to", "phi")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    PHI_FIELD_NUMBER: _ClassVar[int]
    kind: RecordOfLatents
    name: str
    to: str
    phi: float
    def __init__(self, kind: _Optional[_Union[RecordOfLatents, str]] = ..., name: _Optional[str] = ..., to: _Optional[str] = ..., phi: _Optional[float] = ...) -> None: ...

class StayedRecord(_message.Message):
    __slots__ = ("kind", "name", "why")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    kind: RecordOfLatents
    name: str
    why: str
    def __init__(self, kind: _Optional[_Union[RecordOfLatents, str]] = ..., name: _Optional[str] = ..., why: _Optional[str] = ...) -> None: ...
