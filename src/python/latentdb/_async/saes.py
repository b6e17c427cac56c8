"""SAEs of a server, by their hash."""

from __future__ import annotations

import os
import pathlib
from collections.abc import AsyncIterator
from typing import BinaryIO

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

    async def download(
        self,
        sae: str | v1.SaeInfo,
        folder: str | os.PathLike[str],
        *,
        progress: ProgressLike = None,
    ) -> None:
        """Writes the files of an SAE that the server holds to a folder of this machine, which is created,
        in SAELens layout.

        Raises:
            NotFound: where the server holds none of that hash.
            FileExistsError: where the folder has files.
        """
        root = pathlib.Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        if any(root.iterdir()):
            raise FileExistsError(f"{str(folder)!r} has files; a new or an empty folder is accepted")
        request, bar = v1.DownloadSaeRequest(sae=named(sae)), Progress(progress, None, "bytes")
        file: BinaryIO | None = None
        try:
            async for piece in self._rpc.stream(
                "ModelService/DownloadSae", request, v1.DownloadSaeResponse
            ):
                if piece.file:
                    if file is not None:
                        file.close()
                    file = (root / pathlib.Path(piece.file).name).open("wb")
                if file is not None:
                    file.write(piece.content)
                bar.add(len(piece.content))
        finally:
            if file is not None:
                file.close()
            bar.close()

    async def get(self, sae: str) -> v1.SaeInfo:
        """What an SAE is: one of the data directory by its hash, or a folder below
        `serve --models`."""
        return await self._rpc.unary("ModelService/GetSae", v1.GetSaeRequest(path=sae), v1.SaeInfo)


def named(sae: str | v1.SaeInfo) -> str:
    """How a request names an SAE: the hash of one that the server has, or its folder below
    `serve --models`."""
    return sae.sha256 if isinstance(sae, v1.SaeInfo) else sae
