"""A server of the binary under test as a process, and a client of it."""

import contextlib
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from stubs import REPOSITORY, v1

BINARY = pathlib.Path(os.environ.get("LATENTDB_BINARY", REPOSITORY / "target/debug/latentdb"))
# How long a step may take before a test gives up on it; generous, nothing is measured by it.
PATIENCE = 60.0
OPTIONS = [
    ("grpc.max_send_message_length", 128 << 20),
    ("grpc.max_receive_message_length", 128 << 20),
]


class Api:
    """The stubs of all services over one channel."""

    def __init__(self, address: str, options=()):
        self.address = address
        self.channel = grpc.insecure_channel(address, options=[*OPTIONS, *options])
        self.collections = v1.CollectionServiceStub(self.channel)
        self.documents = v1.DocumentServiceStub(self.channel)
        self.searches = v1.SearchServiceStub(self.channel)
        self.latents = v1.LatentServiceStub(self.channel)
        self.models = v1.ModelServiceStub(self.channel)
        self.admin = v1.AdminServiceStub(self.channel)
        self.analyses = v1.AnalysisServiceStub(self.channel)

    def close(self):
        self.channel.close()

    def create(self, name: str, **fields):
        return self.collections.CreateCollection(v1.CreateCollectionRequest(name=name, **fields))

    def info(self, name: str):
        return self.collections.GetCollection(v1.GetCollectionRequest(name=name))

    def upsert(self, collection: str, documents, batch: int = 1000):
        """Writes documents, a batch at a time; returns the last answer."""
        documents = list(documents)
        answer = None
        for start in range(0, len(documents), batch):
            part = documents[start : start + batch]
            request = v1.UpsertRequest(collection=collection, documents=part)
            answer = self.documents.Upsert(request)
            assert answer.upserted == len(part)
        return answer

    def count(self, collection: str, described=None) -> int:
        request = v1.CountRequest(collection=collection, filter=described)
        return self.searches.Count(request).count

    def facet(self, collection: str, *facets, described=None):
        """The results of facets, in their order."""
        request = v1.FacetRequest(collection=collection, filter=described, facets=facets)
        return self.searches.Facet(request).facets

    def search(self, collection: str, query, **fields):
        return self.searches.Search(v1.SearchRequest(collection=collection, query=query, **fields))

    def get(self, collection: str, ids, projection=None):
        """Documents by id; each must exist."""
        request = v1.GetRequest(collection=collection, ids=ids, projection=projection)
        answer = self.documents.Get(request)
        assert list(answer.missing) == []
        return list(answer.documents)

    def scroll(self, collection: str, described=None, projection=None, **fields):
        request = v1.ScrollRequest(
            collection=collection, filter=described, projection=projection, **fields
        )
        return [
            document for message in self.documents.Scroll(request) for document in message.documents
        ]


# Folders of tests hold models and SAEs that they name; the pinned models may be fetched.
MODELS = ("--models", tempfile.gettempdir(), "--allow-downloads")


def download(api: Api, sae: str, folder: pathlib.Path) -> None:
    """The files of an SAE that the server holds."""
    folder.mkdir(parents=True)
    file = None
    for piece in api.models.DownloadSae(v1.DownloadSaeRequest(sae=sae)):
        if piece.file:
            file = folder / piece.file
        with file.open("ab") as out:
            out.write(piece.content)


class Server:
    """`latentdb serve` on a free port over a data directory that outlives it."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.data = folder / "data"
        self.ready_file = folder / "ready"
        self.log = folder / "server.log"
        self.process = None
        self.api = None

    def start(self, *flags: str, models: tuple[str, ...] = MODELS) -> Api:
        self.ready_file.unlink(missing_ok=True)
        command = [
            *(str(BINARY), "serve", "--data", str(self.data)),
            *("--listen", "127.0.0.1:0", "--ready-file", str(self.ready_file)),
            *models,
            *flags,
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + PATIENCE
        while not self.ready_file.exists():
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended at its start:\n{self.log.read_text()}")
            if time.monotonic() > until:
                self.kill()
                raise RuntimeError(f"the server does not get ready:\n{self.log.read_text()}")
            time.sleep(0.01)
        self.api = Api(self.ready_file.read_text().strip())
        grpc.channel_ready_future(self.api.channel).result(timeout=PATIENCE)
        return self.api

    def kill(self):
        """As a crash: SIGKILL, nothing is flushed."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """As Ctrl-C; returns the exit code."""
        return self._end(signal.SIGINT)

    def _end(self, number: int) -> int:
        if self.api is not None:
            self.api.close()
            self.api = None
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"the server does not stop:\n{self.log.read_text()}") from None

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()


def violations(error: grpc.RpcError) -> dict[str, str]:
    """The field violations of a status' `google.rpc.BadRequest`: field to description."""
    status = rpc_status.from_call(error)
    fields = {}
    for detail in status.details if status is not None else []:
        request = error_details_pb2.BadRequest()
        if detail.Unpack(request):
            fields.update((v.field, v.description) for v in request.field_violations)
    return fields


@contextlib.contextmanager
def refused(code: grpc.StatusCode, *, field: str | None = None, saying: str = ""):
    """The calls inside end with `code`, name `field` in their details and say `saying`."""
    try:
        yield
    except grpc.RpcError as error:
        found = (error.code(), error.details(), violations(error))
        assert error.code() == code, found
        assert saying in error.details(), found
        if field is not None:
            assert list(violations(error)) == [field], found
    else:
        raise AssertionError(f"the call was accepted; {code} was expected")
