"""Retrievers: components of pipelines that search the store."""

# Without postponed annotations: Haystack reads the types of `run` from its signature.

from typing import Any, TypeVar

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.document_stores.types import FilterPolicy
from haystack.document_stores.types.filter_policy import apply_filter_policy

from ...filters import Filter
from ...queries import Query, bm25, fuse, nearest
from .document_store import LatentDBDocumentStore

Found = dict[str, list[Document]]
# Latents or concepts, and how far they are turned up.
Turned = dict[int | str, float]
R = TypeVar("R", bound="_Retriever")


def _named(steer: Turned | None) -> dict[str, float] | None:
    """Files of pipelines have strings as keys alone."""
    return None if steer is None else {str(what): amount for what, amount in steer.items()}


class _Retriever:
    """What the retrievers have in common. Their classes are rebuilt by `component`, so that they
    cannot say `super()`."""

    def _set(
        self,
        document_store: LatentDBDocumentStore,
        filters: dict[str, Any] | None,
        top_k: int,
        latent_filter: str | Filter | None,
        return_embedding: bool,
        with_why: bool,
        filter_policy: str | FilterPolicy,
    ) -> None:
        if not isinstance(document_store, LatentDBDocumentStore):
            raise TypeError("document_store must be a LatentDBDocumentStore")
        if top_k <= 0:
            raise ValueError(f"top_k must be greater than 0, but got {top_k}")
        self.document_store = document_store
        self.filters = filters
        self.top_k = top_k
        self.latent_filter = None if latent_filter is None else str(latent_filter)
        self.return_embedding = return_embedding
        self.with_why = with_why
        self.filter_policy = FilterPolicy.from_str(str(filter_policy))

    def _own(self) -> dict[str, Any]:
        """Arguments that only this retriever has."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """The arguments, for a pipeline's file."""
        made: dict[str, Any] = default_to_dict(
            self,
            document_store=self.document_store,
            filters=self.filters,
            top_k=self.top_k,
            latent_filter=self.latent_filter,
            return_embedding=self.return_embedding,
            with_why=self.with_why,
            filter_policy=self.filter_policy.value,
            **self._own(),
        )
        return made

    @classmethod
    def from_dict(cls: type[R], data: dict[str, Any]) -> R:
        """The retriever of `to_dict`."""
        arguments = dict(data["init_parameters"])
        if isinstance(arguments["document_store"], dict):
            arguments["document_store"] = LatentDBDocumentStore.from_dict(
                arguments["document_store"]
            )
        if arguments.get("steer") is not None:
            arguments["steer"] = {
                int(what) if str(what).isdigit() else what: amount
                for what, amount in arguments["steer"].items()
            }
        made: R = default_from_dict(cls, {**data, "init_parameters": arguments})
        return made

    def _options(
        self, filters: dict[str, Any] | None, top_k: int | None, latent_filter: str | Filter | None
    ) -> dict[str, Any]:
        """What `LatentDBDocumentStore.search` takes besides the query."""
        return {
            "filters": apply_filter_policy(self.filter_policy, self.filters, filters),
            "top_k": self.top_k if top_k is None else top_k,
            "latent_filter": self.latent_filter if latent_filter is None else latent_filter,
            "return_embedding": self.return_embedding,
            "with_why": self.with_why,
        }


@component
class LatentDBEmbeddingRetriever(_Retriever):
    """Documents near to an embedding, steered where that is asked.

    Args:
        document_store: where to search.
        filters: Haystack's filters.
        top_k: most documents, 1 to 10,000.
        steer: turns latents and concepts up and down: `{812: 2.0, "theory": -1}`.
        latent_filter: a filter of LatentDB besides: "latent(812, > 0.3)", or of `latentdb.filters`.
        return_embedding: whether documents come with their embeddings.
        with_why: `meta["why"]` says which latents made the score.
        filter_policy: whether filters of `run` replace these or are merged with them.
    """

    def __init__(
        self,
        document_store: LatentDBDocumentStore,
        *,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        steer: Turned | None = None,
        latent_filter: str | Filter | None = None,
        return_embedding: bool = False,
        with_why: bool = False,
        filter_policy: str | FilterPolicy = FilterPolicy.REPLACE,
    ) -> None:
        self._set(
            document_store, filters, top_k, latent_filter, return_embedding, with_why, filter_policy
        )
        self.steer = steer

    def _own(self) -> dict[str, Any]:
        return {"steer": _named(self.steer)}

    def _query(self, embedding: list[float], steer: Turned | None) -> Query:
        return nearest(embedding, steer=self.steer if steer is None else steer)

    @component.output_types(documents=list[Document])  # type: ignore[untyped-decorator]
    def run(
        self,
        query_embedding: list[float],
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
        steer: Turned | None = None,
        latent_filter: str | Filter | None = None,
    ) -> Found:
        """The nearest documents; arguments that are given stand for those of the retriever."""
        options = self._options(filters, top_k, latent_filter)
        query = self._query(query_embedding, steer)
        return {"documents": self.document_store.search(query, **options)}

    @component.output_types(documents=list[Document])  # type: ignore[untyped-decorator]
    async def run_async(
        self,
        query_embedding: list[float],
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
        steer: Turned | None = None,
        latent_filter: str | Filter | None = None,
    ) -> Found:
        """As `run`."""
        options = self._options(filters, top_k, latent_filter)
        query = self._query(query_embedding, steer)
        return {"documents": await self.document_store.search_async(query, **options)}


