"""When a search runs: where it is awaited, or where its hits are first looked at."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import TYPE_CHECKING, Any, cast, overload

if TYPE_CHECKING:
    from . import v1
    from .results import Hit, Hits, Table


class Awaited:
    """Runs where it is awaited: `hits = await papers.search("x").limit(20)`."""

    def __await__(self) -> Generator[Any, None, Hits]:
        run = cast("Callable[[], Coroutine[Any, Any, Hits]]", self.run)  # type: ignore[attr-defined]
        return run().__await__()


class Lazy:
    """Runs once, where its hits are first looked at; then it is read as they are."""

    _found: Hits | None = None

    @property
    def hits(self) -> Hits:
        """The hits."""
        if self._found is None:
            self._found = self.run()  # type: ignore[attr-defined]
        assert self._found is not None
        return self._found

    @overload
    def __getitem__(self, at: int) -> Hit: ...

    @overload
    def __getitem__(self, at: slice) -> list[Hit]: ...

    def __getitem__(self, at: int | slice) -> Hit | list[Hit]:
        return self.hits[at]

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    @property
    def ids(self) -> list[str]:
        """Ids of the hits, best first."""
        return self.hits.ids

    @property
    def warnings(self) -> list[str]:
        """Tests in filters that no document can pass."""
        return self.hits.warnings

    @property
    def counts(self) -> list[Table]:
        """The facets that were asked for."""
        return self.hits.facets

    @property
    def steering(self) -> list[v1.Steering]:
        """What steering did, one entry per steered node."""
        return self.hits.steering

    @property
    def properties(self) -> list[v1.ChosenLatents]:
        """The latents that were chosen, one entry per property node."""
        return self.hits.properties

    def to_pandas(self) -> Any:
        """The hits as a pandas DataFrame."""
        return self.hits.to_pandas()

    def to_polars(self) -> Any:
        """The hits as a polars DataFrame."""
        return self.hits.to_polars()

    def to_arrow(self) -> Any:
        """The hits as a pyarrow Table."""
        return self.hits.to_arrow()

    def __repr__(self) -> str:
        return repr(self.hits)

    def _repr_html_(self) -> str:
        return self.hits._repr_html_()
