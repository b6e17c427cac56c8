"""Documents out of what people hold: dicts, pandas, polars and Arrow tables, datasets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Union

import numpy as np

from . import v1
from .errors import InvalidArgument
from .values import attributes, fill_vector, floats, is_nothing, to_latents

# `{name}` of a template of texts; `{{` and `}}` stand for braces.
_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")

Source = Any
Rows = Iterator[Mapping[str, Any]]


class Document(dict[str, Any]):
    """A document: a mapping with `id`, and `text`, `vector`, `latents` and `attributes` where it has
    them. Any mapping with these keys does; other keys are refused."""


Attributes = Union[Sequence[str], Mapping[str, str], str, None]


def length_of(source: Source) -> int | None:
    """Number of records, where the source knows."""
    if isinstance(source, Mapping):
        if isinstance(source.get("id"), (str, int)):
            return 1
        source = next(iter(source.values()), ())
    try:
        return len(source)
    except TypeError:
        return None


def rows_of(source: Source) -> Rows:
    """The records of a source as mappings, in their order.

    Raises:
        InvalidArgument: where it is none of the kinds that are accepted.
    """
    module = type(source).__module__.split(".")[0]
    kind = type(source).__name__
    if module == "pandas" and kind == "DataFrame":
        return _of_columns({str(name): list(source[name]) for name in source.columns})
    if module == "polars" and kind == "LazyFrame":
        return iter(source.collect().iter_rows(named=True))
    if module == "polars" and kind == "DataFrame":
        return iter(source.iter_rows(named=True))
    if module == "pyarrow" and kind in ("Table", "RecordBatch"):
        return _of_arrow(source)
    if module == "pyarrow" and kind == "RecordBatchReader":
        return (row for batch in source for row in _of_arrow(batch))
    if isinstance(source, Mapping):
        if "id" in source and isinstance(source["id"], (str, int)):
            return iter([source])
        return _of_columns({name: list(column) for name, column in source.items()})
    if isinstance(source, (str, bytes)) or not isinstance(source, Iterable):
        raise InvalidArgument(
            f"is {kind}; a table of pandas, polars or pyarrow, a dataset, dicts or an iterator of "
            "them is accepted",
            field="records",
        )
    return iter(source)


def _of_columns(columns: Mapping[str, Sequence[Any]]) -> Rows:
    names = list(columns)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidArgument(f"have different lengths: {lengths}", field="columns")
    for row in zip(*columns.values()):
        yield dict(zip(names, row))


def _of_arrow(table: Any) -> Rows:
    batches = table.to_batches() if hasattr(table, "to_batches") else [table]
    for batch in batches:
        columns = {}
        for name, column in zip(batch.schema.names, batch.columns):
            columns[name] = _vectors_of(column) or column.to_pylist()
        yield from _of_columns(columns)


def _vectors_of(column: Any) -> list[Any] | None:
    """A column of lists of floats of one length as rows of one array, without a float for each."""
    kind = str(column.type)
    if not kind.startswith("fixed_size_list") or column.null_count:
        return None
    if not any(inner in kind for inner in ("float", "double", "halffloat")):
        return None
    values = column.flatten().to_numpy(zero_copy_only=False)
    return list(values.reshape(len(column), column.type.list_size))


class Mapper:
    """What of a record becomes what of a document."""

    def __init__(
        self,
        *,
        id: str = "id",  # noqa: A002
        text: str | None = None,
        vector: str | None = None,
        latents: str | None = None,
        attributes: Attributes = None,
        dimension: int = 0,
    ) -> None:
        self.id = id
        self.text = text
        self.vector = vector
        self.latents = latents
        self.dimension = dimension
        self.everything = attributes == "*"
        if isinstance(attributes, str) and not self.everything:
            raise InvalidArgument(
                f"is {attributes!r}; a list of columns, a mapping of columns to names, or '*' is "
                "accepted",
                field="attributes",
            )
        if attributes is None or isinstance(attributes, str):
            self.attributes: dict[str, str] = {}
        elif isinstance(attributes, Mapping):
            self.attributes = dict(attributes)
        else:
            self.attributes = {name: name for name in attributes}
        self.plain = text is None and vector is None and latents is None and attributes is None
        self._checked = False
        if text is not None and ("{" in text or "}" in text):
            left = _FIELD.sub("", text)
            if "{" in left or "}" in left:
                raise InvalidArgument(
                    f"is {text!r}, which has a brace alone; {{column}} is accepted, and {{{{ for a "
                    "brace",
                    field="text",
                )

    def _columns(self) -> list[str]:
        fields = [self.id, self.vector, self.latents, *self.attributes]
        if self.text is not None and "{" in self.text:
            fields += [name for name in _FIELD.findall(self.text) if name]
        else:
            fields.append(self.text)
        return [name for name in fields if name is not None]

    def _check(self, row: Mapping[str, Any]) -> None:
        """Names the columns that the first record lacks."""
        self._checked = True
        for name in self._columns():
            if name not in row:
                there = ", ".join(map(str, row))
                raise InvalidArgument(
                    f"is no column of the records; there are {there}", field=repr(name)
                )

    def document(self, row: Any, at: int) -> v1.Document:
        """The document of the record at a place.

        Raises:
            InvalidArgument: naming the record and the column.
        """
        try:
            return self._document(row, at)
        except UnicodeEncodeError as error:
            raise InvalidArgument(
                f"has the character {error.object[error.start]!r}, half of a surrogate pair, which "
                "UTF-8 has not",
                field=f"records[{at}]",
            ) from None

    def _document(self, row: Any, at: int) -> v1.Document:
        if isinstance(row, v1.Document):
            return row
        field = f"records[{at}]"
        if not isinstance(row, Mapping):
            raise InvalidArgument(f"is {type(row).__name__}; a mapping is accepted", field=field)
        if self.plain and "id" in row and not set(row) - _PARTS:
            return self._of_parts(row, field)
        if not self._checked:
            self._check(row)
        made = v1.Document(id=_id(row.get(self.id), f"{field}.{self.id}"))
        if self.text is not None:
            found = self._text_of(row)
            if found is not None:
                made.text = found
        if self.vector is not None and not is_nothing(row.get(self.vector)):
            name = f"{field}.{self.vector}"
            fill_vector(made.vector, floats(row[self.vector], name, self.dimension))
        if self.latents is not None and not is_nothing(row.get(self.latents)):
            made.latents.CopyFrom(to_latents(row[self.latents], f"{field}.{self.latents}"))
        named = {to: row.get(column) for column, to in self.attributes.items()}
        if self.everything:
            used = set(self._columns())
            named |= {str(name): value for name, value in row.items() if name not in used}
        elif self.plain:
            raise InvalidArgument(
                f"has the keys {', '.join(map(str, row))}; a document has id, text, vector, "
                "latents and attributes: say with text=, vector=, latents= and attributes= what "
                "columns are",
                field=field,
            )
        for name, value in attributes(named, field).items():
            made.attributes[name].CopyFrom(value)
        return made

    def _of_parts(self, row: Mapping[str, Any], field: str) -> v1.Document:
        made = v1.Document(id=_id(row["id"], f"{field}.id"))
        if not is_nothing(row.get("text")):
            made.text = str(row["text"])
        if row.get("vector") is not None:
            fill_vector(made.vector, floats(row["vector"], f"{field}.vector", self.dimension))
        if row.get("latents") is not None:
            made.latents.CopyFrom(to_latents(row["latents"], f"{field}.latents"))
        named = row.get("attributes") or {}
        for name, value in attributes(named, f"{field}.attributes").items():
            made.attributes[name].CopyFrom(value)
        return made

    def _text_of(self, row: Mapping[str, Any]) -> str | None:
        assert self.text is not None
        if "{" not in self.text:
            value = row.get(self.text)
            return None if is_nothing(value) else str(value)

        names = [name for name in _FIELD.findall(self.text) if name]
        if names and all(is_nothing(row.get(name)) for name in names):
            return None

        def part(match: re.Match[str]) -> str:
            if match.group() in ("{{", "}}"):
                return match.group()[0]
            value = row.get(match.group(1))
            return "" if is_nothing(value) else str(value)

        return _FIELD.sub(part, self.text)


_PARTS = {"id", "text", "vector", "latents", "attributes"}


def _id(value: Any, field: str) -> str:
    if isinstance(value, (bool, float, np.floating)) or is_nothing(value) or value == "":
        hint = ""
        if isinstance(value, (float, np.floating)) and value == value and value == int(value):
            hint = "pandas makes floats of integers where a cell of the column is empty"
        raise InvalidArgument(
            f"is {value!r}; a string or an integer is accepted", field=field, hint=hint
        )
    return str(value)


# A document and its record's place.
Placed = tuple[int, v1.Document]


def batches(
    documents: Iterable[Placed], size: int, limit_bytes: int = 16 << 20
) -> Iterator[list[Placed]]:
    """Documents in lists of at most `size`, and of about `limit_bytes` as messages."""
    batch: list[Placed] = []
    held = 0
    for place, document in documents:
        batch.append((place, document))
        held += document.ByteSize()
        if len(batch) >= size or held >= limit_bytes:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
