import builtins as _builtins
import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TextMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TEXT_MODE_ANY: _ClassVar[TextMode]
    TEXT_MODE_ALL: _ClassVar[TextMode]
    TEXT_MODE_PHRASE: _ClassVar[TextMode]
    TEXT_MODE_PREFIX: _ClassVar[TextMode]
    TEXT_MODE_FUZZY: _ClassVar[TextMode]

class SteerUnit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STEER_UNIT_RAW: _ClassVar[SteerUnit]
    STEER_UNIT_P90: _ClassVar[SteerUnit]
TEXT_MODE_ANY: TextMode
TEXT_MODE_ALL: TextMode
TEXT_MODE_PHRASE: TextMode
TEXT_MODE_PREFIX: TextMode
TEXT_MODE_FUZZY: TextMode
STEER_UNIT_RAW: SteerUnit
STEER_UNIT_P90: SteerUnit

class Value(_message.Message):
    __slots__ = ("string", "integer", "float", "boolean", "timestamp", "list")
    STRING_FIELD_NUMBER: _ClassVar[int]
    INTEGER_FIELD_NUMBER: _ClassVar[int]
    FLOAT_FIELD_NUMBER: _ClassVar[int]
    BOOLEAN_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    string: str
    integer: int
    float: _builtins.float
    boolean: bool
    timestamp: _timestamp_pb2.Timestamp
    list: ValueList
    def __init__(self, string: _Optional[str] = ..., integer: _Optional[int] = ..., float: _Optional[_builtins.float] = ..., boolean: bool = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, _Any]]] = ..., list: _Optional[_Union[ValueList, _Mapping[str, _Any]]] = ...) -> None: ...

