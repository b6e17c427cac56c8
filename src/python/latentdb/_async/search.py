"""A search as it is put together, and its pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from .. import v1
from ..errors import InvalidArgument, warn
from ..facets import FacetLike, to_facet
from ..filters import FilterLike
from ..lazy import Awaited
from ..queries import Query
from ..results import Hit, Hits
from .transport import AsyncTransport


class AsyncSearch(Awaited):
    """A search. Each method gives another one; nothing is sent before its hits are asked for.

    ```python
    hits = papers.search("late parcels").where(A.stars >= 4).limit(20)
    ```
    """

    def __init__(self, rpc: AsyncTransport, request: v1.SearchRequest) -> None:
        self._rpc = rpc
        self.request = request

    def _copy(self) -> AsyncSearch:
        request = v1.SearchRequest()
        request.CopyFrom(self.request)
        return AsyncSearch(self._rpc, request)

    def where(self, filter: FilterLike) -> AsyncSearch:
        """Over the documents of a filter; those of all calls together."""
        copy = self._copy()
        copy.request.query.CopyFrom(Query(copy.request.query).where(filter).message)
        return copy

    def limit(self, hits: int) -> AsyncSearch:
        """So many hits a page, 1 to 1,000; 10 without."""
        if isinstance(hits, bool) or not isinstance(hits, int) or hits < 1:
            raise InvalidArgument(f"is {hits!r}; 1 to 1000 is accepted", field="limit")
        copy = self._copy()
        copy.request.limit = hits
        return copy

    def offset(self, hits: int) -> AsyncSearch:
        """Passes over so many hits; with the limit at most 10,000."""
        copy = self._copy()
        copy.request.offset = hits
        return copy

    def min_score(self, score: float) -> AsyncSearch:
        """Leaves out hits below a score."""
        copy = self._copy()
        copy.request.min_score = score
        return copy

    def group_by(self, attribute: str, per_group: int = 1) -> AsyncSearch:
        """At most `per_group` hits of each value of an attribute, the best."""
        copy = self._copy()
        copy.request.group_by, copy.request.per_group = attribute, per_group
        return copy

    def facets(self, *facets: FacetLike) -> AsyncSearch:
        """Counts over the documents of the filter, on the snapshot of the hits: `counts` of the search,
        `facets` of its hits."""
        copy = self._copy()
        copy.request.facets.extend(to_facet(facet) for facet in facets)
        return copy

    def latents_per_hit(self, latents: int) -> AsyncSearch:
        """Contributing latents of each hit, 0 to 1,000; 5 without."""
        copy = self._copy()
        copy.request.latents_per_hit = latents
        return copy

    def returning(
        self,
        *,
        text: bool = True,
        attributes: bool | Sequence[str] = True,
        vector: bool = False,
        latents: bool = False,
        version: bool = False,
    ) -> AsyncSearch:
        """Which parts of documents come back; text and attributes without."""
        copy = self._copy()
        copy.request.projection.CopyFrom(projection(text, attributes, vector, latents, version))
        return copy

    def explain(self) -> AsyncSearch:
        """With the plan and timings: `hits.message.explanation`."""
        copy = self._copy()
        copy.request.explain = True
        return copy

    async def run(self) -> Hits:
        """The hits of the first page."""
        found = await self._rpc.unary("SearchService/Search", self.request, v1.SearchResponse)
        warn(found.warnings)
        return Hits(found)

    async def pages(self) -> AsyncIterator[Hits]:
        """Page after page from one snapshot, to the last hit."""
        request = v1.SearchRequest()
        request.CopyFrom(self.request)
        while True:
            page = Hits(await self._rpc.unary("SearchService/Search", request, v1.SearchResponse))
            yield page
            if not page.next_page:
                return
            request.page_token = page.next_page
            request.ClearField("facets")
            request.ClearField("offset")

    async def all(self) -> AsyncIterator[Hit]:
        """Hit after hit, to the last one."""
        async for page in self.pages():
            for hit in page:
                yield hit


def projection(
    text: bool, attributes: bool | Sequence[str], vector: bool, latents: bool, version: bool
) -> v1.Projection:
    """Which parts of documents come back."""
    names = [] if isinstance(attributes, bool) else list(attributes)
    return v1.Projection(
        text=text,
        attributes=bool(attributes),
        attribute_names=names,
        vector=vector,
        latents=latents,
        version=version,
    )
