"""Answers: hits with why they matched, facets, tables of analyses."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from . import v1
from .values import Floats, of_value, of_vector

__all__ = [
    "Highlight",
    "Hit",
    "Hits",
    "LatentWhy",
    "Part",
    "Record",
    "Table",
    "Why",
]


def need(module: str, extra: str) -> Any:
    """An optional package, or what installs it."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(
            f"{module} is not installed: pip install 'latentdb-client[{extra}]'"
        ) from None


class Record:
    """A document as it was read.

    Attributes:
        id: its id.
        text: its text, or None where it has none or it was not asked for.
        attributes: values by name; times with the zone UTC.
    """

    __slots__ = ("_attributes", "message")

    def __init__(self, message: v1.Document) -> None:
        self.message = message
        self._attributes: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        return self.message.id

    @property
    def text(self) -> str | None:
        return self.message.text if self.message.HasField("text") else None

    @property
    def attributes(self) -> dict[str, Any]:
        if self._attributes is None:
            found = self.message.attributes
            self._attributes = {name: of_value(found[name]) for name in sorted(found)}
        return self._attributes

    @property
    def vector(self) -> Floats | None:
        """Its vector, shape (d,); None where it has none or it was not asked for."""
        return of_vector(self.message.vector) if self.message.HasField("vector") else None

    @property
    def latents(self) -> dict[int, float]:
        """Its active latents and their activations, where they were asked for."""
        return {own.latent: own.activation for own in self.message.latents.values}

    @property
    def version(self) -> str | None:
        """Its version, where it was asked for."""
        return self.message.version if self.message.HasField("version") else None

    def to_dict(self) -> dict[str, Any]:
        """Id, text and attributes as one mapping; an attribute `id` or `text` is `attributes.id`."""
        own: dict[str, Any] = {"id": self.id, "text": self.text}
        for name, value in self.attributes.items():
            own[f"attributes.{name}" if name in ("id", "text") else name] = value
        return own

    def __repr__(self) -> str:
        shown = (self.text or "")[:60]
        return f"<{type(self).__name__} {self.id!r} {shown!r}>"


@dataclass(frozen=True)
class Part:
    """What one node of the query gave to a hit."""

    name: str
    score: float
    rank: int
    contribution: float


@dataclass(frozen=True)
class LatentWhy:
    """A latent's part of a hit's score; `word` is where it fires most, as (start, end)."""

    latent: int
    label: str
    activation: float
    contribution: float
    component: str
    low_confidence: bool = False
    word: tuple[int, int] | None = None


@dataclass(frozen=True)
class Highlight:
    """A word of the text that the query asked for: characters from `start` to before `end`."""

    start: int
    end: int
    component: str


@dataclass(frozen=True)
class Why:
    """Why a hit matched: the parts of its score, the latents behind them, the words asked for."""

    score: float
    parts: list[Part]
    latents: list[LatentWhy]
    words: list[Highlight] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"{part.name or 'score'} {part.score:.4g} (rank {part.rank}, {part.contribution:+.4g})"
            for part in self.parts
        ]
        lines += [
            f"  {own.contribution:+.4g} {own.label or 'latent ' + str(own.latent)}"
            f" ({own.latent}: {own.activation:.3g})"
            for own in self.latents
        ]
        return "\n".join(lines)


class Hit(Record):
    """A document that was found, its score, and why."""

    __slots__ = ("hit",)

    def __init__(self, message: v1.Hit) -> None:
        super().__init__(message.document)
        self.hit = message

    @property
    def score(self) -> float:
        return self.hit.score

    @property
    def why(self) -> Why:
        """The parts of the score, the latents that gave them, and the words that were asked for."""
        return Why(
            self.score,
            [Part(p.name, p.score, p.rank, p.contribution) for p in self.hit.components],
            [_latent_why(own) for own in self.hit.latents],
            [Highlight(h.span.start, h.span.end, h.component) for h in self.hit.highlights],
        )

    @property
    def marked(self) -> str:
        """The text with the words that were asked for in [brackets]."""
        return self._marked("[", "]", lambda part: part)

    def _marked(self, before: str, after: str, shown: Callable[[str], str]) -> str:
        text, at, out = self.text or "", 0, []
        spans = sorted({(h.span.start, h.span.end) for h in self.hit.highlights})
        for start, end in spans:
            if start < at:
                continue
            out += [shown(text[at:start]), before, shown(text[start:end]), after]
            at = end
        return "".join([*out, shown(text[at:])])


