"""Filters: sets of documents, described.

`A` are attributes, `L(n)` a latent, `ID` the id; `&`, `|` and `~` combine. A string is the text form
of the filter language and goes wherever a filter does.

>>> str(L(812) & ~L(91, gt=0.3) & (A.stars >= 4))
'latent(812) and not latent(91, > 0.3) and stars(>= 4)'
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from typing import Any, Union

from . import v1
from .errors import InvalidArgument
from .values import latent_number, of_value, to_value

__all__ = [
    "A",
    "ID",
    "Filter",
    "FilterLike",
    "L",
    "any_words",
    "everything",
    "family",
    "fuzzy",
    "phrase",
    "prefix",
    "saved_set",
    "text",
    "through",
]


class Filter:
    """A set of documents. `a & b` are documents of both, `a | b` of either, `~a` all others."""

    __slots__ = ("message",)

    def __init__(self, message: v1.Filter) -> None:
        self.message = message

    def __and__(self, other: FilterLike) -> Filter:
        return Filter(v1.Filter(all_of=_joined("all_of", self.message, to_filter(other))))

    def __rand__(self, other: FilterLike) -> Filter:
        return Filter(to_filter(other)) & self

    def __or__(self, other: FilterLike) -> Filter:
        return Filter(v1.Filter(any_of=_joined("any_of", self.message, to_filter(other))))

    def __ror__(self, other: FilterLike) -> Filter:
        return Filter(to_filter(other)) | self

    def __invert__(self) -> Filter:
        return Filter(v1.Filter(negated=self.message))

    def __bool__(self) -> bool:
        raise TypeError("a filter is neither true nor false: combine filters with &, | and ~")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and self.message == other.message

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return _shown(self.message)

    def __repr__(self) -> str:
        return f"<Filter {self}>"


FilterLike = Union[Filter, str, v1.Filter]


def to_filter(given: FilterLike, field: str = "filter") -> v1.Filter:
    """The message of a filter, its text form, or itself."""
    if isinstance(given, Filter):
        return given.message
    if isinstance(given, str):
        return v1.Filter(expression=given)
    if isinstance(given, v1.Filter):
        return given
    raise InvalidArgument(
        f"is {type(given).__name__}; a filter or its text form is accepted, for example "
        'A.stars >= 4 or "stars >= 4"',
        field=field,
    )


def _joined(kind: str, left: v1.Filter, right: v1.Filter) -> v1.FilterList:
    parts: list[v1.Filter] = []
    for side in (left, right):
        parts += getattr(side, kind).filters if side.WhichOneof("kind") == kind else [side]
    return v1.FilterList(filters=parts)


class AttributeName:
    """An attribute: compare it for a filter. Of several values of a document, one has to pass."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def _test(self, **test: Any) -> Filter:
        return Filter(v1.Filter(attribute=v1.AttributeFilter(name=self.name, **test)))

    def _range(self, **bounds: Any) -> Filter:
        values = {side: to_value(bound, self.name) for side, bound in bounds.items()}
        return self._test(range=v1.Range(**values))

    def __eq__(self, value: object) -> Filter:  # type: ignore[override]
        if value is None:
            return ~self.exists()
        return self._test(equals=to_value(value, self.name))

    def __ne__(self, value: object) -> Filter:  # type: ignore[override]
        return ~(self == value)

    def __lt__(self, value: Any) -> Filter:
        return self._range(lt=value)

    def __le__(self, value: Any) -> Filter:
        return self._range(lte=value)

    def __gt__(self, value: Any) -> Filter:
        return self._range(gt=value)

    def __ge__(self, value: Any) -> Filter:
        return self._range(gte=value)

    def between(self, low: Any, high: Any) -> Filter:
        """At least `low` and at most `high`."""
        return self._range(gte=low, lte=high)

    def isin(self, values: Iterable[Any]) -> Filter:
        """One of `values`."""
        if isinstance(values, str):
            raise InvalidArgument("is a string; a list of values is accepted", field=self.name)
        return self._test(one_of=v1.ValueList(values=[to_value(v, self.name) for v in values]))

    def exists(self) -> Filter:
        """Any value at all."""
        return self._test(exists=v1.Everything())

    def like(self, pattern: str, *, ignore_case: bool = False) -> Filter:
        """A string with a pattern: `%` is any run of characters, `_` one."""
        return self._test(like=v1.Pattern(pattern=pattern, ignore_case=ignore_case))

    def contains(self, part: str, *, ignore_case: bool = False) -> Filter:
        """A string with this inside."""
        return self.like(f"%{_literal(part)}%", ignore_case=ignore_case)

    def startswith(self, start: str, *, ignore_case: bool = False) -> Filter:
        """A string that begins so."""
        return self.like(f"{_literal(start)}%", ignore_case=ignore_case)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"A[{self.name!r}]"


