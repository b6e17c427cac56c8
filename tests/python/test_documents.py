"""Writing documents and reading them back."""

import datetime

import grpc
import numpy as np
import pytest

import wire
from harness import refused
from stubs import v1
from wire import document, expr

KINDS = {
    "string": 'Ärger, "quotes" and \U0001f600',
    "empty_string": "",
    "integer": -(2**63),
    "big_integer": 2**63 - 1,
    "float": 0.1,
    "whole_float": 3.0,
    "tiny_float": 5e-324,
    "yes": True,
    "no": False,
    "time": datetime.datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=datetime.UTC),
    "old_time": datetime.datetime(1931, 5, 6, 7, 8, 9, 999999, tzinfo=datetime.UTC),
    "strings": ["b", "a", "b"],
    "integers": [3, -1],
    "floats": [0.5, 2.0],
    "booleans": [True, False],
    "times": [datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)],
    "dotted.name-x_1": 7,
    "größe": "gross",
}


@pytest.fixture
def collection(api, name):
    api.create(name, dimension=3, n_latents=10)
    return name


def test_every_part_of_a_document_comes_back(api, collection):
    vector = np.array([0.25, -1e-7, 3.4e5], dtype=np.float32)
    latents = {9: 0.5, 0: 65504.0, 4: 6e-5}
    api.upsert(collection, [document("a", text="T\nü", vec=vector, latents=latents, **KINDS)])
    (found,) = api.get(collection, ["a"])
    assert (found.id, found.text) == ("a", "T\nü")
    assert wire.attributes(found) == KINDS
    for name, content in wire.attributes(found).items():
        assert type(content) is type(KINDS[name]), name
    np.testing.assert_array_equal(found.vector.values, vector)
    assert [entry.latent for entry in found.latents.values] == [0, 4, 9]
    for latent, activation in wire.row(found).items():
        assert activation == pytest.approx(latents[latent], rel=2**-10)


def test_an_empty_list_is_an_attribute_with_no_values(api, collection):
    api.upsert(collection, [document("a", tags=[]), document("b", tags=["x"])])
    assert wire.attributes(api.get(collection, ["a"])[0]) == {"tags": []}
    assert api.count(collection, expr("tags = 'x'")) == 1


def test_what_was_not_given_is_absent(api, collection):
    api.upsert(collection, [document("bare")])
    (found,) = api.get(collection, ["bare"])
    assert not found.HasField("text")
    assert not found.HasField("vector")
    assert not found.HasField("latents")
    assert wire.attributes(found) == {}


def test_get_keeps_the_order_and_lists_what_is_missing(api, collection):
    api.upsert(collection, [document(key) for key in "abc"])
    request = v1.GetRequest(collection=collection, ids=["c", "x", "a", "y"])
    answer = api.documents.Get(request)
    assert [found.id for found in answer.documents] == ["c", "a"]
    assert list(answer.missing) == ["x", "y"]


@pytest.mark.parametrize("key", ["ü ü/ü", "a" * 512, "\U0001f600", "null", "../../etc"])
def test_ids_are_any_text(api, collection, key):
    api.upsert(collection, [document(key, n=1), document("other", n=2)])
    assert api.get(collection, [key])[0].id == key
    assert api.count(collection, wire.with_ids(key)) == 1
    deleted = api.documents.Delete(v1.DeleteRequest(collection=collection, ids=[key]))
    assert deleted.deleted == 1
    assert api.count(collection) == 1


