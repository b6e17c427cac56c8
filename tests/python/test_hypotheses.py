"""Differences in words, tested on documents held back: what is planted is found, nothing else, and nothing is judged
on what it was found on."""

import json
import os
import re
import subprocess

import grpc
import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

import harness
import wire
from chat_endpoint import Endpoint, message
from harness import BINARY, PATIENCE, refused
from models import MODEL, NEEDS_MINILM
from stubs import v1
from test_cli import cli  # noqa: F401 (a fixture)

# The trait begins a text, as the scripted labeller takes its first word.
TRAIT, OTHER = "zeppelin", "orchard"
FILLERS = "the day was long and we went home to read a letter about some other town".split()
DOCUMENTS = 600
CHAT = {"labeller": v1.LABELLER_KIND_CHAT, "judge": v1.JUDGE_KIND_CHAT}


def documents(share_a=0.3, share_b=0.02):
    """Two sides of which one has the trait more often; another word is everywhere alike."""
    random = np.random.default_rng(5)
    made = []
    for at in range(DOCUMENTS):
        is_a = at % 2 == 0
        has_trait = random.random() < (share_a if is_a else share_b)
        has_other = not has_trait and random.random() < 0.2
        first = TRAIT if has_trait else OTHER if has_other else "plain"
        words = [first, *random.choice(FILLERS, 7), f"number{at}"]
        latents = {}
        # One in twenty is missed, one in fifty is wrong.
        if has_trait != (random.random() < (0.05 if has_trait else 0.02)):
            latents[0] = float(random.uniform(0.2, 1))
        if has_other:
            latents[1] = float(random.uniform(0.2, 1))
        if random.random() < 0.3:
            latents[2] = float(random.uniform(0.2, 1))
        # It goes with the trait, and says nothing.
        if random.random() < (0.8 if has_trait else 0.05):
            latents[3] = float(random.uniform(0.2, 1))
        made.append(
            wire.document(
                f"d{at}",
                text=" ".join(str(word) for word in words),
                latents=latents,
                side="a" if is_a else "b",
                author=f"w{at % 30}",
            )
        )
    return made


def is_held_back(key: str, share: float = 0.5) -> bool:
    """FNV-1a of the id, its bits mixed as SplitMix64 does."""
    mask = 2**64 - 1
    value = 0xCBF2_9CE4_8422_2325
    for byte in key.encode():
        value = (value ^ byte) * 0x0100_0000_01B3 & mask
    value = (value ^ value >> 30) * 0xBF58_476D_1CE4_E5B9 & mask
    value = (value ^ value >> 27) * 0x94D0_49BB_1331_11EB & mask
    return ((value ^ value >> 31) >> 11) / 2**53 < share


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
    running = harness.Server(tmp_path)
    api = running.start()
    api.create("c", n_latents=6)
    api.upsert("c", documents())
    yield api
    running.close()


def named(expression, name=""):
    return v1.NamedSet(name=name, filter=wire.expr(expression))


SIDES = v1.ComparedSets(a=named('side = "a"', "left"), b=named('side = "b"', "right"))


def hypothesise(api, collection="c", **fields):
    summary, found = None, []
    for part in api.analyses.Hypothesise(v1.HypothesiseRequest(collection=collection, **fields)):
        match part.WhichOneof("part"):
            case "summary":
                summary = part.summary
            case "hypotheses":
                found += part.hypotheses.hypotheses
    return summary, found


def set_label(api, latent, text):
    entry = v1.LabelEntry(latent=latent, text=text, source="person")
    api.latents.SetLabels(v1.SetLabelsRequest(collection="c", labels=[entry]))