class _Attributes:
    """`A.stars` and `A["stars"]` are the attribute `stars`."""

    def __getattr__(self, name: str) -> AttributeName:
        if name.startswith("__"):
            raise AttributeError(name)
        return AttributeName(name)

    def __getitem__(self, name: str) -> AttributeName:
        return AttributeName(name)

    def __repr__(self) -> str:
        return "A"


class _Id:
    """The id: `ID == "a"`, `ID.isin([...])`, bounds by its bytes, patterns."""

    def isin(self, ids: Iterable[str]) -> Filter:
        """One of these, at most 100,000."""
        if isinstance(ids, str):
            raise InvalidArgument("is a string; a list of ids is accepted", field="ids")
        return Filter(v1.Filter(ids=v1.IdFilter(ids=[str(own) for own in ids])))

    def __eq__(self, own: object) -> Filter:  # type: ignore[override]
        return self.isin([str(own)])

    def __ne__(self, own: object) -> Filter:  # type: ignore[override]
        return ~(self == own)

    def _range(self, **bounds: str) -> Filter:
        values = {side: v1.Value(string=bound) for side, bound in bounds.items()}
        return Filter(v1.Filter(ids=v1.IdFilter(range=v1.Range(**values))))

    def __lt__(self, own: str) -> Filter:
        return self._range(lt=own)

    def __le__(self, own: str) -> Filter:
        return self._range(lte=own)

    def __gt__(self, own: str) -> Filter:
        return self._range(gt=own)

    def __ge__(self, own: str) -> Filter:
        return self._range(gte=own)

    def like(self, pattern: str, *, ignore_case: bool = False) -> Filter:
        """A pattern: `%` is any run of characters, `_` one."""
        like = v1.Pattern(pattern=pattern, ignore_case=ignore_case)
        return Filter(v1.Filter(ids=v1.IdFilter(like=like)))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "ID"


A = _Attributes()
ID = _Id()


def L(  # noqa: N802
    latent: int,
    *,
    gt: float | None = None,
    gte: float | None = None,
    lt: float | None = None,
    lte: float | None = None,
) -> Filter:
    """Documents in which a latent is active, its activation inside bounds where given."""
    number = latent_number(latent, "L")
    bounds = {"gt": gt, "gte": gte, "lt": lt, "lte": lte}
    given = {side: bound for side, bound in bounds.items() if bound is not None}
    if gt is not None and gte is not None or lt is not None and lte is not None:
        raise InvalidArgument("has two bounds on one side; one is accepted", field=f"L({latent})")
    return Filter(v1.Filter(latent=v1.LatentFilter(latent=number, **given)))


class Words(Filter):
    """Words of the text: a filter, and where a query stands, a ranking by BM25."""

    __slots__ = ()

    @property
    def of(self) -> v1.TextFilter:
        """The words and how many of them must be there."""
        return self.message.text


def _words(words: str, mode: v1.TextMode) -> Words:
    return Words(v1.Filter(text=v1.TextFilter(text=words, mode=mode)))


def text(words: str) -> Words:
    """All of these words, as a filter; as a query, documents with any of them, ranked by BM25."""
    return _words(words, v1.TEXT_MODE_ALL)


def any_words(words: str) -> Words:
    """At least one of these words."""
    return _words(words, v1.TEXT_MODE_ANY)