class ValueList(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[Value]
    def __init__(self, values: _Optional[_Iterable[_Union[Value, _Mapping[str, _Any]]]] = ...) -> None: ...

class Vector(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[_builtins.float]
    def __init__(self, values: _Optional[_Iterable[_builtins.float]] = ...) -> None: ...

class Activation(_message.Message):
    __slots__ = ("latent", "activation")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    latent: int
    activation: _builtins.float
    def __init__(self, latent: _Optional[int] = ..., activation: _Optional[_builtins.float] = ...) -> None: ...

class TextSpan(_message.Message):
    __slots__ = ("token", "start", "end")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    token: int
    start: int
    end: int
    def __init__(self, token: _Optional[int] = ..., start: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class Activations(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[Activation]
    def __init__(self, values: _Optional[_Iterable[_Union[Activation, _Mapping[str, _Any]]]] = ...) -> None: ...

class SaeCodes(_message.Message):
    __slots__ = ("sae", "latents", "positions")
    SAE_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    sae: str
    latents: _containers.RepeatedCompositeFieldContainer[Activation]
    positions: _containers.RepeatedCompositeFieldContainer[LatentPosition]
    def __init__(self, sae: _Optional[str] = ..., latents: _Optional[_Iterable[_Union[Activation, _Mapping[str, _Any]]]] = ..., positions: _Optional[_Iterable[_Union[LatentPosition, _Mapping[str, _Any]]]] = ...) -> None: ...

class CodesBySae(_message.Message):
    __slots__ = ("saes",)
    SAES_FIELD_NUMBER: _ClassVar[int]
    saes: _containers.RepeatedCompositeFieldContainer[SaeCodes]
    def __init__(self, saes: _Optional[_Iterable[_Union[SaeCodes, _Mapping[str, _Any]]]] = ...) -> None: ...

class LatentPosition(_message.Message):
    __slots__ = ("latent", "span")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    SPAN_FIELD_NUMBER: _ClassVar[int]
    latent: int
    span: TextSpan
    def __init__(self, latent: _Optional[int] = ..., span: _Optional[_Union[TextSpan, _Mapping[str, _Any]]] = ...) -> None: ...

class Document(_message.Message):
    __slots__ = ("id", "text", "attributes", "vector", "latents", "version", "codes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Value, _Mapping[str, _Any]]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    id: str
    text: str
    attributes: _containers.MessageMap[str, Value]
    vector: Vector
    latents: Activations
    version: str
    codes: CodesBySae
    def __init__(self, id: _Optional[str] = ..., text: _Optional[str] = ..., attributes: _Optional[_Mapping[str, Value]] = ..., vector: _Optional[_Union[Vector, _Mapping[str, _Any]]] = ..., latents: _Optional[_Union[Activations, _Mapping[str, _Any]]] = ..., version: _Optional[str] = ..., codes: _Optional[_Union[CodesBySae, _Mapping[str, _Any]]] = ...) -> None: ...

class Projection(_message.Message):
    __slots__ = ("text", "attributes", "attribute_names", "vector", "latents", "version")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_NAMES_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    text: bool
    attributes: bool
    attribute_names: _containers.RepeatedScalarFieldContainer[str]
    vector: bool
    latents: bool
    version: bool
    def __init__(self, text: bool = ..., attributes: bool = ..., attribute_names: _Optional[_Iterable[str]] = ..., vector: bool = ..., latents: bool = ..., version: bool = ...) -> None: ...

class Filter(_message.Message):
    __slots__ = ("expression", "all_of", "any_of", "negated", "latent", "attribute", "ids", "text", "saved_set", "all", "through")
    EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    ALL_OF_FIELD_NUMBER: _ClassVar[int]
    ANY_OF_FIELD_NUMBER: _ClassVar[int]
    NEGATED_FIELD_NUMBER: _ClassVar[int]
    LATENT_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SAVED_SET_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    THROUGH_FIELD_NUMBER: _ClassVar[int]
    expression: str
    all_of: FilterList
    any_of: FilterList
    negated: Filter
    latent: LatentFilter
    attribute: AttributeFilter
    ids: IdFilter
    text: TextFilter
    saved_set: str
    all: Everything
    through: ThroughFilter
    def __init__(self, expression: _Optional[str] = ..., all_of: _Optional[_Union[FilterList, _Mapping[str, _Any]]] = ..., any_of: _Optional[_Union[FilterList, _Mapping[str, _Any]]] = ..., negated: _Optional[_Union[Filter, _Mapping[str, _Any]]] = ..., latent: _Optional[_Union[LatentFilter, _Mapping[str, _Any]]] = ..., attribute: _Optional[_Union[AttributeFilter, _Mapping[str, _Any]]] = ..., ids: _Optional[_Union[IdFilter, _Mapping[str, _Any]]] = ..., text: _Optional[_Union[TextFilter, _Mapping[str, _Any]]] = ..., saved_set: _Optional[str] = ..., all: _Optional[_Union[Everything, _Mapping[str, _Any]]] = ..., through: _Optional[_Union[ThroughFilter, _Mapping[str, _Any]]] = ...) -> None: ...

class ThroughFilter(_message.Message):
    __slots__ = ("sae", "filter")
    SAE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    sae: str
    filter: Filter
    def __init__(self, sae: _Optional[str] = ..., filter: _Optional[_Union[Filter, _Mapping[str, _Any]]] = ...) -> None: ...

class Everything(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FilterList(_message.Message):
    __slots__ = ("filters",)
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    filters: _containers.RepeatedCompositeFieldContainer[Filter]
    def __init__(self, filters: _Optional[_Iterable[_Union[Filter, _Mapping[str, _Any]]]] = ...) -> None: ...

class LatentFilter(_message.Message):
    __slots__ = ("latent", "gte", "gt", "lte", "lt")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    GTE_FIELD_NUMBER: _ClassVar[int]
    GT_FIELD_NUMBER: _ClassVar[int]
    LTE_FIELD_NUMBER: _ClassVar[int]
    LT_FIELD_NUMBER: _ClassVar[int]
    latent: int
    gte: _builtins.float
    gt: _builtins.float
    lte: _builtins.float
    lt: _builtins.float
    def __init__(self, latent: _Optional[int] = ..., gte: _Optional[_builtins.float] = ..., gt: _Optional[_builtins.float] = ..., lte: _Optional[_builtins.float] = ..., lt: _Optional[_builtins.float] = ...) -> None: ...

class AttributeFilter(_message.Message):
    __slots__ = ("name", "equals", "one_of", "range", "exists", "like")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EQUALS_FIELD_NUMBER: _ClassVar[int]
    ONE_OF_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    EXISTS_FIELD_NUMBER: _ClassVar[int]
    LIKE_FIELD_NUMBER: _ClassVar[int]
    name: str
    equals: Value
    one_of: ValueList
    range: Range
    exists: Everything
    like: Pattern
    def __init__(self, name: _Optional[str] = ..., equals: _Optional[_Union[Value, _Mapping[str, _Any]]] = ..., one_of: _Optional[_Union[ValueList, _Mapping[str, _Any]]] = ..., range: _Optional[_Union[Range, _Mapping[str, _Any]]] = ..., exists: _Optional[_Union[Everything, _Mapping[str, _Any]]] = ..., like: _Optional[_Union[Pattern, _Mapping[str, _Any]]] = ...) -> None: ...

class Range(_message.Message):
    __slots__ = ("gte", "gt", "lte", "lt")
    GTE_FIELD_NUMBER: _ClassVar[int]
    GT_FIELD_NUMBER: _ClassVar[int]
    LTE_FIELD_NUMBER: _ClassVar[int]
    LT_FIELD_NUMBER: _ClassVar[int]
    gte: Value
    gt: Value
    lte: Value
    lt: Value
    def __init__(self, gte: _Optional[_Union[Value, _Mapping[str, _Any]]] = ..., gt: _Optional[_Union[Value, _Mapping[str, _Any]]] = ..., lte: _Optional[_Union[Value, _Mapping[str, _Any]]] = ..., lt: _Optional[_Union[Value, _Mapping[str, _Any]]] = ...) -> None: ...

class IdFilter(_message.Message):
    __slots__ = ("ids", "range", "like")
    IDS_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    LIKE_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    range: Range
    like: Pattern
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., range: _Optional[_Union[Range, _Mapping[str, _Any]]] = ..., like: _Optional[_Union[Pattern, _Mapping[str, _Any]]] = ...) -> None: ...

class Pattern(_message.Message):
    __slots__ = ("pattern", "ignore_case")
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    IGNORE_CASE_FIELD_NUMBER: _ClassVar[int]
    pattern: str
    ignore_case: bool
    def __init__(self, pattern: _Optional[str] = ..., ignore_case: bool = ...) -> None: ...

class TextFilter(_message.Message):
    __slots__ = ("text", "mode")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    text: str
    mode: TextMode
    def __init__(self, text: _Optional[str] = ..., mode: _Optional[_Union[TextMode, str]] = ...) -> None: ...

class SteerEdit(_message.Message):
    __slots__ = ("latent", "concept", "concept_latents", "family", "examples", "unit", "add", "scale", "set", "zero", "boost")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    CONCEPT_FIELD_NUMBER: _ClassVar[int]
    CONCEPT_LATENTS_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    ADD_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    SET_FIELD_NUMBER: _ClassVar[int]
    ZERO_FIELD_NUMBER: _ClassVar[int]
    BOOST_FIELD_NUMBER: _ClassVar[int]
    latent: int
    concept: str
    concept_latents: int
    family: int
    examples: _containers.RepeatedScalarFieldContainer[str]
    unit: SteerUnit
    add: _builtins.float
    scale: _builtins.float
    set: _builtins.float
    zero: Everything
    boost: _builtins.float
    def __init__(self, latent: _Optional[int] = ..., concept: _Optional[str] = ..., concept_latents: _Optional[int] = ..., family: _Optional[int] = ..., examples: _Optional[_Iterable[str]] = ..., unit: _Optional[_Union[SteerUnit, str]] = ..., add: _Optional[_builtins.float] = ..., scale: _Optional[_builtins.float] = ..., set: _Optional[_builtins.float] = ..., zero: _Optional[_Union[Everything, _Mapping[str, _Any]]] = ..., boost: _Optional[_builtins.float] = ...) -> None: ...

class Steering(_message.Message):
    __slots__ = ("component", "cosine", "residual_norm", "before", "after", "vector", "applied", "inconsistency_before", "inconsistency_after")
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    COSINE_FIELD_NUMBER: _ClassVar[int]
    RESIDUAL_NORM_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    INCONSISTENCY_BEFORE_FIELD_NUMBER: _ClassVar[int]
    INCONSISTENCY_AFTER_FIELD_NUMBER: _ClassVar[int]
    component: str
    cosine: _builtins.float
    residual_norm: _builtins.float
    before: _containers.RepeatedCompositeFieldContainer[Activation]
    after: _containers.RepeatedCompositeFieldContainer[Activation]
    vector: Vector
    applied: _containers.RepeatedCompositeFieldContainer[SteerEdit]
    inconsistency_before: _builtins.float
    inconsistency_after: _builtins.float
    def __init__(self, component: _Optional[str] = ..., cosine: _Optional[_builtins.float] = ..., residual_norm: _Optional[_builtins.float] = ..., before: _Optional[_Iterable[_Union[Activation, _Mapping[str, _Any]]]] = ..., after: _Optional[_Iterable[_Union[Activation, _Mapping[str, _Any]]]] = ..., vector: _Optional[_Union[Vector, _Mapping[str, _Any]]] = ..., applied: _Optional[_Iterable[_Union[SteerEdit, _Mapping[str, _Any]]]] = ..., inconsistency_before: _Optional[_builtins.float] = ..., inconsistency_after: _Optional[_builtins.float] = ...) -> None: ...

class MadeWith(_message.Message):
    __slots__ = ("encoder_sha256", "sae_sha256")
    ENCODER_SHA256_FIELD_NUMBER: _ClassVar[int]
    SAE_SHA256_FIELD_NUMBER: _ClassVar[int]
    encoder_sha256: str
    sae_sha256: str
    def __init__(self, encoder_sha256: _Optional[str] = ..., sae_sha256: _Optional[str] = ...) -> None: ...
