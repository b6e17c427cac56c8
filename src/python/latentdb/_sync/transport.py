"""Calls over a channel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from ..errors import closed, of_rpc
from ..transport import PACKAGE, Settings, options

M = TypeVar("M", bound=Message)


class Transport:
    """Any rpc of the API by its name, as `SearchService/Search`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        credentials = settings.credentials()
        if credentials is None:
            self.channel = grpc.insecure_channel(settings.address, options=options())
        else:
            self.channel = grpc.secure_channel(settings.address, credentials, options=options())

    def _call(self, kind: str, method: str, answer: type[M]) -> Any:
        return getattr(self.channel, kind)(
            f"/{PACKAGE}.{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )

    def unary(
        self, method: str, request: Message, answer: type[M], timeout: float | None = None
    ) -> M:
        """One answer to one message."""
        call = self._call("unary_unary", method, answer)
        limit = self.settings.timeout if timeout is None else timeout
        try:
            found: M = call(request, timeout=limit, metadata=self.settings.metadata())
        except grpc.RpcError as error:
            raise of_rpc(error, self.settings.address) from None
        except ValueError as error:
            # gRPC says so of a channel that was closed.
            raise closed() from error
        return found

    def stream(
        self, method: str, request: Message, answer: type[M], timeout: float | None = None
    ) -> Iterator[M]:
        """Many answers to one message. Leaving the loop cancels the call."""
        call = self._call("unary_stream", method, answer)(
            request, timeout=timeout, metadata=self.settings.metadata()
        )
        try:
            yield from call
        except grpc.RpcError as error:
            raise of_rpc(error, self.settings.address) from None
        finally:
            call.cancel()

    def pieces(self, method: str, requests: Iterator[Message], answer: type[M]) -> M:
        """One answer to many messages."""
        call = self._call("stream_unary", method, answer)
        try:
            found: M = call(requests, metadata=self.settings.metadata())
        except grpc.RpcError as error:
            raise of_rpc(error, self.settings.address) from None
        return found

    def both(self, method: str, requests: Iterator[Message], answer: type[M]) -> Iterator[M]:
        """Many answers to many messages."""
        call = self._call("stream_stream", method, answer)(
            requests, metadata=self.settings.metadata()
        )
        try:
            yield from call
        except grpc.RpcError as error:
            raise of_rpc(error, self.settings.address) from None
        finally:
            call.cancel()

    def close(self) -> None:
        """Closes the channel."""
        self.channel.close()
