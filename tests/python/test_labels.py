"""Labels of latents: who makes them, their versions, their scores, finding them."""

import re
import threading

import grpc
import numpy as np
import pytest

import harness
import wire
from chat_endpoint import Endpoint, message
from harness import refused
from models import MODEL, NEEDS_MINILM, TOPICS
from stubs import v1

# One latent per topic.
WORDS = {
    "battery": ["charger", "plug", "power"],
    "violin": ["concert", "string", "music"],
    "soup": ["kitchen", "salt", "bowl"],
    "rocket": ["orbit", "launch", "moon"],
}
FILLERS = "the day was long and we went home to read a letter about some other town".split()
PER_TOPIC = 60


def documents(seed: int = 3):
    """Documents that begin with their topic's name and activate its latent."""
    random = np.random.default_rng(seed)
    made = []
    for latent, (topic, others) in enumerate(WORDS.items()):
        for at in range(PER_TOPIC):
            words = [topic, *random.choice(others, 2), *random.choice(FILLERS, 6)]
            made.append(
                wire.document(
                    f"{topic}{at}",
                    text=" ".join(str(word) for word in words),
                    vec=random.normal(size=4),
                    latents={latent: float(random.uniform(0.2, 1.0))},
                    topic=topic,
                )
            )
    return made


def others(count: int = 2 * PER_TOPIC):
    """Documents of no topic: a latent of a fifth of all documents gets no keyphrases."""
    random = np.random.default_rng(7)
    return [
        wire.document(
            f"other{at}",
            text=" ".join(str(word) for word in random.choice(FILLERS, 9)),
            vec=random.normal(size=4),
            topic="none",
        )
        for at in range(count)
    ]


def fill(api, name):
    # The last latent is never active.
    api.create(name, dimension=4, n_latents=len(WORDS) + 1)
    api.upsert(name, documents() + others())


@pytest.fixture
def topics(api, name) -> str:
    fill(api, name)
    return name


def label_latents(api, name, **fields):
    """All messages of a labelling; the last one."""
    messages = list(api.latents.LabelLatents(v1.LabelLatentsRequest(collection=name, **fields)))
    written = sum(len(part.labels) for part in messages)
    assert written == messages[-1].written
    return messages[-1]


def labels(api, name) -> dict[int, str]:
    listed = api.latents.ListLatents(v1.ListLatentsRequest(collection=name)).latents
    return {entry.latent: entry.label.text for entry in listed if entry.HasField("label")}


def set_label(api, name, latent, text, **fields):
    entry = v1.LabelEntry(latent=latent, text=text, **fields)
    api.latents.SetLabels(v1.SetLabelsRequest(collection=name, labels=[entry]))


def page(api, name, latent, **fields):
    return api.latents.GetLatent(v1.GetLatentRequest(collection=name, latent=latent, **fields))


def versions(api, name, latent) -> list[tuple[int, str]]:
    return [(label.version, label.text) for label in page(api, name, latent).labels]


class TestKeyphrases:
    def test_each_topic_is_named_by_its_words(self, api, topics):
        last = label_latents(api, topics)
        assert (last.done, last.total, last.written, last.passed_over) == (4, 4, 4, 0)
        found = labels(api, topics)
        assert set(found) == set(range(len(WORDS)))
        for latent, topic in enumerate(WORDS):
            words = found[latent].replace(",", "").split()
            assert topic in words and set(words) <= {topic, *WORDS[topic]}, found

    def test_the_order_of_writes_changes_no_label(self, api, topics):
        """Documents are numbered by writes and merges; labels follow from what they are."""
        label_latents(api, topics)
        turned = f"{topics}-turned"
        api.create(turned, dimension=4, n_latents=len(WORDS) + 1)
        api.upsert(turned, (documents() + others())[::-1], batch=37)
        label_latents(api, turned)
        assert labels(api, turned) == labels(api, topics) != {}

    def test_what_was_labelled_is_passed_over(self, api, topics):
        label_latents(api, topics, latents=[1, 2])
        assert set(labels(api, topics)) == {1, 2}
        last = label_latents(api, topics)
        assert (last.written, last.passed_over) == (2, 2)
        assert label_latents(api, topics).written == 0
        assert label_latents(api, topics, again=True, limit=3).written == 3
        # The same words are no new version.
        assert [number for number, _ in versions(api, topics, 1)] == [1]

    def test_labels_of_a_person_stay(self, api, topics):
        set_label(api, topics, 0, "things with batteries", source="person")
        assert label_latents(api, topics).passed_over == 1
        assert labels(api, topics)[0] == "things with batteries"
        assert label_latents(api, topics, replace=True).written == 1
        assert labels(api, topics)[0] != "things with batteries"
        assert versions(api, topics, 0)[1] == (1, "things with batteries")

    def test_a_collection_without_texts(self, api, name):
        api.create(name, dimension=2, n_latents=4)
        api.upsert(name, [wire.document("a", vec=[1, 0], latents={1: 1.0})])
        with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="no texts"):
            label_latents(api, name)


