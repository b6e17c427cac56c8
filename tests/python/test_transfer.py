"""`latentdb export` and `import`: a collection comes back equal, or is refused with a reason."""

import datetime
import json
import shutil

import grpc
import numpy as np
import pytest

import harness
import test_sae
import wire
from harness import refused
from models import MODEL, NEEDS_MINILM, TOPICS
from stubs import v1
from test_cli import cli  # noqa: F401 (a fixture)
from test_documents import KINDS
from wire import document, expr

ALL = v1.Projection(text=True, attributes=True, vector=True, version=True)
COUNT = 300


def documents(rows: np.ndarray) -> list:
    """Every kind of attribute, lists, texts that are empty, absent or not ASCII, no vectors."""
    made = []
    for at, row in enumerate(rows):
        attributes = dict(list(KINDS.items())[at % 5 :: 2])
        attributes |= {"n": at, "share": float(np.float64(at) / 7), "tags": ["a"] * (at % 3)}
        attributes["mixed"] = [at, str(at), at / 3, datetime.datetime.now(datetime.UTC)][at % 4]
        text = [None, "", f"number {at}: naïve \U0001f600\n\tcafé"][at % 3]
        vector = None if at % 11 == 0 else row
        made.append(document(f"d {at}/é", text=text, vec=vector, **attributes))
        if at % 10 == 0:
            # Names that an export has for parts of a document.
            for reserved in ("text", "id", "vector", "_latentdb_codes"):
                made[-1].attributes[reserved].CopyFrom(wire.value(at))
    return made


@pytest.fixture(scope="module")
def saes(api, tmp_path_factory):
    """Folders of two SAEs."""
    folder = tmp_path_factory.mktemp("saes")
    api.create("transfer-training", dimension=test_sae.D_IN)
    api.upsert("transfer-training", test_sae.documents(test_sae.concept_vectors(1500, seed=1)))
    test_sae.train(api, "transfer-training", folder / "first")
    test_sae.train(api, "transfer-training", folder / "second", n_latents=48, k=6)
    return folder


@pytest.fixture(scope="module")
def source(api, saes) -> str:
    """A collection with everything that can be kept of one."""
    name = "transfer-source"
    api.create(name, dimension=test_sae.D_IN, analyzer=v1.Analyzer(stemming="english"))
    rows = test_sae.concept_vectors(COUNT, seed=3)
    api.upsert(name, documents(rows))
    for folder, called in [("first", ""), ("second", "fine")]:
        request = v1.AttachSaeRequest(collection=name, sae=str(saes / folder), name=called)
        request.gate.CopyFrom(v1.FitGate(warn=True))
        list(api.collections.AttachSae(request))
    # Documents that no model would make like this.
    api.upsert(name, [document("own", latents={1: 0.5, 3: 65504.0}, vec=rows[0])])
    kept = v1.DocumentUpdate(id="d 1/é", latents=v1.Activations())
    api.documents.Update(v1.UpdateRequest(collection=name, updates=[kept]))
    for address, labels in [
        (name, [(0, "first words", "me"), (0, "better words", "me"), (5, "größe", "you")]),
        (f"{name}:fine", [(7, "of the other", "me")]),
    ]:
        for latent, text, maker in labels:
            label = v1.LabelEntry(latent=latent, text=text, source=maker, score=0.25)
            api.latents.SetLabels(v1.SetLabelsRequest(collection=address, labels=[label]))
    api.latents.UseLabel(v1.UseLabelRequest(collection=name, latent=0, version=1))
    for called, described, frozen in [
        ("recent", "n > 200 and not latent(3)", False),
        ("frozen", "n < 17", True),
        ("through", 'sae("fine", latent(2)) or set("recent")', False),
    ]:
        request = v1.SaveSetRequest(collection=name, name=called, filter=expr(described))
        request.frozen = frozen
        api.collections.SaveSet(request)
    edits = [v1.SteerEdit(latent=3, add=0.5), v1.SteerEdit(concept="words", boost=0.1)]
    preset = v1.Preset(name="mild", edits=edits)
    api.searches.SavePreset(v1.SavePresetRequest(collection=name, preset=preset))
    request = v1.FindFamiliesRequest(collection=name, min_members=1, min_similarity=0.0)
    api.latents.FindFamilies(request)
    return name


