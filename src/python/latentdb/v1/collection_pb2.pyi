import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from latentdb.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateCollectionRequest(_message.Message):
    __slots__ = ("name", "encoder", "dimension", "sae", "n_latents", "gate", "reader", "precision", "encoder_settings", "analyzer", "states")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ENCODER_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    SAE_FIELD_NUMBER: _ClassVar[int]
    N_LATENTS_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    ENCODER_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    ANALYZER_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    name: str
    encoder: str
    dimension: int
    sae: str
    n_latents: int
    gate: FitGate
    reader: Reader
    precision: str
    encoder_settings: EncoderSettings
    analyzer: Analyzer
    states: str
    def __init__(self, name: _Optional[str] = ..., encoder: _Optional[str] = ..., dimension: _Optional[int] = ..., sae: _Optional[str] = ..., n_latents: _Optional[int] = ..., gate: _Optional[_Union[FitGate, _Mapping[str, _Any]]] = ..., reader: _Optional[_Union[Reader, _Mapping[str, _Any]]] = ..., precision: _Optional[str] = ..., encoder_settings: _Optional[_Union[EncoderSettings, _Mapping[str, _Any]]] = ..., analyzer: _Optional[_Union[Analyzer, _Mapping[str, _Any]]] = ..., states: _Optional[str] = ...) -> None: ...

class Analyzer(_message.Message):
    __slots__ = ("stemming", "stop_words", "fold_diacritics")
    STEMMING_FIELD_NUMBER: _ClassVar[int]
    STOP_WORDS_FIELD_NUMBER: _ClassVar[int]
    FOLD_DIACRITICS_FIELD_NUMBER: _ClassVar[int]
    stemming: str
    stop_words: str
    fold_diacritics: bool
    def __init__(self, stemming: _Optional[str] = ..., stop_words: _Optional[str] = ..., fold_diacritics: bool = ...) -> None: ...

class FitGate(_message.Message):
    __slots__ = ("fvu_limit", "warn")
    FVU_LIMIT_FIELD_NUMBER: _ClassVar[int]
    WARN_FIELD_NUMBER: _ClassVar[int]
    fvu_limit: float
    warn: bool
    def __init__(self, fvu_limit: _Optional[float] = ..., warn: bool = ...) -> None: ...

class Fit(_message.Message):
    __slots__ = ("vectors", "fvu", "limit", "warn", "own_fvu", "l0", "own_l0")
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    FVU_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    WARN_FIELD_NUMBER: _ClassVar[int]
    OWN_FVU_FIELD_NUMBER: _ClassVar[int]
    L0_FIELD_NUMBER: _ClassVar[int]
    OWN_L0_FIELD_NUMBER: _ClassVar[int]
    vectors: int
    fvu: float
    limit: float
    warn: bool
    own_fvu: float
    l0: float
    own_l0: float
    def __init__(self, vectors: _Optional[int] = ..., fvu: _Optional[float] = ..., limit: _Optional[float] = ..., warn: bool = ..., own_fvu: _Optional[float] = ..., l0: _Optional[float] = ..., own_l0: _Optional[float] = ...) -> None: ...

class Reader(_message.Message):
    __slots__ = ("model", "layer", "chat_template", "window", "stride", "special_tokens", "template_tokens", "prepend_bos", "pooling", "positions")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    CHAT_TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    STRIDE_FIELD_NUMBER: _ClassVar[int]
    SPECIAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PREPEND_BOS_FIELD_NUMBER: _ClassVar[int]
    POOLING_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    model: str
    layer: int
    chat_template: str
    window: int
    stride: int
    special_tokens: bool
    template_tokens: bool
    prepend_bos: bool
    pooling: str
    positions: bool
    def __init__(self, model: _Optional[str] = ..., layer: _Optional[int] = ..., chat_template: _Optional[str] = ..., window: _Optional[int] = ..., stride: _Optional[int] = ..., special_tokens: bool = ..., template_tokens: bool = ..., prepend_bos: bool = ..., pooling: _Optional[str] = ..., positions: bool = ...) -> None: ...

