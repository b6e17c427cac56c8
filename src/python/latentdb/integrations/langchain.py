"""LangChain: a vector store and a retriever over a collection.

```python
from latentdb.integrations.langchain import LatentDBRetriever, LatentDBVectorStore

store = LatentDBVectorStore(client="127.0.0.1:7700", collection="notes", embedding=embedding)
store.add_texts(["late parcels", "kind staff"], [{"stars": 1}, {"stars": 5}])
store.similarity_search("delivery", k=2, filter={"stars": {"$lt": 3}}, steer={812: 2.0})
LatentDBRetriever(store=store, kind="hybrid").invoke("delivery")
```
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from pydantic import ConfigDict, Field, model_validator

from .. import queries
from .._sync.client import Client
from ..errors import InvalidArgument
from ..filters import AttributeName, Filter, FilterLike, everything
from ..queries import Query, Steer, bm25, fuse, nearest
from ..results import Hit, Record, Why
from .connection import Connection, Steps, diverse
from .metadata import Condition, attribute, exists, is_null, of_attributes, to_attributes

__all__ = ["WHY", "LatentDBRetriever", "LatentDBVectorStore", "Where"]

# Where `explain=True` puts why a document was found.
WHY = "_latentdb"

# A filter of the database, its text form, or a mapping as other vector stores take it.
Where = Union[FilterLike, Mapping[str, Any]]


@dataclass(frozen=True)
class Options:
    """What every search takes besides its query and number of documents.

    Attributes:
        filter: which documents: a filter of `latentdb.filters`, its text form, or a mapping of
            fields of the metadata to values or to `{"$gt": 3}`: $eq, $ne, $gt, $gte, $lt, $lte,
            $in, $nin, $exists, $like, $ilike; $not; $and and $or of lists. Of a list of values one
            has to pass. None is "absent, None or an empty list"; $ne and $nin take documents
            without the field. A field with values that no attribute can hold is an error.
        steer: turns concepts up and down: `{812: 2.0, "theory": -1}`, or edits.
        explain: puts why each document was found into `metadata["_latentdb"]`.
        exact: compares with every document.
    """

    filter: Where | None = None
    steer: Steer | None = None
    explain: bool = False
    exact: bool = False


class LatentDBVectorStore(VectorStore):  # type: ignore[misc]
    """A vector store over a collection.

    Searches take `filter`, `steer`, `explain` and `exact`; see `Options`. Scores are cosines, which
    steering changes; relevance is (1 + score) / 2, cut to 0 to 1. Searches of a collection that
    does not exist find nothing.

    Args:
        client: a `latentdb.Client`, or the address of a server.
        collection: the collection. Where there is none of the name, the first write creates it with
            the dimension of the embedding.
        embedding: makes vectors of texts. Without it the collection's own encoder does.
    """

    def __init__(
        self,
        client: Client | str = "127.0.0.1:7700",
        collection: str = "langchain",
        embedding: Embeddings | None = None,
    ) -> None:
        self.connection = Connection(client, collection)
        self._embedding = embedding

    @property
    def embeddings(self) -> Embeddings | None:
        return self._embedding

    # Writing

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        latents: Sequence[Mapping[int, float]] | None = None,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Writes texts; those with ids that exist are replaced.

        Args:
            metadatas: one mapping per text.
            ids: one per text; where there is none, one is made.
            latents: one `{812: 0.5}` per text, where the collection takes latents of the client.
            batch_size: documents per write, 1 to 10,000.

        Returns:
            The ids.
        """
        _none_more(kwargs, "add_texts")
        own = list(texts)
        records = _records(own, metadatas, ids, latents)
        vectors = self._embedding.embed_documents(own) if self._embedding and own else None
        return self.connection.run(self._written(records, vectors, batch_size))

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        latents: Sequence[Mapping[int, float]] | None = None,
        batch_size: int | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """As `add_texts`."""
        _none_more(kwargs, "aadd_texts")
        own = list(texts)
        records = _records(own, metadatas, ids, latents)
        vectors = await self._embedding.aembed_documents(own) if self._embedding and own else None
        return await self.connection.run_async(self._written(records, vectors, batch_size))

    def _written(
        self, records: list[dict[str, Any]], vectors: list[list[float]] | None, batch: int | None
    ) -> Steps[list[str]]:
        if vectors is not None:
            if len(vectors) != len(records):
                raise InvalidArgument(
                    f"gives {len(vectors)} vectors for {len(records)} texts", field="the embedding"
                )
            records = [{**own, "vector": vector} for own, vector in zip(records, vectors)]
        if records:
            dimension = len(vectors[0]) if vectors else 0
            yield from self.connection.write(records, dimension, batch)
        return [record["id"] for record in records]

    def delete(
        self,
        ids: list[str] | None = None,
        *,
        filter: Where | None = None,  # noqa: A002
        **kwargs: Any,
    ) -> bool:
        """Deletes documents by id, or those of a filter; all where neither is given."""
        _none_more(kwargs, "delete")
        return self.connection.run(self._deleted(ids, filter))

    async def adelete(
        self,
        ids: list[str] | None = None,
        *,
        filter: Where | None = None,  # noqa: A002
        **kwargs: Any,
    ) -> bool:
        """As `delete`."""
        _none_more(kwargs, "adelete")
        return await self.connection.run_async(self._deleted(ids, filter))

    def _deleted(self, ids: list[str] | None, where: Where | None) -> Steps[bool]:
        if ids is not None and where is not None:
            raise InvalidArgument("takes ids or a filter", field="delete")
        described = to_condition(where)

        def steps() -> Steps[None]:
            yield from self.connection.check(described)
            yield from self.connection.delete(
                ids=ids, where=None if described is None else described.filter
            )

        yield from self.connection.present(steps(), None)
        return True

    # Reading

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Documents by id, in the order asked, without those that do not exist."""
        return self.connection.run(self._read(ids))

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """As `get_by_ids`."""
        return await self.connection.run_async(self._read(ids))

    def _read(self, ids: Sequence[str]) -> Steps[list[Document]]:
        records = yield from self.connection.present(self.connection.get(ids), [])
        return [_document(record) for record in records]

    # Searches

    def similarity_search(self, query: str, k: int = 4, **options: Any) -> list[Document]:
        """The documents nearest to a text."""
        return _alone(self.similarity_search_with_score(query, k, **options))

    async def asimilarity_search(self, query: str, k: int = 4, **options: Any) -> list[Document]:
        """As `similarity_search`."""
        return _alone(await self.asimilarity_search_with_score(query, k, **options))

    def similarity_search_with_score(
        self, query: str, k: int = 4, **options: Any
    ) -> list[tuple[Document, float]]:
        """The documents nearest to a text, with their cosines."""
        return self._nearest(self._vector(query), k, options)

    async def asimilarity_search_with_score(
        self, query: str, k: int = 4, **options: Any
    ) -> list[tuple[Document, float]]:
        """As `similarity_search_with_score`."""
        return await self._anearest(await self._avector(query), k, options)

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, **options: Any
    ) -> list[Document]:
        """The documents nearest to a vector."""
        return _alone(self._nearest(embedding, k, options))

    async def asimilarity_search_by_vector(
        self, embedding: list[float], k: int = 4, **options: Any
    ) -> list[Document]:
        """As `similarity_search_by_vector`."""
        return _alone(await self._anearest(embedding, k, options))

    def similarity_search_with_score_by_vector(
        self, embedding: list[float], k: int = 4, **options: Any
    ) -> list[tuple[Document, float]]:
        """The documents nearest to a vector, with their cosines."""
        return self._nearest(embedding, k, options)

    async def asimilarity_search_with_score_by_vector(
        self, embedding: list[float], k: int = 4, **options: Any
    ) -> list[tuple[Document, float]]:
        """As `similarity_search_with_score_by_vector`."""
        return await self._anearest(embedding, k, options)

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        **options: Any,
    ) -> list[Document]:
        """Documents near to a text and unlike each other, of its `fetch_k` nearest; with a
        `lambda_mult` of 1 the nearest alone."""
        return self.connection.run(
            self._diverse(self._vector(query), k, fetch_k, lambda_mult, options)
        )

    async def amax_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        **options: Any,
    ) -> list[Document]:
        """As `max_marginal_relevance_search`."""
        return await self.connection.run_async(
            self._diverse(await self._avector(query), k, fetch_k, lambda_mult, options)
        )

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        **options: Any,
    ) -> list[Document]:
        """As `max_marginal_relevance_search`, of a vector."""
        return self.connection.run(self._diverse(embedding, k, fetch_k, lambda_mult, options))

    async def amax_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        **options: Any,
    ) -> list[Document]:
        """As `max_marginal_relevance_search_by_vector`."""
        return await self.connection.run_async(
            self._diverse(embedding, k, fetch_k, lambda_mult, options)
        )

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return _relevance

    def _vector(self, query: str) -> str | list[float]:
        """The vector of a text; the text, where the collection's encoder makes it."""
        return query if self._embedding is None else self._embedding.embed_query(query)

    async def _avector(self, query: str) -> str | list[float]:
        return query if self._embedding is None else await self._embedding.aembed_query(query)

    def _nearest(
        self, to: str | list[float], k: int, given: Mapping[str, Any]
    ) -> list[tuple[Document, float]]:
        options = Options(**given)
        return self.connection.run(self._found(_near(to, options), k, options))

    async def _anearest(
        self, to: str | list[float], k: int, given: Mapping[str, Any]
    ) -> list[tuple[Document, float]]:
        options = Options(**given)
        return await self.connection.run_async(self._found(_near(to, options), k, options))

    def _found(
        self, query: Query, k: int, options: Options
    ) -> Steps[list[tuple[Document, float]]]:
        hits = yield from self._hits(query, k, options, vector=False)
        return [(_document(hit, options.explain), hit.score) for hit in hits]

    def _diverse(
        self,
        to: str | list[float],
        k: int,
        fetch_k: int,
        lambda_mult: float,
        given: Mapping[str, Any],
    ) -> Steps[list[Document]]:
        options = Options(**given)
        query = _near(to, options)
        hits = yield from self._hits(query, max(k, fetch_k), options, vector=True)
        return [_document(hit, options.explain) for hit in diverse(hits, k, lambda_mult)]

    def _hits(
        self, query: Query, count: int, options: Options, *, vector: bool
    ) -> Steps[list[Hit]]:
        condition = to_condition(options.filter)
        described = query if condition is None else query.where(condition.filter)

        def steps() -> Steps[list[Hit]]:
            yield from self.connection.check(condition)
            return (yield from self.connection.search(described, count, vector=vector))

        return (yield from self.connection.present(steps(), []))

    # Making and closing

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings | None = None,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        client: Client | str = "127.0.0.1:7700",
        collection: str = "langchain",
        **adding: Any,
    ) -> LatentDBVectorStore:
        """A store with texts; see `LatentDBVectorStore` and `add_texts`."""
        store = cls(client, collection, embedding)
        store.add_texts(texts, metadatas, ids=ids, **adding)
        return store

    @classmethod
    async def afrom_texts(
        cls,
        texts: list[str],
        embedding: Embeddings | None = None,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        client: Client | str = "127.0.0.1:7700",
        collection: str = "langchain",
        **adding: Any,
    ) -> LatentDBVectorStore:
        """As `from_texts`."""
        store = cls(client, collection, embedding)
        await store.aadd_texts(texts, metadatas, ids=ids, **adding)
        return store

    def close(self) -> None:
        """Closes the connection, where the store was made with an address."""
        self.connection.close()

    async def aclose(self) -> None:
        """Closes the connection of the running loop, and as `close`."""
        await self.connection.close_async()


