"""Haystack's documents, to and from documents of LatentDB.

A field of `meta` is the attribute of its name where an attribute can hold it. What attributes
cannot hold is kept in attributes whose names begin with `RESERVED`.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from haystack import Document
from haystack.dataclasses import ByteStream, SparseEmbedding

from ... import v1
from ...results import Record
from ...values import fill_vector, to_value
from ..metadata import (
    ATTRIBUTES,
    NAME_BYTES,
    STRING_BYTES,
    YEARS,
    in_pieces,
    joined,
    spelled,
    whole,
)

RESERVED = "_haystack_"
# When the document was written: nanoseconds, ascending in a list of documents.
ORDER = "_haystack_order"
# A hash of the content, so that filters can ask for one.
CONTENT = "_haystack_content"
# The embedding as 64-bit floats, where 32 bits do not hold it.
EMBEDDING = "_haystack_embedding"
SCORE = "_haystack_score"
BLOB = "_haystack_blob"
SPARSE = "_haystack_sparse_embedding"
# Fields of meta that have no attribute of their own, as JSON, and their names.
MORE = "_haystack_more"
MORE_NAMES = "_haystack_more_names"
# Before the name of a field: its value as JSON; its dates as times.
_JSON = "_haystack_json_"
_DATES = "_haystack_dates_"

NULL = "null"
_DATE = re.compile(r"\d{4}-\d\d-\d\d([Tt ].*)?", re.ASCII)


def is_plain(name: str) -> bool:
    """Whether an attribute of a field of meta can have this name."""
    return not name.startswith(RESERVED) and spelled(name, NAME_BYTES - len(_DATES))


def json_name(name: str) -> str | None:
    """The attribute with a field's value as JSON; None where the name is too long for one."""
    made = _JSON + base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")
    return made if len(made) <= NAME_BYTES else None


def of_json_name(attribute: str) -> str | None:
    """The field whose value an attribute has as JSON; None of other attributes."""
    if not attribute.startswith(_JSON):
        return None
    encoded = attribute[len(_JSON) :]
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


def dates_name(name: str) -> str:
    """The attribute with the dates among a field's strings, as times."""
    return _DATES + name


def date_of(value: Any) -> dt.datetime | None:
    """The time of a date of ISO 8601; UTC where it has no zone. None of anything else."""
    if isinstance(value, str):
        if not _DATE.fullmatch(value):
            return None
        try:
            value = dt.datetime.fromisoformat(re.sub("[Zz]$", "+00:00", value))
        except ValueError:
            return None
    if not isinstance(value, dt.datetime):
        return None
    if value.tzinfo is None:
        value = value.replace(tzinfo=dt.timezone.utc)
    return value if value.year in YEARS else None


def digest(content: str) -> str:
    """The hash by which filters compare contents."""
    return hashlib.sha256(content.encode()).hexdigest()


def field_attributes(name: str, value: Any) -> dict[str, Any] | None:
    """The attributes that hold a field of meta; None where it can have none of its own.

    Raises:
        ValueError: the name is reserved, or the value is nothing that JSON has.
    """
    if not isinstance(name, str) or name.startswith(RESERVED):
        raise ValueError(f"meta has the field {name!r}; strings that do not begin with "
                         f"{RESERVED!r} are accepted")
    if isinstance(value, np.generic):
        value = value.item()
    items = list(value) if isinstance(value, (list, tuple)) else [value]
    if not is_plain(name) or not _fits(items):
        key = json_name(name)
        return None if key is None else {key: _pieces(_json(name, value))}
    held = {name: value}
    dates = [date for date in map(date_of, items) if date is not None]
    if dates and not isinstance(items[0], dt.datetime):
        held[dates_name(name)] = dates
    return held


def field_names(name: str) -> list[str]:
    """All attributes that a field of meta can have."""
    key = json_name(name)
    return [*([name, dates_name(name)] if is_plain(name) else []), *([key] if key else [])]


def _fits(items: list[Any]) -> bool:
    """Whether an attribute holds these values: scalars of one kind, and comes back equal."""
    return len({type(item) for item in items}) <= 1 and all(map(whole, items))


