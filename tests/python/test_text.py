"""A collection whose server makes the vectors from text, with the real encoder."""

import grpc
import numpy as np
import pytest

import oracle
import test_sae
import wire
from harness import refused
from models import MODEL, NEEDS_MINILM, TOPICS
from stubs import v1
from wire import near_text

pytestmark = NEEDS_MINILM
QUESTIONS = {
    "space": "stars and planets",
    "cooking": "a recipe for dinner",
    "football": "who won the soccer match",
    "medicine": "treatment of illness in hospital",
    "music": "playing an instrument in a concert",
}


@pytest.fixture(scope="module")
def texts(api):
    name = "texts"
    made = api.create(name, encoder=MODEL)
    assert (made.dimension, made.encoder.model) == (384, MODEL)
    assert made.encoder.max_tokens == 256 and made.encoder.pooling == "mean"
    assert len(made.encoder.sha256) == 64
    api.upsert(
        name,
        [
            wire.document(f"{topic}-{at}", text=text, topic=topic)
            for topic, lines in TOPICS.items()
            for at, text in enumerate(lines)
        ],
    )
    return name


def encode(api, name, *lines) -> np.ndarray:
    request = v1.EncodeTextsRequest(collection=name, texts=lines)
    answer = api.models.EncodeTexts(request)
    return np.array([list(vector.values) for vector in answer.vectors])


@pytest.mark.parametrize("topic", TOPICS)
def test_texts_near_a_question_are_of_its_topic(api, texts, topic):
    found = api.search(texts, near_text(QUESTIONS[topic]), limit=4)
    topics = [wire.attributes(hit.document)["topic"] for hit in found.hits]
    assert topics.count(topic) >= 3, [hit.document.text for hit in found.hits]


def test_vectors_are_those_of_the_texts_at_unit_norm(api, texts):
    documents = api.scroll(texts, projection=wire.ALL_PARTS)
    stored = np.array([list(document.vector.values) for document in documents])
    encoded = encode(api, texts, *(document.text for document in documents))
    np.testing.assert_allclose(np.linalg.norm(stored, axis=1), 1.0, atol=1e-5)
    # Batches differ, so sums are rounded differently.
    assert (stored * encoded).sum(axis=1).min() > 0.9999


def test_near_to_a_text_is_near_to_its_vector(api, texts):
    question = QUESTIONS["space"]
    documents = api.scroll(texts, projection=wire.ALL_PARTS)
    (query,) = encode(api, texts, question)
    scores = {d.id: float(np.array(list(d.vector.values)) @ query) for d in documents}
    found = api.search(texts, near_text(question), limit=30, explain=True)
    oracle.check_ranking(found.hits, scores, 30, tolerance=1e-3)
    assert found.explanation.encode_us > 0
    by_name = v1.EncodeTextsRequest(model=MODEL, texts=[question])
    other = np.array(list(api.models.EncodeTexts(by_name).vectors[0].values))
    assert other @ query > 0.9999


def test_an_update_of_the_text_makes_a_new_vector(api, texts):
    api.upsert(texts, [wire.document("changing", text=TOPICS["music"][0])])
    try:
        change = v1.DocumentUpdate(id="changing", text="The moon is full of craters.")
        api.documents.Update(v1.UpdateRequest(collection=texts, updates=[change]))
        found = api.search(texts, near_text("lunar craters"), limit=1)
        assert wire.ids_of(found.hits) == ["changing"]
        # A vector that is given is used as it is.
        given = np.zeros(384)
        given[0] = 1.0
        api.upsert(texts, [wire.document("changing", text="anything", vec=given)])
        (document,) = api.get(texts, ["changing"])
        np.testing.assert_array_equal(document.vector.values, given)
    finally:
        api.documents.Delete(v1.DeleteRequest(collection=texts, ids=["changing"]))


