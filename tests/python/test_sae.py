"""The life of an SAE: none, trained, attached while writes go on, steering, encoding."""

import dataclasses
import json
import pathlib
import subprocess
import threading

import grpc
import numpy as np
import pytest

import wire
from harness import BINARY, Api, download, refused, violations
from oracle import check_ranking
from stubs import v1
from wire import near, weighted

D_IN = 16
N_LATENTS = 32
K = 4
# Stored activations are 16-bit floats.
F16 = 2**-10


def concept_vectors(count: int, seed: int) -> np.ndarray:
    """Unit vectors that are sparse mixtures of 24 directions, with a little noise."""
    random = np.random.default_rng(seed)
    # The directions are the same for every seed.
    directions = np.random.default_rng(0).normal(size=(24, D_IN))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    rows = np.zeros((count, D_IN))
    for row in rows:
        chosen = random.choice(24, 3, replace=False)
        row += random.uniform(0.5, 1.5, size=3) @ directions[chosen]
    rows += 0.05 * random.normal(size=rows.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def documents(rows: np.ndarray, prefix: str = "d") -> list:
    return [
        wire.document(f"{prefix}{at:05}", text=f"number {at}", vec=row, n=at)
        for at, row in enumerate(rows)
    ]


def train(api: Api, collection: str, output: pathlib.Path, **fields) -> list:
    """Trains an SAE and brings its files; gives all messages."""
    request = v1.TrainSaeRequest(
        collection=collection,
        **({"n_latents": N_LATENTS, "k": K, "epochs": 3, "seed": 7} | fields),
    )
    messages = list(api.models.TrainSae(request))
    download(api, messages[-1].sae.sha256, output)
    return messages


def weights_of(folder: pathlib.Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}


def test_the_order_of_writes_changes_no_training(api, name, tmp_path):
    """Documents are numbered by writes and merges; what is trained follows from the vectors."""
    made = documents(concept_vectors(400, seed=5))
    for collection, written, batch in [(name, made, 1000), (f"{name}-turned", made[::-1], 37)]:
        api.create(collection, dimension=D_IN)
        api.upsert(collection, written, batch=batch)
        train(api, collection, tmp_path / collection)
    first, second = weights_of(tmp_path / name), weights_of(tmp_path / f"{name}-turned")
    assert first == second != {}


def attach(api: Api, collection: str, folder: pathlib.Path) -> list:
    request = v1.AttachSaeRequest(collection=collection, sae=str(folder))
    return list(api.collections.AttachSae(request))


@dataclasses.dataclass
class Trained:
    """A collection with an SAE attached, and the SAE as it answers over the wire."""

    api: Api
    name: str
    rows: np.ndarray
    folder: pathlib.Path
    # The decoder, read through DecodeLatents: rows W_dec, and b_dec.
    directions: np.ndarray
    bias: np.ndarray

    def encode(self, *vectors) -> list[dict[int, float]]:
        request = v1.EncodeVectorsRequest(
            collection=self.name, vectors=[wire.vector(row) for row in vectors]
        )
        answer = self.api.models.EncodeVectors(request)
        return [{e.latent: e.activation for e in row.values} for row in answer.rows]

    def decode(self, code: dict[int, float]) -> np.ndarray:
        return self.bias + sum(a * self.directions[at] for at, a in code.items())

    def steer(self, target: np.ndarray, *edits):
        nearest = v1.NearestQuery(vector=wire.vector(target), steer=edits)
        request = v1.SteerRequest(collection=self.name, nearest=nearest)
        return self.api.searches.Steer(request).steering


@pytest.fixture(scope="module")
def trained(api, tmp_path_factory) -> Trained:
    name, folder = "trained", tmp_path_factory.mktemp("sae") / "sae"
    rows = concept_vectors(1500, seed=1)
    api.create(name, dimension=D_IN)
    api.upsert(name, documents(rows))
    train(api, name, folder)
    attach(api, name, folder)
    unit_codes = [wire.activations({at: 1.0}) for at in range(N_LATENTS)]
    request = v1.DecodeLatentsRequest(collection=name, rows=[v1.Activations(), *unit_codes])
    decoded = np.array([list(row.values) for row in api.models.DecodeLatents(request).vectors])
    return Trained(api, name, rows, folder, decoded[1:] - decoded[0], decoded[0])


def test_before_an_sae_latent_queries_say_how_to_get_one(api, name):
    api.create(name, dimension=D_IN)
    api.upsert(name, documents(concept_vectors(200, seed=2)))
    vector = wire.vector(np.ones(D_IN))
    edit = v1.SteerEdit(latent=1, add=1.0)
    calls = [
        lambda: api.search(name, weighted({1: 1.0})),
        lambda: api.search(name, near(np.ones(D_IN), steer=[edit])),
        lambda: api.search(name, wire.matching(wire.has_latent(1))),
        lambda: api.count(name, wire.has_latent(1)),
        lambda: api.count(name, wire.expr("latent(1)")),
        lambda: api.facet(name, wire.BY_LATENTS),
        lambda: api.searches.Steer(
            v1.SteerRequest(collection=name, nearest=v1.NearestQuery(vector=vector, steer=[edit]))
        ),
        lambda: api.models.EncodeVectors(
            v1.EncodeVectorsRequest(collection=name, vectors=[vector])
        ),
        lambda: api.latents.ListLatents(v1.ListLatentsRequest(collection=name)),
        lambda: api.latents.GetLatent(v1.GetLatentRequest(collection=name, latent=1)),
    ]
    for call in calls:
        with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="latentdb sae train"):
            call()
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="latentdb collection attach"):
        calls[0]()
    with refused(grpc.StatusCode.FAILED_PRECONDITION):
        api.upsert(name, [wire.document("a", vec=np.ones(D_IN), latents={1: 1.0})])
    # What needs none works.
    assert len(api.search(name, near(np.ones(D_IN))).hits) == 10
    assert api.count(name) == 200


