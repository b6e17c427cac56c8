"""The document store."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from typing import Any

from haystack import Document, default_from_dict, default_to_dict
from haystack.document_stores.errors import DocumentStoreError, DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.errors import FilterError
from haystack.utils import Secret

from ... import facets, queries
from ..._sync.client import Client
from ...errors import AlreadyExists, NotFound
from ...filters import ID, A, Filter, FilterLike, everything, to_filter
from ..connection import PAGE, Call, Connection, Steps
from .documents import (
    MORE,
    NULL,
    ORDER,
    RESERVED,
    field_attributes,
    field_names,
    is_plain,
    json_name,
    meta_of,
    of_json_name,
    to_document,
    to_message,
)
from .filters import beyond_attributes, meta_field, translate

_IF_EXISTS = {
    DuplicatePolicy.NONE: "fail",
    DuplicatePolicy.FAIL: "fail",
    DuplicatePolicy.SKIP: "skip",
    DuplicatePolicy.OVERWRITE: "replace",
}
_TYPES = {
    ("boolean",): "boolean",
    ("integer",): "int",
    ("float",): "float",
    ("float", "integer"): "float",
    ("timestamp",): "date",
}
_KEY = Secret.from_env_var("LATENTDB_API_KEY", strict=False)
# Maximum hits that a search skips, facets per request, values per facet.
_DEPTH = 10_000
_FACETS = 100
_VALUES = 100_000


class LatentDBDocumentStore:
    """Documents in a collection of a LatentDB server.

    Fields of `meta` are attributes of their names. What attributes do not hold (nested values,
    lists of several kinds, long strings, names with other characters than letters, digits, `_`, `-`
    and `.`, fields beyond the 256th attribute) is kept as JSON and comes back equal; a filter on
    such a field is a FilterError. Of a list one value has to pass a filter; None and an empty list
    are no value. Names that begin with `_haystack_` are reserved.

    Embeddings come back as the floats that were written. The server keeps 32-bit floats; an
    embedding that they do not hold is kept as 64-bit floats too, in a reserved attribute: 11 bytes
    per value. A string of an attribute has 32,000 bytes at most, so of more than 3,000 values these
    are several strings.

    The collection is made at its first use where there is none. Nothing is asked before.

    Args:
        address: `HOST:PORT` of the server.
        collection: the collection's name.
        embedding_dim: values of an embedding. Those of the encoder where there is one.
        client: instead of address, key and TLS, a connection that is open; it is not serialised.
        api_key: the server's key, where it asks for one.
        tls: True for the system's authorities, or the file of an authority (PEM).
        recreate: drop the collection at its first use and make it again.
        encoder: the model with which the server makes vectors of documents without an embedding,
            "all-MiniLM-L6-v2"; where the collection is made.
        sae: a folder on the server with an SAE, where the collection is made.
    """

    def __init__(
        self,
        *,
        address: str = "127.0.0.1:7700",
        collection: str = "documents",
        embedding_dim: int = 768,
        client: Client | None = None,
        api_key: Secret | None = _KEY,
        tls: bool | str = False,
        recreate: bool = False,
        encoder: str | None = None,
        sae: str | None = None,
    ) -> None:
        self.address = address
        self.collection = collection
        self.embedding_dim = embedding_dim
        self.client = client
        self.api_key = api_key
        self.tls = tls
        self.recreate = recreate
        self.encoder = encoder
        self.sae = sae
        self._plain = client
        self._connection = Connection(self._sync, collection)
        # Values of a vector, once the collection was looked at.
        self._dimension: int | None = None
        self._written = 0

    def to_dict(self) -> dict[str, Any]:
        """The arguments, for a pipeline's file."""
        made: dict[str, Any] = default_to_dict(
            self,
            address=self.address if self.client is None else self.client.address,
            collection=self.collection,
            embedding_dim=self.embedding_dim,
            api_key=self.api_key,
            tls=self.tls,
            recreate=self.recreate,
            encoder=self.encoder,
            sae=self.sae,
        )
        return made

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> LatentDBDocumentStore:
        """The store of `to_dict`."""
        arguments = dict(data["init_parameters"])
        if isinstance(arguments.get("api_key"), dict):
            arguments["api_key"] = Secret.from_dict(arguments["api_key"])
        made: LatentDBDocumentStore = default_from_dict(cls, {**data, "init_parameters": arguments})
        return made

    def close(self) -> None:
        """Closes the connection that this store made."""
        if self._plain is not None and self.client is None:
            self._plain.close()
            self._plain = None

    async def close_async(self) -> None:
        """Closes the connection of the running event loop."""
        await self._connection.close_async()

    def _key(self) -> str | None:
        return None if self.api_key is None else self.api_key.resolve_value()

    def _sync(self) -> Client:
        if self._plain is None:
            self._plain = Client(self.address, api_key=self._key(), tls=self.tls)
        return self._plain

    # What is done, for both kinds of clients

    def _opened(self, again: bool = False) -> Steps[None]:
        """Looks at the collection the first time, and makes it where there is none."""
        again = again or (self.recreate and self._dimension is None)
        if self._dimension is not None and not again:
            return
        if again:
            with contextlib.suppress(NotFound):
                yield lambda client: client.drop_collection(self.collection)
        try:
            about = yield self._info()
        except NotFound:
            with contextlib.suppress(AlreadyExists):
                yield lambda client: client.create_collection(
                    self.collection,
                    encoder=self.encoder or "",
                    sae=self.sae or "",
                    dimension=0 if self.encoder else self.embedding_dim,
                )
            about = yield self._info()
        if self.encoder and not about.HasField("encoder"):
            raise DocumentStoreError(
                f"the collection {self.collection!r} has no encoder; encoder is {self.encoder!r}"
            )
        if not self.encoder and about.dimension != self.embedding_dim:
            raise DocumentStoreError(
                f"the collection {self.collection!r} takes vectors of {about.dimension} values; "
                f"embedding_dim is {self.embedding_dim}"
            )
        self._dimension = about.dimension

    def _info(self) -> Call:
        return self._connection.on(lambda own: own.info())

    def _filter(self, filters: dict[str, Any] | None) -> Steps[Filter | None]:
        if not filters:
            return None
        made, fields = translate(filters)
        if fields:
            beyond = yield self._connection.count(beyond_attributes(fields))
            if beyond:
                raise FilterError(
                    f"{beyond} documents hold one of {', '.join(map(repr, sorted(fields)))} as "
                    "JSON, which cannot be filtered: nested values, lists of several kinds, long "
                    "strings, and names with other characters than letters, digits, _, - and ."
                )
        return made

    def _filter_or_all(self, filters: dict[str, Any] | None) -> Steps[Filter]:
        where = yield from self._filter(filters)
        return everything() if where is None else where

    def _count(self, filters: dict[str, Any] | None = None) -> Steps[int]:
        yield from self._opened()
        where = yield from self._filter(filters)
        found: int = yield self._connection.count(where)
        return found

    def _read(self, filters: dict[str, Any] | None) -> Steps[list[Document]]:
        yield from self._opened()
        where = yield from self._filter(filters)
        records = yield self._connection.on(lambda own: own.scroll(where, vector=True))
        # Those that another client wrote come last.
        records.sort(key=lambda record: (record.attributes.get(ORDER, 2**63), record.id))
        return [to_document(record) for record in records]

    def _write(self, documents: list[Document], policy: DuplicatePolicy) -> Steps[int]:
        if not isinstance(documents, (list, tuple)) or not all(
            isinstance(document, Document) for document in documents
        ):
            raise ValueError("documents is no list of Haystack's documents")
        yield from self._opened()
        if_exists = _IF_EXISTS[policy]
        ids = [document.id for document in documents]
        if if_exists == "fail":
            if len(set(ids)) < len(ids):
                twice = next(one for one, times in Counter(ids).items() if times > 1)
                raise DuplicateDocumentError(f"the document {twice!r} is given twice")
            # Long lists are written in batches: none of them if one cannot be.
            if len(ids) > 1:
                there = yield self._connection.on(
                    lambda own: own.scroll(ID.isin(ids), text=False, attributes=False, limit=1)
                )
                if there:
                    raise DuplicateDocumentError(f"the document {there[0].id!r} exists")
        first = max(time.time_ns(), self._written + 1)
        assert self._dimension is not None
        messages = [
            to_message(document, first + at, self._dimension)
            for at, document in enumerate(documents)
        ]
        self._written = first + len(messages)
        try:
            written = yield self._connection.on(
                lambda own: own.upsert(messages, if_exists=if_exists, progress=False)
            )
        except AlreadyExists as error:
            raise DuplicateDocumentError(str(error)) from error
        return int(written.upserted)

    def _delete(self, ids: list[str]) -> Steps[None]:
        yield from self._opened()
        if ids:
            yield self._connection.on(lambda own: own.delete(ids=ids))

    def _delete_all(self, recreate: bool) -> Steps[None]:
        yield from self._opened(again=recreate)
        if not recreate:
            yield self._connection.on(lambda own: own.delete(everything()))

    def _delete_by_filter(self, filters: dict[str, Any]) -> Steps[int]:
        yield from self._opened()
        where = yield from self._filter_or_all(filters)
        found: int = yield self._connection.on(
            lambda own: own.delete(where, ignore_warnings=True)
        )
        return found

    def _update_by_filter(self, filters: dict[str, Any], meta: dict[str, Any]) -> Steps[int]:
        if not meta:
            return 0
        held: dict[str, Any] = {}
        gone: list[str] = []
        for name, value in meta.items():
            own_attributes = field_attributes(name, value)
            if own_attributes is None:
                raise ValueError(f"meta has the field {name!r}, whose name is too long for this")
            held |= own_attributes
            gone += [known for known in field_names(name) if known not in own_attributes]
        yield from self._opened()
        where = yield from self._filter_or_all(filters)
        found: int = yield self._connection.on(
            lambda own: own.update(where, set=held, remove=gone, ignore_warnings=True)
        )
        return found

    def _values(self, name: str, where: Filter | None) -> Steps[list[Any]]:
        """Distinct values of a field; those of lists one by one, and each kind of number apart."""
        if name.startswith(RESERVED):
            return []
        about = yield self._info()
        there = {known.name for known in about.attributes}
        key = json_name(name)
        if key not in there and MORE not in there:
            if name not in there:
                return []
            counted = facets.values(name, limit=_VALUES)
            tables = yield self._connection.on(lambda own: own.facet(counted, filter=where))
            table = tables[0]
            values = [row["value"] for row in table]
            # Counts take 1 and 1.0 for one value, and list no more than so many.
            joined = any(isinstance(value, float) and value.is_integer() for value in values)
            if not joined and len(values) == table.about["distinct"]:
                return values
        names = [one for one in (name, key, MORE) if one in there]
        records = yield self._connection.on(
            lambda own: own.scroll(where, text=False, attributes=names)
        )
        distinct: dict[tuple[str, str], Any] = {}
        for record in records:
            found = meta_of(record.attributes).get(name)
            for value in found if isinstance(found, list) else [found]:
                if value is not None:
                    shown = json.dumps(value, sort_keys=True, default=str)
                    distinct.setdefault((type(value).__name__, shown), value)
        return list(distinct.values())

    def _unique_values(
        self,
        field: str,
        search_term: str | None,
        start: int,
        size: int,
        filters: dict[str, Any] | None,
    ) -> Steps[tuple[list[Any], int]]:
        yield from self._opened()
        where = yield from self._filter(filters)
        found = yield from self._values(meta_field(field), where)
        if search_term:
            part = search_term.lower()
            found = [value for value in found if part in str(value).lower()]
        found.sort(key=lambda value: (str(value), type(value).__name__))
        return found[start : start + size], len(found)

    def _count_unique(
        self, filters: dict[str, Any] | None, fields: list[str]
    ) -> Steps[dict[str, int]]:
        yield from self._opened()
        where = yield from self._filter(filters)
        counts = {}
        for name in map(meta_field, fields):
            found = yield from self._values(name, where)
            counts[name] = len(found)
        return counts

    def _fields_info(self) -> Steps[dict[str, dict[str, str]]]:
        yield from self._opened()
        about = yield self._info()
        types: dict[str, str] = {}
        for known in about.attributes:
            field = of_json_name(known.name)
            if field is not None or not known.name.startswith(RESERVED):
                types[known.name] = (
                    "json" if field is not None
                    else _TYPES.get(tuple(sorted(known.kinds)), "keyword")
                )
        names = list(types)
        out: dict[str, dict[str, str]] = {}
        # Attributes of deleted documents are known for a while.
        for at in range(0, len(names), _FACETS):
            part = names[at : at + _FACETS]

            def count(own: Any, part: list[str] = part) -> Any:
                return own.facet(*(facets.values(name, limit=2) for name in part))

            tables = yield self._connection.on(count)
            for name, table in zip(part, tables):
                field = of_json_name(name)
                if any(field is None or row["value"] != NULL for row in table):
                    out.setdefault(name if field is None else field, {"type": types[name]})
        return out

    def _min_max(self, field: str) -> Steps[dict[str, Any]]:
        yield from self._opened()
        name = meta_field(field)
        nothing = {"min": None, "max": None}
        if not is_plain(name):
            return nothing
        ends = []
        for key, end in ((name, min), (f"-{name}", max)):
            query = queries.matching(key).where(A[name].exists())

            def first(own: Any, query: queries.Query = query) -> Any:
                search = own.search(query).returning(text=False, attributes=[name])
                return search.limit(1).run()

            hits = yield self._connection.on(first)
            if not len(hits):
                return nothing
            value = hits[0].attributes[name]
            ends.append(end(value) if isinstance(value, list) else value)
        numbers = [isinstance(end, (int, float)) for end in ends]
        if numbers[0] != numbers[1] or not (numbers[0] or type(ends[0]) is type(ends[1])):
            return nothing
        return {"min": ends[0], "max": ends[1]}

    def _search(
        self,
        query: queries.QueryLike,
        filters: dict[str, Any] | None,
        latent_filter: FilterLike | None,
        top_k: int,
        embedding: bool,
        why: bool,
    ) -> Steps[list[Document]]:
        if not 0 <= top_k <= _DEPTH:
            raise ValueError(f"top_k is {top_k}; 0 to {_DEPTH} is accepted")
        yield from self._opened()
        where = yield from self._filter(filters)
        described = queries.Query(queries.to_query(query))
        if where is not None:
            described = described.where(where)
        if latent_filter is not None:
            described = described.where(Filter(to_filter(latent_filter)))
        out: list[Document] = []
        while len(out) < top_k:
            size = min(PAGE, top_k - len(out))

            def page(own: Any, offset: int = len(out), size: int = size) -> Any:
                search = own.search(described).returning(vector=embedding)
                return search.offset(offset).limit(size).run()

            hits = yield self._connection.on(page)
            for hit in hits:
                made = to_document(hit, score=hit.score, embedding=embedding)
                if why:
                    made.meta["why"] = _why(hit)
                out.append(made)
            if len(hits) < size:
                break
        return out

    # The methods of a document store

    def count_documents(self) -> int:
        """The number of documents."""
        return self._connection.run(self._count())

    async def count_documents_async(self) -> int:
        """The number of documents."""
        return await self._connection.run_async(self._count())

    def filter_documents(self, filters: dict[str, Any] | None = None) -> list[Document]:
        """The documents of a filter, in the order of writing; all where there is none."""
        return self._connection.run(self._read(filters))

    async def filter_documents_async(
        self, filters: dict[str, Any] | None = None
    ) -> list[Document]:
        """The documents of a filter, in the order of writing; all where there is none."""
        return await self._connection.run_async(self._read(filters))

    def write_documents(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Writes documents; gives how many. NONE is FAIL. What is overwritten comes last in order.

        Raises:
            DuplicateDocumentError: with FAIL, a document exists; nothing is written.
            ValueError: naming a document that cannot be kept; nothing is written.
        """
        return self._connection.run(self._write(documents, policy))

    async def write_documents_async(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """As `write_documents`."""
        return await self._connection.run_async(self._write(documents, policy))

    def delete_documents(self, document_ids: list[str]) -> None:
        """Deletes documents by their ids; those that do not exist are passed over."""
        self._connection.run(self._delete(document_ids))

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        """Deletes documents by their ids; those that do not exist are passed over."""
        await self._connection.run_async(self._delete(document_ids))

    def delete_all_documents(self, recreate_collection: bool = False) -> None:
        """Deletes every document; or drops the collection and makes it again as this store says."""
        self._connection.run(self._delete_all(recreate_collection))

    async def delete_all_documents_async(self, recreate_collection: bool = False) -> None:
        """Deletes every document; or drops the collection and makes it again as this store says."""
        await self._connection.run_async(self._delete_all(recreate_collection))

    def delete_by_filter(self, filters: dict[str, Any]) -> int:
        """Deletes the documents of a filter; gives how many."""
        return self._connection.run(self._delete_by_filter(filters))

    async def delete_by_filter_async(self, filters: dict[str, Any]) -> int:
        """Deletes the documents of a filter; gives how many."""
        return await self._connection.run_async(self._delete_by_filter(filters))

    def update_by_filter(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """Sets fields of meta of the documents of a filter, in one commit; gives how many."""
        return self._connection.run(self._update_by_filter(filters, meta))

    async def update_by_filter_async(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """Sets fields of meta of the documents of a filter, in one commit; gives how many."""
        return await self._connection.run_async(self._update_by_filter(filters, meta))

    def count_documents_by_filter(self, filters: dict[str, Any]) -> int:
        """The exact number of documents of a filter."""
        return self._connection.run(self._count(filters))

    async def count_documents_by_filter_async(self, filters: dict[str, Any]) -> int:
        """The exact number of documents of a filter."""
        return await self._connection.run_async(self._count(filters))

    def count_unique_metadata_by_filter(
        self, filters: dict[str, Any], metadata_fields: list[str]
    ) -> dict[str, int]:
        """Distinct values of each field over the documents of a filter."""
        return self._connection.run(self._count_unique(filters, metadata_fields))

    async def count_unique_metadata_by_filter_async(
        self, filters: dict[str, Any], metadata_fields: list[str]
    ) -> dict[str, int]:
        """Distinct values of each field over the documents of a filter."""
        return await self._connection.run_async(self._count_unique(filters, metadata_fields))

    def get_metadata_fields_info(self) -> dict[str, dict[str, str]]:
        """The type of each field: keyword, int, float, boolean, date; json cannot be filtered."""
        return self._connection.run(self._fields_info())

    async def get_metadata_fields_info_async(self) -> dict[str, dict[str, str]]:
        """The type of each field: keyword, int, float, boolean, date; json cannot be filtered."""
        return await self._connection.run_async(self._fields_info())

    def get_metadata_field_min_max(self, metadata_field: str) -> dict[str, Any]:
        """`min` and `max` of a field; None where there are none or they do not compare."""
        return self._connection.run(self._min_max(metadata_field))

    async def get_metadata_field_min_max_async(self, metadata_field: str) -> dict[str, Any]:
        """`min` and `max` of a field; None where there are none or they do not compare."""
        return await self._connection.run_async(self._min_max(metadata_field))

    def get_metadata_field_unique_values(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: dict[str, Any] | None = None,
    ) -> tuple[list[Any], int]:
        """Distinct values of a field, a page of them, and how many there are.

        Args:
            search_term: only values that have this in their text, in any case.
        """
        return self._connection.run(
            self._unique_values(metadata_field, search_term, from_, size, filters)
        )

    async def get_metadata_field_unique_values_async(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: dict[str, Any] | None = None,
    ) -> tuple[list[Any], int]:
        """As `get_metadata_field_unique_values`."""
        return await self._connection.run_async(
            self._unique_values(metadata_field, search_term, from_, size, filters)
        )

    def search(
        self,
        query: queries.QueryLike,
        *,
        filters: dict[str, Any] | None = None,
        latent_filter: FilterLike | None = None,
        top_k: int = 10,
        return_embedding: bool = False,
        with_why: bool = False,
    ) -> list[Document]:
        """The best documents of any query of `latentdb.queries`, with their scores.

        Args:
            latent_filter: a filter of LatentDB too: "latent(812, > 0.3)", or of `latentdb.filters`.
            with_why: `meta["why"]` says which parts and latents made the score.
        """
        return self._connection.run(
            self._search(query, filters, latent_filter, top_k, return_embedding, with_why)
        )

    async def search_async(
        self,
        query: queries.QueryLike,
        *,
        filters: dict[str, Any] | None = None,
        latent_filter: FilterLike | None = None,
        top_k: int = 10,
        return_embedding: bool = False,
        with_why: bool = False,
    ) -> list[Document]:
        """As `search`."""
        return await self._connection.run_async(
            self._search(query, filters, latent_filter, top_k, return_embedding, with_why)
        )


def _why(hit: Any) -> dict[str, Any]:
    """What `latentdb.results.Why` says, as JSON has it."""
    why = hit.why
    return {
        "parts": [
            {"name": own.name, "score": own.score, "rank": own.rank,
             "contribution": own.contribution}
            for own in why.parts
        ],
        "latents": [
            {"latent": own.latent, "label": own.label, "activation": own.activation,
             "contribution": own.contribution}
            for own in why.latents
        ],
        "words": [[own.start, own.end] for own in why.words],
    }

