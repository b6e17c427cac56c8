"""Properties, steering by text, and their evaluation, with the real encoder through the commands."""

import itertools
import json

import pytest

from chat_endpoint import Endpoint, message
from models import MODEL, NEEDS_MINILM, TOPICS
from test_cli import cli  # noqa: F401 (a fixture)

pytestmark = NEEDS_MINILM

PROPERTIES = {
    "space": "stars, planets and rockets",
    "cooking": "preparing food",
    "football": "a football match",
    "medicine": "health care and disease",
    "music": "people who play instruments",
}


@pytest.fixture
def topics(cli, name, tmp_path):  # noqa: F811
    """A collection of the topics' texts with an SAE, each latent with a label."""
    lines = [
        {"id": f"{topic}-{at}", "body": " ".join(pair), "source": topic}
        for topic, texts in TOPICS.items()
        for at, pair in enumerate(itertools.permutations(texts, 2))
    ]
    file = tmp_path / "topics.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    cli("collection", "create", name, "--encoder", MODEL)
    cli("ingest", name, file, "--text", "{body}", "--attribute", "source")
    sae = tmp_path / "sae"
    cli(
        *("sae", "train", "--collection", name, "--n", 24, "--k", 4),
        *("--epochs", 200, "--out", sae),
    )
    cli("collection", "attach", name, "--sae", sae)
    listed = cli("latents", "list", name, "--limit", 100)["latents"]
    labels = tmp_path / "labels.jsonl"
    with labels.open("w") as out:
        for entry in listed:
            shown = cli("latents", "show", name, entry["latent"], "--documents", 1)
            strongest = shown["documents"]
            text = strongest[0]["document"]["text"] if strongest else "nothing"
            words = " ".join(text.split()[:6])
            out.write(json.dumps({"latent": entry["latent"], "label": words}) + "\n")
    cli("latents", "label", name, "--file", labels)
    return name


def ids(answer) -> list[str]:
    return [hit["document"]["id"] for hit in answer["hits"]]


def share(answer, topic: str) -> float:
    found = ids(answer)
    return sum(key.startswith(topic) for key in found) / len(found)


def test_a_property_is_a_query_that_can_be_read_and_sent_again(cli, topics):  # noqa: F811
    for select in ("centroids", "labels", "both"):
        shares = []
        for topic, text in PROPERTIES.items():
            answer = cli(
                *("search", topics, "--property", text, "--select", select),
                *("--candidates", 5, "--limit", 5),
            )
            shares.append(share(answer, topic))
        assert sum(shares) / len(shares) > 0.5, (select, shares)
    answer = cli("search", topics, "--property", "preparing food", "--candidates", 5)
    (chosen,) = answer["properties"]
    assert [entry["rank"] for entry in chosen["latents"]] == [1, 2, 3, 4, 5]
    assert all(entry["label"] for entry in chosen["latents"])
    sent = chosen["query"]["latents"]
    assert sent["scale"] == "ACTIVATION_SCALE_P90"
    weights = [
        part
        for entry in sent["weights"]
        for part in ("--latent", f"{entry['latent']}={entry['weight']}")
    ]
    assert ids(cli("search", topics, *weights, "--p90")) == ids(answer)


def test_every_document_is_scored_on_every_part_of_a_hybrid(cli, topics):  # noqa: F811
    answer = cli(
        *("search", topics, "a football match", "--property", "a football match"),
        *("--fusion", "standard", "--weights", "1,0.5", "--limit", 150),
    )
    assert len(answer["hits"]) == 150
    for hit in answer["hits"]:
        assert {part["name"] for part in hit["components"]} == {"nearest", "property"}
    assert all(key.startswith("football") for key in ids(answer)[:3])


def test_centroids_follow_the_documents(cli, topics):  # noqa: F811
    before = cli("search", topics, "--property", PROPERTIES["music"], "--limit", 5)
    assert share(before, "music") > 0.5
    cli("delete", topics, "--filter", 'source = "music"')
    after = cli("search", topics, "--property", PROPERTIES["music"], "--limit", 5)
    assert share(after, "music") == 0


