import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from latentdb.v1 import search_pb2 as _search_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ServerInfo(_message.Message):
    __slots__ = ("version", "uptime_seconds", "collections", "resident_bytes", "limits", "slow_searches")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    UPTIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    COLLECTIONS_FIELD_NUMBER: _ClassVar[int]
    RESIDENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    SLOW_SEARCHES_FIELD_NUMBER: _ClassVar[int]
    version: str
    uptime_seconds: int
    collections: int
    resident_bytes: int
    limits: Limits
    slow_searches: _containers.RepeatedCompositeFieldContainer[SlowSearch]
    def __init__(self, version: _Optional[str] = ..., uptime_seconds: _Optional[int] = ..., collections: _Optional[int] = ..., resident_bytes: _Optional[int] = ..., limits: _Optional[_Union[Limits, _Mapping[str, _Any]]] = ..., slow_searches: _Optional[_Iterable[_Union[SlowSearch, _Mapping[str, _Any]]]] = ...) -> None: ...

class SlowSearch(_message.Message):
    __slots__ = ("collection", "ended", "explanation")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    ended: _timestamp_pb2.Timestamp
    explanation: _search_pb2.Explanation
    def __init__(self, collection: _Optional[str] = ..., ended: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, _Any]]] = ..., explanation: _Optional[_Union[_search_pb2.Explanation, _Mapping[str, _Any]]] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_batch_documents", "max_message_bytes", "max_text_bytes", "max_id_bytes", "max_hits", "max_page")
    MAX_BATCH_DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_TEXT_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_ID_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_HITS_FIELD_NUMBER: _ClassVar[int]
    MAX_PAGE_FIELD_NUMBER: _ClassVar[int]
    max_batch_documents: int
    max_message_bytes: int
    max_text_bytes: int
    max_id_bytes: int
    max_hits: int
    max_page: int
    def __init__(self, max_batch_documents: _Optional[int] = ..., max_message_bytes: _Optional[int] = ..., max_text_bytes: _Optional[int] = ..., max_id_bytes: _Optional[int] = ..., max_hits: _Optional[int] = ..., max_page: _Optional[int] = ...) -> None: ...

class OptimizeRequest(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    def __init__(self, collection: _Optional[str] = ...) -> None: ...

class OptimizeResponse(_message.Message):
    __slots__ = ("segments",)
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    segments: int
    def __init__(self, segments: _Optional[int] = ...) -> None: ...
