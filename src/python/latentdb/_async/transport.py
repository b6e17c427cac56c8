"""Calls over an asynchronous channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from ..errors import closed, of_rpc
from ..transport import PACKAGE, Settings, options

M = TypeVar("M", bound=Message)


class AsyncTransport:
    """Any rpc of the API by its name, as `SearchService/Search`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        credentials = settings.credentials()
        if credentials is None:
            self.channel = grpc.aio.insecure_channel(settings.address, options=options())
        else:
            self.channel = grpc.aio.secure_channel(settings.address, credentials, options=options())

    def _call(self, kind: str, method: str, answer: type[M]) -> Any:
        return getattr(self.channel, kind)(
            f"/{PACKAGE}.{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )

    async def unary(
        self, method: str, request: Message, answer: type[M], timeout: float | None = None
    ) -> M:
        """One answer to one message."""
        call = self._call("unary_unary", method, answer)
        limit = self.settings.timeout if timeout is None else timeout
        try:
            found: M = await call(request, timeout=limit, metadata=self.settings.metadata())
        except grpc.RpcError as error:
            raise of_rpc(error, self.settings.address) from None
        except (ValueError, grpc.aio.UsageError) as error:
            # gRPC says so of a channel that was closed.
            raise closed() from error
        return found

    async def stream(
        self, method: str, request: Message, answer: type[M], timeout: float | None = None
    ) -> AsyncIterator[M]:
        """Many answers to one message. Leaving the loop cancels the call."""
        call = self._call("unary_stream", method, answer)(
            request, timeout=timeout, metadata=self.settings.metadata()
        )
        try:
            async for message in call:
                yield message
        except grpc.RpcError as error:
            raise of_rpc(error, self.settings.address) from None
        finally:
            call.cancel()

    async def pieces(self, method: str, requests: AsyncIterator[Message], answer: type[M]) -> M:
        """One answer to many messages."""
        call = self._call("stream_unary", method, answer)
        try:
            found: M = await call(requests, metadata=self.settings.metadata())
        except grpc.RpcError as error:
            raise of_rpc(error, self.settings.address) from None
        return found

    async def both(
        self, method: str, requests: AsyncIterator[Message], answer: type[M]
    ) -> AsyncIterator[M]:
        """Many answers to many messages."""
        call = self._call("stream_stream", method, answer)(
            requests, metadata=self.settings.metadata()
        )
        try:
            async for message in call:
                yield message
        except grpc.RpcError as error:
            raise of_rpc(error, self.settings.address) from None
        finally:
            call.cancel()

    async def close(self) -> None:
        """Closes the channel."""
        await self.channel.close()