def test_what_was_planted_is_found_and_holds(chat, endpoint):
    summary, found = hypothesise(chat, sets=SIDES, judged=1000, **CHAT)
    # The latent that only goes with the trait has no name that tells its texts; no other one differs.
    own = found[0]
    assert (own.latent, own.label, own.more_in_a, own.relabelled) == (0, TRAIT, True, True)
    assert own.sentence == f"Texts of left speak of {TRAIT} more often than those of right."
    assert own.label_score >= 0.75 and {one.latent for one in found} <= {0, 3}
    judged = own.judged
    assert judged.holds and judged.delta > 0.2 and judged.low > 0.15 and judged.unusable == 0
    sets = summary.comparisons[0]
    assert (sets.a, sets.b) == ("left", "right")
    assert (judged.a_documents, judged.b_documents) == (sets.a_confirmation, sets.b_confirmation)
    assert sets.a_discovery + sets.a_confirmation == DOCUMENTS / 2
    # As counted from what the judge was asked, against SciPy and scikit-learn.
    users = [body["messages"][1]["content"] for _, _, body in endpoint.requests]
    by_text = {document.text: document for document in documents()}
    asked = [user for user in users if f"Concept: {TRAIT}\n" in user and "Does the text" in user]
    asked = {user.split("Text: ", 1)[1].split("\n\n")[0] for user in asked}
    # Labels are scored on texts of the other half.
    texts = [text for text in asked if is_held_back(by_text[text].id)]
    assert len(texts) == judged.a_documents + judged.b_documents
    assert 0 < len(asked) - len(texts) <= 20
    held = [by_text[text] for text in texts]
    latents = {own.latent, *own.alike}
    rows = [
        (document.attributes["side"].string == "a", TRAIT in document.text, bool(latents & wire.row(document).keys()))
        for document in held
    ]
    table = np.array([[sum(r[0] == a and r[1] == yes for r in rows) for yes in (True, False)] for a in (True, False)])
    assert (judged.a_yes, judged.b_yes) == tuple(table[:, 0])
    expected = (
        stats.chi2_contingency(table, correction=False).pvalue
        if stats.contingency.expected_freq(table).min() >= 5
        else stats.fisher_exact(table).pvalue
    )
    assert judged.p_value == pytest.approx(expected, rel=1e-6)
    assert judged.kappa == pytest.approx(cohen_kappa_score([r[1] for r in rows], [r[2] for r in rows]))
    assert (judged.a_active, judged.b_active) == tuple(sum(r[2] and r[0] == a for r in rows) for a in (True, False))
    # What is named from is not judged.
    shown = [user for user in users if "Texts with the concept:" in user]
    assert shown and not any(text in user for text in texts for user in shown)
    assert summary.tokens == 100 * len(users) and (summary.labeller, summary.judge) == ("chat:tiny", "chat:tiny")
    assert all(TRAIT in document.text and document.attributes["side"].string == "a" for document in judged.documents)


def test_sets_that_do_not_differ_give_nothing(chat):
    chat.create("null", n_latents=6)
    chat.upsert("null", documents(0.15, 0.15))
    summary, found = hypothesise(chat, "null", sets=SIDES, **CHAT)
    assert found == [] and any("no latent differs" in warning for warning in summary.warnings)


def test_labels_that_tell_the_sets_apart_stay_and_others_are_made_anew(chat, endpoint):
    set_label(chat, 0, TRAIT)
    set_label(chat, 3, "nothing of the kind")
    _, found = hypothesise(chat, sets=SIDES, **CHAT)
    assert (found[0].label, found[0].relabelled) == (TRAIT, False)
    assert len(found) == 1 and found[0].alike in ([], [3])
    summary, _ = hypothesise(chat, sets=SIDES, labeller=v1.LABELLER_KIND_KEYPHRASE, judge=v1.JUDGE_KIND_CHAT)
    assert summary.labeller == "keyphrases"


def test_a_budget_that_runs_out_says_what_is_missing(chat):
    set_label(chat, 0, TRAIT)
    limits = v1.ChatLimits(concurrency=1, tokens=6_000)
    summary, found = hypothesise(chat, sets=SIDES, chat=limits, latents=1, **CHAT)
    assert not found[0].HasField("judged") and found[0].label == TRAIT
    assert any("budget" in warning and "1 of 1 hypotheses" in warning for warning in summary.warnings)
    assert summary.tokens <= 6_000 < summary.expected_tokens + summary.tokens
    # Before anything was named, latents are left out with that reason.
    summary, found = hypothesise(chat, sets=SIDES, chat=v1.ChatLimits(tokens=10), **CHAT)
    assert found == [] and "budget" in summary.left_out[0].why


def test_judgements_that_are_none_count_as_no(chat, endpoint):
    set_label(chat, 0, TRAIT)

    def behave(_, body):
        user = body["messages"][1]["content"]
        # One text in ten.
        return (200, message("perhaps")) if re.search(r"Text: .*number\d*7\n", user) else None

    endpoint.behave = behave
    _, found = hypothesise(chat, sets=SIDES, latents=1, **CHAT)
    assert found[0].judged.unusable > 5
    assert found[0].judged.a_yes < found[0].judged.a_documents - found[0].judged.unusable


