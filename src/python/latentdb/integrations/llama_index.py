"""LlamaIndex: a vector store over a collection.

```python
from latentdb.integrations.llama_index import LatentDBVectorStore

store = LatentDBVectorStore(client="127.0.0.1:7700", collection="notes")
index = VectorStoreIndex(nodes, storage_context=StorageContext.from_defaults(vector_store=store))
index.as_retriever(vector_store_query_mode="hybrid", vector_store_kwargs={"steer": {812: 2.0}})
```
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import (
    BaseNode,
    Document,
    MetadataMode,
    Node,
    TextNode,
)
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

from .._sync.client import Client
from ..errors import InvalidArgument, NotFound
from ..filters import ID, A, AttributeName, Filter, FilterLike, everything
from ..queries import Query, Steer, bm25, fuse, nearest
from ..results import Hit, Record
from .connection import Connection, Steps, diverse
from .metadata import (
    Condition,
    accepted,
    attribute,
    in_pieces,
    is_null,
    joined,
    of_attributes,
    to_attributes,
)

__all__ = ["LatentDBVectorStore"]

# Attributes of a node besides its metadata: the node as JSON in pieces and its kind, and the id of
# the document it is of, under the names that filters of other stores know.
CONTENT = "_node_content"
KIND = "_node_type"
DOCUMENT = "ref_doc_id"
DOCUMENT_NAMES = (DOCUMENT, "doc_id", "document_id")
_RESOURCES = ("text_resource", "image_resource", "audio_resource", "video_resource")
# Candidates of an MMR search for each node that is asked for.
PREFETCHED = 4

_TEXT = (VectorStoreQueryMode.TEXT_SEARCH, VectorStoreQueryMode.SPARSE)
# How hybrid modes make one ranking of two: by ranks, and by scores between the least and the best.
_HYBRID = {
    VectorStoreQueryMode.HYBRID: "rrf",
    VectorStoreQueryMode.SEMANTIC_HYBRID: "min_max",
}
_MODES = (
    VectorStoreQueryMode.DEFAULT,
    VectorStoreQueryMode.MMR,
    *_TEXT,
    *_HYBRID,
)


class LatentDBVectorStore(BasePydanticVectorStore):  # type: ignore[misc]
    """A vector store over a collection.

    Queries have the modes default, text_search and sparse (BM25), hybrid (reciprocal rank fusion),
    semantic_hybrid (fusion of scores) and mmr. Keyword arguments of a query, which a retriever
    hands on from `vector_store_kwargs`: `steer`, `latent_filter`, `mmr_threshold`,
    `mmr_prefetch_factor`, `mmr_prefetch_k`. Of a collection that does not exist nothing is found.

    Of lists of values in the metadata, one has to pass a filter; `!=` and `nin` take nodes without
    the key. A filter on a key whose values no attribute can hold is an error.

    Args:
        client: a `latentdb.Client`, or the address of a server.
        collection: the collection. Where there is none of the name, the first write creates it with
            the dimension of the nodes' embeddings.
    """

    stores_text: bool = True
    is_embedding_query: bool = True
    collection: str

    _connection: Connection = PrivateAttr()

    def __init__(
        self,
        client: Client | str = "127.0.0.1:7700",
        collection: str = "llama_index",
        **fields: Any,
    ) -> None:
        connection = Connection(client, collection)
        super().__init__(collection=collection, **fields)  # pyright: ignore[reportCallIssue]
        self._connection = connection

    @classmethod
    def class_name(cls) -> str:
        return "LatentDBVectorStore"

    @property
    def client(self) -> Client:
        """The client."""
        return self._connection.client

    # Writing

    def add(
        self,
        nodes: Sequence[BaseNode],
        *,
        latents: Mapping[str, Mapping[int, float]] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Writes nodes; those with ids that exist are replaced.

        Args:
            nodes: with embeddings, unless the collection's own encoder makes the vectors.
            latents: of nodes by their ids, where the collection takes latents of the client.

        Returns:
            Their ids.
        """
        _none_more(kwargs, "add")
        return self._connection.run(self._added(nodes, latents or {}))

    async def async_add(
        self,
        nodes: Sequence[BaseNode],
        *,
        latents: Mapping[str, Mapping[int, float]] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """As `add`."""
        _none_more(kwargs, "async_add")
        return await self._connection.run_async(self._added(nodes, latents or {}))

    def _added(
        self, nodes: Sequence[BaseNode], latents: Mapping[str, Mapping[int, float]]
    ) -> Steps[list[str]]:
        records = [_record(node, latents.get(node.node_id)) for node in nodes]
        dimensions = [len(own["vector"]) for own in records if "vector" in own]
        bare = next((own["id"] for own in records if "vector" not in own), None)
        if bare is not None and not (yield from self._encodes()):
            raise InvalidArgument(
                "has no embedding, and the collection has no encoder", field=f"node {bare!r}"
            )
        if records:
            yield from self._connection.write(records, dimensions[0] if dimensions else 0)
        return [record["id"] for record in records]

    def _encodes(self) -> Steps[bool]:
        """Whether the collection makes vectors itself."""
        name = self.collection.partition(":")[0]
        try:
            about = yield lambda client: client.collection(name).info()
        except NotFound:
            return False
        return bool(about.HasField("encoder"))

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Deletes the nodes of a document."""
        _none_more(delete_kwargs, "delete")
        self._connection.run(self._deleted(None, _of_documents([ref_doc_id])))

    async def adelete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """As `delete`."""
        _none_more(delete_kwargs, "adelete")
        await self._connection.run_async(self._deleted(None, _of_documents([ref_doc_id])))

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """Deletes nodes by id, of filters, or those with the ids among those of the filters."""
        _none_more(delete_kwargs, "delete_nodes")
        self._connection.run(self._deleted(node_ids, _chosen(filters)))

    async def adelete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """As `delete_nodes`."""
        _none_more(delete_kwargs, "adelete_nodes")
        await self._connection.run_async(self._deleted(node_ids, _chosen(filters)))

    def clear(self) -> None:
        """Deletes all nodes; the collection stays."""
        self._connection.run(self._deleted(None, Condition(everything())))

    async def aclear(self) -> None:
        """As `clear`."""
        await self._connection.run_async(self._deleted(None, Condition(everything())))

    def _deleted(self, ids: list[str] | None, condition: Condition | None) -> Steps[None]:
        def steps() -> Steps[None]:
            if condition is None:
                yield from self._connection.delete(ids=ids)
                return
            yield from self._connection.check(condition)
            where = condition.filter if ids is None else condition.filter & ID.isin(ids)
            yield from self._connection.delete(where=where)

        if condition is None and ids is None:
            raise InvalidArgument(
                "takes node_ids or filters; clear() deletes all", field="delete_nodes"
            )
        yield from self._connection.present(steps(), None)

    # Reading

    def get_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
    ) -> list[BaseNode]:
        """Nodes by id, of filters, or those with the ids among those of the filters; all where
        neither is given. Ids that do not exist are left out."""
        return self._connection.run(self._read(node_ids, _chosen(filters)))

    async def aget_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
    ) -> list[BaseNode]:
        """As `get_nodes`."""
        return await self._connection.run_async(self._read(node_ids, _chosen(filters)))

    def _read(self, ids: list[str] | None, condition: Condition | None) -> Steps[list[BaseNode]]:
        def steps() -> Steps[list[Record]]:
            if ids is not None and condition is None:
                return (yield from self._connection.get(ids))
            yield from self._connection.check(condition)
            where = None if condition is None else condition.filter
            if where is not None and ids is not None:
                where = where & ID.isin(ids)
            return (yield from self._connection.all(where))

        records = yield from self._connection.present(steps(), [])
        return [_node(record) for record in records]

    # Queries

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """The nodes that a query finds, best first.

        Args:
            steer: turns concepts up and down: `{812: 2.0, "theory": -1}`, or edits.
            latent_filter: a filter of `latentdb.filters` or its text form, besides the query's.
            mmr_threshold, mmr_prefetch_factor, mmr_prefetch_k: of the mode mmr, how much relevance
                counts (0 to 1; .5), and of how many candidates: 4 times as many as are asked for.

        Raises:
            InvalidArgument: naming an argument that cannot be honoured.
        """
        return self._connection.run(self._queried(query, kwargs))

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """As `query`."""
        return await self._connection.run_async(self._queried(query, kwargs))

    def _queried(
        self, query: VectorStoreQuery, given: dict[str, Any]
    ) -> Steps[VectorStoreQueryResult]:
        options = dict(given)
        steer = options.pop("steer", None)
        condition = _condition(query, options.pop("latent_filter", None))
        mmr = query.mode == VectorStoreQueryMode.MMR
        count, relevance = query.similarity_top_k, 0.5
        if mmr:
            count, relevance = _candidates(query, options)
        elif query.mode in _HYBRID and query.hybrid_top_k is not None:
            count = query.hybrid_top_k
        _none_more(options, f"a query of mode {_value(query.mode)}")
        for name in ("output_fields", "embedding_field"):
            if getattr(query, name) is not None:
                raise InvalidArgument(
                    "cannot be honoured: nodes come back whole, and have one embedding", field=name
                )
        ranked = _ranked(query, steer)
        described = ranked if condition is None else ranked.where(condition.filter)

        def steps() -> Steps[list[Hit]]:
            yield from self._connection.check(condition)
            return (yield from self._connection.search(described, count, vector=mmr))

        hits = yield from self._connection.present(steps(), [])
        if mmr:
            hits = diverse(hits, query.similarity_top_k, relevance)
        return VectorStoreQueryResult(
            nodes=[_node(hit) for hit in hits],
            similarities=[hit.score for hit in hits],
            ids=[hit.id for hit in hits],
        )

    def close(self) -> None:
        """Closes the connection, where the store was made with an address."""
        self._connection.close()

    async def aclose(self) -> None:
        """Closes the connection of the running loop, and as `close`."""
        await self._connection.close_async()


def _none_more(given: Mapping[str, Any], what: str) -> None:
    for name in given:
        raise InvalidArgument(f"is not known to {what}", field=name)


def _value(mode: Any) -> str:
    return str(getattr(mode, "value", mode))


# Nodes


def _record(node: BaseNode, latents: Mapping[int, float] | None) -> dict[str, Any]:
    """A node as the client takes it. The text is the document's, and left out of the JSON."""
    metadata = node_to_metadata_dict(node)
    content = json.loads(metadata.pop(CONTENT))
    kind = metadata.pop(KIND)
    own = content.get("metadata", {})
    if isinstance(content.get("text"), str):
        content["text"] = ""
    for name in _RESOURCES if isinstance(node, Node) else ():
        resource = getattr(node, name)
        # The library leaves the data out; it is of base64.
        if resource is not None and resource.data is not None:
            content[name]["data"] = resource.data.decode()
        if name == "text_resource" and resource is not None and resource.text is not None:
            content[name]["text"] = ""
    beside: dict[str, Any] = {CONTENT: in_pieces(json.dumps(content)), KIND: kind}
    if node.ref_doc_id is not None:
        beside |= dict.fromkeys(DOCUMENT_NAMES, node.ref_doc_id)
    record: dict[str, Any] = {
        "id": node.node_id,
        "text": node.get_content(metadata_mode=MetadataMode.NONE),
        "attributes": to_attributes(
            own, beside=beside, exact=False, field=f"the metadata of node {node.node_id!r}"
        ),
    }
    if node.embedding is not None:
        record["vector"] = node.embedding
    if latents is not None:
        record["latents"] = latents
    return record


def _node(record: Record) -> BaseNode:
    """The node of a document; of one that was written otherwise, a text node."""
    attributes = record.attributes
    text = record.text or ""
    if CONTENT not in attributes:
        return TextNode(id_=record.id, text=text, metadata=of_attributes(attributes))
    content = joined(attributes[CONTENT])
    if attributes.get(KIND) == Document.class_name():
        node: BaseNode = Document.from_dict(json.loads(content))
    else:
        node = metadata_dict_to_node({CONTENT: content, KIND: attributes.get(KIND)})
    if isinstance(node, TextNode):
        node.text = text
    elif isinstance(node, Node) and node.text_resource is not None:
        if node.text_resource.text is not None:
            node.text_resource.text = text
    return node


# Rankings


def _ranked(query: VectorStoreQuery, steer: Steer | None) -> Query:
    """The ranking that a query asks for."""
    if query.mode not in _MODES:
        known = ", ".join(own.value for own in _MODES)
        raise InvalidArgument(
            f"is {_value(query.mode)}; {known} are accepted", field="mode"
        )
    if query.mode in _TEXT:
        if steer is not None:
            raise InvalidArgument(f"is of a vector; {_value(query.mode)} has none", field="steer")
        return _words(query)
    if query.mode not in _HYBRID:
        return _near(query, steer)
    alpha = 0.5 if query.alpha is None else query.alpha
    if not 0 <= alpha <= 1:
        raise InvalidArgument(f"is {alpha}; 0 (text alone) to 1 (vectors alone) is accepted",
                              field="alpha")
    method = _HYBRID[query.mode]
    # With a number of hits of its own, the result is of so many hits of either side.
    side = query.similarity_top_k if query.hybrid_top_k is not None else None
    parts: list[tuple[float, str, Callable[[], Query], int | None]] = [
        (alpha, "nearest", lambda: _near(query, steer), side),
        (1 - alpha, "text", lambda: _words(query), query.sparse_top_k or side),
    ]
    made = [
        (weight, _of_depth(rank().named(name), depth, method))
        for weight, name, rank, depth in parts
        if weight > 0
    ]
    return fuse(*(own for _, own in made), weights=[weight for weight, _ in made], method=method)


def _of_depth(query: Query, depth: int | None, method: str) -> Query:
    """The best hits of a query alone."""
    return query if depth is None else fuse(query, depth=depth, method=method)


def _near(query: VectorStoreQuery, steer: Steer | None) -> Query:
    """Nearest to the embedding; without one, to the text, by the collection's encoder."""
    to = query.query_embedding if query.query_embedding is not None else query.query_str
    if to is None:
        raise InvalidArgument(
            f"is missing; mode {_value(query.mode)} needs it", field="query_embedding"
        )
    return nearest(to, steer=steer)


def _words(query: VectorStoreQuery) -> Query:
    if query.query_str is None:
        raise InvalidArgument(f"is missing; mode {_value(query.mode)} needs it", field="query_str")
    return bm25(query.query_str)


def _candidates(query: VectorStoreQuery, options: dict[str, Any]) -> tuple[int, float]:
    """How many candidates an MMR search takes, and how much relevance counts."""
    factor = options.pop("mmr_prefetch_factor", None)
    count = options.pop("mmr_prefetch_k", None)
    threshold = options.pop("mmr_threshold", query.mmr_threshold)
    if factor is not None and count is not None:
        raise InvalidArgument("and mmr_prefetch_k exclude each other", field="mmr_prefetch_factor")
    if count is None:
        count = int(query.similarity_top_k * (PREFETCHED if factor is None else factor))
    return max(count, query.similarity_top_k), 0.5 if threshold is None else threshold


# Filters


def _of_documents(ids: Sequence[str]) -> Condition:
    return Condition(A[DOCUMENT].isin(ids))


def _condition(query: VectorStoreQuery, latent_filter: FilterLike | None) -> Condition | None:
    """All that narrows a query."""
    parts = []
    if query.filters is not None:
        parts.append(_of_filters(query.filters))
    if latent_filter is not None:
        parts.append(Condition.of(latent_filter, "latent_filter"))
    # An index gives an empty list where it means all.
    if query.doc_ids:
        parts.append(_of_documents(query.doc_ids))
    if query.node_ids:
        parts.append(Condition(ID.isin(query.node_ids)))
    return Condition.all_of(parts) if parts else None


def _chosen(filters: MetadataFilters | None) -> Condition | None:
    return None if filters is None else _of_filters(filters)


def _of_filters(filters: MetadataFilters) -> Condition:
    """Filters of metadata, nested as they are."""
    parts = [
        _of_filters(own) if isinstance(own, MetadataFilters) else _of_filter(own)
        for own in filters.filters
    ]
    if not parts:
        return Condition(everything())
    if filters.condition == FilterCondition.OR:
        return Condition.any_of(parts)
    if filters.condition == FilterCondition.NOT:
        return ~Condition.any_of(parts)
    return Condition.all_of(parts)


_COMPARISONS: dict[FilterOperator, Callable[[AttributeName, Any], Filter]] = {
    FilterOperator.EQ: lambda own, value: _equals(own, value),
    FilterOperator.GT: lambda own, value: own > value,
    FilterOperator.GTE: lambda own, value: own >= value,
    FilterOperator.LT: lambda own, value: own < value,
    FilterOperator.LTE: lambda own, value: own <= value,
    FilterOperator.CONTAINS: lambda own, value: _equals(own, value),
    FilterOperator.TEXT_MATCH: lambda own, value: own.contains(value),
    FilterOperator.TEXT_MATCH_INSENSITIVE: lambda own, value: own.contains(
        value, ignore_case=True
    ),
}
_OF_LISTS = (FilterOperator.IN, FilterOperator.ANY, FilterOperator.ALL)
_NEGATED = {FilterOperator.NE: FilterOperator.EQ, FilterOperator.NIN: FilterOperator.IN}
_MATCHES = (FilterOperator.TEXT_MATCH, FilterOperator.TEXT_MATCH_INSENSITIVE)


def _of_filter(given: MetadataFilter) -> Condition:
    return _test(given.key, given.operator, given.value)


def _test(key: str, operator: FilterOperator, value: Any) -> Condition:
    """One test of a key of the metadata."""
    if operator in _NEGATED:
        return ~_test(key, _NEGATED[operator], value)
    if operator == FilterOperator.IS_EMPTY:
        empty = is_null(key)
        return empty | Condition(A[key] == "") if accepted(key) else empty
    field = f"filters.{key} {operator.value}"
    if operator in _OF_LISTS:
        if not isinstance(value, list):
            raise InvalidArgument(f"is {value!r}; a list is accepted", field=field)
        if operator == FilterOperator.ALL:
            tests = [attribute(key, _equal_to(one)) for one in value]
            return Condition.all_of(tests or [attribute(key, lambda own: own.exists())])
        return attribute(key, lambda own: _among(own, value))
    if operator not in _COMPARISONS:
        raise InvalidArgument("is no operator that is known", field=field)
    if value is None or isinstance(value, list):
        raise InvalidArgument(f"is {value!r}; one value is accepted", field=field)
    if operator in _MATCHES and not isinstance(value, str):
        raise InvalidArgument(f"is {value!r}; a string is accepted", field=field)
    return attribute(key, lambda own: _COMPARISONS[operator](own, value))


def _among(own: AttributeName, values: list[Any]) -> Filter:
    """One of these; since filters have no booleans, 1 and 0 stand for them too, as in Python."""
    return own.isin([*values, *(bool(one) for one in values if _is_bit(one))])


def _equal_to(value: Any) -> Callable[[AttributeName], Filter]:
    return lambda own: _equals(own, value)


def _equals(own: AttributeName, value: Any) -> Filter:
    return _among(own, [value])


def _is_bit(value: Any) -> bool:
    return not isinstance(value, str) and value in (0, 1)
