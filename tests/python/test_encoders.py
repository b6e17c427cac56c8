"""Encoders of several architectures behind collections: prompts by role, first values, what is recorded."""

import json
import pathlib
import shutil
import subprocess

import grpc
import numpy as np
import pytest

import wire
from harness import BINARY, refused
from stubs import v1

ENCODERS = pathlib.Path(__file__).parent.parent / "data" / "encoders"
REFERENCE = json.loads((ENCODERS / "reference.json").read_text())
TEXTS = REFERENCE["texts"]
# Values that the reference keeps of each vector.
KEPT = 8


@pytest.fixture(scope="module")
def encoders(tmp_path_factory) -> pathlib.Path:
    """The models, where the server may read them."""
    return pathlib.Path(shutil.copytree(ENCODERS, tmp_path_factory.mktemp("encoders") / "all"))


def encoded(api, texts=TEXTS, **fields):
    found = api.models.EncodeTexts(v1.EncodeTextsRequest(texts=texts, **fields))
    return np.array([vector.values for vector in found.vectors])


@pytest.mark.parametrize("model", sorted(REFERENCE["models"]))
def test_roles_have_the_vectors_of_the_library(api, name, encoders, model):
    api.create(name, encoder=str(encoders / model))
    for role, of in [(v1.TEXT_ROLE_DOCUMENT, "document"), (v1.TEXT_ROLE_QUERY, "query"), (v1.TEXT_ROLE_UNSPECIFIED, "document")]:
        vectors = encoded(api, collection=name, role=role)
        np.testing.assert_allclose(vectors[:, :KEPT], REFERENCE["models"][model][of], atol=5e-4)


def test_documents_and_queries_have_their_prompts(api, name, encoders):
    api.create(name, encoder=str(encoders / "modernbert"))
    api.upsert(name, [wire.document(str(at), text=text) for at, text in enumerate(TEXTS[:20])])
    info = api.info(name).encoder
    assert (info.query_prompt, info.document_prompt, info.pooling) == ("search_query: ", "search_document: ", "cls")
    documents = encoded(api, TEXTS[:20], collection=name)
    query = encoded(api, ["a text"], collection=name, role=v1.TEXT_ROLE_QUERY)[0]
    assert not np.allclose(query, encoded(api, ["a text"], collection=name)[0], atol=1e-3)
    expected = documents @ query
    hits = api.search(name, wire.near_text("a text"), limit=20).hits
    found = np.array([hit.score for hit in hits])
    np.testing.assert_allclose(found, np.sort(expected)[::-1], atol=1e-4)


def test_settings_are_kept_and_a_model_by_name_takes_them(api, name, encoders):
    settings = v1.EncoderSettings(query_prompt="query: ", document_prompt="", dimensions=6, max_tokens=16)
    model = str(encoders / "xlm-roberta")
    created = api.create(name, encoder=model, encoder_settings=settings)
    assert created.dimension == 6
    info = api.info(name).encoder
    assert (info.query_prompt, info.document_prompt, info.dimension, info.max_tokens) == ("query: ", "", 6, 16)
    own = encoded(api, collection=name)
    np.testing.assert_allclose(np.linalg.norm(own, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(own, encoded(api, model=model, settings=settings))
    whole = encoded(api, model=model, settings=v1.EncoderSettings(document_prompt="", max_tokens=16))[:, :6]
    np.testing.assert_allclose(own, whole / np.linalg.norm(whole, axis=1, keepdims=True), atol=1e-5)


def test_settings_that_do_not_fit_are_refused(api, name, encoders):
    model = str(encoders / "mpnet")
    for field, settings in [
        ("encoder_settings.dimensions", v1.EncoderSettings(dimensions=25)),
        ("encoder_settings.max_tokens", v1.EncoderSettings(max_tokens=71)),
        ("encoder_settings.max_tokens", v1.EncoderSettings(max_tokens=1)),
        ("encoder_settings.document_prompt", v1.EncoderSettings(document_prompt="a" * 4097)),
    ]:
        with refused(grpc.StatusCode.INVALID_ARGUMENT, field=field):
            api.create(name, encoder=model, encoder_settings=settings)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="encoder_settings"):
        api.create(name, dimension=4, encoder_settings=v1.EncoderSettings(dimensions=2))
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="dimension"):
        api.create(name, dimension=24, encoder=model, encoder_settings=v1.EncoderSettings(dimensions=6))
    api.create(name, encoder=model)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="settings"):
        encoded(api, collection=name, settings=v1.EncoderSettings(dimensions=6))


def test_a_text_without_a_known_word_is_refused_by_name(api, name, encoders):
    """Static vectors have none of it; transformers have that of the special tokens."""
    api.create(name, encoder=str(encoders / "model2vec"))
    documents = [wire.document("full", text=TEXTS[0]), wire.document("empty", text="")]
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="documents[1].text", saying="no word"):
        api.upsert(name, documents)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="updates[0].text"):
        api.documents.Update(v1.UpdateRequest(collection=name, updates=[v1.DocumentUpdate(id="full", text="")]))
    assert api.count(name) == 0
    api.upsert(name, documents[:1])
    with refused(grpc.StatusCode.INVALID_ARGUMENT, saying="no word"):
        api.search(name, wire.near_text("☃"), limit=2)
    kept = v1.IngestRequest(collection=name, stream_id="s", batch=1, documents=documents, set_aside=True)
    (answer,) = api.documents.Ingest(iter([kept]))
    assert [rejected.document for rejected in answer.rejected] == [1]


def test_vectors_of_another_prompt_are_refused(api, name, encoders, tmp_path):
    records = tmp_path / "records.jsonl"
    records.write_text("".join(json.dumps({"id": str(at), "text": text}) + "\n" for at, text in enumerate(TEXTS)))

    def run(*arguments):
        return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True)

    model = encoders / "xlm-roberta"
    api.create(name, encoder=str(model))
    for prompt, fits in [("query: ", False), ("passage: ", True)]:
        out = tmp_path / f"{len(prompt)}.safetensors"
        made = run("encode", records, "--text", "{text}", "--model", model, "--document-prompt", prompt, "--out", out)
        assert made.returncode == 0, made.stderr
        ingested = run("ingest", name, records, "--text", "{text}", "--vectors", out, "--server", api.address)
        assert (ingested.returncode == 0) == fits, ingested.stderr
        if not fits:
            assert 'document prompt "query: "' in ingested.stderr and '"passage: "' in ingested.stderr
            assert api.count(name) == 0
    stored = api.get(name, [str(at) for at in range(50)], v1.Projection(vector=True))
    vectors = np.array([document.vector.values for document in stored])
    np.testing.assert_allclose(vectors, encoded(api, collection=name), atol=1e-5)
