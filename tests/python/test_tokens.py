"""Collections of level token on SmolLM2: states, SAE, pooled latents, positions, and what is refused."""

import json
import os
import pathlib
import subprocess

import grpc
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import wire
from harness import BINARY, PATIENCE, Api, refused
from models import MODEL, NEEDS_MINILM, NEEDS_SMOLLM2, READER, TOPICS
from stubs import v1
from wire import expr, weighted

pytestmark = NEEDS_SMOLLM2

LAYER = 3
WIDTH = 576
N_LATENTS = 64
K = 6
# Stored activations are 16-bit floats; states are the same bits in any batch.
F16 = 2**-10
TEXTS = [text for texts in TOPICS.values() for text in texts]


def run(*arguments, server: str = "") -> dict:
    command = [str(BINARY), *map(str, arguments), "--json"]
    done = subprocess.run(
        command,
        capture_output=True,
        timeout=PATIENCE,
        env=os.environ | {"LATENTDB_SERVER": server},
    )
    assert done.returncode == 0, (command, done.stderr)
    return json.loads(done.stdout)


def states_of(folder: pathlib.Path, name: str, texts, *flags) -> tuple[np.ndarray, dict]:
    """States of the texts' tokens through the command line, and what it says of them."""
    records = folder / f"{name}.jsonl"
    records.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    out = folder / f"{name}.safetensors"
    answer = run(
        *("encode", records, "--text", "{text}", "--out", out),
        *("--reader", READER, "--layer", LAYER, "--tokens", *flags),
    )
    return load_file(out)["embeddings"], answer


