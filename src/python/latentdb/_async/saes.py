"""SAEs of a server, by their hash."""

from __future__ import annotations

import os
import pathlib
from collections.abc import AsyncIterator

from .. import v1
from ..errors import InvalidArgument
from ..progress import Progress, ProgressLike
from .transport import AsyncTransport

PIECE = 1 << 20


class AsyncSaes:
    """The SAEs that a server has or can read."""

    def __init__(self, rpc: AsyncTransport) -> None:
        self._rpc = rpc

    async def upload(
        self, folder: str | os.PathLike[str], *, progress: ProgressLike = None
    ) -> v1.SaeInfo:
        """Brings the SAE of a folder of this machine to the server, in any of the formats that it
        reads; at most 4 GiB. `attach_sae` and `create_collection` take what comes back.

        Raises:
            InvalidArgument: where the folder is none, or holds no SAE; then nothing is kept.
        """
        root = pathlib.Path(folder)
        files = sorted(path for path in root.glob("*") if path.is_file())
        if not files:
            raise InvalidArgument(
                f"is {str(folder)!r}, which is no folder with files", field="folder"
            )
        bar = Progress(progress, sum(path.stat().st_size for path in files), "bytes")

        async def pieces() -> AsyncIterator[v1.UploadSaeRequest]:
            for path in files:
                name = path.name
                with path.open("rb") as file:
                    while content := file.read(PIECE):
                        yield v1.UploadSaeRequest(file=name, content=content)
                        bar.add(len(content))
                        name = ""

        try:
            return await self._rpc.pieces("ModelService/UploadSae", pieces(), v1.SaeInfo)
        finally:
            bar.close()

    async def get(self, sae: str) -> v1.SaeInfo:
        """What an SAE is: one of the data directory by its hash, or a folder on the server."""
        return await self._rpc.unary("ModelService/GetSae", v1.GetSaeRequest(path=sae), v1.SaeInfo)


def named(sae: str | v1.SaeInfo) -> str:
    """How a request names an SAE: a folder on the server, or the hash of one that it has."""
    return sae.sha256 if isinstance(sae, v1.SaeInfo) else sae