def content(api, name: str) -> dict:
    """All that a collection answers with, to compare with another's."""
    request = v1.ScrollRequest(collection=name, projection=ALL, codes=True)
    answers = api.documents.Scroll(request)
    found = [one for answer in answers for one in answer.documents]
    # Serialised, so that -0 is not 0 and nothing is lost to a comparison of floats.
    read = {one.id: one.SerializeToString(deterministic=True) for one in found}
    assert len(read) == len(found)
    labels = {
        address: [
            label.SerializeToString(deterministic=True)
            for answer in api.latents.ListLabels(
                v1.ListLabelsRequest(collection=address, all_versions=True)
            )
            for label in answer.labels
        ]
        for address in (name, f"{name}:fine")
    }
    info = api.info(name)
    return {
        "documents": read,
        "labels": list(labels.values()),
        "sets": list(api.collections.ListSets(v1.ListSetsRequest(collection=name)).sets),
        "presets": list(api.searches.ListPresets(v1.ListPresetsRequest(collection=name)).presets),
        "families": api.latents.ListFamilies(v1.ListFamiliesRequest(collection=name)).families[:],
        "saes": [(one.name, one.sae, one.reader) for one in info.saes],
        "shape": (info.dimension, info.analyzer, info.encoder, info.attributes[:]),
    }


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_collection_comes_back_equal(cli, api, source, name, tmp_path, form):  # noqa: F811
    folder = tmp_path / "out" / form
    answer = cli("export", source, folder, "--format", form)
    assert answer["documents"] == COUNT + 1
    left = sorted(path.name for path in folder.iterdir())
    assert left == [f"documents.{form}", "manifest.json", "records.jsonl"]
    assert cli("import", folder, "--name", name)["documents"] == COUNT + 1
    before, after = content(api, source), content(api, name)
    assert before["families"] and len(before["sets"]) == 3
    for part in before:
        assert after[part] == before[part], part
    # It is whole: an export of it is the same file.
    again = tmp_path / "again"
    cli("export", name, again, "--format", form)
    lines = [
        sorted((place / "documents.jsonl").read_text().splitlines()) if form == "jsonl" else []
        for place in (folder, again)
    ]
    assert lines[0] == lines[1]
    # And it goes on like the first: the set of a filter follows writes, labels get versions.
    api.upsert(name, [document("later", vec=test_sae.concept_vectors(1, seed=9)[0], n=201)])
    assert api.get(name, ["later"])[0].HasField("latents")


def test_the_documents_alone_are_ingested(cli, api, source, name, tmp_path):  # noqa: F811
    shown = {one.id: one for one in api.scroll(source, projection=wire.ALL_PARTS)}
    for form in ("jsonl", "parquet"):
        folder, target = tmp_path / form, f"{name}-{form}"
        cli("export", source, folder, "--format", form)
        api.create(target, dimension=test_sae.D_IN, n_latents=test_sae.N_LATENTS)
        file = folder / f"documents.{form}"
        arguments = ("--attribute", "*", "--vector", "vector", "--latents", "latents")
        cli("ingest", target, file, *arguments)
        got = {one.id: one for one in api.scroll(target, projection=wire.ALL_PARTS)}
        assert got.keys() == shown.keys()
        for key, one in got.items():
            own = shown[key]
            # A text that is absent has nothing in it.
            assert (one.text, one.vector, one.latents) == (own.text, own.vector, own.latents)
            found, kinds = wire.attributes(one), wire.attributes(own)
            for attribute in ("time", "old_time", "times", "n", "yes", "strings", "string"):
                assert found.get(attribute) == kinds.get(attribute), attribute
            assert not any(attribute.startswith("_latentdb") for attribute in found)


def test_what_cannot_be_honoured_is_refused(cli, api, source, name, tmp_path):  # noqa: F811
    folder = tmp_path / "out"
    cli("export", source, folder)
    assert "--overwrite" in cli("export", source, folder, code=1)
    (folder / "notes.txt").write_text("mine")
    cli("export", source, folder, "--format", "parquet", "--overwrite")
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["documents.parquet", "manifest.json", "notes.txt", "records.jsonl"]
    cli("export", source, folder, "--overwrite")
    assert "not exist" in cli("export", "none", tmp_path / "none", code=1)
    assert not (tmp_path / "none").exists()
    assert "already exists" in cli("import", folder, "--name", source, code=1)
    assert "no manifest.json" in cli("import", tmp_path, "--name", name, code=1)
    assert "collection" in cli("export", f"{source}:fine", tmp_path / "one", code=1)

    manifest = json.loads((folder / "manifest.json").read_text())
    data = (folder / "documents.jsonl").read_bytes()
    (folder / "documents.jsonl").write_bytes(data.replace(b"number 2", b"number 3", 1))
    said = cli("import", folder, "--name", name, code=1)
    assert "documents.jsonl is damaged" in said
    (folder / "documents.jsonl").write_bytes(data)
    for change, part in [
        ({"version": 2}, "of version 2"),
        ({"format": "other"}, "not the manifest"),
        ({"documents": manifest["documents"] | {"rows": 7}}, "the manifest says 7"),
        ({"definition": {"dimension": 3}}, "definition"),
    ]:
        (folder / "manifest.json").write_text(json.dumps(manifest | change))
        said = cli("import", folder, "--name", name, code=1)
        assert part in said, said
    # Nothing is left of any of them.
    with refused(grpc.StatusCode.NOT_FOUND):
        api.info(name)


