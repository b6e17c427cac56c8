"""Haystack's filters as filters of LatentDB.

Of a field with several values one has to pass. Dates are compared as points in time, UTC where they
have no zone.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

from haystack.errors import FilterError

from ...errors import InvalidArgument
from ...filters import ID, A, Filter, everything
from .documents import CONTENT, MORE_NAMES, NULL, date_of, dates_name, digest, is_plain, json_name

_ORDERED = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_COMPARED = ("==", "!=", *_ORDERED, "in", "not in")
_LOGICAL = ("AND", "OR", "NOT")


def translate(filters: dict[str, Any]) -> tuple[Filter, set[str]]:
    """The filter, and the fields of meta that it asks for.

    Raises:
        FilterError: saying what is wrong and what is accepted.
    """
    fields: set[str] = set()
    try:
        return _condition(filters, fields), fields
    except InvalidArgument as error:
        raise FilterError(str(error)) from error


def beyond_attributes(fields: set[str]) -> Filter:
    """Documents that hold one of these fields, or what they are inside of, as JSON."""
    whole = set()
    for field in fields:
        parts = field.split(".")
        whole |= {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
    tests = [A[MORE_NAMES].isin(sorted(whole))]
    for field in sorted(whole):
        key = json_name(field)
        if key is not None:
            tests.append(A[key].exists() & (A[key] != NULL))
    return _any(tests)


def meta_field(field: str) -> str:
    """The name of a field of meta, with or without `meta.` before it."""
    return field.removeprefix("meta.")


def _any(tests: list[Filter]) -> Filter:
    return functools.reduce(operator.or_, tests, ~everything())


def _condition(filters: Any, fields: set[str]) -> Filter:
    if not isinstance(filters, dict):
        raise FilterError(f"a condition is {type(filters).__name__}; a dictionary is accepted")
    if "operator" not in filters:
        raise FilterError(f"'operator' key missing in {filters}")
    sign = filters["operator"]
    if "field" in filters:
        if "value" not in filters:
            raise FilterError(f"'value' key missing in {filters}")
        if sign not in _COMPARED:
            raise FilterError(f"operator is {sign!r}; one of {', '.join(_COMPARED)} is accepted")
        return _comparison(filters["field"], sign, filters["value"], fields)
    if "conditions" not in filters:
        raise FilterError(f"'conditions' key missing in {filters}")
    if sign not in _LOGICAL:
        raise FilterError(f"operator is {sign!r}; one of {', '.join(_LOGICAL)} is accepted")
    if not isinstance(filters["conditions"], list):
        raise FilterError(f"'conditions' is no list in {filters}")
    parts = [_condition(condition, fields) for condition in filters["conditions"]]
    if sign == "OR":
        return _any(parts)
    both = functools.reduce(operator.and_, parts, everything())
    return ~both if sign == "NOT" else both


def _comparison(field: Any, sign: str, value: Any, fields: set[str]) -> Filter:
    if not isinstance(field, str):
        raise FilterError(f"field is {field!r}; a name is accepted")
    if sign in ("in", "not in"):
        if not isinstance(value, list):
            raise FilterError(f"value of {sign!r} is {type(value).__name__}; a list is accepted")
        found = _any([_equal(field, own, fields) for own in value])
        return ~found if sign == "not in" else found
    if sign in ("==", "!="):
        equal = _equal(field, value, fields)
        return ~equal if sign == "!=" else equal
    return _ordered(field, sign, value, fields)


def _equal(field: str, value: Any, fields: set[str]) -> Filter:
    if field == "id":
        return ~everything() if value is None else ID == value
    if isinstance(value, (list, dict)):
        raise FilterError(
            f"value of {field!r} is a {type(value).__name__}; strings, numbers, booleans, dates "
            "and None are accepted"
        )
    if field == "content":
        if value is not None and not isinstance(value, str):
            return ~everything()
        return A[CONTENT] == (None if value is None else digest(value))
    name = _attribute(field, fields)
    if name is None:
        # Only documents that `beyond_attributes` describes can have it.
        return everything() if value is None else ~everything()
    tests = [A[name] == value]
    date = date_of(value)
    if date is not None:
        tests += [A[name] == date, A[dates_name(name)] == date]
    return _any(tests)


def _ordered(field: str, sign: str, value: Any, fields: set[str]) -> Filter:
    if value is None:
        return ~everything()
    if field in ("id", "content"):
        raise FilterError(f"{field!r} cannot be compared by {sign!r}; numbers and dates can")
    date = date_of(value)
    if date is None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise FilterError(
            f"value of {sign!r} is {value!r}; a number, or a date of ISO 8601 in the years 1678 "
            "to 2261 is accepted"
        )
    name = _attribute(field, fields)
    if name is None:
        return ~everything()
    compare: Callable[[Any, Any], Filter] = _ORDERED[sign]
    if date is None:
        return compare(A[name], value)
    return compare(A[name], date) | compare(A[dates_name(name)], date)


def _attribute(field: str, fields: set[str]) -> str | None:
    """The attribute of a field of meta; None where its name cannot be one."""
    if field in ("blob", "embedding", "meta", "score", "sparse_embedding"):
        raise FilterError(f"{field!r} cannot be filtered; id, content and fields of meta can")
    name = meta_field(field)
    fields.add(name)
    return name if is_plain(name) else None