def test_a_concept_in_words_turns_results(cli, topics):  # noqa: F811
    steered = cli(
        *("steer", topics, "The telescope took a picture.", "--boost", "health care=2"),
        *("--sweep", "0,0.2,1", "--limit", 5),
    )
    steps = steered["steps"]
    assert steps[0]["overlap"] == 1 and steps[0]["relevance_kept"] == 1
    assert steps[-1]["target_share"] >= steps[0]["target_share"]
    assert steps[-1]["relevance_kept"] < 1
    assert steps[-1]["steering"]["cosine"] == 1
    moved = cli(
        *("steer", topics, "The telescope took a picture.", "--steer", "health care=+0.5"),
    )["steering"]
    assert moved["cosine"] < 1 and len(moved["applied"]) == 3
    assert sum(edit["add"] for edit in moved["applied"]) == pytest.approx(0.5, abs=1e-5)


def test_property_retrieval_is_measured(cli, topics, tmp_path):  # noqa: F811
    file = tmp_path / "properties.json"
    described = [
        {"text": text, "relevant": f'source = "{topic}"'} for topic, text in PROPERTIES.items()
    ]
    wrong = [{"text": "x", "relevant": "source ="}]
    file.write_text(json.dumps({"topics": described, "wrong": wrong}))
    measure = ("eval", "property", "--collection", topics, "--properties", file)
    found = cli(
        *(*measure, "--set", "topics"),
        *("--candidates", 5, "--figure", tmp_path / "map.svg"),
    )
    assert 'set "wrong", property 1' in cli(*measure, "--method", "dense", code=1)
    assert '["topics", "wrong"]' in cli(*measure, "--set", "other", code=1)
    methods = found["methods"]
    for method in ("random", "dense", "bm25", "property-centroid", "property-label", "hybrid"):
        assert set(methods[method]) >= {"map", "p50"}
    assert methods["dense"]["map"] > 0.7 > methods["random"]["map"]
    assert methods["property-centroid"]["map"] > methods["random"]["map"] + 0.2
    assert methods["dense"]["rbo_dense"] == pytest.approx(1)
    assert found["documents"] == 150 and len(found["properties"]) == len(PROPERTIES)
    assert (tmp_path / "map.svg").read_text().startswith("<svg")


def test_steering_is_measured(cli, topics, tmp_path):  # noqa: F811
    file = tmp_path / "queries.txt"
    file.write_text("\n".join(texts[0] for texts in TOPICS.values()))
    found = cli(
        *("eval", "steering", "--collection", topics, "--queries", file),
        *("--min-documents", 5, "--max-documents", 60, "--top", 5, "--scored-by-attribute", "source"),
    )
    methods = found["methods"]
    assert set(methods) >= {"boost", "add", "clamp", "append", "mix", "filter"}
    boost = methods["boost"]
    assert [step["strength"] for step in boost] == [0.05, 0.1, 0.15, 0.2, 0.3]
    shares = [step["target_share"] for step in boost]
    assert shares == sorted(shares)
    for step in boost:
        assert set(step) == {
            *("strength", "relevance_kept", "target_share", "target_low", "target_high", "overlap")
        }
        assert 0 <= step["target_low"] <= step["target_share"] <= step["target_high"] <= 1
        assert 0 <= step["overlap"] <= 1
    assert methods["filter"][0]["target_share"] > 0.9 and found["scored_by"] == "the values of source"


