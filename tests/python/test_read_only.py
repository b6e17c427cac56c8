"""A data directory that is served read-only: everything is read, nothing changes."""

import hashlib
import os
import pathlib
import subprocess

import grpc
import numpy as np
import pytest

import harness
import wire
from harness import BINARY, refused
from stubs import v1


def fill(api):
    api.create("c", dimension=4, n_latents=3)
    random = np.random.default_rng(1)
    for start in range(0, 90, 30):
        api.upsert(
            "c",
            [
                wire.document(
                    f"d{at}", text=f"word{at} battery", vec=random.normal(size=4),
                    latents={at % 3: 0.5 + at / 100}, n=at,
                )
                for at in range(start, start + 30)
            ],
        )
    entry = v1.LabelEntry(latent=0, text="battery")
    api.latents.SetLabels(v1.SetLabelsRequest(collection="c", labels=[entry]))
    api.collections.SaveSet(
        v1.SaveSetRequest(collection="c", name="few", filter=wire.expr("n < 5"))
    )


def contents(folder: pathlib.Path) -> dict:
    """Every file by its bytes, every folder by its name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(folder.rglob("*"))
    }


def reads(api):
    """What is read, of every kind."""
    hits = api.search("c", v1.Query(text=v1.TextQuery(text="battery")), limit=100).hits
    return (
        [(hit.document.id, hit.score) for hit in hits],
        api.count("c", wire.expr('set("few") and latent(0, > 0.4)')),
        [entry.label.text for entry in
         api.latents.ListLatents(v1.ListLatentsRequest(collection="c")).latents],
        [document.id for document in api.scroll("c")],
    )


def changes(api):
    yield lambda: api.upsert("c", [wire.document("new")])
    yield lambda: api.documents.Delete(v1.DeleteRequest(collection="c", ids=["d1"]))
    yield lambda: api.create("other", dimension=2)
    yield lambda: api.collections.DropCollection(v1.DropCollectionRequest(name="c"))
    yield lambda: api.admin.Optimize(v1.OptimizeRequest(collection="c"))
    entry = v1.LabelEntry(latent=1, text="x")
    yield lambda: api.latents.SetLabels(v1.SetLabelsRequest(collection="c", labels=[entry]))
    save = v1.SaveSetRequest(collection="c", name="x", filter=wire.expr("n < 5"))
    yield lambda: api.collections.SaveSet(save)
    # Refused before any work is done.
    for call, request in (
        (api.latents.LabelLatents, v1.LabelLatentsRequest(collection="c")),
        (api.latents.ScoreLabels, v1.ScoreLabelsRequest(collection="c")),
        (api.analyses.MakeMap, v1.MakeMapRequest(collection="c", name="m")),
    ):
        yield lambda call=call, request=request: list(call(request))
    yield lambda: api.latents.FindFamilies(v1.FindFamiliesRequest(collection="c"))
    yield lambda: list(api.collections.DetachSae(v1.DetachSaeRequest(collection="c", name="")))


@pytest.fixture
def filled(tmp_path):
    server = harness.Server(tmp_path)
    fill(server.start())
    expected = reads(server.api)
    server.close()
    return server, expected


def test_everything_is_read_and_nothing_changes(filled):
    server, expected = filled
    before = contents(server.data)
    api = server.start("--read-only")
    assert reads(api) == expected
    for change in changes(api):
        with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="read-only"):
            change()
    assert reads(api) == expected
    server.close()
    assert contents(server.data) == before
    # And is written to again.
    api = server.start()
    api.upsert("c", [wire.document("new")])
    assert api.count("c") == 91
    server.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a folder read-only needs root")
def test_a_disk_that_takes_no_writes_is_served(filled):
    server, expected = filled
    mounted = subprocess.run(["mount", "--bind", server.data, server.data], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", server.data], check=True)
        assert reads(server.start("--read-only")) == expected
        server.close()
    finally:
        subprocess.run(["umount", "-l", server.data], check=True)


def test_one_that_is_being_written_to_or_is_none_is_refused(filled, tmp_path):
    server, _ = filled
    server.start()
    for data, saying in ((server.data, "in use"), (tmp_path / "none", "not a data directory")):
        command = [BINARY, "serve", "--data", data, "--listen", "127.0.0.1:0", "--read-only"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and saying in done.stderr, done.stderr
        assert not (tmp_path / "none").exists()
    server.close()
