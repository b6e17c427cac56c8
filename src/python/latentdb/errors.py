"""Errors. Each says what is wrong, in which argument, and what is accepted."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

__all__ = [
    "AlreadyExists",
    "Conflict",
    "DataLoss",
    "InvalidArgument",
    "LatentDBError",
    "LatentDBWarning",
    "NotFound",
    "PreconditionFailed",
    "ResourceExhausted",
    "ServerError",
    "Unauthorized",
    "Unavailable",
]


class LatentDBError(Exception):
    """Base of all errors of this package.

    Attributes:
        field: path of the argument or field at fault, where one is; `documents[3].vector`.
        code: name of the gRPC status, where the server said it; `INVALID_ARGUMENT`.
        hint: what to do, where that is known.
        retry_after: seconds after which to try again, where the server said so.

    >>> raise InvalidArgument("is 0; 1 to 1000 is accepted", field="limit")
    Traceback (most recent call last):
    ...
    latentdb.errors.InvalidArgument: limit is 0; 1 to 1000 is accepted
    """

    def __init__(
        self,
        message: str,
        *,
        field: str = "",
        code: str = "",
        hint: str = "",
        retry_after: float | None = None,
    ) -> None:
        self.message = message
        self.field = field
        self.code = code
        self.hint = hint
        self.retry_after = retry_after
        named = f"{field} {message}" if field and not message.startswith(field) else message
        super().__init__(f"{named} ({hint})" if hint else named)


class InvalidArgument(LatentDBError, ValueError):
    """An argument is not accepted; nothing was changed."""


class NotFound(LatentDBError, LookupError):
    """A collection, document, latent, set or preset does not exist."""


class AlreadyExists(LatentDBError):
    """The name or id is taken; nothing was written."""


class PreconditionFailed(LatentDBError):
    """The collection is not in a state for this: no SAE, another model, nothing labelled."""


class Conflict(LatentDBError):
    """A document has another version than the one expected; nothing was written."""


class ResourceExhausted(LatentDBError):
    """The request or the load is beyond a limit; see `retry_after`."""


class Unauthorized(LatentDBError):
    """The server does not know the key, or the key may not do this."""


class Unavailable(LatentDBError, ConnectionError):
    """There is no server at the address, or it is stopping; or the deadline passed."""


class DataLoss(LatentDBError):
    """The collection's files are damaged; `latentdb verify` tells which."""


class ServerError(LatentDBError):
    """The server failed; its log says more."""


_KINDS: dict[grpc.StatusCode, type[LatentDBError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.OUT_OF_RANGE: InvalidArgument,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: PreconditionFailed,
    grpc.StatusCode.ABORTED: Conflict,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted,
    grpc.StatusCode.UNAUTHENTICATED: Unauthorized,
    grpc.StatusCode.PERMISSION_DENIED: Unauthorized,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
    grpc.StatusCode.DATA_LOSS: DataLoss,
}


class LatentDBWarning(UserWarning):
    """What makes an answer doubtful: a filter that no document can pass, a set that misleads."""


def cut_warning(texts: int) -> list[str]:
    """What to know of texts that have more tokens than the encoder reads."""
    if texts == 0:
        return []
    many = f"{texts:,} text{'' if texts == 1 else 's'} longer than the encoder reads"
    return [f"{many}: vectors, and latents of these, are of the beginning"]


def warn(doubts: Iterable[str]) -> None:
    """Tells what makes an answer doubtful, once for each place in the caller's code."""
    for doubt in doubts:
        if _OF_ADAPTERS.search(doubt):
            continue
        warnings.warn(doubt, LatentDBWarning, stacklevel=4)


def closed() -> LatentDBError:
    """The error of a client that was closed."""
    return Unavailable("this client is closed", hint="connect again")


# Attributes that adapters keep for themselves, of which there may be none.
_OF_ADAPTERS = re.compile(r'attribute "_(latentdb|haystack)_')

# What gRPC says where it was the connection that failed; else the server said it.
_OF_CONNECTIONS = re.compile(
    r"(?i)failed to connect|refused|socket|goaway|reset|broken pipe|dns|handshake|ssl|tls|"
    r"all backends|recvmsg|transport|end of tcp|too_many_pings|stream removed|timeout"
)


def of_code(code: int, message: str, field: str) -> LatentDBError:
    """The error of a status inside an answer, as those of batches."""
    status = next((known for known in grpc.StatusCode if known.value[0] == code), None)
    kind = ServerError if status is None else _KINDS.get(status, ServerError)
    return kind(message, field=field, code="" if status is None else status.name)


def of_rpc(error: Any, address: str) -> LatentDBError:
    """The error of a failed call."""
    status = error.code()
    message = error.details() or status.name
    field, retry_after, hint = "", None, ""
    try:
        details = rpc_status.from_call(error)
    except ValueError:
        details = None
    for detail in details.details if details is not None else ():
        request = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(request):
            for violation in request.field_violations:
                field = field or violation.field
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    if status is grpc.StatusCode.UNAVAILABLE and _OF_CONNECTIONS.search(message):
        message = f"cannot reach a server at {address}: {message}"
        hint = "start one with `latentdb serve`, or name its address"
    elif status is grpc.StatusCode.DEADLINE_EXCEEDED:
        hint = "give the call more time with timeout="
    elif status is grpc.StatusCode.UNIMPLEMENTED:
        message = f"the server at {address} does not know this call: {message}"
        hint = "client and server are of different versions"
    kind = _KINDS.get(status, ServerError)
    return kind(message, field=field, code=status.name, hint=hint, retry_after=retry_after)