def _latent_why(own: v1.LatentContribution) -> LatentWhy:
    word = (own.span.start, own.span.end) if own.HasField("span") else None
    return LatentWhy(
        own.latent,
        own.label,
        own.activation,
        own.contribution,
        own.component,
        own.low_confidence,
        word,
    )


class Hits(Sequence[Hit]):
    """The hits of a search, best first.

    Attributes:
        warnings: tests in filters that no document can pass, and why.
        next_page: token of the next page; empty at the end.
        facets: counts that were asked for with the search.
        message: the answer as the server sent it.
    """

    def __init__(self, message: v1.SearchResponse) -> None:
        self.message = message
        self._hits = [Hit(hit) for hit in message.hits]

    @property
    def warnings(self) -> list[str]:
        return list(self.message.warnings)

    @property
    def next_page(self) -> str:
        return self.message.next_page_token

    @property
    def facets(self) -> list[Table]:
        return [facet_table(result) for result in self.message.facets]

    @property
    def steering(self) -> list[v1.Steering]:
        """What steering did, one entry per steered node."""
        return list(self.message.steering)

    @property
    def properties(self) -> list[v1.ChosenLatents]:
        """The latents that were chosen, one entry per property node."""
        return list(self.message.properties)

    @property
    def ids(self) -> list[str]:
        return [hit.id for hit in self._hits]

    @overload
    def __getitem__(self, at: int) -> Hit: ...

    @overload
    def __getitem__(self, at: slice) -> list[Hit]: ...

    def __getitem__(self, at: int | slice) -> Hit | list[Hit]:
        return self._hits[at]

    def __len__(self) -> int:
        return len(self._hits)

    def rows(self) -> list[dict[str, Any]]:
        """Rank, id, score, text, attributes and the strongest labels of each hit. An attribute with the
        name of one of these is `attributes.NAME`."""
        first = self.message.offset + 1
        rows = []
        for at, hit in enumerate(self._hits):
            own = {"rank": first + at, "id": hit.id, "score": hit.score, "text": hit.text}
            why = ", ".join(own.label or str(own.latent) for own in hit.hit.latents)
            taken = {*own, "why"}
            for name, value in hit.attributes.items():
                own[f"attributes.{name}" if name in taken else name] = value
            rows.append({**own, "why": why})
        return rows

    def to_table(self) -> Table:
        """The hits as a table."""
        return Table(self.rows())

    def to_pandas(self) -> Any:
        """A pandas DataFrame: rank, id, score, text, attributes, why."""
        return self.to_table().to_pandas()

    def to_polars(self) -> Any:
        """The same as a polars DataFrame."""
        return self.to_table().to_polars()

    def to_arrow(self) -> Any:
        """The same as a pyarrow Table."""
        return self.to_table().to_arrow()

    def __repr__(self) -> str:
        lines = [f"{hit.score:.4f}  {hit.id}  {(hit.text or '')[:80]}" for hit in self._hits[:10]]
        more = len(self) - 10
        return "\n".join([*lines, *([f"... and {more} more"] if more > 0 else [])])

    def _repr_html_(self) -> str:
        rows = []
        for hit in self._hits:
            text = hit._marked("<b>", "</b>", html.escape)
            labels = ", ".join(own.label or str(own.latent) for own in hit.hit.latents)
            rows.append(
                f"<tr><td>{hit.score:.4f}</td><td>{html.escape(hit.id)}</td>"
                f"<td style='text-align:left'>{text}</td>"
                f"<td style='text-align:left'>{html.escape(labels)}</td></tr>"
            )
        head = "<tr><th>score</th><th>id</th><th>text</th><th>why</th></tr>"
        return f"<table>{head}{''.join(rows)}</table>"