def test_training_streams_progress_and_ends_with_the_sae_and_its_quality(api, name, tmp_path):
    api.create(name, dimension=D_IN)
    api.upsert(name, documents(concept_vectors(600, seed=3)))
    messages = train(api, name, tmp_path / "first")
    *progress, last = messages
    assert progress
    steps = [message.step for message in progress]
    assert steps == sorted(steps) and 0 < steps[-1] <= progress[-1].steps
    assert not any(message.HasField("sae") for message in progress)
    assert (last.sae.d_in, last.sae.n_latents, last.sae.k) == (D_IN, N_LATENTS, K)
    assert last.sae.architecture == "topk"
    assert isinstance(json.loads(last.sae.training), dict)
    assert 0 < last.quality.fvu < 1 and 0 < last.quality.l0 <= K
    assert last.quality.rows > 0 and 0 < last.quality.cosine <= 1

    files = {path.name for path in (tmp_path / "first").iterdir()}
    assert {"cfg.json", "sae_weights.safetensors"} <= files
    cfg = json.loads((tmp_path / "first" / "cfg.json").read_text())
    assert (cfg["d_in"], cfg["d_sae"]) == (D_IN, N_LATENTS)
    found = api.models.GetSae(v1.GetSaeRequest(path=str(tmp_path / "first")))
    assert found == last.sae

    # Equal seeds, equal SAEs; another seed, another one.
    again = train(api, name, tmp_path / "again")[-1].sae
    other = train(api, name, tmp_path / "other", seed=8)[-1].sae
    assert again.sha256 == last.sae.sha256 != other.sha256
    # Training attaches nothing.
    assert not api.info(name).HasField("sae") and api.info(name).n_latents == 0


def test_training_more_gives_a_better_sae(api, name, tmp_path):
    api.create(name, dimension=D_IN)
    api.upsert(name, documents(concept_vectors(600, seed=3)))
    short = train(api, name, tmp_path / "short", epochs=1)[-1].quality
    long = train(api, name, tmp_path / "long", epochs=30)[-1].quality
    assert long.fvu < short.fvu


def test_a_cancelled_training_leaves_nothing_attached(api, name, tmp_path):
    api.create(name, dimension=D_IN)
    api.upsert(name, documents(concept_vectors(600, seed=4)))
    request = v1.TrainSaeRequest(
        collection=name, n_latents=64, k=4, epochs=100_000
    )
    call = api.models.TrainSae(request)
    assert next(call).steps > 1000
    call.cancel()
    with pytest.raises(grpc.RpcError) as error:
        list(call)
    assert error.value.code() == grpc.StatusCode.CANCELLED
    assert not api.info(name).HasField("sae")
    with refused(grpc.StatusCode.FAILED_PRECONDITION):
        api.search(name, weighted({1: 1.0}))
    # The server goes on, and can train something else.
    assert train(api, name, tmp_path / "other")[-1].HasField("sae")


