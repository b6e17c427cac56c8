from latentdb.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class IfExists(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IF_EXISTS_REPLACE: _ClassVar[IfExists]
    IF_EXISTS_SKIP: _ClassVar[IfExists]
    IF_EXISTS_FAIL: _ClassVar[IfExists]
IF_EXISTS_REPLACE: IfExists
IF_EXISTS_SKIP: IfExists
IF_EXISTS_FAIL: IfExists

class UpsertRequest(_message.Message):
    __slots__ = ("collection", "documents", "if_exists", "expected_versions", "chunk", "made_with")
    class ExpectedVersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    IF_EXISTS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    MADE_WITH_FIELD_NUMBER: _ClassVar[int]
    collection: str
    documents: _containers.RepeatedCompositeFieldContainer[_types_pb2.Document]
    if_exists: IfExists
    expected_versions: _containers.ScalarMap[str, str]
    chunk: Chunking
    made_with: _types_pb2.MadeWith
    def __init__(self, collection: _Optional[str] = ..., documents: _Optional[_Iterable[_Union[_types_pb2.Document, _Mapping[str, _Any]]]] = ..., if_exists: _Optional[_Union[IfExists, str]] = ..., expected_versions: _Optional[_Mapping[str, str]] = ..., chunk: _Optional[_Union[Chunking, _Mapping[str, _Any]]] = ..., made_with: _Optional[_Union[_types_pb2.MadeWith, _Mapping[str, _Any]]] = ...) -> None: ...

class Chunking(_message.Message):
    __slots__ = ("tokens", "overlap")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    tokens: int
    overlap: int
    def __init__(self, tokens: _Optional[int] = ..., overlap: _Optional[int] = ...) -> None: ...

class WriteResponse(_message.Message):
    __slots__ = ("sequence", "upserted", "deleted", "existing", "cut_texts")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    UPSERTED_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    EXISTING_FIELD_NUMBER: _ClassVar[int]
    CUT_TEXTS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    upserted: int
    deleted: int
    existing: _containers.RepeatedScalarFieldContainer[str]
    cut_texts: int
    def __init__(self, sequence: _Optional[int] = ..., upserted: _Optional[int] = ..., deleted: _Optional[int] = ..., existing: _Optional[_Iterable[str]] = ..., cut_texts: _Optional[int] = ...) -> None: ...

class IngestRequest(_message.Message):
    __slots__ = ("collection", "documents", "batch", "stream_id", "set_aside", "if_exists", "as_given", "chunk", "made_with")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    SET_ASIDE_FIELD_NUMBER: _ClassVar[int]
    IF_EXISTS_FIELD_NUMBER: _ClassVar[int]
    AS_GIVEN_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    MADE_WITH_FIELD_NUMBER: _ClassVar[int]
    collection: str
    documents: _containers.RepeatedCompositeFieldContainer[_types_pb2.Document]
    batch: int
    stream_id: str
    set_aside: bool
    if_exists: IfExists
    as_given: bool
    chunk: Chunking
    made_with: _types_pb2.MadeWith
    def __init__(self, collection: _Optional[str] = ..., documents: _Optional[_Iterable[_Union[_types_pb2.Document, _Mapping[str, _Any]]]] = ..., batch: _Optional[int] = ..., stream_id: _Optional[str] = ..., set_aside: bool = ..., if_exists: _Optional[_Union[IfExists, str]] = ..., as_given: bool = ..., chunk: _Optional[_Union[Chunking, _Mapping[str, _Any]]] = ..., made_with: _Optional[_Union[_types_pb2.MadeWith, _Mapping[str, _Any]]] = ...) -> None: ...

class IngestResponse(_message.Message):
    __slots__ = ("batch", "sequence", "upserted", "duplicate", "error", "rejected", "existing", "cut_texts")
    BATCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    UPSERTED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    EXISTING_FIELD_NUMBER: _ClassVar[int]
    CUT_TEXTS_FIELD_NUMBER: _ClassVar[int]
    batch: int
    sequence: int
    upserted: int
    duplicate: bool
    error: BatchError
    rejected: _containers.RepeatedCompositeFieldContainer[RejectedDocument]
    existing: _containers.RepeatedScalarFieldContainer[str]
    cut_texts: int
    def __init__(self, batch: _Optional[int] = ..., sequence: _Optional[int] = ..., upserted: _Optional[int] = ..., duplicate: bool = ..., error: _Optional[_Union[BatchError, _Mapping[str, _Any]]] = ..., rejected: _Optional[_Iterable[_Union[RejectedDocument, _Mapping[str, _Any]]]] = ..., existing: _Optional[_Iterable[str]] = ..., cut_texts: _Optional[int] = ...) -> None: ...

class RejectedDocument(_message.Message):
    __slots__ = ("document", "error")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    document: int
    error: BatchError
    def __init__(self, document: _Optional[int] = ..., error: _Optional[_Union[BatchError, _Mapping[str, _Any]]] = ...) -> None: ...

class BatchError(_message.Message):
    __slots__ = ("code", "message", "field")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    field: str
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., field: _Optional[str] = ...) -> None: ...

