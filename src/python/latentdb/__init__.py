"""A client of LatentDB, the search database whose concepts can be read and steered.

```python
import latentdb
from latentdb import A, L

db = latentdb.connect("127.0.0.1:7700")
papers = db.create_collection("papers", encoder="all-MiniLM-L6-v2")
papers.upsert(frame, id="id", text="{title}. {abstract}", attributes=["date", "stars"])
hits = papers.search("mechanism design", steer={812: 2.0}, filter=A.stars >= 4).limit(20)
print(hits[0].why)
```

`latentdb.open(folder)` starts a server of one's own. `AsyncClient` is the same for asyncio.
"""

from __future__ import annotations

import importlib.metadata
import os
from typing import Any

from . import errors, facets, queries
from ._async.client import AsyncClient
from ._async.collection import AsyncCollection
from ._sync.client import Client
from ._sync.collection import Collection
from .errors import LatentDBError
from .filters import (
    ID,
    A,
    Filter,
    L,
    any_words,
    everything,
    family,
    fuzzy,
    phrase,
    prefix,
    saved_set,
    text,
    through,
)
from .matrix import from_matrix
from .queries import (
    Concept,
    Edit,
    Examples,
    FamilyEdit,
    Query,
    bm25,
    excluding,
    fuse,
    latents,
    matching,
    nearest,
    property,  # noqa: A004
)
from .results import Hit, Hits, Record, Table
from .server import LocalServer
from .transport import Tls

__all__ = [
    "ID",
    "A",
    "AsyncClient",
    "AsyncCollection",
    "Client",
    "Collection",
    "Concept",
    "Edit",
    "Examples",
    "FamilyEdit",
    "Filter",
    "Hit",
    "Hits",
    "L",
    "LatentDBError",
    "Query",
    "Record",
    "Table",
    "any_words",
    "bm25",
    "connect",
    "errors",
    "everything",
    "excluding",
    "facets",
    "family",
    "from_matrix",
    "fuse",
    "fuzzy",
    "latents",
    "matching",
    "nearest",
    "open",
    "phrase",
    "prefix",
    "property",
    "queries",
    "saved_set",
    "text",
    "through",
]

try:
    __version__ = importlib.metadata.version("latentdb-client")
except importlib.metadata.PackageNotFoundError:
    __version__ = "0"


def connect(
    address: str = "127.0.0.1:7700",
    *,
    api_key: str | None = None,
    tls: Tls = False,
    timeout: float | None = None,
) -> Client:
    """A connection to a running server; see `Client`. The first call finds out whether it is there."""
    return Client(address, api_key=api_key, tls=tls, timeout=timeout)


def open(  # noqa: A001
    data: str | os.PathLike[str],
    *,
    binary: str | os.PathLike[str] | None = None,
    arguments: tuple[str, ...] = (),
    **options: Any,
) -> Client:
    """Starts the server over a data directory, which is made where there is none, and connects.

    The server listens on a free port of this machine and ends with the client, or with this program.

    Args:
        data: the directory.
        binary: the program, where it is neither installed with this package nor on the path.
        arguments: more arguments of `latentdb serve`.

    Raises:
        Unavailable: with what the server said, where it does not start.
    """
    server = LocalServer(data, binary=binary, arguments=arguments)
    return Client(server.address, server=server, **options)