class TestVersions:
    def test_former_labels_are_kept_and_come_back(self, api, topics):
        for text in ["one", "two", "two", "three"]:
            set_label(api, topics, 2, text)
        assert versions(api, topics, 2) == [(3, "three"), (2, "two"), (1, "one")]
        request = v1.UseLabelRequest(collection=topics, latent=2, version=1)
        assert api.latents.UseLabel(request).text == "one"
        assert labels(api, topics)[2] == "one"
        set_label(api, topics, 2, "four")
        assert versions(api, topics, 2)[0] == (4, "four")
        with refused(grpc.StatusCode.NOT_FOUND, saying="version 9"):
            request.version = 9
            api.latents.UseLabel(request)

    def test_they_survive_a_restart(self, own_server):
        api = own_server.api
        fill(api, "c")
        set_label(api, "c", 1, "old", source="a", score=0.75)
        set_label(api, "c", 1, "new", source="b")
        own_server.kill()
        api = own_server.start()
        assert versions(api, "c", 1) == [(2, "new"), (1, "old")]
        old = page(api, "c", 1).labels[1]
        assert (old.source, old.score, old.low_confidence) == ("a", 0.75, False)

    def test_a_low_score_marks_a_label(self, api, topics):
        set_label(api, topics, 0, "good", score=0.31)
        set_label(api, topics, 1, "bad", score=0.29)
        set_label(api, topics, 2, "unknown")
        listed = api.latents.ListLatents(v1.ListLatentsRequest(collection=topics)).latents
        low = {entry.label.text for entry in listed if entry.label.low_confidence}
        assert low == {"bad"}

    def test_a_low_score_marks_a_label_wherever_it_is_shown(self, api, topics):
        set_label(api, topics, 0, "good", score=0.9)
        set_label(api, topics, 1, "bad", score=0.1)
        weights = [v1.LatentWeight(latent=latent, weight=1) for latent in (0, 1)]
        query = v1.Query(latents=v1.LatentsQuery(weights=weights))
        hits = api.search(topics, query, limit=100, latents_per_hit=1).hits
        marks = {(part.label, part.low_confidence) for hit in hits for part in hit.latents}
        assert marks == {("good", False), ("bad", True)}
        counts = api.facet(topics, wire.BY_LATENTS)[0].latents
        assert {entry.label for entry in counts if entry.low_confidence} == {"bad"}
        request = v1.SearchLabelsRequest(collection=topics, text="good bad")
        found = api.latents.SearchLabels(request).labels
        assert {entry.label.text: entry.label.low_confidence for entry in found} == {
            "good": False,
            "bad": True,
        }

    def test_all_versions_are_listed_the_current_one_last(self, api, topics):
        for text in ["one", "two", "three"]:
            set_label(api, topics, 2, text)
        set_label(api, topics, 0, "zero")
        api.latents.UseLabel(v1.UseLabelRequest(collection=topics, latent=2, version=1))
        for every, expected in [
            (False, [(0, "zero"), (2, "one")]),
            (True, [(0, "zero"), (2, "two"), (2, "three"), (2, "one")]),
        ]:
            request = v1.ListLabelsRequest(collection=topics, all_versions=every)
            parts = api.latents.ListLabels(request)
            found = [(entry.latent, entry.label.text) for part in parts for entry in part.labels]
            assert found == expected


