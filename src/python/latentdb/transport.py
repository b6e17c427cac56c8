"""How channels are set up."""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass, field
from typing import Any, Union

import grpc

from .errors import InvalidArgument

DEFAULT_PORT = 7700
# The server takes and sends messages up to this.
MESSAGE_BYTES = 128 << 20
# Calls that change nothing, or the same once and twice, are made again when the server cannot be
# reached: after .1 s, .2 s, .4 s.
_RETRIED = {
    "CollectionService": ["GetCollection", "ListCollections", "ListSets", "ExportRecords"],
    "DocumentService": ["Get", "Scroll"],
    "SearchService": [
        *("Search", "SearchBatch", "Count", "Facet", "Steer", "SteerSweep", "ListPresets"),
    ],
    "LatentService": [
        *("ListLatents", "GetLatent", "ListLabels", "SearchLabels", "ListFamilies"),
        "SplitLatents",
    ],
    "ModelService": ["EncodeTexts", "EncodeVectors", "DecodeLatents", "GetSae", "EvaluateSae"],
    "AdminService": ["GetServerInfo"],
    "AnalysisService": [
        *("Diff", "Correlate", "Trends", "NearDuplicates", "PoorlyExplained", "Cluster"),
    ],
}
PACKAGE = "latentdb.v1"


# False: none. True: the system's authorities. A path: the file of an authority, as PEM. Credentials of
# gRPC, for a client that has a certificate of its own.
Tls = Union[bool, str, pathlib.Path, grpc.ChannelCredentials]


@dataclass(frozen=True)
class Settings:
    """Where the server is and how it is reached."""

    address: str
    api_key: str | None = field(default=None, repr=False)
    tls: Tls = False
    timeout: float | None = None

    def credentials(self) -> grpc.ChannelCredentials | None:
        """Those of TLS: the system's authorities, the file of one, or as they are."""
        if self.tls is False:
            return None
        if self.tls is True:
            return grpc.ssl_channel_credentials()
        if isinstance(self.tls, grpc.ChannelCredentials):
            return self.tls
        try:
            return grpc.ssl_channel_credentials(pathlib.Path(self.tls).read_bytes())
        except OSError as error:
            raise InvalidArgument(
                f"is {str(self.tls)!r}, which cannot be read: {error.strerror}; True or the file "
                "of an authority (PEM) is accepted",
                field="tls",
            ) from None

    def metadata(self) -> list[tuple[str, str]]:
        """What every call carries."""
        return [("authorization", f"Bearer {self.api_key}")] if self.api_key else []


def address_of(given: str) -> str:
    """An address with its port.

    >>> address_of("localhost")
    'localhost:7700'
    """
    if not isinstance(given, str) or not given or "/" in given or " " in given:
        raise InvalidArgument(f"is {given!r}; HOST:PORT is accepted", field="address")
    host, _, port = given.rpartition(":")
    if not host:
        return f"{given}:{DEFAULT_PORT}"
    if not port.isdigit():
        raise InvalidArgument(f"is {given!r}; HOST:PORT is accepted", field="address")
    return given


def options() -> list[tuple[str, Any]]:
    """Options of channels: message sizes, keep-alive, retries of calls that may be made twice."""
    policy = {
        "maxAttempts": 4,
        "initialBackoff": "0.1s",
        "maxBackoff": "2s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    names = [
        {"service": f"{PACKAGE}.{service}", "method": method}
        for service, methods in _RETRIED.items()
        for method in methods
    ]
    config = {"methodConfig": [{"name": names, "retryPolicy": policy}]}
    return [
        ("grpc.max_send_message_length", MESSAGE_BYTES),
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.service_config", json.dumps(config)),
        ("grpc.enable_retries", 1),
    ]