def test_documents_of_one_author_are_on_one_side(chat, endpoint):
    summary, _ = hypothesise(chat, sets=SIDES, split_by="author", latents=1, judged=1000, **CHAT)
    assert summary.comparisons[0].a_confirmation % (DOCUMENTS // 30) == 0


def test_pairs_and_clusters_are_tested_alike(chat):
    set_label(chat, 0, TRAIT)
    summary, found = hypothesise(chat, pairs=v1.ComparedPairs(latents=[0]), judged=1000, **CHAT)
    assert [(own.given, own.latent) for own in found] in ([], [(0, 3)])
    assert summary.comparisons[0].a == f'texts with "{TRAIT}"'
    axis = v1.Axis(latents=[0, 1])
    summary, found = hypothesise(
        chat, clusters=v1.ComparedClusters(axis=axis, clusters=2), judged=1000, **CHAT
    )
    assert {own.label for own in found} == {TRAIT, OTHER}
    assert all(own.judged.holds and own.more_in_a for own in found)
    assert len(summary.comparisons) == 2


def test_bad_requests_name_what_is_accepted(api, chat):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, saying="sets, clusters or pairs"):
        hypothesise(chat)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="sets.a"):
        hypothesise(chat, sets=v1.ComparedSets())
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="no encoder"):
        hypothesise(chat, sets=SIDES)
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="0 documents"):
        hypothesise(chat, sets=v1.ComparedSets(a=named('side = "c"')), **CHAT)
    both = v1.ComparedSets(a=named('side = "a"'), b=named('side = "a" or side = "b"'))
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="sets.overlap"):
        hypothesise(chat, sets=both, **CHAT)
    for place in ("a", "b"):
        sets = v1.ComparedSets(a=named('side = "a"'), b=named('side = "b"'))
        getattr(sets, place).filter.CopyFrom(wire.expr("latent(99)"))
        with refused(grpc.StatusCode.INVALID_ARGUMENT, saying=f"sets.{place}"):
            hypothesise(chat, sets=sets, **CHAT)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="confirm"):
        hypothesise(chat, sets=SIDES, confirm=0.95, **CHAT)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="judged"):
        hypothesise(chat, sets=SIDES, judged=10_001, **CHAT)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="latents"):
        hypothesise(chat, sets=SIDES, latents=201, **CHAT)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, saying="judge_encoder"):
        hypothesise(chat, sets=SIDES, judge_encoder=MODEL, **CHAT)
    api.create("without", n_latents=6)
    api.upsert("without", documents())
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="--chat-url"):
        hypothesise(api, "without", sets=SIDES, **CHAT)


def test_a_side_without_texts_that_can_be_judged_is_said(chat):
    set_label(chat, 0, TRAIT)
    held = [own for own in documents() if own.attributes["side"].string == "b" and is_held_back(own.id)]
    for own in held:
        own.ClearField("text")
    chat.upsert("c", held)
    summary, found = hypothesise(chat, sets=SIDES, latents=1, **CHAT)
    assert found == [] and "held back" in summary.left_out[0].why


def test_a_sentence_that_claims_something_else_is_not_taken(chat, endpoint):
    def behave(_, body):
        if body["messages"][1]["content"].startswith("The first set: "):
            return 200, message("Texts of right speak of it more often than those of left.")
        return None

    endpoint.behave = behave
    set_label(chat, 0, TRAIT)
    summary, found = hypothesise(chat, sets=SIDES, latents=1, **CHAT)
    assert found[0].sentence == f'left: more often "{TRAIT}" than right'
    assert 0 < summary.naming_tokens < summary.tokens


@pytest.mark.parametrize("collection", [pytest.param("costs", marks=NEEDS_MINILM)])
def test_costs_are_those_of_the_calls(chat, endpoint, collection):
    chat.create(collection, encoder=MODEL, n_latents=6)
    chat.upsert(collection, documents())
    command = [
        *("eval", "costs", "--collection", collection, "--a", 'side = "a"', "--b", 'side = "b"'),
        *("--property", TRAIT, "--relevant", f'text("{TRAIT}")', "--latents", "1", "--read", "20"),
        *("--judged-documents", "10", "--chat-url", endpoint.url, "--chat-model", "tiny", "--json"),
    ]
    done = subprocess.run(
        [BINARY, *command],
        capture_output=True,
        env=os.environ | {"LATENTDB_SERVER": chat.address},
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    diff, property_ = found["diff"], found["property"]
    users = [body["messages"][1]["content"] for _, _, body in endpoint.requests]
    # 10 documents of each side are judged; all else that the server asked is naming.
    assert diff["hypotheses"] == 1 and diff["by_latents"]["judging"]["tokens"] == 100 * 20
    by_reading = diff["by_reading"]["tokens"] - 100 * 20
    # Two batches of ten, each for A and for B.
    assert by_reading == 100 * 4 and diff["documents_read"] == 40 and diff["documents"] == DOCUMENTS
    assert diff["by_reading_all"]["tokens"] == 100 * 20 + by_reading * DOCUMENTS // 40
    assert property_["by_latents"]["tokens"] == 0 and property_["by_reading"]["tokens"] == 100 * 20
    assert property_["average_precision_by_reading"] == 1
    total = diff["by_latents"]["naming"]["tokens"] + 100 * 20 + by_reading + 100 * 20
    assert total == 100 * len(users)


@pytest.mark.parametrize("collection", [pytest.param("similar", marks=NEEDS_MINILM)])
def test_without_an_endpoint_keyphrases_and_similarity_do_it(api, collection, cli):  # noqa: F811
    api.create(collection, encoder=MODEL, n_latents=6)
    api.upsert(collection, documents())
    sets = ["--a", 'side = "a"', "--b", 'side = "b"', "--a-name", "left"]
    page = cli("hypothesise", collection, *sets)
    own = page["hypotheses"][0]
    assert own["latent"] == 0 and TRAIT in own["label"] and own["judged"]["holds"]
    assert own["sentence"] == f'left: more often "{own["label"]}" than B'
    assert page["judge"] == "similarity" and int(page["tokens"]) == 0