def test_attaching_re_encodes_every_document(trained):
    info = trained.api.info(trained.name)
    assert (info.sae.d_in, info.sae.n_latents, info.n_latents) == (D_IN, N_LATENTS, N_LATENTS)
    assert info.documents == len(trained.rows)
    found = trained.api.scroll(trained.name, projection=wire.ALL_PARTS)
    assert len(found) == len(trained.rows)
    codes = trained.encode(*trained.rows)
    for document in found:
        at = wire.attributes(document)["n"]
        np.testing.assert_array_equal(document.vector.values, trained.rows[at])
        assert document.text == f"number {at}"
        stored, encoded = wire.row(document), codes[at]
        assert 1 <= len(stored) <= K
        assert stored == pytest.approx(encoded, rel=F16, abs=1e-6)


def test_after_attaching_every_query_of_latents_works(trained):
    rows = trained.encode(*trained.rows)
    stored = {f"d{at:05}": row for at, row in enumerate(rows)}
    weights = {0: 1.0, 5: -0.5, 9: 2.0}
    scores = {
        key: sum(weights[at] * row[at] for at in weights if at in row)
        for key, row in stored.items()
        if set(weights) & set(row)
    }
    found = trained.api.search(trained.name, weighted(weights), limit=100)
    check_ranking(found.hits, scores, 100, tolerance=2e-3)
    holding = {key for key, row in stored.items() if 5 in row and 9 not in row}
    described = wire.expr("latent(5) and not latent(9)")
    assert trained.api.count(trained.name, described) == len(holding)


def test_a_trained_sae_encodes_better_than_the_mean(trained):
    request = v1.EvaluateSaeRequest(collection=trained.name)
    answer = trained.api.models.EvaluateSae(request)
    rows = trained.rows.astype(np.float64)
    rebuilt = np.array([trained.decode(code) for code in trained.encode(*trained.rows)])
    fvu = ((rebuilt - rows) ** 2).sum() / ((rows - rows.mean(axis=0)) ** 2).sum()
    assert answer.quality.fvu == pytest.approx(fvu, rel=1e-3)
    assert answer.quality.rows == len(rows)
    assert answer.sae.sha256 == trained.api.info(trained.name).sae.sha256
    same = v1.GetSaeRequest(collection=trained.name)
    assert trained.api.models.GetSae(same).sha256 == answer.sae.sha256


def test_new_documents_and_updates_get_their_latents_from_the_vector(trained):
    api, name = trained.api, trained.name
    fresh = concept_vectors(3, seed=9)
    api.upsert(name, [wire.document("fresh", vec=fresh[0]), wire.document("bare")])
    api.upsert(name, [wire.document("given", vec=fresh[0], latents={3: 1.5})])
    try:
        found = api.get(name, ["fresh", "bare", "given"])
        assert wire.row(found[0]) == pytest.approx(trained.encode(fresh[0])[0], rel=F16)
        assert wire.row(found[1]) == {}
        # What the client brings is kept.
        assert wire.row(found[2]) == {3: 1.5}
        change = v1.DocumentUpdate(id="fresh", vector=wire.vector(fresh[1]))
        api.documents.Update(v1.UpdateRequest(collection=name, updates=[change]))
        updated = wire.row(api.get(name, ["fresh"])[0])
        assert updated == pytest.approx(trained.encode(fresh[1])[0], rel=F16)
    finally:
        ids = ["fresh", "bare", "given"]
        api.documents.Delete(v1.DeleteRequest(collection=name, ids=ids))


def test_hits_near_a_vector_are_explained_by_decoder_directions(trained):
    query = concept_vectors(1, seed=10)[0]
    found = trained.api.search(
        trained.name, near(query), limit=20, latents_per_hit=K, projection=wire.ALL_PARTS
    )
    for hit in found.hits:
        stored = wire.row(hit.document)
        assert {part.latent for part in hit.latents} == set(stored)
        norm = np.linalg.norm(list(hit.document.vector.values))
        for part in hit.latents:
            assert part.component == "nearest"
            along = float(query @ trained.directions[part.latent]) / np.linalg.norm(query)
            expected = stored[part.latent] * along / norm
            assert part.contribution == pytest.approx(expected, abs=1e-4)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(unit(a) @ unit(b))