@pytest.mark.parametrize(
    ("projection", "parts"),
    [
        (v1.Projection(), set()),
        (v1.Projection(text=True), {"text"}),
        (v1.Projection(vector=True), {"vector"}),
        (v1.Projection(latents=True), {"latents"}),
        (v1.Projection(attributes=True), {"n", "m"}),
        (v1.Projection(attributes=True, attribute_names=["m", "none"]), {"m"}),
        (v1.Projection(attribute_names=["n"], text=True), {"n", "text"}),
    ],
)
def test_a_projection_returns_the_parts_it_names(api, collection, projection, parts):
    made = document("a", text="words", vec=[1, 2, 3], latents={1: 1.0}, n=1, m="two")
    api.upsert(collection, [made])

    def parts_of(found):
        present = {part for part in ("text", "vector", "latents") if found.HasField(part)}
        return present | set(found.attributes)

    assert parts_of(api.get(collection, ["a"], projection)[0]) == parts
    assert parts_of(api.scroll(collection, projection=projection)[0]) == parts
    found = api.search(collection, wire.near([1, 0, 0]), projection=projection)
    assert parts_of(found.hits[0].document) == parts


def test_without_a_projection_get_returns_all_and_search_what_people_read(api, collection):
    api.upsert(collection, [document("a", text="t", vec=[1, 2, 3], latents={1: 1.0}, n=1)])
    (everything,) = api.get(collection, ["a"])
    assert everything.HasField("vector") and everything.HasField("latents")
    hit = api.search(collection, wire.near([1, 0, 0])).hits[0].document
    (listed,) = api.scroll(collection)
    for readable in (hit, listed):
        assert readable.text == "t" and wire.attributes(readable) == {"n": 1}
        assert not readable.HasField("vector") and not readable.HasField("latents")


def test_an_upsert_replaces_the_whole_document(api, collection):
    api.upsert(collection, [document("a", text="old words", vec=[1, 0, 0], latents={1: 1.0}, n=1)])
    answer = api.upsert(collection, [document("a", m=2)])
    assert answer.upserted == 1
    (found,) = api.get(collection, ["a"])
    assert wire.attributes(found) == {"m": 2}
    assert not found.HasField("text") and not found.HasField("vector")
    assert api.count(collection) == 1
    assert api.count(collection, wire.has_latent(1)) == 0
    assert api.count(collection, wire.words("old")) == 0
    assert api.count(collection, wire.exists("n")) == 0


def test_the_last_of_several_with_one_id_in_a_batch_stays(api, collection):
    api.upsert(collection, [document("a", n=1), document("b", n=2), document("a", n=3)])
    assert api.count(collection) == 2
    assert wire.attributes(api.get(collection, ["a"])[0]) == {"n": 3}


def test_a_write_is_visible_as_soon_as_it_is_answered(api, collection):
    previous = 0
    for at in range(10):
        answer = api.upsert(collection, [document(f"k{at}", n=at)])
        assert answer.sequence > previous
        previous = answer.sequence
        assert api.count(collection, wire.equals("n", at)) == 1
        assert api.info(collection).sequence >= answer.sequence


def test_an_update_changes_parts_and_keeps_the_rest(api, collection):
    made = document("a", text="old words", vec=[1, 2, 3], latents={1: 1.0, 2: 2.0}, n=1, m="x")
    api.upsert(collection, [made, document("b", n=1)])
    change = v1.DocumentUpdate(
        id="a",
        set_attributes={"n": wire.value(5), "new": wire.value([1.5])},
        remove_attributes=["m", "none"],
    )
    answer = api.documents.Update(v1.UpdateRequest(collection=collection, updates=[change]))
    assert (answer.upserted, answer.deleted) == (1, 0)
    (found,) = api.get(collection, ["a"])
    assert wire.attributes(found) == {"n": 5, "new": [1.5]}
    assert found.text == "old words" and list(found.vector.values) == [1, 2, 3]
    assert wire.row(found) == {1: 1.0, 2: 2.0}

    change = v1.DocumentUpdate(
        id="a", text="fresh", vector=wire.vector([0, 0, 1]), latents=wire.activations({3: 0.5})
    )
    api.documents.Update(v1.UpdateRequest(collection=collection, updates=[change]))
    (found,) = api.get(collection, ["a"])
    assert found.text == "fresh" and list(found.vector.values) == [0, 0, 1]
    assert wire.row(found) == {3: 0.5}
    assert api.count(collection, wire.words("old")) == 0
    assert api.count(collection, wire.has_latent(1)) == 0
    assert wire.attributes(found) == {"n": 5, "new": [1.5]}


