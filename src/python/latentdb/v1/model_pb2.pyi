from latentdb.v1 import types_pb2 as _types_pb2
from latentdb.v1 import collection_pb2 as _collection_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TextRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEXT_ROLE_UNSPECIFIED: _ClassVar[TextRole]
    TEXT_ROLE_QUERY: _ClassVar[TextRole]
    TEXT_ROLE_DOCUMENT: _ClassVar[TextRole]

class TrainingObjective(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRAINING_OBJECTIVE_RECONSTRUCTION: _ClassVar[TrainingObjective]
    TRAINING_OBJECTIVE_RETRIEVAL: _ClassVar[TrainingObjective]
TEXT_ROLE_UNSPECIFIED: TextRole
TEXT_ROLE_QUERY: TextRole
TEXT_ROLE_DOCUMENT: TextRole
TRAINING_OBJECTIVE_RECONSTRUCTION: TrainingObjective
TRAINING_OBJECTIVE_RETRIEVAL: TrainingObjective

class EncodeTextsRequest(_message.Message):
    __slots__ = ("collection", "model", "texts", "role", "settings")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    model: str
    texts: _containers.RepeatedScalarFieldContainer[str]
    role: TextRole
    settings: _collection_pb2.EncoderSettings
    def __init__(self, collection: _Optional[str] = ..., model: _Optional[str] = ..., texts: _Optional[_Iterable[str]] = ..., role: _Optional[_Union[TextRole, str]] = ..., settings: _Optional[_Union[_collection_pb2.EncoderSettings, _Mapping[str, _Any]]] = ...) -> None: ...

class EncodeTextsResponse(_message.Message):
    __slots__ = ("vectors",)
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    vectors: _containers.RepeatedCompositeFieldContainer[_types_pb2.Vector]
    def __init__(self, vectors: _Optional[_Iterable[_Union[_types_pb2.Vector, _Mapping[str, _Any]]]] = ...) -> None: ...

class EncodeVectorsRequest(_message.Message):
    __slots__ = ("collection", "vectors")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    vectors: _containers.RepeatedCompositeFieldContainer[_types_pb2.Vector]
    def __init__(self, collection: _Optional[str] = ..., vectors: _Optional[_Iterable[_Union[_types_pb2.Vector, _Mapping[str, _Any]]]] = ...) -> None: ...

class EncodeVectorsResponse(_message.Message):
    __slots__ = ("rows",)
    ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[_types_pb2.Activations]
    def __init__(self, rows: _Optional[_Iterable[_Union[_types_pb2.Activations, _Mapping[str, _Any]]]] = ...) -> None: ...

class DecodeLatentsRequest(_message.Message):
    __slots__ = ("collection", "rows")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    rows: _containers.RepeatedCompositeFieldContainer[_types_pb2.Activations]
    def __init__(self, collection: _Optional[str] = ..., rows: _Optional[_Iterable[_Union[_types_pb2.Activations, _Mapping[str, _Any]]]] = ...) -> None: ...

class DecodeLatentsResponse(_message.Message):
    __slots__ = ("vectors",)
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    vectors: _containers.RepeatedCompositeFieldContainer[_types_pb2.Vector]
    def __init__(self, vectors: _Optional[_Iterable[_Union[_types_pb2.Vector, _Mapping[str, _Any]]]] = ...) -> None: ...

class TrainSaeRequest(_message.Message):
    __slots__ = ("collection", "n_latents", "k", "epochs", "seed", "batch_top_k", "matryoshka", "prefixes", "batch_size", "learning_rate", "warm_up", "decay", "held_out", "patience", "seeds", "objective", "query_field", "contrast")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    N_LATENTS_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    BATCH_TOP_K_FIELD_NUMBER: _ClassVar[int]
    MATRYOSHKA_FIELD_NUMBER: _ClassVar[int]
    PREFIXES_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    WARM_UP_FIELD_NUMBER: _ClassVar[int]
    DECAY_FIELD_NUMBER: _ClassVar[int]
    HELD_OUT_FIELD_NUMBER: _ClassVar[int]
    PATIENCE_FIELD_NUMBER: _ClassVar[int]
    SEEDS_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_FIELD_NUMBER: _ClassVar[int]
    CONTRAST_FIELD_NUMBER: _ClassVar[int]
    collection: str
    n_latents: int
    k: int
    epochs: int
    seed: int
    batch_top_k: bool
    matryoshka: bool
    prefixes: _containers.RepeatedScalarFieldContainer[int]
    batch_size: int
    learning_rate: float
    warm_up: float
    decay: float
    held_out: float
    patience: int
    seeds: int
    objective: TrainingObjective
    query_field: str
    contrast: float
    def __init__(self, collection: _Optional[str] = ..., n_latents: _Optional[int] = ..., k: _Optional[int] = ..., epochs: _Optional[int] = ..., seed: _Optional[int] = ..., batch_top_k: bool = ..., matryoshka: bool = ..., prefixes: _Optional[_Iterable[int]] = ..., batch_size: _Optional[int] = ..., learning_rate: _Optional[float] = ..., warm_up: _Optional[float] = ..., decay: _Optional[float] = ..., held_out: _Optional[float] = ..., patience: _Optional[int] = ..., seeds: _Optional[int] = ..., objective: _Optional[_Union[TrainingObjective, str]] = ..., query_field: _Optional[str] = ..., contrast: _Optional[float] = ...) -> None: ...

class TrainSaeProgress(_message.Message):
    __slots__ = ("step", "steps", "examples_per_second", "fvu", "dead", "sae", "quality", "loss", "l0", "epoch", "held_out_fvu", "queries_encoded", "queries")
    STEP_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    FVU_FIELD_NUMBER: _ClassVar[int]
    DEAD_FIELD_NUMBER: _ClassVar[int]
    SAE_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    L0_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HELD_OUT_FVU_FIELD_NUMBER: _ClassVar[int]
    QUERIES_ENCODED_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    step: int
    steps: int
    examples_per_second: float
    fvu: float
    dead: float
    sae: _collection_pb2.SaeInfo
    quality: SaeQuality
    loss: float
    l0: float
    epoch: int
    held_out_fvu: float
    queries_encoded: int
    queries: int
    def __init__(self, step: _Optional[int] = ..., steps: _Optional[int] = ..., examples_per_second: _Optional[float] = ..., fvu: _Optional[float] = ..., dead: _Optional[float] = ..., sae: _Optional[_Union[_collection_pb2.SaeInfo, _Mapping[str, _Any]]] = ..., quality: _Optional[_Union[SaeQuality, _Mapping[str, _Any]]] = ..., loss: _Optional[float] = ..., l0: _Optional[float] = ..., epoch: _Optional[int] = ..., held_out_fvu: _Optional[float] = ..., queries_encoded: _Optional[int] = ..., queries: _Optional[int] = ...) -> None: ...

class SaeQuality(_message.Message):
    __slots__ = ("rows", "fvu", "l0", "dead", "cosine", "density", "encoder_decoder_cosine", "recall")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    FVU_FIELD_NUMBER: _ClassVar[int]
    L0_FIELD_NUMBER: _ClassVar[int]
    DEAD_FIELD_NUMBER: _ClassVar[int]
    COSINE_FIELD_NUMBER: _ClassVar[int]
    DENSITY_FIELD_NUMBER: _ClassVar[int]
    ENCODER_DECODER_COSINE_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    rows: int
    fvu: float
    l0: float
    dead: float
    cosine: float
    density: _containers.RepeatedCompositeFieldContainer[DensityBin]
    encoder_decoder_cosine: Spread
    recall: SaeRecall
    def __init__(self, rows: _Optional[int] = ..., fvu: _Optional[float] = ..., l0: _Optional[float] = ..., dead: _Optional[float] = ..., cosine: _Optional[float] = ..., density: _Optional[_Iterable[_Union[DensityBin, _Mapping[str, _Any]]]] = ..., encoder_decoder_cosine: _Optional[_Union[Spread, _Mapping[str, _Any]]] = ..., recall: _Optional[_Union[SaeRecall, _Mapping[str, _Any]]] = ...) -> None: ...

class DensityBin(_message.Message):
    __slots__ = ("lower", "latents")
    LOWER_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    lower: float
    latents: int
    def __init__(self, lower: _Optional[float] = ..., latents: _Optional[int] = ...) -> None: ...

class Spread(_message.Message):
    __slots__ = ("mean", "p10", "p50", "p90")
    MEAN_FIELD_NUMBER: _ClassVar[int]
    P10_FIELD_NUMBER: _ClassVar[int]
    P50_FIELD_NUMBER: _ClassVar[int]
    P90_FIELD_NUMBER: _ClassVar[int]
    mean: float
    p10: float
    p50: float
    p90: float
    def __init__(self, mean: _Optional[float] = ..., p10: _Optional[float] = ..., p50: _Optional[float] = ..., p90: _Optional[float] = ...) -> None: ...

class SaeRecall(_message.Message):
    __slots__ = ("queries", "rows", "k", "recall")
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    RECALL_FIELD_NUMBER: _ClassVar[int]
    queries: int
    rows: int
    k: int
    recall: float
    def __init__(self, queries: _Optional[int] = ..., rows: _Optional[int] = ..., k: _Optional[int] = ..., recall: _Optional[float] = ...) -> None: ...

class EvaluateSaeRequest(_message.Message):
    __slots__ = ("collection", "sae")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    SAE_FIELD_NUMBER: _ClassVar[int]
    collection: str
    sae: str
    def __init__(self, collection: _Optional[str] = ..., sae: _Optional[str] = ...) -> None: ...

class EvaluateSaeResponse(_message.Message):
    __slots__ = ("sae", "quality")
    SAE_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    sae: _collection_pb2.SaeInfo
    quality: SaeQuality
    def __init__(self, sae: _Optional[_Union[_collection_pb2.SaeInfo, _Mapping[str, _Any]]] = ..., quality: _Optional[_Union[SaeQuality, _Mapping[str, _Any]]] = ...) -> None: ...

class UploadSaeRequest(_message.Message):
    __slots__ = ("file", "content")
    FILE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    file: str
    content: bytes
    def __init__(self, file: _Optional[str] = ..., content: _Optional[bytes] = ...) -> None: ...

class DownloadSaeRequest(_message.Message):
    __slots__ = ("sae",)
    SAE_FIELD_NUMBER: _ClassVar[int]
    sae: str
    def __init__(self, sae: _Optional[str] = ...) -> None: ...

class DownloadSaeResponse(_message.Message):
    __slots__ = ("file", "content")
    FILE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    file: str
    content: bytes
    def __init__(self, file: _Optional[str] = ..., content: _Optional[bytes] = ...) -> None: ...

class GetSaeRequest(_message.Message):
    __slots__ = ("path", "collection")
    PATH_FIELD_NUMBER: _ClassVar[int]
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    path: str
    collection: str
    def __init__(self, path: _Optional[str] = ..., collection: _Optional[str] = ...) -> None: ...
