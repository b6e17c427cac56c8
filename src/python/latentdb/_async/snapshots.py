"""Snapshots of a server: copies of its collections in a store elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .. import v1
from ..progress import Progress, ProgressLike
from .transport import AsyncTransport


class AsyncSnapshots:
    """The snapshots in the store of `latentdb serve --snapshots`. Calls take an admin's key."""

    def __init__(self, rpc: AsyncTransport) -> None:
        self._rpc = rpc

    async def create(
        self,
        name: str = "",
        *,
        collections: Iterable[str] = (),
        keep: int = 0,
        progress: ProgressLike = None,
    ) -> v1.Snapshot:
        """Makes a snapshot while the server goes on; one named by the time where no name is given.

        Args:
            collections: those in it; all when empty.
            keep: so many snapshots are kept, this one included, and earlier ones removed; 0 keeps all.

        Raises:
            AlreadyExists: where the name is taken.
            PreconditionFailed: where the server has no store.
        """
        request = v1.CreateSnapshotRequest(name=name, collections=list(collections), keep=keep)
        bar, last = Progress(progress, None, "bytes"), v1.CreateSnapshotProgress()
        try:
            async for last in self._rpc.stream(
                "SnapshotService/CreateSnapshot", request, v1.CreateSnapshotProgress
            ):
                bar.set(last.done, last.total)
        finally:
            bar.close()
        return last.snapshot

    async def list(self) -> Sequence[v1.Snapshot]:
        """The snapshots of the store, the latest first."""
        answer = await self._rpc.unary(
            "SnapshotService/ListSnapshots", v1.ListSnapshotsRequest(), v1.ListSnapshotsResponse
        )
        return [*answer.snapshots]

    async def restore(
        self,
        name: str,
        collections: Mapping[str, str] | None = None,
        *,
        progress: ProgressLike = None,
    ) -> Sequence[str]:
        """Brings collections of a snapshot back, all or none; gives their names.

        Args:
            collections: those to bring back, each with the name that it gets; all under their own names
                where it is left out.

        Raises:
            AlreadyExists: where a name is taken.
            DataLoss: where the store lacks a file, or has another content.
        """
        request = v1.RestoreSnapshotRequest(name=name, collections=dict(collections or {}))
        bar, last = Progress(progress, None, "bytes"), v1.RestoreSnapshotProgress()
        try:
            async for last in self._rpc.stream(
                "SnapshotService/RestoreSnapshot", request, v1.RestoreSnapshotProgress
            ):
                bar.set(last.done, last.total)
        finally:
            bar.close()
        return [*last.collections]

    async def delete(self, name: str) -> None:
        """Removes a snapshot, and what no other has of its files."""
        await self._rpc.unary(
            "SnapshotService/DeleteSnapshot",
            v1.DeleteSnapshotRequest(name=name),
            v1.DeleteSnapshotResponse,
        )
