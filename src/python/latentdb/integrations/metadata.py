"""Metadata of other packages as attributes and back, and filters on it.

Values that attributes hold are attributes of their names, for filters. What they cannot hold (None,
nested values, mixed lists, long strings, names that are not accepted) is kept as JSON beside them,
so that metadata is read back as it was written. The names of such fields are kept too: a filter on
one is refused, since it could only miss it.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import v1
from ..errors import InvalidArgument
from ..filters import A, AttributeName, Filter, FilterLike, everything, to_filter

__all__ = [
    "ATTRIBUTES",
    "EMPTY",
    "HELD",
    "JSON",
    "NAME_BYTES",
    "STRING_BYTES",
    "YEARS",
    "Condition",
    "accepted",
    "attribute",
    "exists",
    "in_pieces",
    "is_null",
    "joined",
    "of_attributes",
    "spelled",
    "to_attributes",
    "whole",
]

# Attributes beside those of the metadata: values as JSON in pieces, names of fields with values
# that no filter sees, and names of fields that are None or an empty list.
JSON = "_latentdb_json"
HELD = "_latentdb_held"
EMPTY = "_latentdb_empty"
RESERVED = (JSON, HELD, EMPTY)
# What the server accepts.
ATTRIBUTES = 256
NAME_BYTES = 128
STRING_BYTES = 32_000
YEARS = range(1678, 2262)


def accepted(name: object) -> bool:
    """Whether an attribute can have this name.

    >>> accepted("page_label"), accepted("page label")
    (True, False)
    """
    return isinstance(name, str) and name not in RESERVED and spelled(name)


def spelled(name: str, limit: int = NAME_BYTES) -> bool:
    """Whether a name is spelled as those of attributes are, in so many bytes."""
    return (
        (name[:1].isalpha() or name[:1] == "_")
        and all(letter.isalnum() or letter in "_-." for letter in name)
        and _fits(name, limit)
    )


def to_attributes(
    metadata: Mapping[Any, Any],
    *,
    beside: Mapping[str, Any] | None = None,
    exact: bool = True,
    field: str = "metadata",
) -> dict[str, Any]:
    """The attributes that stand for metadata.

    Args:
        beside: attributes that are there in any case; of fields of their names, theirs are kept.
        exact: with what reads the metadata back as it is; False where it is kept elsewhere.
        field: how the metadata is named in errors.

    Raises:
        InvalidArgument: naming the field whose value is of a kind that JSON cannot hold either.
    """
    attributes = dict(beside or {})
    room = ATTRIBUTES - len(RESERVED)
    packed: dict[Any, Any] = {}
    held: list[str] = []
    empty: list[str] = []
    for name, given in metadata.items():
        if beside is not None and name in beside:
            continue
        value = _plain(given)
        stored = None
        if accepted(name) and len(attributes) < room:
            stored = _stored(value)
        if stored is not None:
            attributes[name] = stored
        elif isinstance(name, str) and _fits(name, STRING_BYTES):
            (empty if value is None or value == [] else held).append(name)
        if exact and (stored is None or not _comes_back(value)):
            packed[name] = value
    if packed:
        attributes[JSON] = in_pieces(json.dumps(_packed(packed, field)))
    if held:
        attributes[HELD] = held
    if empty:
        attributes[EMPTY] = empty
    return attributes


def of_attributes(attributes: Mapping[str, Any]) -> dict[Any, Any]:
    """The metadata that attributes stand for.

    >>> written = {"page": 3, "box": {"left": 1}, "none": None, "pair": (1, 2)}
    >>> of_attributes(to_attributes(written)) == written
    True
    """
    found: dict[Any, Any] = {
        name: value for name, value in attributes.items() if name not in RESERVED
    }
    pieces = attributes.get(JSON)
    if pieces:
        found.update(_unpacked(json.loads(joined(pieces))))
    return found


def in_pieces(text: str) -> list[str]:
    """A text of ASCII as a list of strings that an attribute can hold."""
    return [text[at : at + STRING_BYTES] for at in range(0, len(text), STRING_BYTES)]


def joined(pieces: str | list[str]) -> str:
    """The text of pieces, or of one that an attribute holds alone."""
    return pieces if isinstance(pieces, str) else "".join(pieces)


def _fits(text: str, limit: int) -> bool:
    try:
        return len(text.encode()) <= limit
    except UnicodeEncodeError:
        return False


def _plain(value: Any) -> Any:
    """Scalars and arrays of NumPy as those of Python."""
    if isinstance(value, np.generic):
        return value.item()
    return value.tolist() if isinstance(value, np.ndarray) else value


def _kind(value: Any) -> type | None:
    """The kind of a scalar that an attribute can hold; None where it cannot."""
    if isinstance(value, str):
        return str if _fits(value, STRING_BYTES) else None
    if isinstance(value, bool):
        return bool
    if isinstance(value, int):
        return int if -(2**63) <= value < 2**63 else None
    if isinstance(value, float):
        return float if math.isfinite(value) else None
    if isinstance(value, dt.date):
        return dt.date if value.year in YEARS else None
    return None


def _stored(value: Any) -> Any:
    """What an attribute holds of a value; None where it can hold nothing of it."""
    if not isinstance(value, (list, tuple)):
        return None if _kind(value) is None else value
    items = [_plain(item) for item in value]
    kinds = {_kind(item) for item in items}
    return items if len(kinds) == 1 and None not in kinds else None


def _comes_back(value: Any) -> bool:
    """Whether what an attribute holds of a value is read back equal to it."""
    if isinstance(value, list):
        return all(_comes_back(_plain(item)) for item in value)
    if isinstance(value, dt.datetime):
        return value.tzinfo is not None
    return not isinstance(value, (dt.date, tuple))


def whole(value: Any) -> bool:
    """Whether an attribute can hold a scalar and gives it back equal."""
    return _kind(value) is not None and _comes_back(value)


# Kinds that JSON has no form for: how they are named, written and read.
_FORMS: dict[type, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {
    tuple: ("$tuple", list, tuple),
    set: ("$set", list, set),
    frozenset: ("$frozenset", list, frozenset),
    dt.datetime: ("$datetime", dt.datetime.isoformat, dt.datetime.fromisoformat),
    dt.date: ("$date", dt.date.isoformat, dt.date.fromisoformat),
    bytes: ("$bytes", lambda own: base64.b64encode(own).decode(), base64.b64decode),
}
_READERS = {name: read for name, _, read in _FORMS.values()}


def _packed(value: Any, field: str) -> Any:
    """A value as JSON has it."""
    value = _plain(value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, list):
        return [_packed(item, f"{field}[{at}]") for at, item in enumerate(value)]
    if isinstance(value, Mapping):
        if all(isinstance(name, str) and not name.startswith("$") for name in value):
            return {name: _packed(item, f"{field}.{name}") for name, item in value.items()}
        pairs = [[name, item] for name, item in value.items()]
        return {"$mapping": _packed(pairs, field)}
    for kind, (name, write, _) in _FORMS.items():
        if isinstance(value, kind):
            return {name: _packed(write(value), field)}
    raise InvalidArgument(
        f"is of {type(value).__name__}; strings, numbers, booleans, dates, bytes, None, and lists, "
        "tuples, sets and mappings of them are accepted",
        field=field,
    )


def _unpacked(value: Any) -> Any:
    """The value that JSON stands for."""
    if isinstance(value, list):
        return [_unpacked(item) for item in value]
    if not isinstance(value, dict):
        return value
    name = next(iter(value), "")
    if name == "$mapping":
        return dict(_unpacked(value[name]))
    if name in _READERS:
        return _READERS[name](_unpacked(value[name]))
    return {own: _unpacked(item) for own, item in value.items()}


# Filters


@dataclass(frozen=True)
class Condition:
    """A filter, and the fields whose values it compares."""

    filter: Filter
    fields: frozenset[str] = frozenset()

    @classmethod
    def of(cls, given: FilterLike, field: str = "filter") -> Condition:
        """That of a filter of the database, or of its text form."""
        message = to_filter(given, field)
        return cls(Filter(message), frozenset(_names(message)))

    @classmethod
    def all_of(cls, conditions: Iterable[Condition]) -> Condition:
        """What all of them describe; everything where there are none."""
        found = None
        for condition in conditions:
            found = condition if found is None else found & condition
        return cls(everything()) if found is None else found

    @classmethod
    def any_of(cls, conditions: Iterable[Condition]) -> Condition:
        """What any of them describes; nothing where there are none."""
        found = None
        for condition in conditions:
            found = condition if found is None else found | condition
        return cls(~everything()) if found is None else found

    def __and__(self, other: Condition) -> Condition:
        return Condition(self.filter & other.filter, self.fields | other.fields)

    def __or__(self, other: Condition) -> Condition:
        return Condition(self.filter | other.filter, self.fields | other.fields)

    def __invert__(self) -> Condition:
        return Condition(~self.filter, self.fields)


def attribute(name: str, test: Callable[[AttributeName], Filter]) -> Condition:
    """Documents with a value of a field that passes a test.

    Raises:
        InvalidArgument: where no attribute can have the name, so that no filter sees the field.
    """
    if not accepted(name):
        raise InvalidArgument(
            "cannot be filtered by: attributes have names of a letter or _, then letters, digits, "
            "_ - or ., at most 128 bytes",
            field=f"filter.{name}",
        )
    return Condition(test(A[name]), frozenset([name]))


def exists(name: str) -> Condition:
    """Documents with a field, whatever its value."""
    return Condition(~is_null(name).filter | (A[EMPTY] == name))


def is_null(name: str) -> Condition:
    """Documents without a field, or with None or an empty list there."""
    there = A[HELD] == name
    return Condition(~(A[name].exists() | there if accepted(name) else there))


# Words of the text form of filters that are no attributes.
_WORDS = re.compile(r'"(?:\\.|[^"\\])*"|(?P<name>[^\W\d][\w.-]*)(?P<call>\s*\()?')
_OPERATORS = {"and", "or", "not", "in", "exists", "like", "ilike", "true", "false", "id", "all"}
_TESTS = {"latent", "family", "text", "text_any", "phrase", "text_prefix", "text_fuzzy"}
_TESTS |= {"set", "sae", "timestamp"}


def _names(message: v1.Filter) -> Sequence[str]:
    """The attributes that a filter compares, as far as it says them."""
    kind = message.WhichOneof("kind")
    if kind == "attribute":
        return [message.attribute.name]
    if kind in ("all_of", "any_of"):
        parts = getattr(message, kind).filters
        return [name for part in parts for name in _names(part)]
    if kind == "negated":
        return _names(message.negated)
    if kind == "through":
        return _names(message.through.filter)
    if kind != "expression":
        return []
    words = [word for word in _WORDS.finditer(message.expression) if word["name"]]
    return [
        word["name"]
        for word in words
        if word["name"] not in (_TESTS if word["call"] else _OPERATORS)
    ]