class TestSearch:
    def test_by_words(self, api, topics):
        for latent, text in enumerate(["battery life", "night life", "soup, bowls", "a war"]):
            set_label(api, topics, latent, text)
        request = v1.SearchLabelsRequest(collection=topics, text="Batteries and their lives")
        found = api.latents.SearchLabels(request).labels
        assert [entry.latent for entry in found][0] == 0
        assert found[0].documents == PER_TOPIC and found[0].label.text == "battery life"
        request.text = "bowl"
        assert [entry.latent for entry in api.latents.SearchLabels(request).labels] == [2]
        request.text = " "
        with refused(grpc.StatusCode.INVALID_ARGUMENT, field="text"):
            api.latents.SearchLabels(request)
        request = v1.SearchLabelsRequest(
            collection=topics, text="bowl", mode=v1.LABEL_SEARCH_MODE_MEANING
        )
        with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="encoder"):
            api.latents.SearchLabels(request)


def test_unknown_kinds_are_refused(api, topics):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="labeller"):
        label_latents(api, topics, labeller=7)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="judge"):
        score_labels(api, topics, judge=7)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="documents"):
        score_labels(api, topics, documents=1)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="latents[1]"):
        label_latents(api, topics, latents=[0, 5])
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="--chat-url"):
        label_latents(api, topics, labeller=v1.LABELLER_KIND_CHAT)
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="latents label"):
        score_labels(api, topics, judge=v1.JUDGE_KIND_CHAT)


def score_labels(api, name, **fields):
    """Scores by latent, and the summary."""
    messages = list(api.latents.ScoreLabels(v1.ScoreLabelsRequest(collection=name, **fields)))
    found = {entry.latent: entry for part in messages for entry in part.scores}
    return found, messages[-1].summary


@pytest.fixture
def endpoint():
    running = Endpoint()
    yield running
    running.close()


@pytest.fixture
def chat(tmp_path, monkeypatch, endpoint):
    """The API of a server that has the endpoint, with the collection `c`."""
    monkeypatch.setenv("LATENTDB_CHAT_URL", endpoint.url)
    monkeypatch.setenv("LATENTDB_CHAT_MODEL", "tiny")
    monkeypatch.setenv("LATENTDB_CHAT_KEY", "secret")
    running = harness.Server(tmp_path)
    api = running.start()
    fill(api, "c")
    yield api
    running.close()


