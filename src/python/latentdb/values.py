"""Values of attributes and vectors, to and from messages."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from . import v1
from .errors import InvalidArgument

Scalar = Union[str, int, float, bool, dt.datetime]
Attribute = Union[Scalar, Sequence[Scalar]]
Floats = npt.NDArray[np.float32]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


def to_value(value: Any, field: str = "value") -> v1.Value:
    """The message of a string, integer, float, boolean, date, or list of one kind of them.

    Dates without a zone are taken as UTC. NumPy and pandas scalars are taken for what they hold.

    >>> to_value(3).integer
    3
    >>> to_value(["a", "b"]).list.values[1].string
    'b'
    """
    if isinstance(value, v1.Value):
        return value
    if isinstance(value, np.generic):
        value = _of_numpy(value)
    if isinstance(value, str):
        return v1.Value(string=value)
    if isinstance(value, bool):
        return v1.Value(boolean=value)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise InvalidArgument(f"is {value}; integers of 64 bits are accepted", field=field)
        return v1.Value(integer=value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidArgument(f"is {value}; finite numbers are accepted", field=field)
        return v1.Value(float=value)
    if isinstance(value, dt.date):
        return _of_date(value)
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        items = list(value)
        return v1.Value(
            list=v1.ValueList(
                values=[to_value(item, f"{field}[{at}]") for at, item in enumerate(items)]
            )
        )
    raise InvalidArgument(
        f"is {_of_type(value)}; strings, numbers, booleans, dates and lists of them are accepted",
        field=field,
    )


def _of_type(value: Any) -> str:
    name = type(value).__name__
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"


def _of_numpy(value: np.generic) -> Any:
    if isinstance(value, np.datetime64):
        return value.astype("datetime64[us]").item()
    return value.item()


def _of_date(value: dt.date) -> v1.Value:
    if not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=dt.timezone.utc)
    message = v1.Value()
    since = value - _EPOCH
    message.timestamp.seconds = since.days * 86_400 + since.seconds
    message.timestamp.nanos = since.microseconds * 1_000
    return message


def of_value(value: v1.Value) -> Any:
    """What a message holds; times with the zone UTC, lists as lists.

    >>> of_value(to_value(2.5))
    2.5
    """
    kind = value.WhichOneof("kind")
    if kind is None:
        return None
    if kind == "list":
        return [of_value(item) for item in value.list.values]
    if kind == "timestamp":
        found = value.timestamp
        return _EPOCH + dt.timedelta(seconds=found.seconds, microseconds=found.nanos // 1_000)
    return getattr(value, kind)


def is_nothing(value: Any) -> bool:
    """Whether a cell of a table holds nothing: None, NaN, NaT or pandas' NA."""
    if value is None:
        return True
    if isinstance(value, (float, np.floating)):
        return bool(np.isnan(value))
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return bool(np.isnat(value))
    return type(value).__name__ in ("NAType", "NaTType")


def attributes(values: Mapping[str, Any], field: str = "attributes") -> dict[str, v1.Value]:
    """Attributes by name; cells that hold nothing are left out."""
    return {
        name: to_value(value, f"{field}.{name}")
        for name, value in values.items()
        if not is_nothing(value)
    }


def floats(values: Any, field: str = "vector", dimension: int | None = None) -> Floats:
    """A vector as 32-bit floats; of one dimension, finite.

    >>> floats([1, 2]).dtype
    dtype('float32')
    """
    array = numbers(values, field)
    if array.ndim != 1:
        raise InvalidArgument(
            f"has {array.ndim} dimensions, shape {array.shape}; one is accepted", field=field
        )
    if dimension and array.shape[0] != dimension:
        raise InvalidArgument(
            f"has {array.shape[0]} values; the collection takes {dimension}", field=field
        )
    if not np.isfinite(array).all():
        at = int(np.flatnonzero(~np.isfinite(array))[0])
        raise InvalidArgument(f"is {array[at]} at {at}; finite numbers are accepted", field=field)
    return array


def numbers(values: Any, field: str) -> Floats:
    """Numbers as 32-bit floats; neither texts nor complex numbers are taken for some."""
    try:
        found = np.asarray(values)
        if found.dtype.kind == "O":
            found = np.asarray(values, dtype=np.float64)
        if found.dtype.kind not in "fiub":
            raise TypeError(found.dtype)
        return np.asarray(found, dtype=np.float32)
    except (TypeError, ValueError):
        raise InvalidArgument(
            f"is {_of_type(values)}; a list or array of numbers is accepted", field=field
        ) from None


def latent_number(value: Any, field: str) -> int:
    """The number of a latent."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise InvalidArgument(
            f"is {value!r}; the number of a latent is accepted: latents.find says which are about a "
            "text",
            field=field,
        )
    return int(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def fill_vector(message: v1.Vector, values: Floats) -> None:
    """Sets a vector out of an array: its bytes as they are, without a float for each."""
    data = np.ascontiguousarray(values, dtype="<f4").tobytes()
    message.MergeFromString(b"\x0a" + _varint(len(data)) + data)


def to_vector(values: Any, field: str = "vector", dimension: int | None = None) -> v1.Vector:
    """The message of a vector."""
    message = v1.Vector()
    fill_vector(message, floats(values, field, dimension))
    return message


def of_vector(message: v1.Vector) -> Floats:
    """The values of a vector, shape (d,)."""
    return np.fromiter(message.values, dtype=np.float32, count=len(message.values))


def to_latents(values: Any, field: str = "latents") -> v1.Activations:
    """The message of latents: `{812: 0.5}`, or pairs of latent and activation.

    >>> [(a.latent, a.activation) for a in to_latents({9: 0.5, 2: 1.0}).values]
    [(2, 1.0), (9, 0.5)]
    """
    pairs: Iterable[Any] = values.items() if isinstance(values, Mapping) else values
    try:
        found = sorted((int(latent), float(activation)) for latent, activation in pairs)
    except (TypeError, ValueError):
        raise InvalidArgument(
            f"is {_of_type(values)}; a mapping of latent to activation is accepted", field=field
        ) from None
    return v1.Activations(
        values=[v1.Activation(latent=latent, activation=value) for latent, value in found]
    )