def test_steering_follows_the_formulas(trained):
    x = concept_vectors(1, seed=11)[0].astype(np.float64)
    code = trained.encode(x)[0]
    strongest = max(code, key=code.get)
    absent = next(at for at in range(N_LATENTS) if at not in code)
    residual = x - trained.decode(code)

    def clamped(**changes) -> np.ndarray:
        edited = code | {int(at): a for at, a in changes.items()}
        return unit(trained.decode(edited) + residual)

    direction = unit(trained.directions[absent])
    cases = [
        ([v1.SteerEdit(latent=absent, add=0.8)], unit(x + 0.8 * direction)),
        ([v1.SteerEdit(latent=absent, add=-0.5)], unit(x - 0.5 * direction)),
        (
            [v1.SteerEdit(latent=strongest, scale=2.0)],
            clamped(**{str(strongest): 2 * code[strongest]}),
        ),
        ([v1.SteerEdit(latent=absent, set=0.7)], clamped(**{str(absent): 0.7})),
        ([v1.SteerEdit(latent=strongest, zero=wire.EVERYTHING)], clamped(**{str(strongest): 0.0})),
        # Scaling what is not there changes nothing.
        ([v1.SteerEdit(latent=absent, scale=3.0)], x),
        ([], x),
    ]
    for edits, expected in cases:
        found = trained.steer(x, *edits)
        np.testing.assert_allclose(found.vector.values, expected, atol=1e-4)
        assert found.cosine == pytest.approx(cosine(x, expected), abs=1e-4)
        assert found.residual_norm == pytest.approx(np.linalg.norm(residual), abs=1e-4)
        assert {e.latent: e.activation for e in found.before} == pytest.approx(code, rel=1e-4)
        after = {e.latent: e.activation for e in found.after}
        assert after == pytest.approx(trained.encode(np.array(found.vector.values))[0], abs=1e-4)
    raised = trained.steer(x, v1.SteerEdit(latent=absent, add=3.0))
    assert absent in {e.latent for e in raised.after}


def test_a_steered_search_changes_its_ranking_and_says_what_it_did(trained):
    x = concept_vectors(1, seed=12)[0]
    code = trained.encode(x)[0]
    absent = next(
        at
        for at in range(N_LATENTS)
        if at not in code and trained.api.count(trained.name, wire.has_latent(at)) > 20
    )
    edit = v1.SteerEdit(latent=absent, add=1.5)
    plain = trained.api.search(trained.name, near(x), limit=10)
    steered = trained.api.search(trained.name, near(x, steer=[edit], name="s"), limit=10)
    assert not plain.steering
    (report,) = steered.steering
    assert report.component == "s" and 0 < report.cosine < 1
    assert {e.latent for e in report.before} == set(code)
    assert wire.ids_of(plain.hits) != wire.ids_of(steered.hits)
    rows = trained.rows.astype(np.float64)
    scores = {
        f"d{at:05}": cosine(row, np.array(report.vector.values)) for at, row in enumerate(rows)
    }
    check_ranking(steered.hits, scores, 10)

    def share(hits):
        described = wire.every(wire.has_latent(absent), wire.with_ids(*wire.ids_of(hits)))
        return trained.api.count(trained.name, described)

    assert share(steered.hits) > share(plain.hits)


def test_several_steered_nodes_report_under_their_names(trained):
    x = concept_vectors(2, seed=13)
    edits = [[v1.SteerEdit(latent=at, add=0.5)] for at in (1, 2)]
    query = wire.fused(
        near(x[0], steer=edits[0], name="first"),
        near(x[1]),
        wire.without(near(x[1], steer=edits[1]), near("d00001")),
    )
    found = trained.api.search(trained.name, query)
    assert [report.component for report in found.steering] == ["first", "2.0.nearest"]


def test_encode_and_decode_take_and_return_rows_in_order(trained):
    rows = trained.rows[:5]
    codes = trained.encode(*rows)
    request = v1.DecodeLatentsRequest(
        collection=trained.name, rows=[wire.activations(code) for code in codes]
    )
    answer = trained.api.models.DecodeLatents(request)
    for code, vector in zip(codes, answer.vectors, strict=True):
        np.testing.assert_allclose(vector.values, trained.decode(code), atol=1e-5)