class TestChat:
    def label(self, api, **fields):
        return label_latents(api, "c", labeller=v1.LABELLER_KIND_CHAT, **fields)

    def test_labels_come_from_the_endpoint(self, chat, endpoint):
        last = self.label(chat)
        assert (last.written, last.tokens) == (4, 400)
        assert labels(chat, "c") == dict(enumerate(WORDS))
        assert page(chat, "c", 0).labels[0].source == "chat:tiny"
        for path, headers, body in endpoint.requests:
            assert path == "/v1/chat/completions" and body["model"] == "tiny"
            assert headers["authorization"] == "Bearer secret"
            user = body["messages"][1]["content"]
            assert user.count("\n10. ") == 2, "ten documents with the concept and ten without"

    def test_held_out_documents_are_not_shown(self, chat, endpoint):
        for seed in range(5):
            self.label(chat, again=True, seed=seed)
        shown = " ".join(body["messages"][1]["content"] for _, _, body in endpoint.requests)
        score_labels(chat, "c", judge=v1.JUDGE_KIND_CHAT)
        judged = [
            line.split(". ", 1)[1]
            for _, _, body in endpoint.requests
            if body["messages"][1]["content"].startswith("Concept")
            for line in body["messages"][1]["content"].splitlines()
            if ". " in line
        ]
        texts = [document.text for document in documents() + others()]
        assert judged and set(judged) <= set(texts)
        unique = [text for text in judged if texts.count(text) == 1]
        assert unique and not any(text in shown for text in unique)

    def test_a_run_that_was_refused_goes_on_where_it_was(self, chat, endpoint):
        endpoint.behave = lambda number, _: (401, {"error": "no"}) if number >= 2 else None
        with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="401"):
            self.label(chat, chat=v1.ChatLimits(concurrency=1))
        assert len(labels(chat, "c")) == 2
        endpoint.behave = lambda *_: None
        last = self.label(chat)
        assert (last.written, last.passed_over) == (2, 2)
        assert len(labels(chat, "c")) == 4

    def test_the_budget_of_tokens_holds(self, chat, endpoint):
        # A prompt of twenty short documents and its answer are estimated at some 400 tokens.
        endpoint.behave = lambda *_: (200, message("a label", tokens=900))
        with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, saying="2100 tokens"):
            self.label(chat, chat=v1.ChatLimits(concurrency=1, tokens=2100))
        assert len(endpoint.requests) == 2
        assert len(labels(chat, "c")) == 2

    def test_too_many_requests_are_retried(self, chat, endpoint):
        endpoint.behave = lambda number, _: (429, {"error": "slow"}) if number == 0 else None
        assert self.label(chat, latents=[3]).written == 1
        assert len(endpoint.requests) == 2

    def test_an_answer_that_is_none_is_no_label(self, chat, endpoint):
        endpoint.behave = lambda *_: (200, message("word " * 30))
        last = self.label(chat)
        assert (last.done, last.written) == (4, 0)
        assert labels(chat, "c") == {}

    def test_cancelling_stops_the_work(self, chat, endpoint):
        waiting, go = threading.Event(), threading.Event()

        def behave(number, _):
            waiting.set()
            go.wait(harness.PATIENCE)

        endpoint.behave = behave
        request = v1.LabelLatentsRequest(
            collection="c",
            labeller=v1.LABELLER_KIND_CHAT,
            chat=v1.ChatLimits(concurrency=1),
        )
        stream = chat.latents.LabelLatents(request)
        assert waiting.wait(harness.PATIENCE)
        # The heartbeats of the stream tell the server that nobody listens any more.
        next(stream)
        stream.cancel()
        with pytest.raises(grpc.RpcError):
            list(stream)
        # Long enough for a heartbeat, however slow the machine: the server is asked something.
        for _ in range(20):
            threading.Event().wait(0.05)
            labels(chat, "c")
        go.set()
        assert len(endpoint.requests) == 1

    def test_scores_are_those_of_the_predictions(self, chat, endpoint):
        for latent, topic in enumerate(WORDS):
            set_label(chat, "c", latent, topic)
        set_label(chat, "c", 3, "nothing of the kind")
        found, summary = score_labels(chat, "c", judge=v1.JUDGE_KIND_CHAT)
        assert set(found) == {0, 1, 2, 3}
        for latent in range(3):
            score = found[latent].score
            assert (score.pearson, score.f1) == (pytest.approx(1.0), 1.0)
            assert (score.positives, score.negatives) == (10, 10)
            assert score.judge == "chat:tiny" and not score.same_encoder
            assert score.low == score.high == pytest.approx(1.0)
        assert (found[3].score.pearson, found[3].score.f1) == (0.0, 0.0)
        assert (summary.scored, summary.unscored, summary.low_confidence) == (4, 0, 1)
        assert summary.median_pearson == pytest.approx(1.0)
        assert page(chat, "c", 3).summary.label.low_confidence
        assert page(chat, "c", 0).summary.label.score == pytest.approx(1.0)
        with refused(grpc.StatusCode.INVALID_ARGUMENT, saying="judge_encoder"):
            score_labels(chat, "c", judge=v1.JUDGE_KIND_CHAT, judge_encoder="all-MiniLM-L6-v2")
        for documents in (1, 201):
            with refused(grpc.StatusCode.INVALID_ARGUMENT, saying="2 to 200"):
                score_labels(chat, "c", judge=v1.JUDGE_KIND_CHAT, documents=documents)

    def test_the_order_of_the_texts_says_nothing(self, chat, endpoint):
        def behave(_, body):
            user = body["messages"][1]["content"]
            count = len(re.findall(r"^\d+\. ", user, re.MULTILINE))
            scores = [f"{at + 1}: {1 if at < count / 2 else -1}" for at in range(count)]
            return 200, message("\n".join(scores))

        for latent in range(len(WORDS)):
            set_label(chat, "c", latent, "nothing of the kind")
        endpoint.behave = behave
        found = []
        for seed in range(5):
            scores, _ = score_labels(chat, "c", judge=v1.JUDGE_KIND_CHAT, seed=seed)
            found += [entry.score.pearson for entry in scores.values()]
        assert len(found) == 5 * len(WORDS)
        assert abs(np.mean(found)) < 0.3, found


