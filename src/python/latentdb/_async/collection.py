"""A collection: its documents, searches and counts."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .. import v1
from ..encoders import text_role
from ..errors import InvalidArgument, LatentDBError, NotFound, cut_warning, warn
from ..facets import FacetLike, statistics, to_facet
from ..filters import FilterLike, to_filter
from ..progress import Progress, ProgressLike
from ..queries import QueryLike, Steer, nearest, one_of, property, to_query
from ..queries import Query as Query
from ..records import Attributes, Mapper, Placed, batches, length_of, rows_of
from ..results import Record, Table, facet_table, need
from ..values import (
    Floats,
    attributes,
    fill_vector,
    is_nothing,
    numbers,
    of_vector,
    to_latents,
    to_vector,
)
from .analysis import Analysed
from .latents import AsyncLatents
from .saes import named
from .search import AsyncSearch, projection
from .transport import AsyncTransport
from .writing import Ingest, Written

_IF_EXISTS = {
    "replace": v1.IF_EXISTS_REPLACE,
    "skip": v1.IF_EXISTS_SKIP,
    "fail": v1.IF_EXISTS_FAIL,
}
# Documents of a batch; fewer where the server encodes them, so that what is done is seen.
WRITTEN = 1000
ENCODED = 32


class AsyncCollection(Analysed):
    """A collection of a server.

    Attributes:
        name: its name, or `NAME:SAE` through an SAE.
        latents: its latents.
    """

    def __init__(self, rpc: AsyncTransport, name: str) -> None:
        self.rpc = rpc
        self.name = name
        self.latents = AsyncLatents(rpc, name)

    def __repr__(self) -> str:
        return f"<Collection {self.name!r}>"

    async def info(self) -> v1.Collection:
        """Record and statistics: models, SAEs, documents, attributes, bytes."""
        request = v1.GetCollectionRequest(name=self.name)
        return await self.rpc.unary("CollectionService/GetCollection", request, v1.Collection)

    def through(self, sae: str) -> AsyncCollection:
        """The collection through one of its SAEs: all latents are that SAE's."""
        return AsyncCollection(self.rpc, f"{self.name.partition(':')[0]}:{sae}")

    # Documents

    async def upsert(
        self,
        records: Any,
        *,
        id: str = "id",  # noqa: A002
        text: str | None = None,
        vector: str | None = None,
        latents: str | None = None,
        attributes: Attributes = None,
        vectors: Any = None,
        chunk: int | tuple[int, int] | None = None,
        if_exists: str = "replace",
        set_aside: bool = False,
        stream: str = "",
        batch: int | None = None,
        progress: ProgressLike = None,
    ) -> Written:
        """Inserts documents or replaces those with their ids.

        Batches are written one after the other; a broken connection is made again and no batch is
        written twice. What was acknowledged is on disk.

        Args:
            records: a table of pandas, polars or pyarrow, a dataset, dicts or an iterator of them,
                columns by name; or documents, mappings with `id` and `text`, `vector`, `latents`,
                `attributes`.
            id: the column of ids.
            text: the column of texts, or a template: "{title}. {abstract}".
            vector: the column of vectors; latents: of latents, `{812: 0.5}`.
            attributes: columns that become attributes: names, a mapping to names, or "*" for the
                others all. Cells that hold nothing are left out.
            vectors: instead of a column, an array of shape (n, d), a row per record.
            chunk: tokens of the passages that texts are split into, or a pair with the tokens that each
                repeats of the one before: `(256, 32)`. Passages are documents `ID#0`, `ID#1` and so on
                with the attributes `parent` and `passage`; `.group_by("parent")` of a search shows the
                best of each.
            if_exists: documents with ids that exist: "replace", "skip" or "fail".
            set_aside: records that cannot be written are named in the answer (`rejected`), the
                others written; else the batch is not written and that is an error.
            stream: a name under which a stopped upsert of the same records goes on: batches that
                were written are recognised and not encoded again (`recognised` of the answer).
                Other columns, batches or first records are another stream.
            batch: documents per write; 1,000, and 32 where the server encodes them.
            progress: a bar where somebody looks; True, False, or a function of done and total.

        Raises:
            InvalidArgument: naming the record and the column. Batches before stay written; `written`
                of the error says what.
        """
        about = await self.info()
        mapper = Mapper(
            id=id,
            text=text,
            vector=vector,
            latents=latents,
            attributes=attributes,
            dimension=about.dimension,
        )
        total = length_of(records)
        array = None
        if vectors is not None:
            array = _matrix(vectors, about.dimension)
            if total is not None and len(array) != total:
                raise InvalidArgument(f"has {len(array)} rows for {total} records", field="vectors")
        if batch is not None and not 1 <= batch <= 10_000:
            raise InvalidArgument(f"is {batch}; 1 to 10000 is accepted", field="batch")
        chunking = _chunking(chunk)
        rejected: list[tuple[int, LatentDBError]] = []
        aside = rejected if set_aside else None
        documents = _documents(mapper, rows_of(records), array, aside)
        first = next(documents, None)
        if first is None:
            return Written(rejected=rejected)
        encodes = about.HasField("reader") or (
            about.HasField("encoder") and not first[1].HasField("vector")
        )
        size = batch or (ENCODED if encodes else WRITTEN)
        bar = Progress(progress, total, "documents")
        try:
            ingest = Ingest(
                self.rpc,
                self.name,
                batches(itertools.chain([first], documents), size),
                one_of(_IF_EXISTS, if_exists, "if_exists"),
                set_aside,
                f"{stream}.{_mark(mapper, size, total, first[1], chunking)}" if stream else "",
                bar,
                rejected,
                chunking,
            )
            return await ingest.run()
        finally:
            bar.close()

    async def update(
        self,
        where: FilterLike | str | Sequence[str] | None = None,
        *,
        ids: Sequence[str] | str | None = None,
        set: Mapping[str, Any] | None = None,  # noqa: A002
        remove: Sequence[str] = (),
        text: str | None = None,
        vector: Any = None,
        latents: Any = None,
        expected_versions: Mapping[str, str] | None = None,
        ignore_warnings: bool = False,
    ) -> int:
        """Changes documents of a filter, or those with `ids`, in one commit; gives how many.

        Args:
            where: which documents; or `ids`.
            set: attributes and their values; remove: names of attributes.
            text, vector, latents: of documents by id: made new, and with them what follows.
            expected_versions: versions that documents must have, by id.
            ignore_warnings: update although the filter has a test that cannot match.

        Raises:
            NotFound: an id does not exist. Conflict: a document has another version.
        """
        if (where is None) == (ids is None):
            raise InvalidArgument("takes a filter, or ids=", field="update")
        request = v1.UpdateRequest(
            collection=self.name, expected_versions=dict(expected_versions or {})
        )
        for name, value in (set or {}).items():
            if is_nothing(value):
                raise InvalidArgument(
                    f"is {value}; a value is accepted, and remove={[name]} removes it",
                    field=f"set.{name}",
                )
        values = attributes(set or {}, "set")
        if ids is not None:
            for own in [ids] if isinstance(ids, str) else ids:
                change = request.updates.add(id=own, remove_attributes=remove)
                _put(change.set_attributes, values)
                if text is not None:
                    change.text = text
                if vector is not None:
                    fill_vector(change.vector, np.asarray(vector, dtype=np.float32))
                if latents is not None:
                    change.latents.CopyFrom(to_latents(latents))
        else:
            if text is not None or vector is not None or latents is not None:
                raise InvalidArgument(
                    "are of documents by ids=; of a filter, attributes change",
                    field="text, vector and latents",
                )
            matching = request.matching
            matching.filter.CopyFrom(to_filter(where, "where"))  # type: ignore[arg-type]
            matching.remove_attributes.extend(remove)
            matching.ignore_warnings = ignore_warnings
            _put(matching.set_attributes, values)
        done = await self.rpc.unary("DocumentService/Update", request, v1.WriteResponse)
        warn(cut_warning(done.cut_texts))
        return done.upserted

    async def delete(
        self,
        where: FilterLike | None = None,
        *,
        ids: Sequence[str] | str | None = None,
        expected_versions: Mapping[str, str] | None = None,
        ignore_warnings: bool = False,
    ) -> int:
        """Deletes documents of a filter, or those with `ids`; gives how many there were."""
        if (where is None) == (ids is None):
            raise InvalidArgument(
                "takes a filter, or ids=; every document is latentdb.everything()", field="delete"
            )
        request = v1.DeleteRequest(
            collection=self.name,
            ids=[ids] if isinstance(ids, str) else ids,
            filter=None if where is None else to_filter(where, "where"),
            expected_versions=dict(expected_versions or {}),
            ignore_warnings=ignore_warnings,
        )
        done = await self.rpc.unary("DocumentService/Delete", request, v1.WriteResponse)
        return done.deleted

    async def get(
        self,
        ids: Sequence[str | int],
        *,
        text: bool = True,
        attributes: bool | Sequence[str] = True,
        vector: bool = False,
        latents: bool = False,
        version: bool = False,
        missing_ok: bool = False,
    ) -> list[Record]:
        """Documents by id, in the order asked.

        Raises:
            NotFound: naming ids that do not exist; they are left out with `missing_ok`.
        """
        if isinstance(ids, str):
            raise InvalidArgument("is a string; a list of ids is accepted", field="ids")
        request = v1.GetRequest(
            collection=self.name,
            ids=[str(own) for own in ids],
            projection=projection(text, attributes, vector, latents, version),
        )
        found = await self.rpc.unary("DocumentService/Get", request, v1.GetResponse)
        if found.missing and not missing_ok:
            raise NotFound(f"do not exist: {', '.join(found.missing[:10])}", field="ids")
        return [Record(document) for document in found.documents]

    async def scroll(
        self,
        filter: FilterLike | None = None,  # noqa: A002
        *,
        text: bool = True,
        attributes: bool | Sequence[str] = True,
        vector: bool = False,
        latents: bool = False,
        limit: int = 0,
    ) -> AsyncIterator[Record]:
        """All documents of a filter, in no order, from one snapshot; all where there is none."""
        request = v1.ScrollRequest(
            collection=self.name,
            filter=None if filter is None else to_filter(filter),
            projection=projection(text, attributes, vector, latents, False),
            limit=limit,
        )
        async for part in self.rpc.stream("DocumentService/Scroll", request, v1.ScrollResponse):
            warn(part.warnings)
            for document in part.documents:
                yield Record(document)

    async def matrix(self, filter: FilterLike | None = None) -> tuple[Any, list[str]]:  # noqa: A002
        """The latents of documents as a scipy.sparse CSR array, shape (documents, latents), and the
        ids of its rows."""
        sparse = need("scipy.sparse", "matrix")
        about = await self.info()
        ids: list[str] = []
        columns: list[int] = []
        values: list[float] = []
        ends = [0]
        async for own in self.scroll(filter, text=False, attributes=False, latents=True):
            ids.append(own.id)
            found = own.message.latents.values
            columns += [entry.latent for entry in found]
            values += [entry.activation for entry in found]
            ends.append(len(columns))
        parts = (
            np.asarray(values, dtype=np.float32),
            np.asarray(columns, dtype=np.int32),
            np.asarray(ends, dtype=np.int64),
        )
        return sparse.csr_array(parts, shape=(len(ids), about.n_latents)), ids

    async def vectors(self, filter: FilterLike | None = None) -> tuple[Floats, list[str]]:  # noqa: A002
        """The vectors of documents that have one, shape (documents, d), and the ids of the rows."""
        ids, rows = [], []
        async for own in self.scroll(filter, text=False, attributes=False, vector=True):
            found = own.vector
            if found is not None:
                ids.append(own.id)
                rows.append(found)
        return np.stack(rows) if rows else np.zeros((0, 0), dtype=np.float32), ids

    # Searches

    def search(
        self,
        query: QueryLike,
        *,
        steer: Steer | None = None,
        filter: FilterLike | None = None,  # noqa: A002
        exact: bool = False,
    ) -> AsyncSearch:
        """Searches near a text, a vector or weights of latents, or by a query of `latentdb.queries`.

        Args:
            query: a text to be near to (semantic search); a vector; `{812: 1.0}`; a query.
            steer: turns concepts up and down, of a text or vector: `{812: 2.0, "theory": -1}`.
            filter: which documents.
            exact: of a text or vector, compares with every document.
        """
        if isinstance(query, (str, np.ndarray, list, tuple)):
            made = nearest(query, steer=steer, exact=exact).message
        elif steer is not None or exact:
            raise InvalidArgument(
                "is of a text or a vector; nearest(..., steer=) of a query", field="steer"
            )
        else:
            made = to_query(query)
        search = AsyncSearch(self.rpc, v1.SearchRequest(collection=self.name, query=made))
        return search if filter is None else search.where(filter)

    def query(self, query: QueryLike) -> AsyncSearch:
        """Searches by a query of `latentdb.queries`."""
        return self.search(query)

    def nearest(self, to: Any = None, **options: Any) -> Query:
        """`latentdb.queries.nearest`: a node of a query."""
        return nearest(to, **options)

    def property(self, text: str | None = None, **options: Any) -> Query:
        """`latentdb.queries.property`: a node of a query."""
        return property(text, **options)

    async def count(self, filter: FilterLike | None = None) -> int:  # noqa: A002
        """The exact number of documents of a filter."""
        request = v1.CountRequest(
            collection=self.name, filter=None if filter is None else to_filter(filter)
        )
        found = await self.rpc.unary("SearchService/Count", request, v1.CountResponse)
        warn(found.warnings)
        return found.count

    async def facet(
        self,
        *facets: FacetLike,
        filter: FilterLike | None = None,  # noqa: A002
    ) -> list[Table]:
        """Exact counts by attributes, latents and buckets, and statistics, one table per facet.

        Args:
            facets: attributes by name, or facets of `latentdb.facets`.
        """
        request = v1.FacetRequest(
            collection=self.name,
            filter=None if filter is None else to_filter(filter),
            facets=[to_facet(facet, f"facets[{at}]") for at, facet in enumerate(facets)],
        )
        found = await self.rpc.unary("SearchService/Facet", request, v1.FacetResponse)
        tables = [facet_table(result) for result in found.facets]
        for table in tables:
            table.warnings = list(found.warnings)
        warn(found.warnings)
        return tables

    async def stats(
        self,
        attribute: str,
        *,
        filter: FilterLike | None = None,  # noqa: A002
    ) -> dict[str, Any]:
        """Count, minimum, maximum, mean, sum, deviation and quartiles of an attribute; empty where
        no document has it."""
        table = (await self.facet(statistics(attribute), filter=filter))[0]
        return table[0] if len(table) else {}

    async def steer(self, to: str | Any, steer: Steer) -> v1.Steering:
        """What edits do to the vector of a text, without searching."""
        request = v1.SteerRequest(
            collection=self.name, nearest=nearest(to, steer=steer).message.nearest
        )
        found = await self.rpc.unary("SearchService/Steer", request, v1.SteerResponse)
        return found.steering

    async def steer_sweep(
        self,
        to: str | Any,
        steer: Steer,
        strengths: Sequence[float],
        *,
        filter: FilterLike | None = None,  # noqa: A002
        limit: int = 0,
    ) -> Table:
        """The hits of a steered search at several strengths: a row per strength."""
        request = v1.SteerSweepRequest(
            collection=self.name,
            nearest=nearest(to, steer=steer).message.nearest,
            filter=None if filter is None else to_filter(filter),
            strengths=strengths,
            limit=limit,
        )
        found = await self.rpc.unary("SearchService/SteerSweep", request, v1.SteerSweepResponse)
        rows = [
            {
                "strength": step.strength,
                "target_share": step.target_share,
                "overlap": step.overlap,
                "relevance_kept": step.relevance_kept if step.HasField("relevance_kept") else None,
                "ids": [hit.id for hit in step.hits],
            }
            for step in found.steps
        ]
        return Table(rows, warnings=found.warnings, bars=("strength", "target_share"))

    # Models

    async def encode(self, texts: Sequence[str], *, role: str = "document") -> Floats:
        """Texts to vectors with the collection's encoder, shape (texts, d); at most 10,000.

        `role` is "document", or "query" for what is looked for: models that were trained to retrieve tell them
        apart by a prompt.
        """
        request = v1.EncodeTextsRequest(collection=self.name, texts=texts, role=text_role(role))
        found = await self.rpc.unary("ModelService/EncodeTexts", request, v1.EncodeTextsResponse)
        rows = [of_vector(vector) for vector in found.vectors]
        return np.stack(rows) if rows else np.zeros((0, 0), dtype=np.float32)

    async def encode_vectors(self, vectors: Any) -> list[dict[int, float]]:
        """Vectors, shape (n, d), to latents with the collection's SAE."""
        rows = [to_vector(row, f"vectors[{at}]") for at, row in enumerate(_matrix(vectors, 0))]
        request = v1.EncodeVectorsRequest(collection=self.name, vectors=rows)
        found = await self.rpc.unary(
            "ModelService/EncodeVectors", request, v1.EncodeVectorsResponse
        )
        return [{own.latent: own.activation for own in row.values} for row in found.rows]

    async def decode_latents(self, rows: Sequence[Mapping[int, float]]) -> Floats:
        """Latents to vectors with the collection's SAE, shape (n, d)."""
        request = v1.DecodeLatentsRequest(
            collection=self.name,
            rows=[to_latents(row, f"rows[{at}]") for at, row in enumerate(rows)],
        )
        found = await self.rpc.unary(
            "ModelService/DecodeLatents", request, v1.DecodeLatentsResponse
        )
        return np.stack([of_vector(vector) for vector in found.vectors])

    async def train_sae(
        self,
        *,
        n_latents: int = 0,
        k: int = 0,
        epochs: int = 0,
        seed: int = 0,
        seeds: int = 1,
        matryoshka: bool = False,
        batch_top_k: bool = False,
        progress: ProgressLike = None,
    ) -> v1.TrainSaeProgress:
        """Trains an SAE on the collection's vectors, which the server keeps; gives the last message, with
        the SAE and its quality. `attach_sae` takes the SAE, `client.saes.download` brings its files.

        `seeds`: SAEs trained, from `seed` and the seeds that follow. The first is kept, with how often each of
        its latents comes back in the others (`latents.list()` has it, `min_recurrence` of analyses filters by it).
        """
        request = v1.TrainSaeRequest(
            collection=self.name,
            n_latents=n_latents,
            k=k,
            epochs=epochs,
            seed=seed,
            seeds=seeds,
            matryoshka=matryoshka,
            batch_top_k=batch_top_k,
        )
        bar, last = Progress(progress, None, "steps"), v1.TrainSaeProgress()
        try:
            async for last in self.rpc.stream(
                "ModelService/TrainSae", request, v1.TrainSaeProgress
            ):
                bar.set(last.step, last.steps)
        finally:
            bar.close()
        return last

    async def evaluate_sae(self, sae: str = "") -> v1.EvaluateSaeResponse:
        """Measures an SAE, the collection's or another one by its hash or its folder below
        `serve --models`, on its vectors."""
        request = v1.EvaluateSaeRequest(collection=self.name, sae=sae)
        return await self.rpc.unary("ModelService/EvaluateSae", request, v1.EvaluateSaeResponse)

    async def attach_sae(
        self,
        sae: str | v1.SaeInfo,
        *,
        name: str = "",
        reader: v1.Reader | None = None,
        fvu_limit: float = 0.0,
        warn: bool = False,
        progress: ProgressLike = None,
    ) -> v1.Collection:
        """Attaches an SAE (what `saes.upload` gave, or a folder on the server), as the default or
        under a name, and codes all documents; the old state serves meanwhile."""
        request = v1.AttachSaeRequest(
            collection=self.name, sae=named(sae), name=name, reader=reader
        )
        if fvu_limit or warn:
            request.gate.CopyFrom(v1.FitGate(fvu_limit=fvu_limit, warn=warn))
        return await self._switch("AttachSae", request, progress)

    async def detach_sae(self, name: str = "", *, progress: ProgressLike = None) -> v1.Collection:
        """Detaches an SAE with its latents; its labels are kept for when it comes back."""
        request = v1.DetachSaeRequest(collection=self.name, name=name)
        return await self._switch("DetachSae", request, progress)

    async def _switch(self, method: str, request: Any, progress: ProgressLike) -> v1.Collection:
        bar, last = Progress(progress, None, "documents"), v1.AttachSaeProgress()
        try:
            async for last in self.rpc.stream(
                f"CollectionService/{method}", request, v1.AttachSaeProgress
            ):
                bar.set(last.done, last.total)
        finally:
            bar.close()
        return last.collection

    # Sets and presets

    async def save_set(
        self,
        name: str,
        filter: FilterLike,
        *,
        frozen: bool = False,  # noqa: A002
    ) -> v1.SavedSet:
        """Saves a filter under a name; `frozen` keeps the documents it describes now."""
        request = v1.SaveSetRequest(
            collection=self.name, name=name, filter=to_filter(filter), frozen=frozen
        )
        return await self.rpc.unary("CollectionService/SaveSet", request, v1.SavedSet)

    async def sets(self) -> Table:
        """Saved sets by name, and how many documents they describe."""
        request = v1.ListSetsRequest(collection=self.name)
        found = await self.rpc.unary("CollectionService/ListSets", request, v1.ListSetsResponse)
        rows = [
            {"name": own.name, "frozen": own.frozen, "documents": own.documents, "error": own.error}
            for own in found.sets
        ]
        return Table(rows)

    async def drop_set(self, name: str) -> None:
        """Removes a saved set."""
        request = v1.DropSetRequest(collection=self.name, name=name)
        await self.rpc.unary("CollectionService/DropSet", request, v1.DropSetResponse)

    async def save_preset(self, name: str, steer: Steer) -> None:
        """Saves edits under a name, for `nearest(presets={name: 1.0})`."""
        from ..queries import to_edits

        request = v1.SavePresetRequest(
            collection=self.name, preset=v1.Preset(name=name, edits=to_edits(steer))
        )
        await self.rpc.unary("SearchService/SavePreset", request, v1.Preset)

    async def presets(self) -> list[str]:
        """Names of presets."""
        request = v1.ListPresetsRequest(collection=self.name)
        found = await self.rpc.unary("SearchService/ListPresets", request, v1.ListPresetsResponse)
        return [own.name for own in found.presets]

    async def drop_preset(self, name: str) -> None:
        """Removes a preset."""
        request = v1.DropPresetRequest(collection=self.name, name=name)
        await self.rpc.unary("SearchService/DropPreset", request, v1.DropPresetResponse)

    async def optimize(self) -> int:
        """Merges the segments into one and drops deleted documents; gives the segments there are."""
        request = v1.OptimizeRequest(collection=self.name)
        return (
            await self.rpc.unary("AdminService/Optimize", request, v1.OptimizeResponse)
        ).segments