def test_attaching_while_writes_go_on_loses_none_of_them(api, name, trained):
    """Every document has the latents of its vector, whenever it was written."""
    rows = concept_vectors(4000, seed=14)
    fresh = concept_vectors(2000, seed=15)
    api.create(name, dimension=D_IN)
    api.upsert(name, documents(rows))
    sequence = api.info(name).sequence
    written, deleted, faults = [], [], []
    begin, enough = threading.Event(), threading.Event()

    def write():
        try:
            for start in range(0, len(fresh) - 5, 5):
                keys = [f"new{at:05}" for at in range(start, start + 5)]
                api.upsert(
                    name,
                    [wire.document(k, vec=fresh[start + n]) for n, k in enumerate(keys)],
                )
                written.extend(keys)
                gone = f"d{start:05}"
                api.documents.Delete(v1.DeleteRequest(collection=name, ids=[gone]))
                deleted.append(gone)
                # Replaced documents too: the last write of a document is the one that stays.
                api.upsert(name, [wire.document(f"d{start + 1:05}", vec=fresh[start])])
                if len(written) >= 20:
                    begin.set()
                if enough.is_set():
                    return
        except Exception as fault:
            faults.append(fault)
        finally:
            begin.set()

    writer = threading.Thread(target=write)
    writer.start()
    begin.wait()
    messages = attach(api, name, trained.folder)
    enough.set()
    writer.join()
    assert not faults
    *progress, last = messages
    assert all(not message.HasField("collection") for message in progress)
    assert [message.done for message in progress] == sorted(m.done for m in progress)
    assert all(message.done <= message.total for message in progress)
    assert last.collection.n_latents == N_LATENTS

    found = {d.id: d for d in api.scroll(name, projection=wire.ALL_PARTS)}
    expected = {f"d{at:05}" for at in range(len(rows))} | set(written)
    assert set(found) == expected - set(deleted)
    keys = sorted(found)
    vectors = np.array([list(found[key].vector.values) for key in keys])
    for key, code in zip(keys, trained.encode(*vectors), strict=True):
        assert wire.row(found[key]) == pytest.approx(code, rel=F16, abs=1e-6), key
    for at in range(0, len(deleted) * 5, 5):
        np.testing.assert_array_equal(found[f"d{at + 1:05}"].vector.values, fresh[at])
    # Sequence numbers go on from where they were: later writes never seem older.
    assert api.info(name).sequence > sequence


def test_a_cancelled_attach_leaves_the_collection_whole(api, name, trained):
    rows = concept_vectors(9000, seed=16)
    api.create(name, dimension=D_IN)
    api.upsert(name, documents(rows), batch=3000)
    call = api.collections.AttachSae(v1.AttachSaeRequest(collection=name, sae=str(trained.folder)))
    next(call)
    call.cancel()
    assert api.count(name) == len(rows)
    # Once the server has given up, or got done before it noticed, an attach goes through.
    for _ in range(600):
        try:
            last = attach(api, name, trained.folder)[-1]
            break
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
            threading.Event().wait(0.05)
    assert last.collection.documents == len(rows)
    assert last.collection.n_latents == N_LATENTS
    (facet,) = api.facet(name, v1.Facet(latents=wire.EVERYTHING, limit=100))
    active = sum(entry.count for entry in facet.latents)
    assert len(rows) <= active <= K * len(rows)


def test_another_sae_replaces_the_first(api, name, trained, tmp_path):
    api.create(name, sae=str(trained.folder))
    assert api.info(name).dimension == D_IN and api.info(name).n_latents == N_LATENTS
    api.upsert(name, documents(trained.rows[:300]))
    assert api.search(name, weighted({1: 1.0})).hits
    train(api, name, tmp_path / "wide", n_latents=48, k=6)
    last = attach(api, name, tmp_path / "wide")[-1]
    assert last.collection.n_latents == 48
    found = api.scroll(name, projection=wire.ALL_PARTS)
    assert max(latent for d in found for latent in wire.row(d)) >= N_LATENTS
    assert max(len(wire.row(d)) for d in found) == 6


def test_an_sae_of_another_width_is_refused_and_changes_nothing(api, name, trained):
    api.create(name, dimension=D_IN + 1)
    api.upsert(name, [wire.document("a", vec=np.ones(D_IN + 1))])
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="sae"):
        attach(api, name, trained.folder)
    assert not api.info(name).HasField("sae") and api.count(name) == 1
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        api.create(f"{name}-2", dimension=D_IN + 1, sae=str(trained.folder))


