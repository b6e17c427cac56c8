"""Acknowledged writes survive kill -9; a restart brings back all that was there."""

import threading
import time

import grpc
import numpy as np
import pytest

import oracle
import test_sae
import wire
from stubs import v1
from test_ingest import Stream


@pytest.mark.parametrize("stream_id", ["", "named"])
def test_every_acknowledged_document_survives_kill_9(own_server, stream_id):
    api = own_server.api
    api.create("c", dimension=16, n_latents=64)
    made = oracle.items(12_000, seed=4)
    expected: dict[str, oracle.Item] = {}
    sent = 0
    for round_number in range(3):
        stream = Stream(api, "c", stream_id and f"{stream_id}-{round_number}")
        parts = [made[sent + at : sent + at + 100] for at in range(0, 4000, 100)]
        sent += 4000
        for number, part in enumerate(parts, start=1):
            stream.send([item.document() for item in part], batch=number)
        enough = 5 + 3 * round_number
        acknowledged = 0
        with pytest.raises(grpc.RpcError):
            for answer in stream.answers:
                assert not answer.HasField("error")
                expected.update((item.key, item) for item in parts[answer.batch - 1])
                acknowledged += 1
                if acknowledged == enough:
                    # In the middle: batches are being read, prepared and committed.
                    threading.Thread(target=own_server.process.kill).start()
        stream.end()
        own_server.process.wait()
        assert enough <= acknowledged < len(parts)

        began = time.monotonic()
        api = own_server.start()
        took = time.monotonic() - began
        print(f"acknowledged {len(expected)} documents; restart after kill -9 in {took:.2f} s")
        found = {d.id: d for d in api.scroll("c", projection=wire.ALL_PARTS)}
        assert set(expected) <= set(found)
        for key, item in expected.items():
            check_same(found[key], item)
        # Batches are whole: all of one is there, or nothing.
        for part in parts:
            assert sum(item.key in found for item in part) in (0, len(part))
        # And what is there can be searched, by every component.
        everything = {item.key: item for item in made if item.key in found}
        check = oracle.Oracle(list(everything.values()))
        vector = np.ones(16)
        hits = api.search("c", wire.near(vector), limit=100).hits
        oracle.check_ranking(hits, check.nearest(vector), 100)
        weights = {0: 1.0, 4: -0.5}
        hits = api.search("c", wire.weighted(weights), limit=100).hits
        oracle.check_ranking(hits, check.latents(weights), 100, tolerance=1e-4)
        assert api.count("c", wire.words("battery")) == len(check.holding("battery"))


def check_same(document, item: oracle.Item):
    assert wire.attributes(document) == item.attributes
    assert (document.text if document.HasField("text") else None) == item.text
    if item.vector is None:
        assert not document.HasField("vector")
    else:
        np.testing.assert_array_equal(document.vector.values, item.vector)
    assert wire.row(document) == pytest.approx(item.latents)


def test_single_writes_survive_kill_9(own_server):
    api = own_server.api
    api.create("c", dimension=2)
    for at in range(10):
        api.upsert("c", [wire.document(f"k{at}", vec=[1, at], n=at)])
    api.documents.Delete(v1.DeleteRequest(collection="c", ids=["k3"]))
    change = v1.DocumentUpdate(id="k4", set_attributes={"n": wire.value(40)})
    answer = api.documents.Update(v1.UpdateRequest(collection="c", updates=[change]))
    own_server.kill()
    api = own_server.start()
    assert api.info("c").sequence >= answer.sequence
    found = {d.id: wire.attributes(d)["n"] for d in api.scroll("c")}
    assert found == {f"k{at}": at for at in range(10) if at != 3} | {"k4": 40}


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_everything_else_comes_back_too(own_server, tmp_path, how):
    api = own_server.api
    rows = test_sae.concept_vectors(300, seed=20)
    api.create("c", dimension=test_sae.D_IN)
    api.upsert("c", test_sae.documents(rows))
    test_sae.train(api, "c", tmp_path / "sae")
    test_sae.attach(api, "c", tmp_path / "sae")
    # The server keeps its own copy.
    for path in (tmp_path / "sae").iterdir():
        path.unlink()
    api.latents.SetLabels(
        v1.SetLabelsRequest(collection="c", labels=[v1.LabelEntry(latent=3, text="three")])
    )
    for frozen in (False, True):
        api.collections.SaveSet(
            v1.SaveSetRequest(
                collection="c", name=f"set-{frozen}", filter=wire.expr("n < 10"), frozen=frozen
            )
        )
    api.create("dropped")
    api.collections.DropCollection(v1.DropCollectionRequest(name="dropped"))
    queries = [
        wire.near(rows[0]),
        wire.near(rows[0], steer=[v1.SteerEdit(latent=3, add=1.0)]),
        wire.weighted({3: 1.0, 4: -1.0}),
        wire.bm25("number 17"),
        wire.matching(wire.saved("set-True")),
    ]
    before = [api.search("c", query, limit=50) for query in queries]
    info = api.info("c")

    getattr(own_server, how)()
    began = time.monotonic()
    api = own_server.start()
    print(f"restart after {how} in {time.monotonic() - began:.2f} s")
    after = [api.search("c", query, limit=50) for query in queries]
    for old, new in zip(before, after, strict=True):
        assert old.hits == new.hits and old.steering == new.steering
    again = api.info("c")
    assert (again.sae, again.created, again.sequence) == (info.sae, info.created, info.sequence)
    label = api.latents.GetLatent(v1.GetLatentRequest(collection="c", latent=3)).summary.label
    assert label.text == "three"
    sets = api.collections.ListSets(v1.ListSetsRequest(collection="c")).sets
    assert [(entry.name, entry.frozen, entry.documents) for entry in sets] == [
        ("set-False", False, 10),
        ("set-True", True, 10),
    ]
    names = api.collections.ListCollections(v1.ListCollectionsRequest()).collections
    assert [collection.name for collection in names] == ["c"]


def test_a_crash_in_an_attach_leaves_the_old_state(own_server, tmp_path):
    api = own_server.api
    rows = test_sae.concept_vectors(9000, seed=21)
    api.create("c", dimension=test_sae.D_IN)
    api.upsert("c", test_sae.documents(rows), batch=3000)
    test_sae.train(api, "c", tmp_path / "sae", epochs=1)
    call = api.collections.AttachSae(v1.AttachSaeRequest(collection="c", sae=str(tmp_path / "sae")))
    next(call)
    own_server.kill()
    api = own_server.start()
    assert api.count("c") == len(rows)
    # The old generation or the new one, whole.
    assert api.info("c").n_latents in (0, test_sae.N_LATENTS)
    generations = list((own_server.data / "collections").glob("*/*"))
    assert len(generations) == 1
    test_sae.attach(api, "c", tmp_path / "sae")
    assert api.info("c").n_latents == test_sae.N_LATENTS
    assert api.count("c") == len(rows)
