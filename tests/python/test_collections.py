"""Creating, listing, describing and dropping collections."""

import grpc

import wire
from harness import refused
from stubs import v1


def test_a_collection_is_created_listed_described_and_dropped(api, name):
    made = api.create(name, dimension=8, n_latents=32)
    assert (made.name, made.dimension, made.n_latents, made.documents) == (name, 8, 32, 0)
    assert made.created.seconds > 1_700_000_000
    assert not made.HasField("encoder") and not made.HasField("sae")
    listed = api.collections.ListCollections(v1.ListCollectionsRequest()).collections
    names = [collection.name for collection in listed]
    assert name in names and names == sorted(names)

    api.upsert(name, [wire.document("a", vec=[1.0] * 8), wire.document("b")])
    info = api.info(name)
    assert (info.documents, info.vectors, info.vectors_in_graph) == (2, 1, 0)
    assert (info.graph_progress, info.graph_failure) == (1, "")
    assert info.sequence > made.sequence
    assert info.segments >= 1 and info.disk_bytes > 0

    api.collections.DropCollection(v1.DropCollectionRequest(name=name))
    with refused(grpc.StatusCode.NOT_FOUND, saying=name):
        api.info(name)
    listed = api.collections.ListCollections(v1.ListCollectionsRequest()).collections
    assert name not in [collection.name for collection in listed]


def test_a_name_can_be_used_again_after_a_drop_and_holds_nothing_old(api, name):
    for _ in range(2):
        api.create(name, dimension=2, n_latents=4)
        assert api.count(name) == 0
        api.upsert(name, [wire.document("a", vec=[1, 0], latents={1: 1.0})])
        request = v1.SaveSetRequest(collection=name, name="s", filter=wire.has_latent(1))
        assert api.collections.SaveSet(request).documents == 1
        label = v1.LabelEntry(latent=1, text="one")
        api.latents.SetLabels(v1.SetLabelsRequest(collection=name, labels=[label]))
        api.collections.DropCollection(v1.DropCollectionRequest(name=name))
    api.create(name, dimension=2, n_latents=4)
    assert not api.collections.ListSets(v1.ListSetsRequest(collection=name)).sets
    latent = api.latents.GetLatent(v1.GetLatentRequest(collection=name, latent=1))
    assert not latent.summary.HasField("label")


def test_a_name_that_is_taken_already_exists(api, name):
    api.create(name, dimension=8)
    with refused(grpc.StatusCode.ALREADY_EXISTS, saying=name):
        api.create(name, dimension=4)
    assert api.info(name).dimension == 8


def test_a_collection_without_vectors_takes_texts_and_attributes(api, name):
    api.create(name)
    api.upsert(name, [wire.document("a", text="a stormy night", n=1)])
    found = api.search(name, wire.bm25("night"))
    assert wire.ids_of(found.hits) == ["a"]
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="documents[0].vector"):
        api.upsert(name, [wire.document("b", vec=[1.0])])


def test_merging_drops_deleted_documents_and_changes_no_answer(api, name):
    api.create(name, dimension=2, n_latents=4)
    for at in range(6):
        made = [wire.document(f"{at}-{n}", vec=[at + 1, n + 1]) for n in range(5)]
        api.upsert(name, made)
    api.documents.Delete(v1.DeleteRequest(collection=name, ids=["0-0", "3-3"]))
    before = api.search(name, wire.near([1.0, 3.0]), limit=30)
    merged = api.admin.Optimize(v1.OptimizeRequest(collection=name))
    assert merged.segments == 1
    info = api.info(name)
    assert (info.documents, info.segments, info.vectors) == (28, 1, 28)
    after = api.search(name, wire.near([1.0, 3.0]), limit=30)
    assert [hit.score for hit in after.hits] == [hit.score for hit in before.hits]
    assert set(wire.ids_of(after.hits)) == set(wire.ids_of(before.hits))


def test_an_unknown_precision_is_refused_by_name(api, name):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="precision", saying="f32 and bf16"):
        api.create(name, dimension=4, precision="f16")