@pytest.mark.parametrize(
    "edit",
    [
        v1.SteerEdit(latent=N_LATENTS, add=1.0),
        v1.SteerEdit(latent=1, add=float("nan")),
        v1.SteerEdit(latent=1, scale=-1.0),
        v1.SteerEdit(latent=1, set=float("inf")),
        v1.SteerEdit(latent=1),
    ],
    ids=["unknown latent", "NaN", "negative", "infinite", "no edit"],
)
def test_wrong_edits_are_refused_by_their_place(trained, edit):
    x, good = trained.rows[0], v1.SteerEdit(latent=1, add=0.1)
    calls = {
        "nearest.steer[1]": lambda: trained.steer(x, good, edit),
        "query.nearest.steer[1]": lambda: trained.api.search(
            trained.name, near(x, steer=[good, edit])
        ),
        "query.fusion.children[1].query.nearest.steer[1]": lambda: trained.api.search(
            trained.name, wire.fused(near(x), near(x, steer=[good, edit]))
        ),
    }
    for place, call in calls.items():
        with pytest.raises(grpc.RpcError) as error:
            call()
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        (field,) = violations(error.value)
        # The entry, or the part of it that is wrong.
        assert field == place or field.startswith(f"{place}."), field


@pytest.mark.parametrize(
    ("vector", "field"),
    [
        (np.ones(D_IN + 1), "nearest.vector"),
        (np.zeros(D_IN), "nearest.vector"),
        (np.full(D_IN, np.nan), "nearest.vector[0]"),
    ],
    ids=["dimension", "zero", "nan"],
)
def test_wrong_vectors_are_refused_by_steering(trained, vector, field):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field=field):
        trained.steer(vector, v1.SteerEdit(latent=1, add=1.0))
    edit = v1.SteerEdit(latent=1, add=1.0)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field=f"query.{field}"):
        trained.api.search(trained.name, near(vector, steer=[edit]))


def test_training_says_what_it_needs(api, name, trained, tmp_path):
    api.create(name, dimension=D_IN)
    with refused(grpc.StatusCode.FAILED_PRECONDITION):
        train(api, name, tmp_path / "sae")
    api.upsert(name, documents(trained.rows[:50]))
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="at least 100"):
        train(api, name, tmp_path / "sae")
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        train(api, trained.name, tmp_path / "sae", n_latents=8, k=9)
    assert not (tmp_path / "sae").exists()


def test_sequence_numbers_and_retries_outlive_an_attach(api, name, trained):
    """A retried batch must not bring back what was changed since, whatever SAE serves."""
    api.create(name, dimension=D_IN)
    rows = trained.rows[:40]
    for at, row in enumerate(rows):
        request = v1.IngestRequest(
            collection=name,
            stream_id="s",
            batch=at + 1,
            documents=[wire.document(f"k{at}", vec=row, n=at)],
        )
        (answer,) = api.documents.Ingest(iter([request]))
    assert answer.sequence == api.info(name).sequence
    attach(api, name, trained.folder)
    assert api.info(name).sequence >= answer.sequence
    changed = api.upsert(name, [wire.document("k39", vec=rows[0], n=100)])
    assert changed.sequence > answer.sequence
    (again,) = api.documents.Ingest(iter([request]))
    assert again.duplicate
    assert wire.attributes(api.get(name, ["k39"])[0]) == {"n": 100}


def test_damage_to_a_kept_sae_is_seen(own_server, tmp_path):
    api = own_server.api
    api.create("c", dimension=D_IN)
    api.upsert("c", documents(concept_vectors(300, 1)))
    train(api, "c", tmp_path / "sae")
    attach(api, "c", tmp_path / "sae")
    assert own_server.stop() == 0
    verify = [BINARY, "verify", own_server.data, "--json"]
    whole = subprocess.run(verify, capture_output=True, text=True)
    assert whole.returncode == 0, whole.stderr
    (weights,) = own_server.data.glob("saes/*/sae_weights.safetensors")
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    damaged = subprocess.run(verify, capture_output=True, text=True)
    assert damaged.returncode == 1
    (found,) = json.loads(damaged.stdout)["damage"]
    assert found["path"] == str(weights.parent) and "SHA-256" in found["problem"]
