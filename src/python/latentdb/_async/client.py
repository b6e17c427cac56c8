"""The client: a connection, and what holds for a whole server."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any

from .. import v1
from ..encoders import encoder_settings, text_role
from ..errors import InvalidArgument, PreconditionFailed
from ..queries import one_of
from ..server import LocalServer
from ..transport import Settings, Tls, address_of
from ..values import Floats, of_vector
from .collection import AsyncCollection
from .saes import AsyncSaes, named
from .snapshots import AsyncSnapshots
from .transport import AsyncTransport

PRECISIONS = {"f32": "f32", "bf16": "bf16"}


class AsyncClient:
    """A connection to a server. Close it, or use it in a `with` block.

    Args:
        address: `HOST:PORT`; the port is 7700 where it is not said.
        api_key: sent as `authorization: Bearer ...`; LATENTDB_API_KEY where it is not said.
        tls: True for the system's authorities, the file of an authority (PEM), or credentials of gRPC.
        timeout: seconds after which a call that has one answer is given up; none when absent.

    Attributes:
        saes: SAEs of the server: `saes.upload(folder)`.
        snapshots: copies of its collections elsewhere: `snapshots.create()`.
        rpc: any rpc by its name: `rpc.unary("SearchService/Count", request, v1.CountResponse)`.
        channel: the gRPC channel, for the generated stubs (`latentdb.v1.search_pb2_grpc`).
    """

    def __init__(
        self,
        address: str = "127.0.0.1:7700",
        *,
        api_key: str | None = None,
        tls: Tls = False,
        timeout: float | None = None,
        server: LocalServer | None = None,
    ) -> None:
        key = os.environ.get("LATENTDB_API_KEY") if api_key is None else api_key
        if key and not (key.isascii() and key.isprintable()):
            raise InvalidArgument("has characters that no key has", field="api_key")
        self.address = address_of(address)
        self.rpc = AsyncTransport(Settings(self.address, key, tls, timeout))
        self.saes = AsyncSaes(self.rpc)
        self.snapshots = AsyncSnapshots(self.rpc)
        self._server = server

    @property
    def channel(self) -> Any:
        return self.rpc.channel

    async def close(self) -> None:
        """Closes the connection, and stops the server where `open` started it."""
        await self.rpc.close()
        if self._server is not None:
            self._server.stop()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def info(self) -> v1.ServerInfo:
        """Version, limits and what the server holds."""
        return await self.rpc.unary(
            "AdminService/GetServerInfo", v1.GetServerInfoRequest(), v1.ServerInfo
        )

    async def create_collection(
        self,
        name: str,
        *,
        encoder: str = "",
        dimension: int = 0,
        sae: str | v1.SaeInfo = "",
        n_latents: int = 0,
        stemming: str = "",
        stop_words: str = "",
        fold_diacritics: bool = False,
        precision: str = "f32",
        states: str = "",
        reader: v1.Reader | None = None,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        dimensions: int = 0,
        max_tokens: int = 0,
        exist_ok: bool = False,
    ) -> AsyncCollection:
        """Creates a collection.

        Args:
            name: letters, digits, `_`, `-` and `.`, at most 128 bytes.
            encoder: makes vectors from text: "all-MiniLM-L6-v2", a folder below
                `serve --models`, a hub id.
            dimension: values of a vector, where the client brings vectors.
            sae: what `saes.upload` gave, or a folder below `serve --models`.
            n_latents: latents, where the client brings them.
            stemming, stop_words: languages, as "english", whose words are stemmed and left out.
            fold_diacritics: whether "café" and "cafe" are one word.
            precision: "f32" or "bf16", of what encoder and reader compute.
            states: what the client's vectors are, as "gpt2 blocks.3.hook_resid_post".
            reader: the model whose token states the SAE reads.
            query_prompt, document_prompt: what the encoder reads before each query and each document, as
                "query: "; without them, what the model's files say.
            dimensions: the first values that are kept of the encoder's vectors (Matryoshka); 0: all.
            max_tokens: tokens after which the encoder cuts a text; 0: the model's own number.
            exist_ok: a collection of that name is taken as it is.

        Raises:
            AlreadyExists: where the name is taken.
        """
        request = v1.CreateCollectionRequest(
            name=name,
            encoder=encoder,
            dimension=dimension,
            sae=named(sae),
            n_latents=n_latents,
            precision=one_of(PRECISIONS, precision, "precision") if encoder or reader else "",
            states=states,
            analyzer=v1.Analyzer(
                stemming=stemming, stop_words=stop_words, fold_diacritics=fold_diacritics
            ),
        )
        if reader is not None:
            request.reader.CopyFrom(reader)
        settings = encoder_settings(query_prompt, document_prompt, dimensions, max_tokens)
        if settings is not None:
            request.encoder_settings.CopyFrom(settings)
        if exist_ok and name in await self.collections():
            there = await self.collection(name).info()
            for what, asked, has in (
                ("dimension", dimension, there.dimension),
                ("n_latents", n_latents, there.n_latents),
                ("encoder", encoder, there.encoder.model),
            ):
                if asked and asked != has:
                    raise PreconditionFailed(
                        f"of the existing collection {name!r} is {has!r}, not {asked!r}",
                        field=what,
                    )
            return self.collection(name)
        await self.rpc.unary("CollectionService/CreateCollection", request, v1.Collection)
        return self.collection(name)

    def collection(self, name: str) -> AsyncCollection:
        """The collection of a name, or `NAME:SAE` through an SAE; nothing is asked yet."""
        if not isinstance(name, str) or not name:
            raise InvalidArgument(f"is {name!r}; a name is accepted", field="name")
        return AsyncCollection(self.rpc, name)

    def __getitem__(self, name: str) -> AsyncCollection:
        """As `collection`."""
        return self.collection(name)

    async def collections(self) -> list[str]:
        """Names of all collections."""
        found = await self.rpc.unary(
            "CollectionService/ListCollections",
            v1.ListCollectionsRequest(),
            v1.ListCollectionsResponse,
        )
        return [own.name for own in found.collections]

    async def set_alias(self, alias: str, collection: str) -> str:
        """Makes an alias stand for a collection, at once, whatever it stood for; gives what that was, empty
        where it is new. Whatever takes a collection takes the alias.

        Raises:
            AlreadyExists: where a collection has the name of the alias.
        """
        answer = await self.rpc.unary(
            "CollectionService/SetAlias",
            v1.SetAliasRequest(alias=alias, collection=collection),
            v1.SetAliasResponse,
        )
        return answer.previous

    async def drop_alias(self, alias: str) -> str:
        """Removes an alias; gives the collection that it stood for, which stays."""
        answer = await self.rpc.unary(
            "CollectionService/DropAlias",
            v1.DropAliasRequest(alias=alias),
            v1.DropAliasResponse,
        )
        return answer.collection

    async def drop_collection(self, name: str) -> None:
        """Drops a collection with its documents, saved sets and labels."""
        await self.rpc.unary(
            "CollectionService/DropCollection",
            v1.DropCollectionRequest(name=name),
            v1.DropCollectionResponse,
        )

    async def encode(
        self,
        texts: list[str],
        model: str,
        *,
        role: str = "document",
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        dimensions: int = 0,
        max_tokens: int = 0,
    ) -> list[Floats]:
        """Texts to vectors with a model by its name; at most 10,000. One array of shape (d,) each.

        Args:
            texts: what is encoded.
            model: its name, as in `create_collection`.
            role: "document" or "query", which decides the prompt before each text.
            query_prompt, document_prompt, dimensions, max_tokens: as in `create_collection`.
        """
        found = await self.rpc.unary(
            "ModelService/EncodeTexts",
            v1.EncodeTextsRequest(
                model=model,
                texts=texts,
                role=text_role(role),
                settings=encoder_settings(query_prompt, document_prompt, dimensions, max_tokens),
            ),
            v1.EncodeTextsResponse,
        )
        return [of_vector(vector) for vector in found.vectors]