class LatentDBRetriever(BaseRetriever):  # type: ignore[misc]
    """A retriever over a store.

    `k`, `filter`, `steer`, `explain` and `exact` are taken by `invoke` too, for one call.

    Attributes:
        store: the vector store.
        kind: "nearest" to the query; by the "text" of the documents (BM25); "hybrid", both fused by
            reciprocal ranks; "property", by latents chosen for the query, which an encoder needs.
        k: how many documents.
        filter: which documents; see `Options`.
        steer: turns concepts up and down, of "nearest" and "hybrid".
        explain: puts why each document was found into `metadata["_latentdb"]`.
        exact: compares with every document.
        weights: of "hybrid", those of the text and of nearness; 1 each.
        options: of "property", arguments of `latentdb.property`; of "text", of `latentdb.bm25`.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    store: LatentDBVectorStore
    kind: Literal["nearest", "text", "hybrid", "property"] = "nearest"
    k: int = 4
    filter: Any = None
    steer: Any = None
    explain: bool = False
    exact: bool = False
    weights: tuple[float, float] = (1.0, 1.0)
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _kept(self) -> LatentDBRetriever:
        if self.options and self.kind not in ("text", "property"):
            raise InvalidArgument('are of the kinds "text" and "property"', field="options")
        self._asked({})
        return self

    def _asked(self, given: Mapping[str, Any]) -> tuple[int, Options]:
        """The number of documents and the options, those of the call first."""
        known = {own.name: getattr(self, own.name) for own in dataclasses.fields(Options)}
        merged = {"k": self.k, **known, **given}
        k = merged.pop("k")
        options = Options(**merged)
        if (options.steer is not None or options.exact) and self.kind in ("text", "property"):
            named = "steer" if options.steer is not None else "exact"
            raise InvalidArgument(f'is of the kinds "nearest" and "hybrid", not of "{self.kind}"',
                                  field=named)
        return k, options

    def _query(self, query: str, to: str | list[float] | None, options: Options) -> Query:
        if self.kind == "property":
            return queries.property(query, **self.options)
        if self.kind == "text":
            return bm25(query, **self.options)
        near = _near(query if to is None else to, options)
        if self.kind == "nearest":
            return near
        return fuse(bm25(query).named("text"), near.named("nearest"), weights=self.weights)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **given: Any
    ) -> list[Document]:
        k, options = self._asked(given)
        to = self.store._vector(query) if self.kind in ("nearest", "hybrid") else None
        made = self._query(query, to, options)
        return _alone(self.store.connection.run(self.store._found(made, k, options)))

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **given: Any
    ) -> list[Document]:
        k, options = self._asked(given)
        to = await self.store._avector(query) if self.kind in ("nearest", "hybrid") else None
        made = self._query(query, to, options)
        return _alone(await self.store.connection.run_async(self.store._found(made, k, options)))


def _none_more(given: Mapping[str, Any], what: str) -> None:
    for name in given:
        raise TypeError(f"{what} has no argument {name!r}")


def _near(to: str | list[float], options: Options) -> Query:
    return nearest(to, steer=options.steer, exact=options.exact)


def _relevance(score: float) -> float:
    """A cosine as a relevance, 0 to 1."""
    return min(1.0, max(0.0, (1.0 + score) / 2.0))


def _alone(found: list[tuple[Document, float]]) -> list[Document]:
    return [document for document, _ in found]


def _records(
    texts: list[str],
    metadatas: list[dict[str, Any]] | None,
    ids: list[str] | None,
    latents: Sequence[Mapping[int, float]] | None,
) -> list[dict[str, Any]]:
    """Documents as the client takes them, without their vectors."""
    for name, given in (("metadatas", metadatas), ("ids", ids), ("latents", latents)):
        if given is not None and len(given) != len(texts):
            raise InvalidArgument(f"has {len(given)} entries for {len(texts)} texts", field=name)
    records: list[dict[str, Any]] = []
    for at, text in enumerate(texts):
        own = (ids[at] if ids is not None else None) or str(uuid.uuid4())
        metadata = (metadatas[at] if metadatas is not None else None) or {}
        attributes = to_attributes(metadata, field=f"metadatas[{at}]")
        record = {"id": own, "text": text, "attributes": attributes}
        records.append(record if latents is None else {**record, "latents": latents[at]})
    return records


def _document(record: Record, explain: bool = False) -> Document:
    metadata = of_attributes(record.attributes)
    if explain and isinstance(record, Hit):
        metadata[WHY] = _why(record.why)
    return Document(id=record.id, page_content=record.text or "", metadata=metadata)


def _why(why: Why) -> dict[str, Any]:
    """Score, parts, latents and highlights, as plain values."""
    found = dataclasses.asdict(why)
    found["highlights"] = found.pop("words")
    return found


# Filters as mappings


def to_condition(given: Where | None, field: str = "filter") -> Condition | None:
    """The condition of a filter; None where there is none."""
    if given is None:
        return None
    return _of_mapping(given, field) if isinstance(given, Mapping) else Condition.of(given, field)


def _of_mapping(given: Mapping[str, Any], field: str) -> Condition:
    """All that a mapping says: fields and their tests, $and, $or and $not."""
    if not given:
        return Condition(everything())
    return Condition.all_of(_of_entry(name, own, field) for name, own in given.items())


def _of_entry(name: str, own: Any, field: str) -> Condition:
    path = f"{field}.{name}"
    if name in ("$and", "$or"):
        if not isinstance(own, (list, tuple)):
            raise InvalidArgument(
                f"is {type(own).__name__}; a list of filters is accepted", field=path
            )
        parts = [_part(part, f"{path}[{at}]") for at, part in enumerate(own)]
        return Condition.all_of(parts) if name == "$and" else Condition.any_of(parts)
    if name == "$not":
        return ~_part(own, path)
    if not isinstance(name, str) or name.startswith("$"):
        raise InvalidArgument("is not known; fields, $and, $or and $not are accepted", field=path)
    if not isinstance(own, Mapping):
        return _test(name, "$eq", own, path)
    if not own:
        raise InvalidArgument("is empty; a value or tests are accepted", field=path)
    return Condition.all_of(_test(name, test, value, path) for test, value in own.items())


def _part(given: Any, field: str) -> Condition:
    found = to_condition(given, field)
    if found is None:
        raise InvalidArgument("is None; a filter is accepted", field=field)
    return found


_COMPARISONS: dict[str, Callable[[AttributeName, Any], Filter]] = {
    "$eq": lambda own, value: own == value,
    "$gt": lambda own, value: own > value,
    "$gte": lambda own, value: own >= value,
    "$lt": lambda own, value: own < value,
    "$lte": lambda own, value: own <= value,
    "$like": lambda own, value: own.like(value),
    "$ilike": lambda own, value: own.like(value, ignore_case=True),
}
_NEGATED = {"$ne": "$eq", "$nin": "$in"}


def _test(name: str, test: str, value: Any, path: str) -> Condition:
    """One test of a field."""
    if test in _NEGATED:
        return ~_test(name, _NEGATED[test], value, path)
    if test == "$exists":
        if not isinstance(value, bool):
            raise InvalidArgument(
                f"is {value!r}; True or False is accepted", field=f"{path}.{test}"
            )
        return exists(name) if value else ~exists(name)
    if test == "$not":
        inner = value if isinstance(value, Mapping) else {"$eq": value}
        return ~_of_entry(name, inner, path.rpartition(".")[0])
    if test == "$in":
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise InvalidArgument(
                f"is {type(value).__name__}; a list of values is accepted", field=f"{path}.{test}"
            )
        values = [own for own in value if own is not None]
        found = attribute(name, lambda own: own.isin(values))
        return found | is_null(name) if None in value else found
    if test not in _COMPARISONS:
        known = ", ".join([*_COMPARISONS, *_NEGATED, "$in", "$exists", "$not"])
        raise InvalidArgument(f"is no test; {known} are accepted", field=f"{path}.{test}")
    if test == "$eq" and value is None:
        return is_null(name)
    if isinstance(value, (list, tuple, set, frozenset, Mapping)):
        raise InvalidArgument(
            f"is {type(value).__name__}; one value is accepted, and $in of a list",
            field=f"{path}.{test}",
        )
    if test in ("$like", "$ilike") and not isinstance(value, str):
        raise InvalidArgument(
            f"is {type(value).__name__}; a pattern is accepted", field=f"{path}.{test}"
        )
    return attribute(name, lambda own: _COMPARISONS[test](own, value))