class Collection(_message.Message):
    __slots__ = ("name", "created", "dimension", "encoder", "sae", "n_latents", "documents", "segments", "vectors", "vectors_in_graph", "disk_bytes", "sequence", "fit", "reader", "saes", "attributes", "analyzer", "damage", "aliases", "cut_texts", "graph_progress", "graph_failure")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    ENCODER_FIELD_NUMBER: _ClassVar[int]
    SAE_FIELD_NUMBER: _ClassVar[int]
    N_LATENTS_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    VECTORS_IN_GRAPH_FIELD_NUMBER: _ClassVar[int]
    DISK_BYTES_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FIT_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    SAES_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    ANALYZER_FIELD_NUMBER: _ClassVar[int]
    DAMAGE_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    CUT_TEXTS_FIELD_NUMBER: _ClassVar[int]
    GRAPH_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    GRAPH_FAILURE_FIELD_NUMBER: _ClassVar[int]
    name: str
    created: _timestamp_pb2.Timestamp
    dimension: int
    encoder: EncoderInfo
    sae: SaeInfo
    n_latents: int
    documents: int
    segments: int
    vectors: int
    vectors_in_graph: int
    disk_bytes: int
    sequence: int
    fit: Fit
    reader: ReaderInfo
    saes: _containers.RepeatedCompositeFieldContainer[AttachedSae]
    attributes: _containers.RepeatedCompositeFieldContainer[AttributeInfo]
    analyzer: Analyzer
    damage: str
    aliases: _containers.RepeatedScalarFieldContainer[str]
    cut_texts: int
    graph_progress: float
    graph_failure: str
    def __init__(self, name: _Optional[str] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, _Any]]] = ..., dimension: _Optional[int] = ..., encoder: _Optional[_Union[EncoderInfo, _Mapping[str, _Any]]] = ..., sae: _Optional[_Union[SaeInfo, _Mapping[str, _Any]]] = ..., n_latents: _Optional[int] = ..., documents: _Optional[int] = ..., segments: _Optional[int] = ..., vectors: _Optional[int] = ..., vectors_in_graph: _Optional[int] = ..., disk_bytes: _Optional[int] = ..., sequence: _Optional[int] = ..., fit: _Optional[_Union[Fit, _Mapping[str, _Any]]] = ..., reader: _Optional[_Union[ReaderInfo, _Mapping[str, _Any]]] = ..., saes: _Optional[_Iterable[_Union[AttachedSae, _Mapping[str, _Any]]]] = ..., attributes: _Optional[_Iterable[_Union[AttributeInfo, _Mapping[str, _Any]]]] = ..., analyzer: _Optional[_Union[Analyzer, _Mapping[str, _Any]]] = ..., damage: _Optional[str] = ..., aliases: _Optional[_Iterable[str]] = ..., cut_texts: _Optional[int] = ..., graph_progress: _Optional[float] = ..., graph_failure: _Optional[str] = ...) -> None: ...

class SetAliasRequest(_message.Message):
    __slots__ = ("alias", "collection")
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    alias: str
    collection: str
    def __init__(self, alias: _Optional[str] = ..., collection: _Optional[str] = ...) -> None: ...

class SetAliasResponse(_message.Message):
    __slots__ = ("previous",)
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    previous: str
    def __init__(self, previous: _Optional[str] = ...) -> None: ...

class DropAliasRequest(_message.Message):
    __slots__ = ("alias",)
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    alias: str
    def __init__(self, alias: _Optional[str] = ...) -> None: ...

class DropAliasResponse(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    def __init__(self, collection: _Optional[str] = ...) -> None: ...

class AttributeInfo(_message.Message):
    __slots__ = ("name", "kinds")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    kinds: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., kinds: _Optional[_Iterable[str]] = ...) -> None: ...