class UpdateRequest(_message.Message):
    __slots__ = ("collection", "updates", "matching", "expected_versions", "made_with")
    class ExpectedVersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    MATCHING_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    MADE_WITH_FIELD_NUMBER: _ClassVar[int]
    collection: str
    updates: _containers.RepeatedCompositeFieldContainer[DocumentUpdate]
    matching: MatchingUpdate
    expected_versions: _containers.ScalarMap[str, str]
    made_with: _types_pb2.MadeWith
    def __init__(self, collection: _Optional[str] = ..., updates: _Optional[_Iterable[_Union[DocumentUpdate, _Mapping[str, _Any]]]] = ..., matching: _Optional[_Union[MatchingUpdate, _Mapping[str, _Any]]] = ..., expected_versions: _Optional[_Mapping[str, str]] = ..., made_with: _Optional[_Union[_types_pb2.MadeWith, _Mapping[str, _Any]]] = ...) -> None: ...

class DocumentUpdate(_message.Message):
    __slots__ = ("id", "text", "vector", "latents", "set_attributes", "remove_attributes")
    class SetAttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _types_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_types_pb2.Value, _Mapping[str, _Any]]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    SET_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    REMOVE_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    id: str
    text: str
    vector: _types_pb2.Vector
    latents: _types_pb2.Activations
    set_attributes: _containers.MessageMap[str, _types_pb2.Value]
    remove_attributes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., text: _Optional[str] = ..., vector: _Optional[_Union[_types_pb2.Vector, _Mapping[str, _Any]]] = ..., latents: _Optional[_Union[_types_pb2.Activations, _Mapping[str, _Any]]] = ..., set_attributes: _Optional[_Mapping[str, _types_pb2.Value]] = ..., remove_attributes: _Optional[_Iterable[str]] = ...) -> None: ...

class MatchingUpdate(_message.Message):
    __slots__ = ("filter", "set_attributes", "remove_attributes", "ignore_warnings")
    class SetAttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _types_pb2.Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_types_pb2.Value, _Mapping[str, _Any]]] = ...) -> None: ...
    FILTER_FIELD_NUMBER: _ClassVar[int]
    SET_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    REMOVE_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    IGNORE_WARNINGS_FIELD_NUMBER: _ClassVar[int]
    filter: _types_pb2.Filter
    set_attributes: _containers.MessageMap[str, _types_pb2.Value]
    remove_attributes: _containers.RepeatedScalarFieldContainer[str]
    ignore_warnings: bool
    def __init__(self, filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., set_attributes: _Optional[_Mapping[str, _types_pb2.Value]] = ..., remove_attributes: _Optional[_Iterable[str]] = ..., ignore_warnings: bool = ...) -> None: ...

class DeleteRequest(_message.Message):
    __slots__ = ("collection", "ids", "filter", "ignore_warnings", "expected_versions")
    class ExpectedVersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    IGNORE_WARNINGS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    ids: _containers.RepeatedScalarFieldContainer[str]
    filter: _types_pb2.Filter
    ignore_warnings: bool
    expected_versions: _containers.ScalarMap[str, str]
    def __init__(self, collection: _Optional[str] = ..., ids: _Optional[_Iterable[str]] = ..., filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., ignore_warnings: bool = ..., expected_versions: _Optional[_Mapping[str, str]] = ...) -> None: ...

class GetRequest(_message.Message):
    __slots__ = ("collection", "ids", "projection")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    ids: _containers.RepeatedScalarFieldContainer[str]
    projection: _types_pb2.Projection
    def __init__(self, collection: _Optional[str] = ..., ids: _Optional[_Iterable[str]] = ..., projection: _Optional[_Union[_types_pb2.Projection, _Mapping[str, _Any]]] = ...) -> None: ...

class GetResponse(_message.Message):
    __slots__ = ("documents", "missing")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedCompositeFieldContainer[_types_pb2.Document]
    missing: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, documents: _Optional[_Iterable[_Union[_types_pb2.Document, _Mapping[str, _Any]]]] = ..., missing: _Optional[_Iterable[str]] = ...) -> None: ...

class ScrollRequest(_message.Message):
    __slots__ = ("collection", "filter", "projection", "batch_size", "limit", "codes")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    collection: str
    filter: _types_pb2.Filter
    projection: _types_pb2.Projection
    batch_size: int
    limit: int
    codes: bool
    def __init__(self, collection: _Optional[str] = ..., filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., projection: _Optional[_Union[_types_pb2.Projection, _Mapping[str, _Any]]] = ..., batch_size: _Optional[int] = ..., limit: _Optional[int] = ..., codes: bool = ...) -> None: ...

class ScrollResponse(_message.Message):
    __slots__ = ("documents", "warnings")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedCompositeFieldContainer[_types_pb2.Document]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, documents: _Optional[_Iterable[_Union[_types_pb2.Document, _Mapping[str, _Any]]]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...
