from latentdb.v1 import facet_pb2 as _facet_pb2
from latentdb.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SelectorKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SELECTOR_KIND_CHAT: _ClassVar[SelectorKind]
    SELECTOR_KIND_LOCAL: _ClassVar[SelectorKind]

class PropertySelection(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROPERTY_SELECTION_CENTROIDS: _ClassVar[PropertySelection]
    PROPERTY_SELECTION_LABELS: _ClassVar[PropertySelection]
    PROPERTY_SELECTION_BOTH: _ClassVar[PropertySelection]

class PropertyScorer(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROPERTY_SCORER_RANKS: _ClassVar[PropertyScorer]
    PROPERTY_SCORER_BM25: _ClassVar[PropertyScorer]
    PROPERTY_SCORER_DOT: _ClassVar[PropertyScorer]

class ActivationScale(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTIVATION_SCALE_RAW: _ClassVar[ActivationScale]
    ACTIVATION_SCALE_P90: _ClassVar[ActivationScale]

class FusionMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FUSION_METHOD_RECIPROCAL_RANK: _ClassVar[FusionMethod]
    FUSION_METHOD_MIN_MAX: _ClassVar[FusionMethod]
    FUSION_METHOD_DISTRIBUTION: _ClassVar[FusionMethod]
    FUSION_METHOD_LINEAR: _ClassVar[FusionMethod]
    FUSION_METHOD_STANDARD: _ClassVar[FusionMethod]
SELECTOR_KIND_CHAT: SelectorKind
SELECTOR_KIND_LOCAL: SelectorKind
PROPERTY_SELECTION_CENTROIDS: PropertySelection
PROPERTY_SELECTION_LABELS: PropertySelection
PROPERTY_SELECTION_BOTH: PropertySelection
PROPERTY_SCORER_RANKS: PropertyScorer
PROPERTY_SCORER_BM25: PropertyScorer
PROPERTY_SCORER_DOT: PropertyScorer
ACTIVATION_SCALE_RAW: ActivationScale
ACTIVATION_SCALE_P90: ActivationScale
FUSION_METHOD_RECIPROCAL_RANK: FusionMethod
FUSION_METHOD_MIN_MAX: FusionMethod
FUSION_METHOD_DISTRIBUTION: FusionMethod
FUSION_METHOD_LINEAR: FusionMethod
FUSION_METHOD_STANDARD: FusionMethod

class Query(_message.Message):
    __slots__ = ("nearest", "latents", "text", "fusion", "excluding", "matching", "property", "filter", "name")
    NEAREST_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FUSION_FIELD_NUMBER: _ClassVar[int]
    EXCLUDING_FIELD_NUMBER: _ClassVar[int]
    MATCHING_FIELD_NUMBER: _ClassVar[int]
    PROPERTY_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    nearest: NearestQuery
    latents: LatentsQuery
    text: TextQuery
    fusion: FusionQuery
    excluding: ExceptQuery
    matching: MatchingQuery
    property: PropertyQuery
    filter: _types_pb2.Filter
    name: str
    def __init__(self, nearest: _Optional[_Union[NearestQuery, _Mapping[str, _Any]]] = ..., latents: _Optional[_Union[LatentsQuery, _Mapping[str, _Any]]] = ..., text: _Optional[_Union[TextQuery, _Mapping[str, _Any]]] = ..., fusion: _Optional[_Union[FusionQuery, _Mapping[str, _Any]]] = ..., excluding: _Optional[_Union[ExceptQuery, _Mapping[str, _Any]]] = ..., matching: _Optional[_Union[MatchingQuery, _Mapping[str, _Any]]] = ..., property: _Optional[_Union[PropertyQuery, _Mapping[str, _Any]]] = ..., filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., name: _Optional[str] = ...) -> None: ...

class NearestQuery(_message.Message):
    __slots__ = ("text", "vector", "document", "steer", "exact", "ef", "presets", "consistent_steps")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    STEER_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    EF_FIELD_NUMBER: _ClassVar[int]
    PRESETS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENT_STEPS_FIELD_NUMBER: _ClassVar[int]
    text: str
    vector: _types_pb2.Vector
    document: str
    steer: _containers.RepeatedCompositeFieldContainer[_types_pb2.SteerEdit]
    exact: bool
    ef: int
    presets: _containers.RepeatedCompositeFieldContainer[PresetUse]
    consistent_steps: int
    def __init__(self, text: _Optional[str] = ..., vector: _Optional[_Union[_types_pb2.Vector, _Mapping[str, _Any]]] = ..., document: _Optional[str] = ..., steer: _Optional[_Iterable[_Union[_types_pb2.SteerEdit, _Mapping[str, _Any]]]] = ..., exact: bool = ..., ef: _Optional[int] = ..., presets: _Optional[_Iterable[_Union[PresetUse, _Mapping[str, _Any]]]] = ..., consistent_steps: _Optional[int] = ...) -> None: ...

class PresetUse(_message.Message):
    __slots__ = ("name", "strength")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    name: str
    strength: float
    def __init__(self, name: _Optional[str] = ..., strength: _Optional[float] = ...) -> None: ...

class PropertyQuery(_message.Message):
    __slots__ = ("text", "own_latents_of", "examples", "selection", "candidates", "kept", "temperature", "scorer", "k1", "b", "selector")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    OWN_LATENTS_OF_FIELD_NUMBER: _ClassVar[int]
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    SCORER_FIELD_NUMBER: _ClassVar[int]
    K1_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    text: str
    own_latents_of: str
    examples: PropertyExamples
    selection: PropertySelection
    candidates: int
    kept: int
    temperature: float
    scorer: PropertyScorer
    k1: float
    b: float
    selector: LatentSelector
    def __init__(self, text: _Optional[str] = ..., own_latents_of: _Optional[str] = ..., examples: _Optional[_Union[PropertyExamples, _Mapping[str, _Any]]] = ..., selection: _Optional[_Union[PropertySelection, str]] = ..., candidates: _Optional[int] = ..., kept: _Optional[int] = ..., temperature: _Optional[float] = ..., scorer: _Optional[_Union[PropertyScorer, str]] = ..., k1: _Optional[float] = ..., b: _Optional[float] = ..., selector: _Optional[_Union[LatentSelector, _Mapping[str, _Any]]] = ...) -> None: ...

class LatentSelector(_message.Message):
    __slots__ = ("kind", "model")
    KIND_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    kind: SelectorKind
    model: str
    def __init__(self, kind: _Optional[_Union[SelectorKind, str]] = ..., model: _Optional[str] = ...) -> None: ...

class PropertyExamples(_message.Message):
    __slots__ = ("positive", "negative", "regularisation")
    POSITIVE_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_FIELD_NUMBER: _ClassVar[int]
    REGULARISATION_FIELD_NUMBER: _ClassVar[int]
    positive: _containers.RepeatedScalarFieldContainer[str]
    negative: _containers.RepeatedScalarFieldContainer[str]
    regularisation: float
    def __init__(self, positive: _Optional[_Iterable[str]] = ..., negative: _Optional[_Iterable[str]] = ..., regularisation: _Optional[float] = ...) -> None: ...

class LatentsQuery(_message.Message):
    __slots__ = ("weights", "scale", "bm25", "idf")
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    BM25_FIELD_NUMBER: _ClassVar[int]
    IDF_FIELD_NUMBER: _ClassVar[int]
    weights: _containers.RepeatedCompositeFieldContainer[LatentWeight]
    scale: ActivationScale
    bm25: LatentsBm25
    idf: bool
    def __init__(self, weights: _Optional[_Iterable[_Union[LatentWeight, _Mapping[str, _Any]]]] = ..., scale: _Optional[_Union[ActivationScale, str]] = ..., bm25: _Optional[_Union[LatentsBm25, _Mapping[str, _Any]]] = ..., idf: bool = ...) -> None: ...

class LatentsBm25(_message.Message):
    __slots__ = ("k1", "b")
    K1_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    k1: float
    b: float
    def __init__(self, k1: _Optional[float] = ..., b: _Optional[float] = ...) -> None: ...

class LatentWeight(_message.Message):
    __slots__ = ("latent", "weight")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    latent: int
    weight: float
    def __init__(self, latent: _Optional[int] = ..., weight: _Optional[float] = ...) -> None: ...

class TextQuery(_message.Message):
    __slots__ = ("text", "mode")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    text: str
    mode: _types_pb2.TextMode
    def __init__(self, text: _Optional[str] = ..., mode: _Optional[_Union[_types_pb2.TextMode, str]] = ...) -> None: ...

class MatchingQuery(_message.Message):
    __slots__ = ("order", "sample_seed")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_SEED_FIELD_NUMBER: _ClassVar[int]
    order: _containers.RepeatedCompositeFieldContainer[OrderKey]
    sample_seed: int
    def __init__(self, order: _Optional[_Iterable[_Union[OrderKey, _Mapping[str, _Any]]]] = ..., sample_seed: _Optional[int] = ...) -> None: ...

class OrderKey(_message.Message):
    __slots__ = ("attribute", "id", "descending")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    DESCENDING_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    id: _types_pb2.Everything
    descending: bool
    def __init__(self, attribute: _Optional[str] = ..., id: _Optional[_Union[_types_pb2.Everything, _Mapping[str, _Any]]] = ..., descending: bool = ...) -> None: ...

class FusionQuery(_message.Message):
    __slots__ = ("children", "method", "rank_constant", "depth")
    CHILDREN_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    RANK_CONSTANT_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    children: _containers.RepeatedCompositeFieldContainer[FusionChild]
    method: FusionMethod
    rank_constant: float
    depth: int
    def __init__(self, children: _Optional[_Iterable[_Union[FusionChild, _Mapping[str, _Any]]]] = ..., method: _Optional[_Union[FusionMethod, str]] = ..., rank_constant: _Optional[float] = ..., depth: _Optional[int] = ...) -> None: ...

class FusionChild(_message.Message):
    __slots__ = ("query", "weight")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    query: Query
    weight: float
    def __init__(self, query: _Optional[_Union[Query, _Mapping[str, _Any]]] = ..., weight: _Optional[float] = ...) -> None: ...

class ExceptQuery(_message.Message):
    __slots__ = ("query", "minus", "top")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    MINUS_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    query: Query
    minus: Query
    top: int
    def __init__(self, query: _Optional[_Union[Query, _Mapping[str, _Any]]] = ..., minus: _Optional[_Union[Query, _Mapping[str, _Any]]] = ..., top: _Optional[int] = ...) -> None: ...

class SearchRequest(_message.Message):
    __slots__ = ("collection", "query", "limit", "projection", "page_token", "explain", "latents_per_hit", "offset", "min_score", "group_by", "per_group", "facets", "made_with")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    LATENTS_PER_HIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    GROUP_BY_FIELD_NUMBER: _ClassVar[int]
    PER_GROUP_FIELD_NUMBER: _ClassVar[int]
    FACETS_FIELD_NUMBER: _ClassVar[int]
    MADE_WITH_FIELD_NUMBER: _ClassVar[int]
    collection: str
    query: Query
    limit: int
    projection: _types_pb2.Projection
    page_token: str
    explain: bool
    latents_per_hit: int
    offset: int
    min_score: float
    group_by: str
    per_group: int
    facets: _containers.RepeatedCompositeFieldContainer[_facet_pb2.Facet]
    made_with: _types_pb2.MadeWith
    def __init__(self, collection: _Optional[str] = ..., query: _Optional[_Union[Query, _Mapping[str, _Any]]] = ..., limit: _Optional[int] = ..., projection: _Optional[_Union[_types_pb2.Projection, _Mapping[str, _Any]]] = ..., page_token: _Optional[str] = ..., explain: bool = ..., latents_per_hit: _Optional[int] = ..., offset: _Optional[int] = ..., min_score: _Optional[float] = ..., group_by: _Optional[str] = ..., per_group: _Optional[int] = ..., facets: _Optional[_Iterable[_Union[_facet_pb2.Facet, _Mapping[str, _Any]]]] = ..., made_with: _Optional[_Union[_types_pb2.MadeWith, _Mapping[str, _Any]]] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("hits", "next_page_token", "steering", "explanation", "sequence", "properties", "warnings", "offset", "facets")
    HITS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STEERING_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    FACETS_FIELD_NUMBER: _ClassVar[int]
    hits: _containers.RepeatedCompositeFieldContainer[Hit]
    next_page_token: str
    steering: _containers.RepeatedCompositeFieldContainer[_types_pb2.Steering]
    explanation: Explanation
    sequence: int
    properties: _containers.RepeatedCompositeFieldContainer[ChosenLatents]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    offset: int
    facets: _containers.RepeatedCompositeFieldContainer[_facet_pb2.FacetResult]
    def __init__(self, hits: _Optional[_Iterable[_Union[Hit, _Mapping[str, _Any]]]] = ..., next_page_token: _Optional[str] = ..., steering: _Optional[_Iterable[_Union[_types_pb2.Steering, _Mapping[str, _Any]]]] = ..., explanation: _Optional[_Union[Explanation, _Mapping[str, _Any]]] = ..., sequence: _Optional[int] = ..., properties: _Optional[_Iterable[_Union[ChosenLatents, _Mapping[str, _Any]]]] = ..., warnings: _Optional[_Iterable[str]] = ..., offset: _Optional[int] = ..., facets: _Optional[_Iterable[_Union[_facet_pb2.FacetResult, _Mapping[str, _Any]]]] = ...) -> None: ...

class ChosenLatents(_message.Message):
    __slots__ = ("component", "latents", "query", "vector", "selector", "candidates")
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    component: str
    latents: _containers.RepeatedCompositeFieldContainer[ChosenLatent]
    query: Query
    vector: _types_pb2.Vector
    selector: str
    candidates: int
    def __init__(self, component: _Optional[str] = ..., latents: _Optional[_Iterable[_Union[ChosenLatent, _Mapping[str, _Any]]]] = ..., query: _Optional[_Union[Query, _Mapping[str, _Any]]] = ..., vector: _Optional[_Union[_types_pb2.Vector, _Mapping[str, _Any]]] = ..., selector: _Optional[str] = ..., candidates: _Optional[int] = ...) -> None: ...

class ChosenLatent(_message.Message):
    __slots__ = ("latent", "label", "rank", "weight", "similarity")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    latent: int
    label: str
    rank: int
    weight: float
    similarity: float
    def __init__(self, latent: _Optional[int] = ..., label: _Optional[str] = ..., rank: _Optional[int] = ..., weight: _Optional[float] = ..., similarity: _Optional[float] = ...) -> None: ...

class Hit(_message.Message):
    __slots__ = ("document", "score", "components", "latents", "highlights")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    HIGHLIGHTS_FIELD_NUMBER: _ClassVar[int]
    document: _types_pb2.Document
    score: float
    components: _containers.RepeatedCompositeFieldContainer[ComponentScore]
    latents: _containers.RepeatedCompositeFieldContainer[LatentContribution]
    highlights: _containers.RepeatedCompositeFieldContainer[Highlight]
    def __init__(self, document: _Optional[_Union[_types_pb2.Document, _Mapping[str, _Any]]] = ..., score: _Optional[float] = ..., components: _Optional[_Iterable[_Union[ComponentScore, _Mapping[str, _Any]]]] = ..., latents: _Optional[_Iterable[_Union[LatentContribution, _Mapping[str, _Any]]]] = ..., highlights: _Optional[_Iterable[_Union[Highlight, _Mapping[str, _Any]]]] = ...) -> None: ...

class Highlight(_message.Message):
    __slots__ = ("component", "span")
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    SPAN_FIELD_NUMBER: _ClassVar[int]
    component: str
    span: _types_pb2.TextSpan
    def __init__(self, component: _Optional[str] = ..., span: _Optional[_Union[_types_pb2.TextSpan, _Mapping[str, _Any]]] = ...) -> None: ...

class ComponentScore(_message.Message):
    __slots__ = ("name", "score", "rank", "contribution")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    score: float
    rank: int
    contribution: float
    def __init__(self, name: _Optional[str] = ..., score: _Optional[float] = ..., rank: _Optional[int] = ..., contribution: _Optional[float] = ...) -> None: ...

class LatentContribution(_message.Message):
    __slots__ = ("latent", "label", "activation", "contribution", "component", "low_confidence", "span")
    LATENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    LOW_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    SPAN_FIELD_NUMBER: _ClassVar[int]
    latent: int
    label: str
    activation: float
    contribution: float
    component: str
    low_confidence: bool
    span: _types_pb2.TextSpan
    def __init__(self, latent: _Optional[int] = ..., label: _Optional[str] = ..., activation: _Optional[float] = ..., contribution: _Optional[float] = ..., component: _Optional[str] = ..., low_confidence: bool = ..., span: _Optional[_Union[_types_pb2.TextSpan, _Mapping[str, _Any]]] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("plan", "encode_us", "execute_us", "fetch_us", "total_us")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    ENCODE_US_FIELD_NUMBER: _ClassVar[int]
    EXECUTE_US_FIELD_NUMBER: _ClassVar[int]
    FETCH_US_FIELD_NUMBER: _ClassVar[int]
    TOTAL_US_FIELD_NUMBER: _ClassVar[int]
    plan: PlanNode
    encode_us: int
    execute_us: int
    fetch_us: int
    total_us: int
    def __init__(self, plan: _Optional[_Union[PlanNode, _Mapping[str, _Any]]] = ..., encode_us: _Optional[int] = ..., execute_us: _Optional[int] = ..., fetch_us: _Optional[int] = ..., total_us: _Optional[int] = ...) -> None: ...

class PlanNode(_message.Message):
    __slots__ = ("name", "access", "allowed", "selectivity", "candidates", "elapsed_us", "children")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    SELECTIVITY_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_US_FIELD_NUMBER: _ClassVar[int]
    CHILDREN_FIELD_NUMBER: _ClassVar[int]
    name: str
    access: str
    allowed: int
    selectivity: float
    candidates: int
    elapsed_us: int
    children: _containers.RepeatedCompositeFieldContainer[PlanNode]
    def __init__(self, name: _Optional[str] = ..., access: _Optional[str] = ..., allowed: _Optional[int] = ..., selectivity: _Optional[float] = ..., candidates: _Optional[int] = ..., elapsed_us: _Optional[int] = ..., children: _Optional[_Iterable[_Union[PlanNode, _Mapping[str, _Any]]]] = ...) -> None: ...

class SearchBatchRequest(_message.Message):
    __slots__ = ("searches",)
    SEARCHES_FIELD_NUMBER: _ClassVar[int]
    searches: _containers.RepeatedCompositeFieldContainer[SearchRequest]
    def __init__(self, searches: _Optional[_Iterable[_Union[SearchRequest, _Mapping[str, _Any]]]] = ...) -> None: ...

class SearchBatchResponse(_message.Message):
    __slots__ = ("responses",)
    RESPONSES_FIELD_NUMBER: _ClassVar[int]
    responses: _containers.RepeatedCompositeFieldContainer[SearchResponse]
    def __init__(self, responses: _Optional[_Iterable[_Union[SearchResponse, _Mapping[str, _Any]]]] = ...) -> None: ...

class CountRequest(_message.Message):
    __slots__ = ("collection", "filter")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    collection: str
    filter: _types_pb2.Filter
    def __init__(self, collection: _Optional[str] = ..., filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ...) -> None: ...

class CountResponse(_message.Message):
    __slots__ = ("count", "warnings")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    count: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, count: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class SteerRequest(_message.Message):
    __slots__ = ("collection", "nearest")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    NEAREST_FIELD_NUMBER: _ClassVar[int]
    collection: str
    nearest: NearestQuery
    def __init__(self, collection: _Optional[str] = ..., nearest: _Optional[_Union[NearestQuery, _Mapping[str, _Any]]] = ...) -> None: ...

class SteerResponse(_message.Message):
    __slots__ = ("steering",)
    STEERING_FIELD_NUMBER: _ClassVar[int]
    steering: _types_pb2.Steering
    def __init__(self, steering: _Optional[_Union[_types_pb2.Steering, _Mapping[str, _Any]]] = ...) -> None: ...

class SteerSweepRequest(_message.Message):
    __slots__ = ("collection", "nearest", "filter", "strengths", "limit")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    NEAREST_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    STRENGTHS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    collection: str
    nearest: NearestQuery
    filter: _types_pb2.Filter
    strengths: _containers.RepeatedScalarFieldContainer[float]
    limit: int
    def __init__(self, collection: _Optional[str] = ..., nearest: _Optional[_Union[NearestQuery, _Mapping[str, _Any]]] = ..., filter: _Optional[_Union[_types_pb2.Filter, _Mapping[str, _Any]]] = ..., strengths: _Optional[_Iterable[float]] = ..., limit: _Optional[int] = ...) -> None: ...

class SteerSweepResponse(_message.Message):
    __slots__ = ("steps", "warnings")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[SweepStep]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, steps: _Optional[_Iterable[_Union[SweepStep, _Mapping[str, _Any]]]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class SweepStep(_message.Message):
    __slots__ = ("strength", "steering", "hits", "overlap", "relevance_kept", "target_share")
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    STEERING_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    RELEVANCE_KEPT_FIELD_NUMBER: _ClassVar[int]
    TARGET_SHARE_FIELD_NUMBER: _ClassVar[int]
    strength: float
    steering: _types_pb2.Steering
    hits: _containers.RepeatedCompositeFieldContainer[SweepHit]
    overlap: float
    relevance_kept: float
    target_share: float
    def __init__(self, strength: _Optional[float] = ..., steering: _Optional[_Union[_types_pb2.Steering, _Mapping[str, _Any]]] = ..., hits: _Optional[_Iterable[_Union[SweepHit, _Mapping[str, _Any]]]] = ..., overlap: _Optional[float] = ..., relevance_kept: _Optional[float] = ..., target_share: _Optional[float] = ...) -> None: ...

class SweepHit(_message.Message):
    __slots__ = ("id", "score", "unsteered_rank")
    ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    UNSTEERED_RANK_FIELD_NUMBER: _ClassVar[int]
    id: str
    score: float
    unsteered_rank: int
    def __init__(self, id: _Optional[str] = ..., score: _Optional[float] = ..., unsteered_rank: _Optional[int] = ...) -> None: ...

class Preset(_message.Message):
    __slots__ = ("name", "edits")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EDITS_FIELD_NUMBER: _ClassVar[int]
    name: str
    edits: _containers.RepeatedCompositeFieldContainer[_types_pb2.SteerEdit]
    def __init__(self, name: _Optional[str] = ..., edits: _Optional[_Iterable[_Union[_types_pb2.SteerEdit, _Mapping[str, _Any]]]] = ...) -> None: ...

class SavePresetRequest(_message.Message):
    __slots__ = ("collection", "preset")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    collection: str
    preset: Preset
    def __init__(self, collection: _Optional[str] = ..., preset: _Optional[_Union[Preset, _Mapping[str, _Any]]] = ...) -> None: ...

class ListPresetsRequest(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    def __init__(self, collection: _Optional[str] = ...) -> None: ...

class ListPresetsResponse(_message.Message):
    __slots__ = ("presets",)
    PRESETS_FIELD_NUMBER: _ClassVar[int]
    presets: _containers.RepeatedCompositeFieldContainer[Preset]
    def __init__(self, presets: _Optional[_Iterable[_Union[Preset, _Mapping[str, _Any]]]] = ...) -> None: ...

class DropPresetRequest(_message.Message):
    __slots__ = ("collection", "name")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    collection: str
    name: str
    def __init__(self, collection: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class DropPresetResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