@component
class LatentDBBM25Retriever(_Retriever):
    """Documents with words of a text, by BM25.

    Arguments are those of LatentDBEmbeddingRetriever.
    """

    def __init__(
        self,
        document_store: LatentDBDocumentStore,
        *,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        latent_filter: str | Filter | None = None,
        return_embedding: bool = False,
        with_why: bool = False,
        filter_policy: str | FilterPolicy = FilterPolicy.REPLACE,
    ) -> None:
        self._set(
            document_store, filters, top_k, latent_filter, return_embedding, with_why, filter_policy
        )

    @component.output_types(documents=list[Document])  # type: ignore[untyped-decorator]
    def run(
        self,
        query: str,
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
        latent_filter: str | Filter | None = None,
    ) -> Found:
        """The best documents; arguments that are given stand for those of the retriever."""
        options = self._options(filters, top_k, latent_filter)
        return {"documents": self.document_store.search(bm25(query), **options)}

    @component.output_types(documents=list[Document])  # type: ignore[untyped-decorator]
    async def run_async(
        self,
        query: str,
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
        latent_filter: str | Filter | None = None,
    ) -> Found:
        """As `run`."""
        options = self._options(filters, top_k, latent_filter)
        return {"documents": await self.document_store.search_async(bm25(query), **options)}


@component
class LatentDBHybridRetriever(_Retriever):
    """Documents by words and by meaning: BM25 and nearness, made one by their ranks.

    Args:
        weights: of nearness and of words; 1 each.

    The others are those of LatentDBEmbeddingRetriever; `steer` turns nearness.
    """

    def __init__(
        self,
        document_store: LatentDBDocumentStore,
        *,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        weights: list[float] | None = None,
        steer: Turned | None = None,
        latent_filter: str | Filter | None = None,
        return_embedding: bool = False,
        with_why: bool = False,
        filter_policy: str | FilterPolicy = FilterPolicy.REPLACE,
    ) -> None:
        self._set(
            document_store, filters, top_k, latent_filter, return_embedding, with_why, filter_policy
        )
        self.weights = weights
        self.steer = steer

    def _own(self) -> dict[str, Any]:
        return {"weights": self.weights, "steer": _named(self.steer)}

    def _query(self, text: str, embedding: list[float] | None, steer: Turned | None) -> Query:
        near = nearest(
            text if embedding is None else embedding, steer=self.steer if steer is None else steer
        )
        return fuse(near, bm25(text), weights=self.weights)

    @component.output_types(documents=list[Document])  # type: ignore[untyped-decorator]
    def run(
        self,
        query: str,
        query_embedding: list[float] | None = None,
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
        steer: Turned | None = None,
        latent_filter: str | Filter | None = None,
    ) -> Found:
        """The best documents. Without an embedding the collection's encoder makes one."""
        options = self._options(filters, top_k, latent_filter)
        made = self._query(query, query_embedding, steer)
        return {"documents": self.document_store.search(made, **options)}

    @component.output_types(documents=list[Document])  # type: ignore[untyped-decorator]
    async def run_async(
        self,
        query: str,
        query_embedding: list[float] | None = None,
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
        steer: Turned | None = None,
        latent_filter: str | Filter | None = None,
    ) -> Found:
        """As `run`."""
        options = self._options(filters, top_k, latent_filter)
        made = self._query(query, query_embedding, steer)
        return {"documents": await self.document_store.search_async(made, **options)}