def test_another_server_needs_the_saes(cli, api, source, saes, own_server, tmp_path):  # noqa: F811
    folder = tmp_path / "out"
    cli("export", source, folder, "--format", "parquet")
    there = ("--server", own_server.api.address)
    said = cli("import", folder, *there, code=1)
    assert "is not at hand" in said and "--sae FOLDER" in said
    first = ("--sae", saes / "first")
    said = cli("import", folder, *there, *first, code=1)
    assert '"fine"' in said and "--sae fine=FOLDER" in said
    said = cli("import", folder, *there, "--sae", saes / "second", code=1)
    assert "has the hash" in said
    said = cli("import", folder, *there, *first, "--sae", f"x={saes / 'second'}", code=1)
    assert '"x"' in said
    cli("import", folder, *there, *first, "--sae", f"fine={saes / 'second'}")
    assert content(own_server.api, source) == content(api, source)
    # From now on the server has them.
    cli("import", folder, "--name", "more", *there)


def test_a_collection_without_anything(cli, api, name, tmp_path):  # noqa: F811
    api.create(name)
    for form in ("jsonl", "parquet"):
        cli("export", name, tmp_path / form, "--format", form)
        assert cli("import", tmp_path / form, "--name", f"{name}-{form}")["documents"] == 0
        assert api.count(f"{name}-{form}") == 0
    shutil.rmtree(tmp_path / "jsonl")


class TestEncoder:
    pytestmark = NEEDS_MINILM

    def test_an_encoder_goes_with_its_collection(self, cli, api, name, tmp_path):  # noqa: F811
        api.create(name, encoder=MODEL)
        texts = [text for topic in TOPICS.values() for text in topic]
        api.upsert(name, [document(f"t{at}", text=text) for at, text in enumerate(texts)])
        cli("export", name, tmp_path / "out")
        copy = f"{name}-copy"
        cli("import", tmp_path / "out", "--name", copy)
        request = v1.ScrollRequest(collection=name, projection=ALL)
        read = [
            {one.id: one.SerializeToString(deterministic=True) for one in answer.documents}
            for answer in api.documents.Scroll(request)
        ]
        request.collection = copy
        for answer in api.documents.Scroll(request):
            got = {one.id: one.SerializeToString(deterministic=True) for one in answer.documents}
            assert got == read[0]
        near = v1.Query(nearest=v1.NearestQuery(text="stars and planets"))
        hits = [[hit.document.id for hit in api.search(one, near).hits] for one in (name, copy)]
        assert hits[0] == hits[1]
        said = cli("import", tmp_path / "out", "--name", "x", "--encoder", tmp_path, code=1)
        assert "is not at hand" in said and "--encoder" in said


def test_a_server_of_the_same_data_keeps_an_import(cli, source, own_server, tmp_path):  # noqa: F811
    """What is imported is durable like any write."""
    folder = tmp_path / "out"
    api = own_server.api
    api.create("c", n_latents=8)
    api.upsert("c", [document("a", text="t", latents={1: 1.0}), document("b", n=1)])
    cli("export", "c", folder, "--server", api.address)
    cli("import", folder, "--name", "d", "--server", api.address)
    before = api.scroll("d", projection=wire.ALL_PARTS)
    own_server.kill()
    api = own_server.start()
    assert sorted(one.id for one in api.scroll("d")) == ["a", "b"]
    after = api.scroll("d", projection=wire.ALL_PARTS)
    assert sorted(map(str, after)) == sorted(map(str, before))
    assert isinstance(own_server, harness.Server)


@pytest.mark.parametrize("form", ["c", "fortran", "npz", "compressed"])
def test_ready_vectors_come_from_numpy_in_any_order(cli, api, name, tmp_path, form):  # noqa: F811
    vectors = np.random.default_rng(5).normal(size=(20, 6)).astype(np.float32)
    file = tmp_path / "vectors"
    match form:
        case "c" | "fortran":
            file = file.with_suffix(".npy")
            np.save(file, vectors if form == "c" else np.asfortranarray(vectors))
        case "npz":
            file = file.with_suffix(".npz")
            np.savez(file, other=vectors[:3], embeddings=np.asfortranarray(vectors))
        case "compressed":
            file = file.with_suffix(".npz")
            np.savez_compressed(file, vectors)
    records = tmp_path / "records.jsonl"
    records.write_text("".join(f'{{"id": "{at}", "text": "t"}}\n' for at in range(20)))
    api.create(name, dimension=6)
    cli("ingest", name, records, "--vectors", file)
    for at, found in enumerate(api.get(name, [str(at) for at in range(20)])):
        np.testing.assert_array_equal(found.vector.values, vectors[at])