def test_judged_queries_and_run_files_agree(cli, topics, tmp_path):  # noqa: F811
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    queries = [{"_id": topic, "text": text} for topic, text in PROPERTIES.items()]
    lines = "".join(json.dumps(query) + "\n" for query in queries)
    (folder / "queries.jsonl").write_text(lines)
    judged = [(topic, f"{topic}-{at}") for topic in PROPERTIES for at in range(30)]
    rows = ["query-id\tcorpus-id\tscore", *(f"{query}\t{key}\t1" for query, key in judged)]
    (folder / "qrels" / "test.tsv").write_text("\n".join(rows))
    qrels = tmp_path / "qrels"
    qrels.write_text("\n".join(f"{query} 0 {key} 1" for query, key in judged))
    # Queries that are documents of the corpus find themselves first; they are left out, as in BEIR.
    twins = [{"id": topic, "body": text, "source": "twin"} for topic, text in PROPERTIES.items()]
    file = tmp_path / "twins.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in twins))
    cli("ingest", topics, file, "--text", "{body}", "--attribute", "source")
    measured = []
    for method in ("dense", "hybrid"):
        found = cli(
            *("eval", "queries", "--collection", topics, "--beir", folder),
            *("--method", method, "--run-out", tmp_path / method),
        )
        assert found["queries"] == len(PROPERTIES)
        measured.append(found["methods"][method])
    assert measured[0]["map"] > 0.7
    ranked = [line.split() for line in (tmp_path / "dense").read_text().splitlines()]
    assert ranked and not any(query == key for query, _, key, *_ in ranked)
    cli("delete", topics, "--filter", 'source = "twin"')
    runs = cli(
        *("eval", "runs", "--qrels", qrels),
        *("--run", tmp_path / "dense", "--run", tmp_path / "hybrid"),
    )
    for run, method in zip(runs["runs"], measured, strict=True):
        assert run["map"] == pytest.approx(method["map"])
        assert run["ndcg10"] == pytest.approx(method["ndcg10"])
    assert runs["runs"][0]["rbo"] == pytest.approx(1)
    assert 0 < runs["runs"][1]["rbo"] < 1


def test_one_latent_up_and_one_down(cli, topics, tmp_path):  # noqa: F811
    # Documents of two topics each: within reach of a query of the one when the other is turned up.
    mixed = [
        {"id": f"{one}-{other}-{at}", "body": f"{first} {second}", "source": one}
        for one, other in itertools.permutations(TOPICS, 2)
        for at, (first, second) in enumerate(zip(TOPICS[one], TOPICS[other], strict=True))
    ]
    file = tmp_path / "mixed.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in mixed))
    cli("ingest", topics, file, "--text", "{body}", "--attribute", "source")
    file = tmp_path / "queries.txt"
    file.write_text("\n".join(text for texts in TOPICS.values() for text in texts))
    endpoint = Endpoint()
    endpoint.behave = lambda number, body: (200, message("1"))
    plots = tmp_path / "plots"
    try:
        found = cli(
            *("eval", "steering", "--collection", topics, "--queries", file),
            *("--min-documents", 5, "--max-documents", 100, "--top", 10, "--judged", 4),
            *("--scored-by-attribute", "source"),
            *("--chat-url", endpoint.url, "--chat-model", "tiny"),
            *("--plot", tmp_path / "shares.svg", "--plots", plots),
        )
    finally:
        endpoint.close()
    turned = found["up_down"]
    assert (turned["judge"], turned["judged"]) == ("chat:tiny", 4)
    assert turned["queries"] == sum(map(len, TOPICS.values()))
    assert set(turned["methods"]) == {"boost", "add", "mix", "append", "rewrite"}
    for method, steps in turned["methods"].items():
        for step in steps:
            assert 0 <= step["up_share"] <= 1 and 0 <= step["down_share"] <= 1
            assert step["cosine"] == pytest.approx(1) if method == "boost" else step["cosine"] < 1
            assert step["up_low"] <= step["up_accuracy"] <= step["up_high"]
            # The first option is right now and then, by chance.
            assert 0 <= step["up_accuracy"] <= 1 and step["unanswered"] == 0
    before, after = turned["unsteered"], turned["methods"]["boost"][-1]
    assert after["up_share"] > before["up_share"]
    assert after["down_share"] < before["down_share"]
    # Two questions for each judged query, method and strength.
    steps = sum(len(steps) for steps in turned["methods"].values())
    users = [body["messages"][1]["content"] for _, _, body in endpoint.requests]
    rewritten = [user for user in users if user.startswith("Query: ")]
    # Each query is rewritten towards a concept, and those of the second pass away from another.
    assert sum("Less about: " in user for user in rewritten) == turned["queries"]
    asked = [user for user in users if not user.startswith("Query: ")]
    assert len(asked) == 2 * 4 * steps
    user = asked[0]
    assert "turned up:\n1. " in user and "\n5. " in user.split("turned up:")[1]
    names = ("up-share", "down-share", "overlap", "up-picked", "down-picked")
    for file in (tmp_path / "shares.svg", *(plots / f"{name}.svg" for name in names)):
        assert file.read_text().startswith("<svg")