class Table(Sequence[dict[str, Any]]):
    """Rows of an answer, with what was said of all of them.

    Attributes:
        about: figures of the whole: documents, tests, medians.
        warnings: what makes the answer misleading, and what to do about it.
    """

    def __init__(
        self,
        rows: Sequence[dict[str, Any]],
        *,
        about: dict[str, Any] | None = None,
        warnings: Sequence[str] = (),
        bars: tuple[str, str] | None = None,
        title: str = "",
    ) -> None:
        self._rows = list(rows)
        self.about = about or {}
        self.warnings = list(warnings)
        self.title = title
        self._bars = bars

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, at: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, at: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        return self._rows[at]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._rows)

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in the order in which they first come."""
        return list(dict.fromkeys(name for row in self._rows for name in row))

    def column(self, name: str) -> list[Any]:
        """The values of a column, None where a row has none."""
        return [row.get(name) for row in self._rows]

    def to_pandas(self) -> Any:
        """A pandas DataFrame; `.attrs` has title, figures and warnings, `.plot()` plots."""
        pandas = need("pandas", "pandas")
        frame = pandas.DataFrame(self._rows, columns=self.columns)
        frame.attrs |= {"title": self.title, "about": self.about, "warnings": self.warnings}
        return frame

    def to_polars(self) -> Any:
        """A polars DataFrame."""
        polars = need("polars", "polars")
        return polars.DataFrame({name: self.column(name) for name in self.columns}, strict=False)

    def to_arrow(self) -> Any:
        """A pyarrow Table."""
        pyarrow = need("pyarrow", "arrow")
        return pyarrow.table({name: self.column(name) for name in self.columns})

    def plot(self, *, limit: int = 20, ax: Any = None) -> Any:
        """The first rows as horizontal bars, the first on top; returns matplotlib's axes."""
        if self._bars is None:
            raise ValueError("this table has nothing to plot; to_pandas() gives it as a frame")
        names, values = self._bars
        pyplot = need("matplotlib.pyplot", "plot")
        rows = self._rows[:limit][::-1]
        if ax is None:
            _, ax = pyplot.subplots(figsize=(7, 0.6 + 0.28 * max(len(rows), 1)))
        labels = [str(row.get(names) or row.get("latent", "")) for row in rows]
        lengths = [row[values] for row in rows]
        places = range(len(rows))
        errors = None
        if rows and "low" in rows[0] and values == "delta":
            below = [row["delta"] - row["low"] for row in rows]
            errors = [below, [row["high"] - row["delta"] for row in rows]]
        ax.barh(list(places), lengths, xerr=errors)
        ax.set_yticks(list(places), labels)
        ax.set_xlabel(values.replace("_", " "))
        ax.set_title(self.title)
        ax.figure.tight_layout()
        return ax

    def __repr__(self) -> str:
        head = f"<Table of {len(self)} rows: {', '.join(self.columns)}>"
        return "\n".join([head, *(f"warning: {own}" for own in self.warnings)])

    def _repr_html_(self) -> str:
        columns = self.columns
        head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
        rows = [
            "<tr>" + "".join(f"<td>{_cell(row.get(name))}</td>" for name in columns) + "</tr>"
            for row in self._rows[:50]
        ]
        more = len(self) - 50
        below = f"<p>and {more} more rows</p>" if more > 0 else ""
        warned = "".join(f"<p>warning: {html.escape(own)}</p>" for own in self.warnings)
        return f"<table><tr>{head}</tr>{''.join(rows)}</table>{below}{warned}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return html.escape(f"{value:.4g}" if isinstance(value, float) else str(value))


def fields_of(message: Any, leave: Sequence[str] = ()) -> dict[str, Any]:
    """The plain fields of a message by name; optional ones that are absent are None."""
    out: dict[str, Any] = {}
    for known in message.DESCRIPTOR.fields:
        if known.name in leave:
            continue
        if known.message_type is None:
            if known.is_repeated:
                out[known.name] = list(getattr(message, known.name))
            elif known.has_presence and not message.HasField(known.name):
                out[known.name] = None
            elif known.enum_type is not None:
                name = known.enum_type.values_by_number[getattr(message, known.name)].name
                out[known.name] = _enum(known.enum_type.name, name)
            else:
                out[known.name] = getattr(message, known.name)
        elif known.message_type.full_name == v1.Value.DESCRIPTOR.full_name:
            if known.has_presence and not message.HasField(known.name):
                out[known.name] = None
            else:
                out[known.name] = of_value(getattr(message, known.name))
    return out


def _enum(kind: str, name: str) -> str:
    """`STATISTICAL_TEST_FISHER` of `StatisticalTest` is "fisher"."""
    before = "".join("_" + c if c.isupper() else c.upper() for c in kind).lstrip("_") + "_"
    return name.removeprefix(before).lower()


def facet_table(result: v1.FacetResult) -> Table:
    """The counts of a facet as a table; an inner facet is a table in the column `then`."""
    about = {name: getattr(result, name) for name in ("documents", "distinct", "missing")}
    if result.HasField("statistics"):
        row = fields_of(result.statistics)
        row |= {f"q{own.at:g}": of_value(own.value) for own in result.statistics.quantiles}
        return Table([row], about=about)
    entries: Sequence[Any] = result.values or result.latents or result.buckets
    rows = []
    for entry in entries:
        row = fields_of(entry)
        if entry.HasField("then"):
            row["then"] = facet_table(entry.then)
        rows.append(row)
    names = "label" if result.latents else "lower" if result.buckets else "value"
    return Table(rows, about=about, bars=(names, "count"))