@pytest.fixture(scope="module")
def meanings(api) -> str:
    """Documents of five topics, repeated in other words, with the topic's latent."""
    name = "labels-with-meanings"
    api.create(name, encoder=MODEL, n_latents=len(TOPICS))
    made = []
    for latent, (topic, texts) in enumerate(TOPICS.items()):
        for at, text in enumerate(texts):
            text += f" All about {topic}." if at % 2 else ""
            for copy, lead in enumerate(["", "Today: ", "They say: ", "It is known: "]):
                key = f"{latent}-{at}-{copy}"
                made.append(wire.document(key, text=lead + text, latents={latent: 1.0 - at / 9}))
    for at in range(60):
        text = f"On day {at} the council of town {at % 7} met and talked of roads and taxes."
        made.append(wire.document(f"none-{at}", text=text))
    api.upsert(name, made)
    for latent, topic in enumerate(TOPICS):
        set_label(api, name, latent, topic)
    return name


class TestWithEncoder:
    pytestmark = NEEDS_MINILM

    def test_labels_are_found_by_meaning(self, api, meanings):
        for text, topic in [("planets and comets", "space"), ("songs", "music")]:
            request = v1.SearchLabelsRequest(collection=meanings, text=text, limit=2)
            found = api.latents.SearchLabels(request).labels
            assert found[0].label.text == topic and len(found) == 2
            vectors = api.models.EncodeTexts(
                v1.EncodeTextsRequest(collection=meanings, texts=[text, topic])
            ).vectors
            one, other = (np.array(vector.values) for vector in vectors)
            assert found[0].score == pytest.approx(float(one @ other), abs=1e-4)

    def test_similarity_tells_good_labels_from_bad(self, api, meanings):
        set_label(api, meanings, 1, "tax law")
        found, summary = score_labels(api, meanings)
        assert found[0].score.judge == "similarity"
        assert found[0].score.pearson > 0.5 > found[1].score.pearson
        rows = [entry.score for entry in found.values()]
        assert summary.scored == len(rows)
        assert summary.median_pearson == pytest.approx(np.median([row.pearson for row in rows]))
        assert summary.median_f1 == pytest.approx(np.median([row.f1 for row in rows]))
        assert all(row.same_encoder and row.low <= row.pearson <= row.high for row in rows)
        assert summary.low_confidence == sum(row.low < 0.3 for row in rows)
        again, _ = score_labels(api, meanings)
        assert {at: entry.score.pearson for at, entry in again.items()} == {
            at: entry.score.pearson for at, entry in found.items()
        }
        some, drawn = score_labels(api, meanings, sample=2, seed=4)
        assert set(some) <= set(found) and len(some) + drawn.unscored == 2
        set_label(api, meanings, 1, "cooking")

    def test_keyphrases_are_chosen_by_meaning(self, api, meanings):
        last = label_latents(api, meanings, replace=True, again=True)
        assert last.written > 0
        for latent, label in labels(api, meanings).items():
            assert list(TOPICS)[latent] in label, labels(api, meanings)
        for latent, topic in enumerate(TOPICS):
            set_label(api, meanings, latent, topic)