def test_words_and_meaning_are_fused(api, texts):
    query = wire.fused(near_text("stars", name="meaning"), wire.bm25("comet", name="words"))
    found = api.search(texts, query, limit=5)
    top = found.hits[0]
    assert top.document.id == "space-2"
    assert {part.name for part in top.components} == {"meaning", "words"}


def test_an_unusual_text_is_encoded_all_the_same(api, texts):
    lines = ["", " ", "\U0001f600" * 10, "word " * 5000, "\x01\x02", "日本語のテキスト"]
    vectors = encode(api, texts, *lines)
    assert vectors.shape == (len(lines), 384) and np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)


def test_many_clients_at_once_get_their_own_vectors(api, texts):
    lines = [line for lines in TOPICS.values() for line in lines]
    calls = [
        api.models.EncodeTexts.future(v1.EncodeTextsRequest(collection=texts, texts=[line]))
        for line in lines
    ]
    alone = np.array([list(call.result().vectors[0].values) for call in calls])
    together = encode(api, texts, *lines)
    assert (alone * together).sum(axis=1).min() > 0.9999


def test_a_trained_sae_steers_a_search_by_text(api, texts, tmp_path):
    name = "texts-steered"
    api.create(name, encoder=MODEL)
    openings = ("", "They said: ", "Yesterday, ", "In short: ")
    lines = [
        (f"{topic}-{at}-{start}", topic, opening + text)
        for topic, lines in TOPICS.items()
        for at, text in enumerate(lines)
        for start, opening in enumerate(openings)
    ]
    api.upsert(name, [wire.document(key, text=text, topic=topic) for key, topic, text in lines])
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="latentdb sae train"):
        api.search(name, wire.weighted({0: 1.0}))
    test_sae.train(api, name, tmp_path / "sae", n_latents=64, k=8, epochs=20)
    test_sae.attach(api, name, tmp_path / "sae")

    # The latent that best tells cooking from the rest.
    (inside,) = api.facet(name, wire.BY_LATENTS, described=wire.equals("topic", "cooking"))
    counts = {entry.latent: entry.count for entry in inside.latents}
    (everywhere,) = api.facet(name, v1.Facet(latents=wire.EVERYTHING, limit=64))
    totals = {entry.latent: entry.count for entry in everywhere.latents}
    latent = max(counts, key=lambda at: counts[at] - 2 * (totals[at] - counts[at]))

    question = "a picture of a galaxy"
    edit = v1.SteerEdit(latent=latent, add=1.5)
    plain = api.search(name, near_text(question), limit=10)
    steered = api.search(name, near_text(question, steer=[edit]), limit=10)
    (report,) = steered.steering
    assert report.component == "nearest"
    assert 0 < report.cosine < 1 and report.residual_norm > 0
    assert report.before and report.after
    assert latent in {entry.latent for entry in report.after}

    def of_cooking(answer):
        topics = [wire.attributes(hit.document)["topic"] for hit in answer.hits]
        return topics.count("cooking")

    assert of_cooking(steered) > of_cooking(plain)
    assert all(hit.latents and hit.latents[0].component == "nearest" for hit in steered.hits)
    # The same edit by its own rpc.
    nearest = v1.NearestQuery(text=question, steer=[edit])
    alone = api.searches.Steer(v1.SteerRequest(collection=name, nearest=nearest)).steering
    assert alone.cosine == pytest.approx(report.cosine, abs=1e-4)
    # Texts written later get vectors and latents at once.
    api.upsert(name, [wire.document("new", text="Slice the bread and toast it.")])
    (document,) = api.get(name, ["new"])
    assert document.HasField("vector") and 1 <= len(document.latents.values) <= 8


def test_an_unknown_encoder_is_refused(api, name, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(grpc.RpcError) as error:
        api.create(name, encoder=str(tmp_path / "empty"))
    assert error.value.code() in (
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
    ), error.value.details()
    with refused(grpc.StatusCode.NOT_FOUND):
        api.info(name)


def test_a_dimension_that_is_not_the_encoders_is_refused(api, name):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="dimension", saying="384"):
        api.create(name, encoder=MODEL, dimension=100)
