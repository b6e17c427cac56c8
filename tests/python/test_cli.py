"""The forms of the command line that scripts rely on, and the JSON they answer with."""

import gzip
import itertools
import json
import os
import re
import signal
import subprocess
import threading
import time

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import test_sae
import wire
from harness import BINARY, PATIENCE
from models import NEEDS_MINILM, TOPICS

RECORDS = 300


@pytest.fixture
def cli(server):
    """Runs a command against the server; gives its JSON, or with `code` its standard error."""

    def run(*arguments, code: int = 0, stdin: bytes | None = None, plain: bool = False):
        command = [str(BINARY), *map(str, arguments)]
        if code == 0 and not plain:
            command.append("--json")
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            timeout=PATIENCE,
            env=os.environ | {"LATENTDB_SERVER": server.api.address},
        )
        assert done.returncode == code, (command, done.stdout, done.stderr)
        if code != 0:
            assert done.stdout == b"" or command[1] in ("get", "ingest")
            return done.stderr.decode()
        return done.stdout.decode() if plain else json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Records as JSON Lines, and their vectors."""
    folder = tmp_path_factory.mktemp("cli")
    vectors = test_sae.concept_vectors(RECORDS, seed=30)
    save_file({"embeddings": vectors}, folder / "vectors.safetensors")
    lines = [
        json.dumps(
            {
                "key": f"r{at:03}",
                "title": f"Title {at}",
                "abstract": f"about number {at % 7}",
                "year": 2000 + at % 10,
                "score": at / 4,
                "tags": ["even" if at % 2 == 0 else "odd", "all"],
                "date": "2025-03-01",
                "unused": None,
            }
        )
        for at in range(RECORDS)
    ]
    (folder / "records.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "records.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return folder


@pytest.fixture(scope="module")
def vectors(files) -> np.ndarray:
    return load_file(files / "vectors.safetensors")["embeddings"]


def ingest_arguments(name, file, files):
    return (
        *("ingest", name, file, "--id", "key", "--text", "{title}. {abstract}"),
        *("--attribute", "year", "--attribute", "score", "--attribute", "tags"),
        *("--attribute", "date:timestamp", "--vectors", files / "vectors.safetensors"),
    )


def test_the_forms_of_the_issue_from_end_to_end(cli, files, vectors, name, tmp_path):
    made = cli("collection", "create", name, "--encoder", "none", "--dim", 16)
    assert (made["name"], made["dimension"], made["documents"]) == (name, 16, 0)
    wrote = cli(*ingest_arguments(name, files / "records.jsonl", files))
    assert wrote["documents"] == RECORDS
    assert cli("count", name) == {"count": RECORDS, "warnings": []}
    assert cli("count", name, "--filter", 'year = 2003 and tags = "odd"') == {"count": 30, "warnings": []}
    text = cli("search", name, "--filter", "latent(1)", code=1)
    assert "latentdb sae train" in text and "latentdb collection attach" in text

    sae = tmp_path / "sae"
    trained = cli(
        *("sae", "train", "--vectors", files / "vectors.safetensors"),
        *("--n", 32, "--k", 4, "--epochs", 5, "--out", sae),
    )
    assert trained["sae"]["n_latents"] == 32
    cfg = json.loads((sae / "cfg.json").read_text())
    assert (cfg["d_in"], cfg["d_sae"]) == (16, 32)
    weights = load_file(sae / "sae_weights.safetensors")
    assert {name: array.shape for name, array in weights.items()} == {
        "W_enc": (16, 32),
        "b_enc": (32,),
        "W_dec": (32, 16),
        "b_dec": (16,),
    }
    # The layout means what SAELens means by it: encode a row by its formula.
    pre = (vectors[0] - weights["b_dec"] * cfg["apply_b_dec_to_input"]) @ weights["W_enc"]
    pre += weights["b_enc"]
    kept = {int(at): float(pre[at]) for at in np.argsort(-pre)[:4] if pre[at] > 0}

    attached = cli("collection", "attach", name, "--sae", sae)
    assert attached["n_latents"] == 32 and attached["sae"]["sha256"] == trained["sae"]["sha256"]
    (document,) = cli("get", name, "r000")["documents"]
    stored = {entry["latent"]: entry["activation"] for entry in document["latents"]["values"]}
    assert stored == pytest.approx(kept, rel=2e-3, abs=1e-5)
    assert document["text"] == "Title 0. about number 0"
    assert document["attributes"]["year"] == 2000
    assert document["attributes"]["score"] == 0.0
    assert document["attributes"]["tags"] == ["even", "all"]
    assert document["attributes"]["date"] == "2025-03-01T00:00:00Z"
    assert "unused" not in document["attributes"]

    latent, other = list(stored)[:2]
    found = cli(
        *("search", name, "--latent", f"{latent}=1.5", "--latent", f"{other}=-0.5"),
        *("--filter", "year < 2005", "--limit", 5),
    )
    assert 0 < len(found["hits"]) <= 5
    for hit in found["hits"]:
        assert hit["document"]["attributes"]["year"] < 2005
        assert set(hit) == {"document", "score", "components", "latents", "highlights"}
        assert all(isinstance(part["score"], float | int) for part in hit["components"])
        total = sum(entry["contribution"] for entry in hit["latents"])
        assert hit["score"] == pytest.approx(total, rel=1e-3, abs=1e-4)
        for entry in hit["latents"]:
            assert set(entry) >= {"latent", "activation", "contribution"}
    assert cli("count", name, "--filter", f"latent({latent})")["count"] >= 1

    like = cli("search", name, "--like", "r007", "--steer", f"{latent}=+0.8", "--limit", 3)
    (report,) = like["steering"]
    assert report["cosine"] < 1 and report["before"] and report["after"]
    plain = cli("search", name, "--like", "r007", "--limit", 3)
    assert plain["hits"][0]["document"]["id"] == "r007" and plain["steering"] == []


def test_training_on_a_collection_in_the_server(cli, files, name, tmp_path):
    cli("collection", "create", name, "--encoder", "none", "--dim", 16)
    cli(*ingest_arguments(name, files / "records.jsonl.gz", files))
    arguments = ("--n", 24, "--k", 3, "--epochs", 2, "--out", tmp_path / "sae")
    trained = cli("sae", "train", "--collection", name, *arguments)
    assert trained["sae"]["n_latents"] == 24
    assert cli("sae", "info", tmp_path / "sae")["sha256"] == trained["sae"]["sha256"]
    quality = cli("sae", "eval", tmp_path / "sae", "--collection", name)["quality"]
    here = cli("sae", "eval", tmp_path / "sae", "--vectors", files / "vectors.safetensors")
    assert here["quality"]["fvu"] == pytest.approx(quality["fvu"], rel=1e-4)


def test_reading_and_deleting(cli, files, name):
    cli("collection", "create", name, "--encoder", "none", "--dim", 16)
    cli(*ingest_arguments(name, files / "records.jsonl", files))
    # A page, its token, and the next.
    page = cli("search", name, "--filter", "year = 2001", "--limit", 20)
    rest = cli("search", name, "--page-token", page["next_page_token"])
    ids = [hit["document"]["id"] for hit in page["hits"] + rest["hits"]]
    assert len(ids) == 30 == len(set(ids)) and rest["next_page_token"] == ""
    (facet,) = cli("facet", name, "--by", "tags")["facets"]
    assert {entry["value"]: entry["count"] for entry in facet["values"]} == {
        "all": RECORDS,
        "even": RECORDS // 2,
        "odd": RECORDS // 2,
    }
    words = cli("search", name, "--text-query", "number", "--explain", "--limit", 3)
    assert words["explanation"]["plan"]["access"] == "bm25"
    assert [d["id"] for d in cli("get", name, "r001")["documents"]] == ["r001"]
    assert f'{name} has no document "none"' in cli("get", name, "r001", "none", code=1)
    assert cli("delete", name, "r001", "none")["deleted"] == 1
    assert cli("delete", name, "--filter", "year = 2002")["deleted"] == 30
    assert cli("count", name) == {"count": RECORDS - 31, "warnings": []}
    listed = cli("collection", "list")["collections"]
    assert name in [entry["name"] for entry in listed]
    cli("collection", "save-set", name, "s", "--filter", "year > 2004")
    assert cli("count", name, "--filter", 'set("s")')["count"] == RECORDS // 2
    assert cli("collection", "drop", name) == {}
    assert "does not exist" in cli("count", name, code=1)


def test_facets_and_statistics(cli, files, name):
    cli("collection", "create", name, "--encoder", "none", "--dim", 16)
    cli(*ingest_arguments(name, files / "records.jsonl", files))
    by_year, scores = cli(
        *("facet", name, "--by", "year:5", "--by", "score:q3", "--then", "tags"),
        *("--then-limit", 1),
    )["facets"]
    assert [(entry["lower"], entry["upper"]) for entry in by_year["buckets"]] == [
        (2000, 2005),
        (2005, 2010),
    ]
    assert {entry["then"]["values"][0]["value"] for entry in by_year["buckets"]} == {"all"}
    assert [entry["count"] for entry in scores["buckets"]] == [100, 100, 100]
    (told,) = cli("stats", name, "--attribute", "score", "--quantile", ".5")["facets"]
    assert told["statistics"]["mean"] == pytest.approx((RECORDS - 1) / 8)
    assert told["statistics"]["quantiles"] == [{"at": 0.5, "value": (RECORDS - 1) / 8}]
    page = cli("stats", name, "--attribute", "year", "--filter", "year >= 2008", plain=True)
    assert page.splitlines()[:2] == ["year", "  values     60 in 60 documents"]
    page = cli("facet", name, "--by", "tags", "--then", "score:stats", plain=True).splitlines()
    assert page[0].split() == "tags documents share mean sd min median max".split()
    assert page[1].split() == "all 300 100.0% 37.375 21.68669 0 37.375 74.75".split()
    page = cli(
        *("search", name, "--filter", "year = 2001", "--limit", 1, "--facet", "tags"), plain=True
    )
    assert page.splitlines()[-1] == "2 values over 30 documents"
    found = cli("search", name, "--filter", "year = 2001", "--facet", "score:stats")
    assert found["facets"][0]["statistics"]["values"] == 30
    error = cli("facet", name, "--by", "tags:month", code=1)
    assert "facets[0].histogram.attribute" in error and "string values" in error
    assert "no way to count" in cli("facet", name, "--by", "tags:minute", code=2)


def test_standard_input_and_a_named_stream(cli, files, name):
    cli("collection", "create", name, "--encoder", "none", "--dim", 16)
    lines = (files / "records.jsonl").read_bytes()
    arguments = (
        *("ingest", name, "-", "--format", "jsonl", "--id", "key", "--no-text"),
        *("--stream-id", "once"),
    )
    first = cli(*arguments, "--batch", 50, stdin=lines)
    assert (first["documents"], first["recognised"]) == (RECORDS, 0)
    again = cli(*arguments, "--batch", 50, stdin=lines)
    assert (again["documents"], again["recognised"]) == (RECORDS, RECORDS)
    assert cli("count", name) == {"count": RECORDS, "warnings": []}


def test_another_input_under_the_same_name_is_another_stream(cli, name, tmp_path):
    cli("collection", "create", name, "--encoder", "none", "--dim", 16)
    file = tmp_path / "records.jsonl"

    def ingest(texts, *flags):
        lines = [json.dumps({"id": str(at), "text": text}) for at, text in enumerate(texts)]
        file.write_text("\n".join(lines))
        return cli("ingest", name, file, "--stream-id", "daily", *flags)

    assert ingest(["one", "two", "three"])["recognised"] == 0
    again = cli("ingest", name, file, "--stream-id", "daily")
    assert again["recognised"] == 3
    # Cut in another way, batches of the same number hold other records.
    assert cli("ingest", name, file, "--stream-id", "daily", "--batch", 1)["recognised"] == 0
    assert ingest(["one", "two", "three", "four"])["recognised"] == 0
    assert cli("count", name) == {"count": 4, "warnings": []}


def test_records_without_text_are_not_written_by_mistake(cli, files, name):
    cli("collection", "create", name, "--encoder", "none", "--dim", 16)
    records = files / "records.jsonl"
    message = cli("ingest", name, records, "--id", "key", code=1)
    assert "--text" in message and "--no-text" in message and "abstract" in message
    assert cli("count", name) == {"count": 0, "warnings": []}
    wrote = cli("ingest", name, records, "--id", "key", "--no-text", "--attribute", "year")
    assert wrote["documents"] == RECORDS
    info = cli("collection", "info", name)
    assert info["attributes"] == [{"name": "year", "kinds": ["integer"]}]


def test_labels_keep_to_the_sae_they_are_of(cli, files, name, tmp_path):
    for collection, seed in ((name, 1), (f"{name}-other", 2)):
        cli("collection", "create", collection, "--encoder", "none", "--dim", 16)
        cli(*ingest_arguments(collection, files / "records.jsonl", files))
        sae = tmp_path / f"sae{seed}"
        cli(
            *("sae", "train", "--vectors", files / "vectors.safetensors", "--n", 8, "--k", 2),
            *("--epochs", 1, "--seed", seed, "--out", sae),
        )
        cli("collection", "attach", collection, "--sae", sae)
    given = tmp_path / "given.csv"
    given.write_text("latent,label\n3,fast delivery\n")
    assert cli("latents", "labels", "import", name, given)["written"] == 1
    exported = tmp_path / "labels.jsonl"
    cli("latents", "labels", "export", name, exported)
    message = cli("latents", "labels", "import", f"{name}-other", exported, code=1)
    assert "of the SAE" in message
    assert cli("latents", "labels", "import", name, exported)["written"] == 1
    # What is steered shows them.
    page = cli(
        *("search", name, "--like", "r003", "--steer", "3=+2", "--limit", 1), plain=True
    )
    assert 'after  3 "fast delivery"' in page


def test_training_does_not_write_among_other_files(cli, files, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for out in (tmp_path, tmp_path / "notes.txt"):
        message = cli(
            *("sae", "train", "--vectors", files / "vectors.safetensors", "--out", out), code=1
        )
        assert "or one of an SAE, is accepted" in message
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    message = cli(
        *("sae", "train", "--vectors", files / "vectors.safetensors", "--out", tmp_path / "new"),
        *("--n", 8, "--k", 2, "--learning-rate", "1e30"),
        code=1,
    )
    assert "diverged" in message


def test_what_people_read_has_no_braces(cli, files, name):
    cli("collection", "create", name, "--encoder", "none", "--dim", 16)
    cli(*ingest_arguments(name, files / "records.jsonl", files))
    assert cli("count", name, plain=True).strip() == str(RECORDS)
    page = cli("search", name, "--like", "r003", plain=True)
    assert "r003" in page and "Title 3" in page and "{" not in page


def test_labels_go_out_and_come_in(cli, api, name, tmp_path):
    api.create(name, dimension=2, n_latents=4)
    rows = [wire.document(f"d{at}", text="a late parcel", latents={1: 1.0}) for at in range(8)]
    others = [wire.document(f"o{at}", text=f"number {at}") for at in range(40)]
    api.upsert(name, [*rows, *others, wire.document("e", text="fine", latents={2: 1.0})])
    assert cli("latents", "label", name)["written"] == 1
    records = tmp_path / "in.csv"
    records.write_text("latent,label,source,score\n1,slow post,me,0.1\n2,weather,me,\n")
    assert cli("latents", "labels", "import", name, records)["written"] == 2
    page = cli("latents", "show", name, 1)
    assert [(entry["version"], entry["source"]) for entry in page["labels"]] == [
        (2, "me"),
        (1, "keyphrases"),
    ]
    current = page["summary"]["label"]
    assert current["low_confidence"] and current["text"] == "slow post"
    shown = cli("latents", "show", name, 1, plain=True)
    assert '"slow post?"' in shown and "by keyphrases" in shown
    assert cli("latents", "find", name, "post", "--words")["labels"][0]["latent"] == 1
    for ending in ["jsonl", "csv"]:
        out = tmp_path / f"out.{ending}"
        exported = cli("latents", "labels", "export", name, out, "--all-versions")
        assert exported == {"exported": 3}
        other = f"{name}-{ending}"
        api.create(other, dimension=2, n_latents=4)
        api.upsert(other, rows)
        assert cli("latents", "label", other, "--file", out)["written"] == 3
        both = [cli("latents", "show", which, 1)["labels"] for which in (name, other)]
        assert both[0] == both[1]
    printed = cli("latents", "labels", "export", name, plain=True).splitlines()
    assert [json.loads(line)["latent"] for line in printed] == [1, 2]
    used = cli("latents", "labels", "use", name, 1, 1)
    assert used["source"] == "keyphrases" and used["version"] == 1
    text = cli("latents", "score", name, code=1)
    assert "encoder" in text


@pytest.mark.parametrize(
    ("arguments", "code", "saying"),
    [
        (["count", "nothing-here"], 1, "does not exist"),
        (["search", "c"], 2, "nothing to search for"),
        (["search", "c", "--latent", "x=1"], 2, "not the number of a latent"),
        (["count", "c", "--server", "127.0.0.1:1"], 1, "latentdb serve"),
        (["ingest", "c", "/nowhere/file.jsonl"], 1, ""),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_errors_go_to_standard_error_with_an_exit_code(cli, arguments, code, saying):
    assert saying in cli(*arguments, code=code)


def test_a_filter_error_shows_its_column(cli, name):
    cli("collection", "create", name, "--encoder", "none", "--dim", 2)
    text = cli("count", name, "--filter", "n = ;", code=1)
    assert "column 5" in text and "filter.expression" in text


def test_ctrl_c_stops_an_ingest_cleanly(server, name, cli):
    cli("collection", "create", name, "--encoder", "none", "--dim", 2)
    process = subprocess.Popen(
        [str(BINARY), "ingest", name, "-", "--format", "jsonl", "--batch", "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"LATENTDB_SERVER": server.api.address},
    )

    def feed():
        try:
            for at in itertools.count():
                process.stdin.write(json.dumps({"id": str(at), "text": "x" * 50}).encode() + b"\n")
        except OSError:
            # Nobody reads any more.
            pass

    feeder = threading.Thread(target=feed)
    feeder.start()
    until = time.monotonic() + PATIENCE
    while cli("count", name)["count"] == 0 and time.monotonic() < until:
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGINT)
    code = process.wait(timeout=PATIENCE)
    feeder.join()
    assert code == 130, process.stderr.read()
    # What it says is written is written.
    said = process.stderr.read().decode()
    process.stdout.close()
    process.stderr.close()
    written = int(re.search(r"([\d,]+) documents are written", said)[1].replace(",", ""))
    assert 0 < written == cli("count", name)["count"], said


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_are_printed(cli, shell):
    assert "latentdb" in cli("completions", shell, plain=True)


class TestText:
    """With the real encoder."""

    pytestmark = NEEDS_MINILM

    def test_encode_ingest_and_search_by_text(self, cli, name, tmp_path):
        lines = [
            {"id": f"{topic}-{at}", "body": text, "topic": topic}
            for topic, texts in TOPICS.items()
            for at, text in enumerate(texts)
        ]
        file = tmp_path / "topics.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        out = tmp_path / "topics.safetensors"
        encoded = cli("encode", file, "--text", "{body}", "--out", out)
        assert encoded["rows"] == len(lines)
        tensor = load_file(out)["embeddings"]
        assert tensor.shape == (len(lines), 384) and tensor.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(tensor, axis=1), 1.0, atol=1e-5)

        # Text in the server, or the same vectors from the file: the same hits.
        cli("collection", "create", name, "--encoder", "all-MiniLM-L6-v2")
        cli("ingest", name, file, "--text", "{body}", "--attribute", "topic")
        ready = f"{name}-ready"
        cli("collection", "create", ready)
        cli(
            *("ingest", ready, file, "--text", "{body}", "--attribute", "topic"),
            *("--vectors", out),
        )
        answers = [
            cli("search", which, "planets and stars", "--limit", 5) for which in (name, ready)
        ]
        for answer in answers:
            topics = [hit["document"]["attributes"]["topic"] for hit in answer["hits"]]
            assert topics.count("space") >= 4
        first, second = (
            [hit["document"]["id"] for hit in answer["hits"]] for answer in answers
        )
        assert first == second
        hybrid = cli("search", name, "comet", "--hybrid", "--limit", 3)
        assert hybrid["hits"][0]["document"]["id"] == "space-2"
        assert len(hybrid["hits"][0]["components"]) == 2
        others = cli("search", name, "planets", "--except", "rockets", "--except-top", 6)
        assert not any(hit["document"]["id"] == "space-5" for hit in others["hits"])


def test_health_is_that_of_the_server_or_of_a_collection(api, cli, name):
    api.create(name, dimension=8)
    assert cli("health")["status"] == "SERVING"
    assert cli("health", "--collection", name)["status"] == "SERVING"
    assert "collection" in cli("health", "--collection", f"{name}-no", code=1)