def test_labellers_are_compared_on_the_same_latents(cli, topics):  # noqa: F811
    # Labels of a file are there; keyphrases of half of the latents join them.
    listed = cli("latents", "list", topics, "--limit", 100)["latents"]
    half = [entry["latent"] for entry in listed[: len(listed) // 2]]
    flags = [part for latent in half for part in ("--latent", latent)]
    cli("latents", "label", topics, "--replace", *flags)
    scores = cli("latents", "score", topics, "--compare", "--documents", 4)["scores"]
    rows = {row["labeller"]: row for row in cli("latents", "scores", topics)["by_labeller"]}
    assert set(rows) == {"client", "keyphrases"}
    by_labeller = {name: set() for name in rows}
    for entry in scores:
        by_labeller[entry["source"]].add(entry["latent"])
    assert by_labeller["client"] == by_labeller["keyphrases"] <= set(half)
    for name, row in rows.items():
        own = [entry["score"] for entry in scores if entry["source"] == name]
        middle = sorted(score["pearson"] for score in own)
        low, high = middle[(len(own) - 1) // 2], middle[len(own) // 2]
        assert row["pearson"] == pytest.approx((low + high) / 2, abs=1e-6)
        assert row["labels"] == len(own)


def test_an_sae_is_trained_on_queries(cli, topics, tmp_path):  # noqa: F811
    """The retrieval objective: the body's topic stands for a query, as a title would."""
    how = ("sae", "train", "--collection", topics, "--n", 24, "--k", 4, "--epochs", 5)
    ranking = (*how, "--objective", "retrieval")
    trained = {
        name: cli(*flags, "--out", tmp_path / name)["sae"]["sha256"]
        for name, flags in {
            "plain": how,
            "near": ranking,
            "asked": (*ranking, "--query-field", "source"),
            "weak": (*ranking, "--query-field", "source", "--contrast", 0.01),
        }.items()
    }
    assert len(set(trained.values())) == 4
    record = (tmp_path / "asked" / "cfg.json").read_text()
    assert "retrieval" in record and "query_field" in record

    for flags, told in [
        ((*how, "--query-field", "source"), "accepted with"),
        ((*ranking, "--query-field", "sauce"), "no document of collection"),
        ((*ranking, "--contrast=-1"), "contrast"),
        ((*how, "--contrast", 0.1), "accepted with"),
    ]:
        assert told in cli(*flags, "--out", tmp_path / "none", code=1, plain=True), flags


def test_queries_of_files_belong_to_their_rows(cli, tmp_path):  # noqa: F811
    texts = tmp_path / "texts.jsonl"
    lines = [
        {"title": topic, "body": " ".join(pair)}
        for topic, texts_of in TOPICS.items()
        for pair in itertools.permutations(texts_of, 2)
    ]
    texts.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for field in ("title", "body"):
        out = tmp_path / f"{field}.safetensors"
        cli("encode", texts, "--text", f"{{{field}}}", "--out", out, "--model", MODEL)
    how = ("sae", "train", "--vectors", tmp_path / "body.safetensors", "--n", 24, "--k", 4)
    asked = (*how, "--queries", tmp_path / "title.safetensors", "--epochs", 5)
    out = tmp_path / "sae"
    assert cli(*asked, "--objective", "retrieval", "--out", out)["report"]["rows"]
    refused = cli(*asked, "--out", tmp_path / "none", code=1, plain=True)
    assert "retrieval" in refused
    some = (*asked, "--objective", "retrieval", "--rows", "0..20", "--out", tmp_path / "some")
    assert cli(*some)["report"]["rows"] <= 20
