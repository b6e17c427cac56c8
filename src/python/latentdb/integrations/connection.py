"""A collection as adapters use it: made at the first write, asked from plain and asynchronous code.

What an adapter does is written once, as steps: a generator that yields calls of a client and gets
their answers; of a call that gives item after item, a list. It runs over the plain client, or over
an asynchronous one of the running loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from types import MethodType
from typing import Any, TypeVar

import numpy as np

from .._async.client import AsyncClient
from .._sync.client import Client
from ..errors import AlreadyExists, InvalidArgument, LatentDBError, NotFound
from ..filters import A, Filter, everything
from ..queries import Query
from ..results import Hit, Record
from .metadata import HELD, Condition

__all__ = ["PAGE", "Call", "Connection", "Steps", "diverse"]

_LOG = logging.getLogger(__name__)
# Maximum hits per page.
PAGE = 1000

T = TypeVar("T")
Call = Callable[[Any], Any]
Steps = Generator[Call, Any, T]


class Connection:
    """A collection of a server, by its name.

    Args:
        client: a client, or the address of a server. Or a method that gives a client whenever one
            is needed, and whose object closes it.
        collection: the collection, or NAME:SAE to read it through an SAE.

    Attributes:
        name: the collection as it is read.
    """

    def __init__(self, client: Client | str | Callable[[], Client], collection: str) -> None:
        if not isinstance(client, (Client, str, MethodType)):
            raise InvalidArgument(
                f"is {type(client).__name__}; a latentdb.Client or HOST:PORT is accepted",
                field="client",
            )
        if not isinstance(collection, str) or not collection:
            raise InvalidArgument(f"is {collection!r}; a name is accepted", field="collection")
        self._owned = isinstance(client, str)
        self._client = Client(client) if isinstance(client, str) else client
        self.name = collection
        self._clients: dict[asyncio.AbstractEventLoop, AsyncClient] = {}

    @property
    def client(self) -> Client:
        """The plain client."""
        return self._client if isinstance(self._client, Client) else self._client()

    # Running steps

    def run(self, steps: Steps[T]) -> T:
        """Runs steps over the plain client."""
        client = self.client
        try:
            call = next(steps)
            while True:
                try:
                    answer = call(client)
                    if isinstance(answer, Iterator):
                        answer = list(answer)
                except LatentDBError as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(answer)
        except StopIteration as end:
            found: T = end.value
            return found

    async def run_async(self, steps: Steps[T]) -> T:
        """Runs steps over the asynchronous client of the running loop."""
        client = self.asynchronous()
        try:
            call = next(steps)
            while True:
                try:
                    answer = call(client)
                    if hasattr(answer, "__aiter__"):
                        answer = [item async for item in answer]
                    else:
                        answer = await answer
                except LatentDBError as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(answer)
        except StopIteration as end:
            found: T = end.value
            return found

    def asynchronous(self) -> AsyncClient:
        """The asynchronous client of the running loop."""
        loop = asyncio.get_running_loop()
        found = self._clients.get(loop)
        if found is None:
            for ended in [own for own in self._clients if own.is_closed()]:
                del self._clients[ended]
            own = self.client.rpc.settings
            found = AsyncClient(
                own.address, api_key=own.api_key or "", tls=own.tls, timeout=own.timeout
            )
            self._clients[loop] = found
        return found

    def close(self) -> None:
        """Closes the client, where it was made from an address."""
        if self._owned:
            self.client.close()

    async def close_async(self) -> None:
        """Closes the asynchronous client of the running loop, and as `close`."""
        found = self._clients.pop(asyncio.get_running_loop(), None)
        if found is not None:
            await found.close()
        self.close()

    # Calls

    def on(self, call: Call) -> Call:
        """A call of the collection, as one of a client."""
        return lambda client: call(client.collection(self.name))

    def count(self, where: Filter | None = None) -> Call:
        """The call for the number of documents of a filter."""
        return self.on(lambda own: own.count(where))

    # Steps

    def write(
        self, records: Sequence[dict[str, Any]], dimension: int, batch: int | None = None
    ) -> Steps[None]:
        """Writes documents, into a new collection of vectors where there is none of the name."""
        written = self.name.partition(":")[0]

        def upsert(client: Any) -> Any:
            return client.collection(written).upsert(records, batch=batch, progress=False)

        try:
            yield upsert
        except NotFound:
            if not dimension:
                raise
            with contextlib.suppress(AlreadyExists):
                yield lambda client: client.create_collection(
                    written, dimension=dimension, exist_ok=True
                )
            yield upsert

    def delete(
        self, *, ids: Sequence[str] | None = None, where: Filter | None = None
    ) -> Steps[None]:
        """Deletes documents by id, of a filter, or all; those that do not exist do no harm."""
        name = self.name.partition(":")[0]
        if ids is not None:
            if ids:
                yield lambda client: client.collection(name).delete(ids=list(ids))
            return
        described = everything() if where is None else where
        yield lambda client: client.collection(name).delete(described, ignore_warnings=True)

    def get(self, ids: Sequence[str]) -> Steps[list[Record]]:
        """Documents by id, without those that do not exist."""
        if not ids:
            return []
        found: list[Record] = yield self.on(lambda own: own.get(list(ids), missing_ok=True))
        return found

    def all(self, where: Filter | None) -> Steps[list[Record]]:
        """All documents of a filter."""
        found: list[Record] = yield self.on(lambda own: own.scroll(where))
        return found

    def search(self, query: Query, count: int, *, vector: bool = False) -> Steps[list[Hit]]:
        """The best hits of a query, through as many pages as they fill."""
        if count < 1:
            raise InvalidArgument(f"is {count}; 1 and more is accepted", field="the number of hits")
        found: list[Hit] = []
        token = ""
        while True:

            def page(own: Any, token: str = token) -> Any:
                search = own.query(query).limit(min(count, PAGE))
                search = search.returning(vector=vector)
                search.request.page_token = token
                return search.run()

            hits = yield self.on(page)
            for warning in hits.warnings if not token else ():
                _LOG.warning("%s: %s", self.name, warning)
            found += hits
            token = hits.next_page
            if not token or len(found) >= count:
                return found[:count]

    def check(self, condition: Condition | None) -> Steps[None]:
        """Refuses a condition that compares a field of which a document has a value that no filter
        sees."""
        fields = sorted(condition.fields) if condition is not None else []
        if not fields:
            return
        if not (yield self.count(A[HELD].isin(fields))):
            return
        for name in fields:
            held = yield self.count(A[HELD] == name)
            if held:
                raise InvalidArgument(
                    f"cannot be filtered by: documents ({held}) have values there that are kept as "
                    "JSON (nested, mixed or long ones, numbers that are not finite or beyond 64 "
                    "bits), which no filter sees",
                    field=f"filter.{name}",
                )

    def present(self, steps: Steps[T], empty: T) -> Steps[T]:
        """What steps give, or `empty` where the collection is not there yet."""
        try:
            return (yield from steps)
        except NotFound:
            names = yield lambda client: client.collections()
            if self.name.partition(":")[0] in names:
                raise
            return empty


def diverse(hits: Sequence[Hit], count: int, relevance: float) -> list[Hit]:
    """Hits chosen one after the other by maximal marginal relevance: `relevance` times the score,
    less the rest times the cosine with the closest one that was chosen before.

    Args:
        hits: the candidates, with their vectors.
    """
    if not 0 <= relevance <= 1:
        raise InvalidArgument(
            f"is {relevance}; 0 to 1 is accepted", field="the weight of relevance"
        )
    if not hits:
        return []
    rows = np.stack([np.asarray(hit.vector, dtype=np.float64) for hit in hits])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    scores = np.array([hit.score for hit in hits])
    closest = np.full(len(hits), -np.inf)
    chosen: list[int] = []
    while len(chosen) < min(count, len(hits)):
        worth = scores if not chosen else relevance * scores - (1 - relevance) * closest
        worth = np.where(np.isin(np.arange(len(hits)), chosen), -np.inf, worth)
        chosen.append(int(np.argmax(worth)))
        closest = np.maximum(closest, rows @ rows[chosen[-1]])
    return [hits[at] for at in chosen]