def _matrix(vectors: Any, dimension: int) -> np.ndarray:
    array = numbers(vectors, "vectors")
    if array.ndim != 2 or (dimension and array.shape[1] != dimension):
        wanted = dimension or "d"
        raise InvalidArgument(
            f"has the shape {array.shape}; (records, {wanted}) is accepted", field="vectors"
        )
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise InvalidArgument("has numbers that are not finite", field=f"vectors[{row}]")
    return array


def _documents(
    mapper: Mapper,
    rows: Iterator[Any],
    vectors: np.ndarray | None,
    aside: list[tuple[int, LatentDBError]] | None,
) -> Iterator[Placed]:
    at = -1
    for at, row in enumerate(rows):
        if vectors is not None and at >= len(vectors):
            break
        try:
            made = mapper.document(row, at)
        except InvalidArgument as error:
            if aside is None or error.field.startswith("'"):
                raise
            aside.append((at, error))
            continue
        if vectors is not None:
            fill_vector(made.vector, vectors[at])
        yield at, made
    if vectors is not None and at + 1 != len(vectors):
        raise InvalidArgument(f"has {len(vectors)} rows for other records", field="vectors")


def _mark(
    mapper: Mapper, size: int, total: int | None, first: v1.Document, chunk: v1.Chunking | None
) -> str:
    """Tells a stream of records from one of others under the same name."""
    how = (mapper.id, mapper.text, mapper.vector, mapper.latents, mapper.attributes, size, total)
    digest = hashlib.sha256(repr(how).encode())
    if chunk is not None:
        digest.update(chunk.SerializeToString(deterministic=True))
    digest.update(first.SerializeToString(deterministic=True))
    return digest.hexdigest()[:12]


def _chunking(chunk: int | tuple[int, int] | None) -> v1.Chunking | None:
    if chunk is None:
        return None
    pair = (chunk, 0) if isinstance(chunk, int) else tuple(chunk)
    if len(pair) != 2 or not all(isinstance(own, int) and 0 <= own < 2**32 for own in pair):
        raise InvalidArgument(
            f"is {chunk!r}; tokens, or a pair of tokens and overlap is accepted, as (256, 32)",
            field="chunk",
        )
    return v1.Chunking(tokens=pair[0], overlap=pair[1])


def _put(target: Any, values: Mapping[str, v1.Value]) -> None:
    for name, value in values.items():
        target[name].CopyFrom(value)
