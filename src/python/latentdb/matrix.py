"""A matrix of latents from anywhere as a collection (the path of interp-embed and its kind)."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from . import v1
from ._sync.client import Client
from ._sync.collection import Collection
from .errors import InvalidArgument
from .progress import ProgressLike
from .values import attributes as to_attributes
from .values import numbers


def from_matrix(
    matrix: Any,
    texts: Sequence[str] | None = None,
    *,
    ids: Sequence[str] | None = None,
    attributes: Any = None,
    labels: Mapping[int, str] | Sequence[str] | None = None,
    vectors: Any = None,
    name: str = "matrix",
    client: Client | None = None,
    progress: ProgressLike = None,
) -> Collection:
    """Makes a collection of a matrix of latents, with every query and analysis there is.

    Args:
        matrix: documents by latents: a scipy.sparse matrix or array, or a dense array; activations
            from 0 to 65,504, kept as 16-bit floats.
        texts: one per row.
        ids: one per row; the rows' numbers without.
        attributes: a table (pandas, polars, pyarrow) or a list of mappings, a row per row.
        labels: names of latents: by number, or in their order.
        vectors: dense vectors, shape (documents, d).
        name: of the collection.
        client: where it is made; without, in a server of its own over a temporary folder, which
            ends with this program. `collection.client` holds it.

    Raises:
        InvalidArgument: naming what has another length than the matrix has rows.
    """
    if not hasattr(matrix, "tocsr"):
        matrix = numbers(matrix, "matrix")
    if len(matrix.shape) != 2:
        raise InvalidArgument(
            f"has the shape {matrix.shape}; (documents, latents) is accepted", field="matrix"
        )
    rows, n_latents = matrix.shape
    if ids is not None and len(set(map(str, ids))) != len(ids):
        seen = Counter(map(str, ids)).most_common(1)[0]
        raise InvalidArgument(f"has {seen[0]!r} {seen[1]} times", field="ids")
    if labels is not None and not isinstance(labels, Mapping) and len(labels) != n_latents:
        raise InvalidArgument(f"has {len(labels)} entries for {n_latents} latents", field="labels")
    parts = {"texts": texts, "ids": ids, "attributes": attributes, "vectors": vectors}
    for part, given in parts.items():
        if given is not None and len(given) != rows:
            raise InvalidArgument(f"has {len(given)} entries for {rows} rows", field=part)
    dimension = 0 if vectors is None else int(np.asarray(vectors).shape[1])
    if client is None:
        from . import open as open_server

        client = open_server(tempfile.mkdtemp(prefix="latentdb-matrix-"))
    collection = client.create_collection(name, n_latents=n_latents, dimension=dimension)
    collection.client = client  # type: ignore[attr-defined]
    try:
        collection.upsert(
            _documents(matrix, texts, ids, attributes), vectors=vectors, progress=progress
        )
        if labels is not None:
            named = labels if isinstance(labels, Mapping) else dict(enumerate(labels))
            collection.latents.set_labels({n: text for n, text in named.items() if text})
    except Exception:
        # Half a matrix is in nobody's way.
        client.drop_collection(name)
        raise
    return collection


def _documents(
    matrix: Any, texts: Sequence[str] | None, ids: Sequence[str] | None, attributes: Any
) -> Iterator[v1.Document]:
    from .records import rows_of

    named = iter(rows_of(attributes)) if attributes is not None else None
    texts = None if texts is None else list(texts)
    for at, (columns, values) in enumerate(_rows(matrix)):
        made = v1.Document(id=str(at) if ids is None else str(ids[at]))
        if texts is not None and texts[at] is not None:
            made.text = str(texts[at])
        if named is not None:
            found = to_attributes(next(named), f"attributes[{at}]")
            for name, value in found.items():
                made.attributes[name].CopyFrom(value)
        made.latents.values.extend(
            v1.Activation(latent=n, activation=value) for n, value in zip(columns, values)
        )
        made.latents.SetInParent()
        yield made


def _rows(matrix: Any) -> Iterator[tuple[list[int], list[float]]]:
    """The non-zero entries of each row, ascending."""
    if hasattr(matrix, "tocsr"):
        csr = matrix.tocsr()
        csr.sum_duplicates()
        for start, end in zip(csr.indptr[:-1], csr.indptr[1:]):
            columns, values = csr.indices[start:end], csr.data[start:end]
            kept = values != 0
            yield columns[kept].tolist(), values[kept].tolist()
    else:
        for row in np.asarray(matrix):
            columns = np.flatnonzero(row)
            yield columns.tolist(), row[columns].tolist()
