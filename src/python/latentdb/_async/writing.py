"""Writing many documents over one stream, through broken connections."""

from __future__ import annotations

import asyncio
import itertools
import threading
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from .. import v1
from ..errors import LatentDBError, Unavailable, cut_warning, of_code, warn
from ..progress import Progress
from ..records import Placed
from .transport import AsyncTransport

# Times that a broken connection is made again without a batch coming through, and seconds before
# the first.
ATTEMPTS = 5
PAUSE = 0.2


@dataclass
class Written:
    """What a write did.

    Attributes:
        upserted: documents inserted or replaced; passages where they were split.
        recognised: documents of batches that a stream of this name had written before.
        existing: ids of documents that exist and were left alone.
        cut_texts: texts longer than the collection's encoder reads, so that vectors are of their beginning.
        rejected: documents that were not written, with the reason, where they were set aside:
            pairs of place and error.
        sequence: number of the last commit.
    """

    upserted: int = 0
    recognised: int = 0
    existing: list[str] = field(default_factory=list)
    rejected: list[tuple[int, LatentDBError]] = field(default_factory=list)
    cut_texts: int = 0
    sequence: int = 0


@dataclass
class Ingest:
    """Batches of documents on their way."""

    rpc: AsyncTransport
    collection: str
    batches: Iterator[list[Placed]]
    if_exists: v1.IfExists
    set_aside: bool
    stream_id: str
    progress: Progress
    rejected: list[tuple[int, LatentDBError]]
    chunk: v1.Chunking | None = None
    made_with: v1.MadeWith | None = None

    def begin(self) -> None:
        """Before the first connection: nothing is sent."""
        self._written = Written(rejected=self.rejected)
        self._sent: deque[tuple[int, list[Placed]]] = deque()
        self._numbers = itertools.count(1)
        self._pulling = threading.Lock()
        self._fault: Exception | None = None
        self._ended = False

    async def run(self) -> Written:
        """Sends all batches; each is sent again until it is acknowledged.

        Raises:
            LatentDBError: of a record or of a batch; what was acknowledged before stays written, and
                `written` of the error says how much that is.
        """
        self.begin()
        stream_id = self.stream_id or str(uuid.uuid4())
        attempt = 0
        while True:
            before = self._written.upserted, len(self._sent)
            try:
                async for answer in self.rpc.both(
                    "DocumentService/Ingest", self._requests(stream_id), v1.IngestResponse
                ):
                    self._take(answer)
                break
            except Unavailable as error:
                moved = (self._written.upserted, len(self._sent)) != before
                attempt = 1 if moved else attempt + 1
                if self._fault is not None or attempt > ATTEMPTS:
                    raise self._said(error) from None
                await asyncio.sleep(PAUSE * 2**attempt)
            except LatentDBError as error:
                raise self._said(error) from None
        if self._fault is not None:
            raise self._said(self._fault)
        warn(cut_warning(self._written.cut_texts))
        return self._written

    def _said(self, error: Exception) -> Exception:
        error.written = self._written  # type: ignore[attr-defined]
        if self._written.upserted and isinstance(error, LatentDBError):
            already = f"{self._written.upserted} documents before it are written"
            error.args = (f"{error.args[0]}; {already}",)
        return error

    async def _requests(self, stream_id: str) -> AsyncIterator[v1.IngestRequest]:
        last = 0
        while (batch := self._after(last)) is not None:
            last, documents = batch
            yield self._request(last, documents, stream_id)

    def _after(self, last: int) -> tuple[int, list[Placed]] | None:
        """The next batch of a connection that has sent those up to a number: one that was on its way over a
        broken connection, whose requests may still be asked for in another thread, or a new one."""
        with self._pulling:
            for batch in list(self._sent):
                if batch[0] > last:
                    return batch
            if self._ended:
                return None
            try:
                documents = next(self.batches, [])
            except Exception as error:
                self._fault = error
                documents = []
            if not documents:
                self._ended = True
                return None
            batch = next(self._numbers), documents
            self._sent.append(batch)
            return batch

    def _request(self, number: int, documents: list[Placed], stream_id: str) -> v1.IngestRequest:
        return v1.IngestRequest(
            collection=self.collection,
            documents=[document for _, document in documents],
            batch=number,
            stream_id=stream_id,
            set_aside=self.set_aside,
            if_exists=self.if_exists,
            chunk=self.chunk,
            made_with=self.made_with,
        )

    def _take(self, answer: v1.IngestResponse) -> None:
        sent: list[Placed] = []
        while self._sent and self._sent[0][0] <= answer.batch:
            _, sent = self._sent.popleft()
        if answer.HasField("error"):
            found = answer.error
            field = _place(found.field, sent)
            message = found.message.removeprefix(f"{found.field}: ")
            raise of_code(found.code, message, field)
        self._written.upserted += answer.upserted
        self._written.sequence = max(self._written.sequence, answer.sequence)
        self._written.existing += answer.existing
        self._written.cut_texts += answer.cut_texts
        if answer.duplicate:
            self._written.recognised += len(sent)
        for own in answer.rejected:
            error = of_code(own.error.code, own.error.message, own.error.field)
            self._written.rejected.append((sent[own.document][0], error))
        self.progress.add(len(sent))


def _place(field: str, sent: list[Placed]) -> str:
    """A path in a batch as a path in all records."""
    head, bracket, rest = field.partition("[")
    number, close, tail = rest.partition("]")
    if head != "documents" or not bracket or not close or not number.isdigit():
        return field
    at = int(number)
    return f"records[{sent[at][0] if at < len(sent) else at}]{tail}"