def phrase(words: str) -> Words:
    """These words one after the other."""
    return _words(words, v1.TEXT_MODE_PHRASE)


def prefix(words: str) -> Words:
    """Each of these as the beginning of a word."""
    return _words(words, v1.TEXT_MODE_PREFIX)


def fuzzy(words: str) -> Words:
    """Each of these words with a few wrong characters: one in 3 to 5, two in longer ones."""
    return _words(words, v1.TEXT_MODE_FUZZY)


def family(root: int) -> Filter:
    """Documents with any latent of a family, by its root."""
    return Filter(v1.Filter(expression=f"family({int(root)})"))


def saved_set(name: str) -> Filter:
    """The documents of a saved set."""
    return Filter(v1.Filter(saved_set=name))


def everything() -> Filter:
    """Every document; a delete of all has to say so."""
    return Filter(v1.Filter(all=v1.Everything()))


def through(sae: str, inner: FilterLike) -> Filter:
    """A filter whose latents are those of another SAE of the collection, by its name."""
    return Filter(v1.Filter(through=v1.ThroughFilter(sae=sae, filter=to_filter(inner))))


def _literal(part: str) -> str:
    return part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _quoted(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dt.datetime):
        return f'timestamp("{value.isoformat().replace("+00:00", "Z")}")'
    return json.dumps(value)


_SIGNS = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}
_TEXT = {
    v1.TEXT_MODE_ANY: "text_any",
    v1.TEXT_MODE_ALL: "text",
    v1.TEXT_MODE_PHRASE: "phrase",
    v1.TEXT_MODE_PREFIX: "text_prefix",
    v1.TEXT_MODE_FUZZY: "text_fuzzy",
}


def _bounds(message: Any, shown: Any) -> str:
    sides = [message.WhichOneof("lower"), message.WhichOneof("upper")]
    return ", ".join(f"{_SIGNS[side]} {shown(getattr(message, side))}" for side in sides if side)


def _like(name: str, pattern: v1.Pattern) -> str:
    return f"{name} {'ilike' if pattern.ignore_case else 'like'} {_quoted(pattern.pattern)}"


def _shown(message: v1.Filter, nested: bool = False) -> str:
    """The text form of a filter."""
    kind = message.WhichOneof("kind")
    if kind in ("all_of", "any_of"):
        word = " and " if kind == "all_of" else " or "
        joined = word.join(_shown(part, True) for part in getattr(message, kind).filters)
        return f"({joined})" if nested else joined
    if kind == "negated":
        return f"not {_shown(message.negated, True)}"
    if kind == "latent":
        bounds = _bounds(message.latent, lambda bound: f"{bound:.7g}")
        return f"latent({message.latent.latent}{', ' + bounds if bounds else ''})"
    if kind == "attribute":
        own = message.attribute
        test = own.WhichOneof("test")
        if test == "equals":
            return f"{own.name} = {_quoted(of_value(own.equals))}"
        if test == "one_of":
            values = ", ".join(_quoted(of_value(value)) for value in own.one_of.values)
            return f"{own.name} in ({values})"
        if test == "range":
            return f"{own.name}({_bounds(own.range, lambda bound: _quoted(of_value(bound)))})"
        return f"{own.name} exists" if test == "exists" else _like(own.name, own.like)
    if kind == "ids":
        own_ids = message.ids
        if own_ids.HasField("like"):
            return _like("id", own_ids.like)
        if own_ids.HasField("range"):
            return f"id({_bounds(own_ids.range, lambda bound: _quoted(bound.string))})"
        return f"id in ({', '.join(map(_quoted, own_ids.ids))})"
    if kind == "text":
        return f"{_TEXT[message.text.mode]}({_quoted(message.text.text)})"
    if kind == "saved_set":
        return f"set({_quoted(message.saved_set)})"
    if kind == "through":
        inner = _shown(message.through.filter)
        return f"sae({_quoted(message.through.sae)}, {inner})"
    if kind == "expression":
        return f"({message.expression})" if nested else message.expression
    return "all"
