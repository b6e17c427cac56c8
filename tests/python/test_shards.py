"""Encode workers: shards of a file, one killed and started again, ingested as one collection."""

import json
import os
import signal
import subprocess
import time

import pytest

import wire
from harness import BINARY, PATIENCE
from models import MODEL, NEEDS_MINILM, TOPICS
from stubs import v1

pytestmark = NEEDS_MINILM

CHUNK = 512
# Five chunks, the last of them small.
RECORDS = 4 * CHUNK + 60
F16 = 2**-10
EVERYTHING = v1.Projection(text=True, attributes=True, vector=True, latents=True)


def command(*arguments) -> list[str]:
    return [str(BINARY), *map(str, arguments)]


def run(*arguments, server: str = "", code: int = 0):
    done = subprocess.run(
        command(*arguments, *(["--json"] if code == 0 else [])),
        capture_output=True,
        timeout=PATIENCE,
        env=os.environ | {"LATENTDB_SERVER": server},
    )
    assert done.returncode == code, (arguments, done.stderr)
    return json.loads(done.stdout) if code == 0 else done.stderr.decode()


class Corpus:
    """A file of records, and an SAE of their vectors."""

    def __init__(self, folder):
        texts = [(topic, text) for topic, texts in TOPICS.items() for text in texts]
        lines = []
        for at in range(RECORDS):
            topic, text = texts[at % len(texts)]
            # Fields that are nothing to the encoder come along; there is no id.
            lines.append({"body": text, "n": at, "share": at / 7, "topic": topic, "no": None})
        self.file = folder / "records.jsonl"
        self.file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        few = folder / "few.jsonl"
        few.write_text("".join(json.dumps(line) + "\n" for line in lines[: len(texts)]))
        self.vectors = folder / "few.safetensors"
        self.few = few
        run("encode", few, "--text", "{body} {n}", "--out", self.vectors)
        self.saes = [folder / "sae", folder / "other"]
        for seed, sae in enumerate(self.saes):
            run(
                *("sae", "train", "--vectors", self.vectors, "--out", sae, "--seed", seed),
                *("--n", 32, "--k", 4, "--epochs", 60),
            )

    def shard(self, index: int, count: int, out, *flags) -> list[str]:
        return command(
            *("encode", self.file, "--text", "{body} {n}", "--sae", self.saes[0]),
            *("--shard", f"{index}/{count}", "--out", out, "--json", *flags),
        )

    def run_shard(self, index: int, count: int, out, *flags) -> dict:
        arguments = self.shard(index, count, out, *flags)
        done = subprocess.run(arguments, capture_output=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def corpus_of_shards(tmp_path_factory) -> Corpus:
    return Corpus(tmp_path_factory.mktemp("shards"))


def rows(api, name: str) -> dict:
    return {document.id: document for document in api.scroll(name, projection=EVERYTHING)}


def test_shards_make_the_collection_of_a_plain_ingest(server, name, corpus_of_shards, tmp_path):
    corpus, api, address = corpus_of_shards, server.api, server.api.address
    out = tmp_path / "parts"
    # A worker that is killed behind its first part.
    killed = subprocess.Popen(corpus.shard(0, 3, out), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + PATIENCE
    while not (out / "part-00000000.parquet").exists() and killed.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    first = run("collection", "create", name, "--encoder", MODEL, "--sae", corpus.saes[0], server=address)
    assert first["encoder"]["precision"] == "f32"
    flags = ["--attribute", "topic", "--attribute", "n", "--attribute", "share"]
    refused = run("ingest", name, out, *flags, server=address, code=1)
    assert "lacks" in refused and "1, 2" in refused
    made = corpus.run_shard(1, 3, out)
    assert (made["parts"], made["resumed_parts"], made["records"]) == (2, 0, CHUNK + 60)
    made = corpus.run_shard(2, 3, out)
    assert (made["parts"], made["records"]) == (1, CHUNK)
    made = corpus.run_shard(0, 3, out)
    assert made["parts"] + made["resumed_parts"] == 2 and made["resumed_parts"] >= 1
    assert made["parts_of_all_shards"] == 5 and made["records_of_all_shards"] == RECORDS
    # Nothing is left to do, in whatever shards.
    assert corpus.run_shard(0, 1, out)["resumed_parts"] == 5

    ready = f"{name}-parts"
    run("collection", "create", ready, "--encoder", MODEL, "--sae", corpus.saes[0], server=address)
    assert run("ingest", ready, out, *flags, server=address)["documents"] == RECORDS
    run("ingest", name, corpus.file, "--text", "{body} {n}", *flags, server=address)
    plain, parts = rows(api, name), rows(api, ready)
    assert plain.keys() == parts.keys() == {str(at) for at in range(RECORDS)}
    for key, document in plain.items():
        other = parts[key]
        assert other.text == document.text == f"{TEXTS[int(key) % len(TEXTS)]} {key}"
        assert other.attributes == document.attributes and len(document.attributes) == 3
        assert list(other.vector.values) == pytest.approx(list(document.vector.values), abs=1e-5)
        expected = wire.row(document)
        assert wire.row(other).keys() == expected.keys()
        for latent, activation in wire.row(other).items():
            assert activation == pytest.approx(expected[latent], rel=2 * F16)


TEXTS = [text for texts in TOPICS.values() for text in texts]


def test_parts_of_other_models_and_texts_are_refused(server, name, corpus_of_shards, tmp_path):
    corpus, address = corpus_of_shards, server.api.address
    out = tmp_path / "parts"
    corpus.run_shard(0, 1, out)
    run("collection", "create", name, "--encoder", MODEL, "--sae", corpus.saes[1], server=address)
    refused = run("ingest", name, out, server=address, code=1)
    assert "made with the SAE" in refused
    refused = run("ingest", name, out, "--text", "{topic}", server=address, code=1)
    assert "{body} {n}" in refused
    # Another run does not mix with the parts that are there.
    arguments = corpus.shard(0, 1, out, "--precision", "bf16")
    done = subprocess.run(arguments, capture_output=True, timeout=PATIENCE)
    assert done.returncode == 1 and b"another run" in done.stderr
    # Vectors of a file say what made them too.
    mean = f"{name}-vectors"
    run("collection", "create", mean, "--encoder", MODEL, "--precision", "bf16", server=address)
    info = server.api.info(mean)
    assert info.encoder.precision == "bf16"
    flags = ["--vectors", corpus.vectors, "--text", "{body} {n}"]
    run("ingest", mean, corpus.few, *flags, server=address)
    hits = run("search", mean, "planets and stars", "--limit", 1, server=address)["hits"]
    assert TEXTS.index(hits[0]["document"]["text"].rsplit(" ", 1)[0]) < 6