class AttachedSae(_message.Message):
    __slots__ = ("name", "sae", "reader", "fit", "latents_bytes", "weights_bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SAE_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    FIT_FIELD_NUMBER: _ClassVar[int]
    LATENTS_BYTES_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    sae: SaeInfo
    reader: ReaderInfo
    fit: Fit
    latents_bytes: int
    weights_bytes: int
    def __init__(self, name: _Optional[str] = ..., sae: _Optional[_Union[SaeInfo, _Mapping[str, _Any]]] = ..., reader: _Optional[_Union[ReaderInfo, _Mapping[str, _Any]]] = ..., fit: _Optional[_Union[Fit, _Mapping[str, _Any]]] = ..., latents_bytes: _Optional[int] = ..., weights_bytes: _Optional[int] = ...) -> None: ...

class ReaderInfo(_message.Message):
    __slots__ = ("model", "sha256", "layer", "width", "chat_template", "window", "stride", "special_tokens", "template_tokens", "prepend_bos", "pooling", "normalisation", "positions", "precision")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    CHAT_TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    STRIDE_FIELD_NUMBER: _ClassVar[int]
    SPECIAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PREPEND_BOS_FIELD_NUMBER: _ClassVar[int]
    POOLING_FIELD_NUMBER: _ClassVar[int]
    NORMALISATION_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    model: str
    sha256: str
    layer: int
    width: int
    chat_template: str
    window: int
    stride: int
    special_tokens: bool
    template_tokens: bool
    prepend_bos: bool
    pooling: str
    normalisation: str
    positions: bool
    precision: str
    def __init__(self, model: _Optional[str] = ..., sha256: _Optional[str] = ..., layer: _Optional[int] = ..., width: _Optional[int] = ..., chat_template: _Optional[str] = ..., window: _Optional[int] = ..., stride: _Optional[int] = ..., special_tokens: bool = ..., template_tokens: bool = ..., prepend_bos: bool = ..., pooling: _Optional[str] = ..., normalisation: _Optional[str] = ..., positions: bool = ..., precision: _Optional[str] = ...) -> None: ...

class EncoderSettings(_message.Message):
    __slots__ = ("query_prompt", "document_prompt", "dimensions", "max_tokens")
    QUERY_PROMPT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_PROMPT_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    query_prompt: str
    document_prompt: str
    dimensions: int
    max_tokens: int
    def __init__(self, query_prompt: _Optional[str] = ..., document_prompt: _Optional[str] = ..., dimensions: _Optional[int] = ..., max_tokens: _Optional[int] = ...) -> None: ...

class EncoderInfo(_message.Message):
    __slots__ = ("model", "sha256", "dimension", "max_tokens", "pooling", "precision", "query_prompt", "document_prompt")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    POOLING_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    QUERY_PROMPT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_PROMPT_FIELD_NUMBER: _ClassVar[int]
    model: str
    sha256: str
    dimension: int
    max_tokens: int
    pooling: str
    precision: str
    query_prompt: str
    document_prompt: str
    def __init__(self, model: _Optional[str] = ..., sha256: _Optional[str] = ..., dimension: _Optional[int] = ..., max_tokens: _Optional[int] = ..., pooling: _Optional[str] = ..., precision: _Optional[str] = ..., query_prompt: _Optional[str] = ..., document_prompt: _Optional[str] = ...) -> None: ...

class SaeInfo(_message.Message):
    __slots__ = ("sha256", "d_in", "n_latents", "k", "architecture", "training", "normalisation", "level", "recurrence")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    D_IN_FIELD_NUMBER: _ClassVar[int]
    N_LATENTS_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    TRAINING_FIELD_NUMBER: _ClassVar[int]
    NORMALISATION_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    RECURRENCE_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    d_in: int
    n_latents: int
    k: int
    architecture: str
    training: str
    normalisation: str
    level: str
    recurrence: SaeRecurrence
    def __init__(self, sha256: _Optional[str] = ..., d_in: _Optional[int] = ..., n_latents: _Optional[int] = ..., k: _Optional[int] = ..., architecture: _Optional[str] = ..., training: _Optional[str] = ..., normalisation: _Optional[str] = ..., level: _Optional[str] = ..., recurrence: _Optional[_Union[SaeRecurrence, _Mapping[str, _Any]]] = ...) -> None: ...

class SaeRecurrence(_message.Message):
    __slots__ = ("seeds", "mean", "recurring")
    SEEDS_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    RECURRING_FIELD_NUMBER: _ClassVar[int]
    seeds: _containers.RepeatedScalarFieldContainer[int]
    mean: float
    recurring: int
    def __init__(self, seeds: _Optional[_Iterable[int]] = ..., mean: _Optional[float] = ..., recurring: _Optional[int] = ...) -> None: ...

class GetCollectionRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListCollectionsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListCollectionsResponse(_message.Message):
    __slots__ = ("collections",)
    COLLECTIONS_FIELD_NUMBER: _ClassVar[int]
    collections: _containers.RepeatedCompositeFieldContainer[Collection]
    def __init__(self, collections: _Optional[_Iterable[_Union[Collection, _Mapping[str, _Any]]]] = ...) -> None: ...

class DropCollectionRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DropCollectionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AttachSaeRequest(_message.Message):
    __slots__ = ("collection", "sae", "gate", "name", "reader", "precision", "states")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    SAE_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    collection: str
    sae: str
    gate: FitGate
    name: str
    reader: Reader
    precision: str
    states: str
    def __init__(self, collection: _Optional[str] = ..., sae: _Optional[str] = ..., gate: _Optional[_Union[FitGate, _Mapping[str, _Any]]] = ..., name: _Optional[str] = ..., reader: _Optional[_Union[Reader, _Mapping[str, _Any]]] = ..., precision: _Optional[str] = ..., states: _Optional[str] = ...) -> None: ...

class DetachSaeRequest(_message.Message):
    __slots__ = ("collection", "name")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    collection: str
    name: str
    def __init__(self, collection: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class AttachSaeProgress(_message.Message):
    __slots__ = ("done", "total", "collection")
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    done: int
    total: int
    collection: Collection
    def __init__(self, done: _Optional[int] = ..., total: _Optional[int] = ..., collection: _Optional[_Union[Collection, _Mapping[str, _Any]]] = ...) -> None: ...

class ExportRecordsRequest(_message.Message):
    __slots__ = ("collection", "definition_only")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_ONLY_FIELD_NUMBER: _ClassVar[int]
    collection: str
    definition_only: bool
    def __init__(self, collection: _Optional[str] = ..., definition_only: bool = ...) -> None: ...

class ExportRecordsResponse(_message.Message):
    __slots__ = ("definition", "records")
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    definition: str
    records: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, definition: _Optional[str] = ..., records: _Optional[_Iterable[str]] = ...) -> None: ...

class RestoreCollectionRequest(_message.Message):
    __slots__ = ("name", "definition", "encoder", "saes")
    class SaesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    ENCODER_FIELD_NUMBER: _ClassVar[int]
    SAES_FIELD_NUMBER: _ClassVar[int]
    name: str
    definition: str
    encoder: str
    saes: _containers.ScalarMap[str, str]
    def __init__(self, name: _Optional[str] = ..., definition: _Optional[str] = ..., encoder: _Optional[str] = ..., saes: _Optional[_Mapping[str, str]] = ...) -> None: ...

class RestoreRecordsRequest(_message.Message):
    __slots__ = ("collection", "records")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    records: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, collection: _Optional[str] = ..., records: _Optional[_Iterable[str]] = ...) -> None: ...