def _json(name: str, value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"meta[{name!r}] cannot be kept: {error}; what JSON has is accepted, and times that "
            "have a zone, from 1678 to 2261"
        ) from None


def _pieces(text: str) -> str | list[str]:
    """ASCII as values that are short enough for an attribute."""
    return text if len(text) <= STRING_BYTES else in_pieces(text)


def to_message(document: Document, order: int, dimension: int) -> v1.Document:
    """A document as it is written.

    Raises:
        ValueError: naming the document and what of it cannot be kept.
    """
    try:
        made = v1.Document(id=document.id, text=document.content)
        held: dict[str, Any] = {ORDER: order}
        if document.content is not None:
            held[CONTENT] = digest(document.content)
        if document.score is not None:
            held[SCORE] = float(document.score)
        if document.blob is not None:
            blob = document.blob.to_dict()
            blob["data"] = base64.b64encode(document.blob.data).decode()
            held[BLOB] = _pieces(_json("blob", blob))
        if document.sparse_embedding is not None:
            sparse = document.sparse_embedding.to_dict()
            held[SPARSE] = _pieces(_json("sparse_embedding", sparse))
        if document.embedding is not None:
            exact = _embed(made, document.embedding, dimension)
            if exact is not None:
                held[EMBEDDING] = _pieces(exact)
        more: dict[str, Any] = {}
        for name, value in document.meta.items():
            own = field_attributes(name, value)
            # Two are for the fields that have none.
            if own is None or len(held) + len(own) > ATTRIBUTES - 2:
                more[name] = value
            else:
                held |= own
        if more:
            held[MORE] = _pieces(_json("", more))
            held[MORE_NAMES] = list(more)
        for name, value in held.items():
            made.attributes[name].CopyFrom(to_value(value, f"meta.{name}"))
    except ValueError as error:
        raise ValueError(f"document {document.id!r}: {error}") from None
    return made


def _embed(made: v1.Document, embedding: list[float], dimension: int) -> str | None:
    """Sets the vector; gives the embedding in base64 where 32-bit floats are not the same.

    An embedding of zeros has no direction: it is kept, and no search finds it by its vector.
    """
    exact = np.asarray(embedding, dtype=np.float64)
    if exact.shape != (dimension,):
        raise ValueError(f"the embedding has the shape {exact.shape}; the collection takes "
                         f"{dimension} values")
    with np.errstate(over="ignore", under="ignore"):
        rounded = exact.astype(np.float32)
    if not np.isfinite(rounded).all():
        raise ValueError("the embedding has values that are not finite as 32-bit floats")
    if rounded.any():
        fill_vector(made.vector, rounded)
        if np.array_equal(rounded.astype(np.float64), exact):
            return None
    return base64.b64encode(exact.astype("<f8").tobytes()).decode()


def meta_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of meta that attributes hold."""
    more = attributes.get(MORE)
    meta: dict[str, Any] = {} if more is None else json.loads(joined(more))
    for name, value in attributes.items():
        field = of_json_name(name)
        if field is not None:
            meta[field] = json.loads(joined(value))
        elif not name.startswith(RESERVED):
            meta[name] = value
    return meta


def to_document(record: Record, *, score: float | None = None, embedding: bool = True) -> Document:
    """A document as Haystack has it; with a score instead of its own."""
    found = record.attributes
    blob, sparse = (json.loads(joined(found.get(name, NULL))) for name in (BLOB, SPARSE))
    return Document(
        id=record.id,
        content=record.text,
        blob=None if blob is None else ByteStream.from_dict(
            {**blob, "data": base64.b64decode(blob["data"])}
        ),
        meta=meta_of(found),
        score=found.get(SCORE) if score is None else score,
        embedding=_embedding(record) if embedding else None,
        sparse_embedding=None if sparse is None else SparseEmbedding.from_dict(sparse),
    )


def _embedding(record: Record) -> list[float] | None:
    vector, kept = record.vector, record.attributes.get(EMBEDDING)
    if kept is not None:
        exact = np.frombuffer(base64.b64decode(joined(kept)), dtype="<f8")
        # Another client may have changed the vector since.
        if vector is None or np.array_equal(exact.astype(np.float32), vector):
            return [float(value) for value in exact]
    return None if vector is None else [float(value) for value in vector]