class Trained:
    """States of all texts and an SAE that was trained on them."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.states, self.encoded = states_of(folder, "states", TEXTS)
        self.sae = folder / "sae"
        self.report = run(
            *("sae", "train", "--vectors", folder / "states.safetensors", "--out", self.sae),
            *("--n", N_LATENTS, "--k", K, "--epochs", 40, "--seed", 1),
        )
        self.weights = load_file(self.sae / "sae_weights.safetensors")

    def codes(self, states: np.ndarray) -> np.ndarray:
        """x sqrt(d) / |x|, then the k largest of (x - b_dec) W_enc + b_enc."""
        x = states.astype(np.float64)
        x = x * np.sqrt(WIDTH) / np.linalg.norm(x, axis=1, keepdims=True)
        w = {name: tensor.astype(np.float64) for name, tensor in self.weights.items()}
        p = (x - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
        kept = np.argsort(-p, axis=1)[:, :K]
        code = np.zeros_like(p)
        np.put_along_axis(code, kept, np.take_along_axis(p, kept, axis=1), axis=1)
        return np.maximum(code, 0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Trained:
    return Trained(tmp_path_factory.mktemp("tokens"))


def reader(**fields) -> "v1.Reader":
    return v1.Reader(**({"model": READER} | fields))


def create(api: Api, name: str, trained: Trained, **fields):
    return api.create(name, sae=str(trained.sae), reader=reader(**fields))


def documents(texts=TEXTS) -> list:
    return [wire.document(f"d{at:02}", text=text, n=at) for at, text in enumerate(texts)]


def latents(api: Api, name: str, key: str) -> dict[int, float]:
    (document,) = api.get(name, [key], v1.Projection(latents=True))
    return wire.row(document)


def test_states_and_the_sae_carry_what_was_read(trained):
    assert trained.states.shape == (trained.encoded["rows"], WIDTH)
    assert np.isfinite(trained.states).all()
    reading = trained.encoded["reading"]
    assert (reading["level"], reading["layer"], reading["model"]) == ("token", LAYER, READER)
    assert reading["prepend_bos"] and len(reading["weights_sha256"]) == 64
    recorded = trained.report["sae"]["training"]["reading"]
    assert recorded == reading | {"normalisation": "constant_norm_rescale"}
    config = json.loads((trained.sae / "cfg.json").read_text())
    assert config["normalize_activations"] == "constant_norm_rescale"
    assert config["metadata"]["hook_name"] == f"blocks.{LAYER}.hook_resid_post"
    assert config["metadata"]["model_name"] == READER


@pytest.mark.parametrize("pooling", ["max", "sum", "mean", "binary", "count:0.5"])
def test_codes_of_tokens_are_pooled_as_the_formula_says(api, name, trained, tmp_path, pooling):
    create(api, name, trained, pooling=pooling, positions=True)
    chosen = [TEXTS[0], TEXTS[7] + " " + TEXTS[13], "Ünïcödé 😀 façade, twice: façade"]
    api.upsert(name, documents(chosen))
    for at, text in enumerate(chosen):
        states, _ = states_of(tmp_path, f"one{at}", [text])
        codes = trained.codes(states)
        expected = {
            "max": codes.max(axis=0),
            "sum": codes.sum(axis=0),
            "mean": codes.mean(axis=0),
            "binary": (codes > 0).any(axis=0).astype(float),
            "count:0.5": (codes > 0.5).sum(axis=0).astype(float),
        }[pooling]
        found = latents(api, name, f"d{at:02}")
        assert found.keys() == set(np.flatnonzero(expected))
        for latent, activation in found.items():
            assert activation == pytest.approx(expected[latent], rel=2 * F16)
        # Positions name the token on which the latent is strongest.
        for latent in found:
            hits = api.search(name, weighted({latent: 1}), latents_per_hit=100).hits
            (hit,) = [hit for hit in hits if hit.document.id == f"d{at:02}"]
            (part,) = [part for part in hit.latents if part.latent == latent]
            assert part.span.token == codes[:, latent].argmax()
            assert 0 <= part.span.start < part.span.end <= len(text)
            piece = text[part.span.start : part.span.end]
            assert piece == piece.strip()


def test_queries_filters_and_counts_work_on_pooled_latents(api, name, trained):
    info = create(api, name, trained, positions=True)
    assert (info.dimension, info.n_latents) == (0, N_LATENTS)
    assert (info.reader.layer, info.reader.width, info.reader.pooling) == (LAYER, WIDTH, "max")
    assert (info.reader.prepend_bos, info.reader.chat_template) == (True, "none")
    assert info.reader.normalisation == "constant_norm_rescale" and info.reader.positions
    api.upsert(name, documents())
    rows = {f"d{at:02}": latents(api, name, f"d{at:02}") for at in range(len(TEXTS))}
    assert all(len(row) > K for row in rows.values())
    common = max(range(N_LATENTS), key=lambda at: sum(at in row for row in rows.values()))
    for latent in {common, *list(rows["d00"])[:5]}:
        active = {key for key, row in rows.items() if latent in row}
        assert api.count(name, expr(f"latent({latent})")) == len(active)
        hits = api.search(name, weighted({latent: 2}), limit=100).hits
        assert {hit.document.id for hit in hits} == active
        for hit in hits:
            assert hit.score == pytest.approx(2 * rows[hit.document.id][latent], rel=1e-5)
    page = api.latents.GetLatent(v1.GetLatentRequest(collection=name, latent=common, documents=3))
    for entry in page.documents:
        assert entry.HasField("span")
        assert entry.document.text[entry.span.start : entry.span.end].strip()
    # Without positions nothing is marked.
    bare = f"{name}-bare"
    create(api, bare, trained)
    api.upsert(bare, documents(TEXTS[:2]))
    hits = api.search(bare, weighted({latent: 1 for latent in rows["d00"]}), latents_per_hit=5).hits
    assert not any(part.HasField("span") for hit in hits for part in hit.latents)
    assert latents(api, bare, "d00") == rows["d00"]


def test_a_new_text_has_new_latents_and_brought_latents_stay(api, name, trained):
    create(api, name, trained, positions=True)
    api.upsert(name, documents(TEXTS[:3]))
    before, other = latents(api, name, "d00"), latents(api, name, "d01")
    update = v1.DocumentUpdate(id="d00", text=TEXTS[1])
    api.documents.Update(v1.UpdateRequest(collection=name, updates=[update]))
    assert latents(api, name, "d00") == other != before
    api.upsert(name, [wire.document("own", text=TEXTS[0], latents={3: 0.5})])
    assert latents(api, name, "own") == {3: 0.5}
    api.upsert(name, [wire.document("mute", n=1), wire.document("empty", text="")])
    assert latents(api, name, "mute") == latents(api, name, "empty") == {}


def attach(api: Api, collection: str, folder: pathlib.Path, **fields):
    """The collection with the SAE of a folder attached."""
    request = v1.AttachSaeRequest(collection=collection, sae=str(folder), **fields)
    return list(api.collections.AttachSae(request))[-1].collection


@pytest.mark.parametrize("marks", [pytest.param(None, marks=NEEDS_MINILM)])
def test_an_sae_of_tokens_stands_with_one_of_vectors(marks, own_server, name, trained, tmp_path):
    api = own_server.api
    corpus = f"{name}-corpus"
    for target in (name, corpus):
        api.create(target, encoder=MODEL)
    api.upsert(name, documents()[:20])
    pairs = [f"{one} {other}" for one in TEXTS[:11] for other in TEXTS[:11]]
    api.upsert(corpus, documents(pairs))
    pooled = run(
        *("sae", "train", "--collection", corpus, "--out", tmp_path / "pooled"),
        *("--n", 16, "--k", 2, "--epochs", 5),
        server=api.address,
    )
    attach(api, name, tmp_path / "pooled", gate=v1.FitGate(warn=True))
    info = attach(api, name, trained.sae, name="words", reader=reader(positions=True))
    first, words = info.saes
    assert (first.name, words.name) == ("", "words")
    assert first.sae.sha256 == pooled["sae"]["sha256"] and not first.HasField("reader")
    assert words.reader.layer == LAYER and words.reader.positions
    assert min(words.latents_bytes, words.weights_bytes, first.weights_bytes) > 0

    # As in a collection of level token: stored texts, written ones, changed ones.
    alone = f"{name}-alone"
    create(api, alone, trained, positions=True)
    changed = v1.DocumentUpdate(id="d01", text=TEXTS[5])
    for target in (name, alone):
        api.upsert(target, documents() if target == alone else documents()[20:])
        api.documents.Update(v1.UpdateRequest(collection=target, updates=[changed]))
    keys = [f"d{at:02}" for at in range(len(TEXTS))]
    through = f"{name}:words"
    expected = {key: latents(api, alone, key) for key in keys}
    for restarted in (False, True):
        if restarted:
            own_server.stop()
            own_server.start()
            api = own_server.api
        for key in keys:
            assert latents(api, through, key) == expected[key]
            assert len(latents(api, name, key)) == 2
        wanted = weighted({latent: 1 for latent in expected["d00"]})
        (found, same) = (api.search(target, wanted, latents_per_hit=9) for target in (through, alone))
        assert [hit.document.id for hit in found.hits] == [hit.document.id for hit in same.hits]
        assert [[part.span for part in hit.latents] for hit in found.hits] == [
            [part.span for part in hit.latents] for hit in same.hits
        ]
    # The two read different things, so their directions are not comparable.
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="different things"):
        api.latents.SplitLatents(v1.SplitLatentsRequest(collection=name, to="words"))
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="reader"):
        attach(api, name, trained.sae, reader=reader())


def test_long_texts_are_read_to_their_end(api, name, trained):
    create(api, name, trained, positions=True, window=32, stride=24)
    text = " ".join(TEXTS * 3)
    api.upsert(name, [wire.document("long", text=text), wire.document("short", text=TEXTS[-1])])
    wanted = {latent: 1 for latent in latents(api, name, "long")}
    hits = api.search(name, weighted(wanted), latents_per_hit=N_LATENTS).hits
    (hit,) = [hit for hit in hits if hit.document.id == "long"]
    ends = [part.span.end for part in hit.latents]
    assert max(ends) > len(text) / 2 and max(ends) <= len(text)


def test_the_reader_is_opened_again_after_a_restart(own_server, name, trained):
    api = own_server.api
    create(api, name, trained, positions=True)
    api.upsert(name, documents(TEXTS[:2]))
    before, fit = latents(api, name, "d01"), api.info(name).fit
    own_server.kill()
    api = own_server.start()
    assert latents(api, name, "d01") == before
    # States are not stored: what was measured of them is.
    assert api.info(name).fit == fit and fit.vectors > 0
    api.upsert(name, [wire.document("again", text=TEXTS[1])])
    assert latents(api, name, "again") == before
    request = v1.AttachSaeRequest(collection=name, sae=str(trained.sae))
    last = list(api.collections.AttachSae(request))[-1]
    assert last.collection.documents == 3
    assert latents(api, name, "again") == before


def test_a_chat_template_goes_from_the_states_to_the_collection(api, name, trained, tmp_path):
    states, encoded = states_of(tmp_path, "chat", TEXTS, "--chat-template", "model")
    template = encoded["reading"]["chat_template"]
    assert template["prefix"].endswith("<|im_start|>assistant\n")
    # The words of the template are not read, and those of the text see them.
    assert states.shape == trained.states.shape
    assert not np.allclose(states, trained.states, rtol=1e-3)
    run(
        *("sae", "train", "--vectors", tmp_path / "chat.safetensors", "--out", tmp_path / "sae"),
        *("--n", N_LATENTS, "--k", K, "--epochs", 5, "--normalise", "layer_norm"),
    )
    info = api.create(name, sae=str(tmp_path / "sae"), reader=reader())
    assert (info.reader.chat_template, info.reader.prepend_bos) == ("model", False)
    assert (info.reader.layer, info.reader.normalisation) == (LAYER, "layer_norm")
    api.upsert(name, documents(TEXTS[:2]))
    assert len(latents(api, name, "d00")) > K


def test_the_command_line_makes_and_shows_such_a_collection(server, name, trained, tmp_path):
    address = server.api.address
    made = run(
        *("collection", "create", name, "--reader", READER, "--sae", trained.sae),
        *("--pooling", "max", "--positions"),
        server=address,
    )
    assert (made["reader"]["layer"], made["reader"]["positions"]) == (LAYER, True)
    records = trained.folder / "states.jsonl"
    run("ingest", name, records, "--text", "{text}", server=address)
    facet = run("facet", name, "--by", "latents", "--limit", 1, server=address)["facets"][0]
    busy = facet["latents"][0]["latent"]
    found = run("search", name, "--latent", f"{busy}=1", server=address)
    part = next(part for part in found["hits"][0]["latents"] if part["latent"] == busy)
    span, text = part["span"], found["hits"][0]["document"]["text"]
    assert 0 <= span["start"] < span["end"] <= len(text)


def test_the_levels_never_mix(api, name, trained):
    missing = v1.CreateCollectionRequest(name=name, reader=reader(layer=LAYER))
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="sae"):
        api.collections.CreateCollection(missing)
    # Pooled vectors for a token SAE: the collection, the attach and the call.
    both = f"token states of {READER} behind layer {LAYER}"
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying=both):
        api.create(name, sae=str(trained.sae))
    api.create(name, dimension=WIDTH)
    api.upsert(name, [wire.document("v", vec=np.ones(WIDTH))])
    attach = v1.AttachSaeRequest(collection=name, sae=str(trained.sae))
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="pooled vectors"):
        list(api.collections.AttachSae(attach))
    measure = v1.EvaluateSaeRequest(collection=name, sae=str(trained.sae))
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying=both):
        api.models.EvaluateSae(measure)
    token = f"{name}-token"
    create(api, token, trained)
    vectors = [wire.vector(np.ones(WIDTH))]
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        api.models.EncodeVectors(v1.EncodeVectorsRequest(collection=token, vectors=vectors))
    assert api.models.GetSae(v1.GetSaeRequest(collection=token)).d_in == WIDTH


def test_another_layer_and_wrong_settings_are_refused_by_name(api, name, trained):
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying=f"layer {LAYER + 1}"):
        create(api, name, trained, layer=LAYER + 1)
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="chat template"):
        create(api, name, trained, chat_template="chatml", layer=LAYER)
    for field, value in [
        ("chat_template", "alpaca"),
        ("pooling", "median"),
        ("layer", 30),
        ("window", 1),
        ("stride", 5000),
        ("model", ""),
    ]:
        with refused(grpc.StatusCode.INVALID_ARGUMENT, field=f"reader.{field}"):
            create(api, name, trained, **{field: value})
    with refused(grpc.StatusCode.NOT_FOUND):
        create(api, name, trained, model="/nowhere/model.gguf")


def without_origin(trained: Trained, folder: pathlib.Path, **settings) -> pathlib.Path:
    """The SAE as one from elsewhere that does not say what it reads."""
    folder.mkdir()
    config = json.loads((trained.sae / "cfg.json").read_text())
    del config["metadata"]
    (folder / "cfg.json").write_text(json.dumps(config | settings))
    # The server keeps SAEs by the hash of their weights: each has its own.
    b_enc = trained.weights["b_enc"].copy()
    b_enc[0] += 1e-6 * len(str(folder))
    save_file(trained.weights | {"b_enc": b_enc}, folder / "sae_weights.safetensors")
    return folder


def test_states_of_another_layer_or_normalisation_are_refused(api, name, trained, tmp_path):
    sae = without_origin(trained, tmp_path / "bare")
    gate = v1.FitGate(fvu_limit=0.6)
    api.create(name, sae=str(sae), reader=reader(layer=LAYER), gate=gate)
    api.upsert(name, documents())
    fit = api.info(name).fit
    assert fit.vectors == len(trained.states) and fit.fvu < fit.limit == 0.6
    # Another SAE changes nothing of that.
    second = without_origin(trained, tmp_path / "second")
    attach = v1.AttachSaeRequest(
        collection=name, sae=str(second), name="second", reader=reader(layer=LAYER), gate=gate
    )
    list(api.collections.AttachSae(attach))
    assert api.info(name).fit == fit
    first, second = api.info(name).saes
    assert first.fit == fit and second.fit.fvu < fit.limit
    for kind, layer, normalisation in [
        ("deep", 20, "constant_norm_rescale"),
        ("other", LAYER, "none"),
    ]:
        settings = {"normalize_activations": normalisation}
        wrong = without_origin(trained, tmp_path / kind, **settings)
        one = f"{name}-{kind}"
        api.create(one, sae=str(wrong), reader=reader(layer=layer), gate=gate)
        with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="token states unexplained (FVU)"):
            api.upsert(one, documents())
        assert api.count(one) == 0
        # A gate that warns lets them in; attaching asks again.
        warned = f"{one}-warned"
        lenient = v1.FitGate(fvu_limit=0.6, warn=True)
        api.create(warned, sae=str(wrong), reader=reader(layer=layer), gate=lenient)
        api.upsert(warned, documents())
        fit = api.info(warned).fit
        assert fit.fvu > fit.limit and fit.warn
    again = v1.AttachSaeRequest(collection=name, sae=str(tmp_path / "other"))
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="token states unexplained (FVU)"):
        list(api.collections.AttachSae(again))
    assert api.info(name).sae.normalisation == "constant_norm_rescale"


def test_workers_make_the_latents_that_the_server_makes(server, name, trained, tmp_path):
    api, address = server.api, server.api.address
    create(api, name, trained)
    records = trained.folder / "states.jsonl"
    run("ingest", name, records, "--text", "{text}", server=address)
    out = tmp_path / "parts"
    arguments = [
        *("encode", records, "--text", "{text}", "--shard", "0/1", "--out", out),
        *("--reader", READER, "--layer", LAYER, "--sae", trained.sae),
    ]
    assert run(*arguments)["made"]["reading"]["pooling"] == "max"
    ready = f"{name}-parts"
    create(api, ready, trained)
    run("ingest", ready, out, server=address)
    for at in range(len(TEXTS)):
        assert latents(api, ready, str(at)) == latents(api, name, str(at))
    summed = f"{name}-sum"
    create(api, summed, trained, pooling="sum")
    refusal = subprocess.run(
        [str(BINARY), "ingest", summed, str(out)],
        capture_output=True,
        timeout=PATIENCE,
        env=os.environ | {"LATENTDB_SERVER": address},
    )
    assert refusal.returncode == 1 and b"with pooling max" in refusal.stderr


@pytest.mark.parametrize("marks", [pytest.param(None, marks=NEEDS_MINILM)])
def test_an_encoder_may_make_vectors_for_token_latents(api, name, trained, marks):
    api.create(name, encoder=MODEL, sae=str(trained.sae), reader=reader(positions=True))
    info = api.info(name)
    assert (info.dimension, info.n_latents, info.encoder.model) == (384, N_LATENTS, MODEL)
    api.upsert(name, documents(TEXTS[:8]))
    near = v1.Query(nearest=v1.NearestQuery(text="a galaxy seen through a telescope"))
    hit = api.search(name, near, limit=1, latents_per_hit=5).hits[0]
    assert hit.document.id == "d00"
    steered = v1.NearestQuery(text="x", steer=[v1.SteerEdit(latent=1, add=0.5)])
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="token states"):
        api.search(name, v1.Query(nearest=steered))


@pytest.mark.parametrize("marks", [pytest.param(None, marks=NEEDS_MINILM)])
def test_property_retrieval_is_measured_at_token_level(api, server, name, trained, tmp_path, marks):
    api.create(name, encoder=MODEL, sae=str(trained.sae), reader=reader())
    topics = [topic for topic, texts in TOPICS.items() for _ in texts]
    pairs = zip(documents(), topics, strict=True)
    api.upsert(name, [wire.document(own.id, text=own.text, topic=topic) for own, topic in pairs])
    file = tmp_path / "properties.json"
    properties = [{"text": f"about {topic}", "relevant": f'topic = "{topic}"'} for topic in TOPICS]
    file.write_text(json.dumps({"topics": properties}))
    found = run(
        *("eval", "property", "--collection", name, "--properties", file, "--set", "topics"),
        server=server.api.address,
    )
    assert {"random", "dense", "bm25", "property-centroid", "hybrid"} <= set(found["methods"])
    assert "own-latents" not in found["methods"]
    assert found["methods"]["dense"]["map"] > 0.8
    # Against dense, by a paired randomisation test.
    assert set(found["paired"]) == set(found["methods"]) - {"dense"}
    assert 0 < found["paired"]["random"]["p"] < 0.5