class RestoreRecordsResponse(_message.Message):
    __slots__ = ("written",)
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    written: int
    def __init__(self, written: _Optional[int] = ...) -> None: ...

class SaveSetRequest(_message.Message):
    __slots__ = ("collection", "name", "filter", "frozen")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    FROZEN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    name: str
    filter: _types_pb2.Filter
    frozen: bool
    def __init__(self, collection: _Optional[str] = ..., name: _Optional[str] = ..., filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., frozen: bool = ...) -> None: ...

class SavedSet(_message.Message):
    __slots__ = ("name", "created", "frozen", "documents", "error", "warnings")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    FROZEN_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    name: str
    created: _timestamp_pb2.Timestamp
    frozen: bool
    documents: int
    error: str
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., created: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, _Any]]] = ..., frozen: bool = ..., documents: _Optional[int] = ..., error: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class ListSetsRequest(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    def __init__(self, collection: _Optional[str] = ...) -> None: ...

class ListSetsResponse(_message.Message):
    __slots__ = ("sets",)
    SETS_FIELD_NUMBER: _ClassVar[int]
    sets: _containers.RepeatedCompositeFieldContainer[SavedSet]
    def __init__(self, sets: _Optional[_Iterable[_Union[SavedSet, _Mapping[str, _Any]]]] = ...) -> None: ...

class DropSetRequest(_message.Message):
    __slots__ = ("collection", "name")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    collection: str
    name: str
    def __init__(self, collection: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class DropSetResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