def test_updates_apply_all_or_none(api, collection):
    api.upsert(collection, [document("a", n=1)])
    changes = [
        v1.DocumentUpdate(id="a", set_attributes={"n": wire.value(2)}),
        v1.DocumentUpdate(id="missing", set_attributes={"n": wire.value(2)}),
    ]
    with refused(grpc.StatusCode.NOT_FOUND, saying="missing"):
        api.documents.Update(v1.UpdateRequest(collection=collection, updates=changes))
    assert wire.attributes(api.get(collection, ["a"])[0]) == {"n": 1}


def test_documents_are_deleted_by_id(api, collection):
    api.upsert(collection, [document(f"k{at}", vec=[1, at, 0]) for at in range(10)])
    request = v1.DeleteRequest(collection=collection, ids=["k1", "k3", "none", "k1"])
    assert api.documents.Delete(request).deleted == 2
    assert api.documents.Delete(request).deleted == 0
    assert {found.id for found in api.scroll(collection)} == {f"k{n}" for n in range(10)} - {
        "k1",
        "k3",
    }
    found = api.search(collection, wire.near([1, 1, 0]), limit=20)
    assert "k1" not in wire.ids_of(found.hits) and len(found.hits) == 8


def test_documents_are_deleted_by_filter(api, collection):
    api.upsert(collection, [document(f"k{at}", n=at, latents={at: 1.0}) for at in range(10)])
    request = v1.DeleteRequest(collection=collection, filter=expr("n < 4 or latent(9)"))
    assert api.documents.Delete(request).deleted == 5
    assert {found.id for found in api.scroll(collection)} == {f"k{n}" for n in range(4, 9)}
    assert api.count(collection, wire.has_latent(2)) == 0
    everything = v1.DeleteRequest(collection=collection, filter=expr("all"))
    assert api.documents.Delete(everything).deleted == 5
    assert api.count(collection) == 0


def test_an_empty_delete_deletes_nothing(api, collection):
    api.upsert(collection, [document("a")])
    assert api.documents.Delete(v1.DeleteRequest(collection=collection)).deleted == 0
    assert api.count(collection) == 1


def test_scroll_streams_batches_of_one_snapshot(api, collection):
    keys = {f"k{at:04}" for at in range(1234)}
    api.upsert(collection, [document(key, n=int(key[1:])) for key in sorted(keys)])
    request = v1.ScrollRequest(collection=collection, batch_size=100)
    stream = api.documents.Scroll(request)
    first = next(stream)
    assert len(first.documents) == 100
    # What is written after the first batch is not part of the snapshot.
    api.upsert(collection, [document("late")])
    api.documents.Delete(v1.DeleteRequest(collection=collection, filter=expr("n >= 0")))
    rest = [found for message in stream for found in message.documents]
    found = [entry.id for entry in first.documents] + [entry.id for entry in rest]
    assert len(found) == len(keys) and set(found) == keys
    assert {entry.id for entry in api.scroll(collection)} == {"late"}


def test_scroll_takes_a_filter_and_a_limit(api, collection):
    api.upsert(collection, [document(f"k{at}", n=at) for at in range(50)])
    found = api.scroll(collection, expr("n >= 10"), batch_size=7)
    assert {entry.id for entry in found} == {f"k{at}" for at in range(10, 50)}
    assert len(api.scroll(collection, expr("n >= 10"), batch_size=7, limit=9)) == 9
    assert api.scroll(collection, expr("n > 100")) == []


def test_a_scroll_that_is_given_up_leaves_the_server_well(api, collection):
    api.upsert(collection, [document(f"k{at}", text="word " * 200) for at in range(3000)])
    for _ in range(8):
        stream = api.documents.Scroll(v1.ScrollRequest(collection=collection, batch_size=10))
        next(stream)
        stream.cancel()
    assert len(api.scroll(collection)) == 3000
