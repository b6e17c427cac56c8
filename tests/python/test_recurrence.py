"""Latents that come back in SAEs of other seeds: against NumPy on SAEs trained one by one, and as a bound of analyses."""

import grpc
import numpy as np
import pytest
from safetensors.numpy import load_file
from scipy import stats

import wire
from harness import download, refused
from stubs import v1
from test_cli import cli  # noqa: F401 (a fixture)

ROWS, WIDTH, TRUE, LATENTS, SEEDS = 1500, 24, 20, 48, 3
SETTINGS = {"n_latents": LATENTS, "k": 3, "epochs": 30}


@pytest.fixture(scope="module")
def trained(api):
    """A collection of vectors made of few directions, for more latents than those; SAEs of three seeds."""
    random = np.random.default_rng(3)
    directions = random.normal(size=(TRUE, WIDTH))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    active = random.random((ROWS, TRUE)) < 0.12
    vectors = (active * random.uniform(1, 2, active.shape)) @ directions + 0.15 * random.normal(size=(ROWS, WIDTH))
    api.create("seeded", dimension=WIDTH)
    api.upsert(
        "seeded",
        [
            wire.document(
                f"d{at:04}",
                text=f"text {at}",
                vec=vectors[at],
                side="up" if active[at, 0] or random.random() < 0.3 else "down",
                score=float(active[at, 1]) - float(active[at, 2]) + random.normal(),
            )
            for at in range(ROWS)
        ],
    )
    # Known before without a record of recurrence, under the same hash.
    plain = train(api, seed=5)
    assert not plain.HasField("recurrence")
    own = train(api, seed=5, seeds=SEEDS)
    assert own.sha256 == plain.sha256
    list(api.collections.AttachSae(v1.AttachSaeRequest(collection="seeded", sae=own.sha256)))
    return own


def train(api, **fields) -> "v1.SaeInfo":
    last, steps = None, []
    for last in api.models.TrainSae(v1.TrainSaeRequest(collection="seeded", **SETTINGS, **fields)):
        if not last.HasField("sae"):
            steps.append((last.step, last.steps))
    assert steps == sorted(steps) and len({total for _, total in steps}) == 1
    return last.sae


def directions_of(api, sae, folder):
    download(api, sae, folder)
    decoder = load_file(folder / "sae_weights.safetensors")["W_dec"].astype(np.float64)
    return decoder / np.linalg.norm(decoder, axis=1, keepdims=True)


def listed(api, collection="seeded", **fields):
    request = v1.ListLatentsRequest(collection=collection, limit=1000, **fields)
    return {own.latent: own for own in api.latents.ListLatents(request).latents}


def test_recurrence_is_that_of_numpy(api, trained, tmp_path):
    own = directions_of(api, trained.sha256, tmp_path / "own")
    expected = np.zeros(LATENTS)
    for seed in (6, 7):
        other = directions_of(api, train(api, seed=seed).sha256, tmp_path / str(seed))
        cosine = own @ other.T
        nearest = cosine.argmax(axis=1)
        mutual = cosine.argmax(axis=0)[nearest] == np.arange(LATENTS)
        expected += np.where(mutual, cosine.max(axis=1).clip(0), 0) / (SEEDS - 1)
    found = listed(api)
    for latent, summary in found.items():
        assert summary.recurrence == pytest.approx(expected[latent], abs=1e-3)
    # What the vectors are made of comes back, and something does not.
    assert (expected > 0.9).sum() >= TRUE / 2 and (expected < 0.5).sum() > 3
    assert list(trained.recurrence.seeds) == [6, 7]
    assert trained.recurrence.mean == pytest.approx(expected.mean(), abs=1e-3)
    assert trained.recurrence.recurring == (expected >= 0.5).sum()
    attached = api.info("seeded").saes[0].sae
    assert attached.recurrence == trained.recurrence and "of_latents" not in attached.training
    page = api.latents.GetLatent(v1.GetLatentRequest(collection="seeded", latent=7))
    assert page.summary.recurrence == found[7].recurrence


def recurring(api, least):
    return {latent for latent, own in listed(api).items() if own.recurrence >= least}


def rows_of(api, call, part, rows, **fields):
    summary, found = None, []
    for message in getattr(api.analyses, call)(getattr(v1, f"{call}Request")(collection="seeded", **fields)):
        kind = message.WhichOneof("part")
        if kind == part:
            found += getattr(getattr(message, part), rows)
        elif kind != "progress":
            summary = getattr(message, kind)
    return summary, found


def test_every_analysis_takes_the_bound(api, trained):
    least, up = 0.8, wire.expr('side = "up"')
    among = recurring(api, least)
    assert 5 < len(among) < LATENTS - 3
    assert set(listed(api, min_recurrence=least)) == among

    everything, rows = rows_of(api, "Diff", "rows", "rows", a=up, all=True)
    head, bounded = rows_of(api, "Diff", "rows", "rows", a=up, all=True, min_recurrence=least)
    tested = {row.latent for row in bounded if row.test}
    assert tested == {row.latent for row in rows if row.test} & among
    assert head.tested == len(tested) < everything.tested
    # What is not looked at is not corrected for.
    own = [row for row in bounded if row.test]
    adjusted = stats.false_discovery_control([row.p_value for row in own])
    assert [row.p_adjusted for row in own] == pytest.approx(adjusted, abs=1e-12)
    assert [row.a_count for row in bounded] == [row.a_count for row in rows]
    known = {latent: own.recurrence for latent, own in listed(api).items()}
    assert {row.latent: row.recurrence for row in rows} == known

    asked = {"min_support": 5, "max_label_similarity": 1.0, "all": True}
    wide, pairs = rows_of(api, "Correlate", "pairs", "pairs", **asked)
    narrow, some = rows_of(api, "Correlate", "pairs", "pairs", min_recurrence=least, **asked)
    inside = {(pair.i, pair.j) for pair in pairs if {pair.i, pair.j} <= among}
    assert {(pair.i, pair.j) for pair in some} == inside
    assert narrow.eligible < wide.eligible
    assert all((pair.i_recurrence, pair.j_recurrence) == (known[pair.i], known[pair.j]) for pair in pairs)
    _, with_values = rows_of(
        api, "Correlate", "pairs", "pairs", attribute="side", all=True, min_support=5, min_recurrence=least
    )
    assert with_values and {pair.i for pair in with_values} <= among

    asked = {"attribute": "score", "buckets": v1.TREND_BUCKETS_BINS, "bins": 6, "all": True}
    _, rows = rows_of(api, "Trends", "rows", "rows", min_recurrence=least, **asked)
    assert {row.latent for row in rows if row.HasField("change_point")} <= among
    assert all(row.recurrence == known[row.latent] for row in rows)

    _, chosen = rows_of(api, "Explain", "latents", "latents", target="score", latents=10, min_recurrence=least)
    assert chosen and {own.latent for own in chosen} <= among
    assert all(own.recurrence == known[own.latent] for own in chosen)

    hypotheses = v1.HypothesiseRequest(
        collection="seeded",
        sets=v1.ComparedSets(a=v1.NamedSet(filter=up)),
        min_recurrence=least,
        labeller=v1.LABELLER_KIND_KEYPHRASE,
        judge_encoder="all-MiniLM-L6-v2",
    )
    for message in api.analyses.Hypothesise(hypotheses):
        if message.WhichOneof("part") == "summary":
            assert {own.latent for own in message.summary.left_out} <= among
            assert message.summary.comparisons[0].differing <= len(among)


def test_texts_of_an_axis_name_latents_that_come_back(demo_like, api):
    for message in api.analyses.Cluster(
        v1.ClusterRequest(
            collection=demo_like, axis=v1.Axis(texts=["delivery"], latents_per_text=12, min_recurrence=0.5)
        )
    ):
        if message.WhichOneof("part") == "summary":
            axis = {own.latent for own in message.summary.axis}
    among = set(listed(api, demo_like, min_recurrence=0.5))
    assert len(axis) == 12 and axis <= among


@pytest.fixture(scope="module")
def demo_like(api):
    """Texts in an encoder's vectors, with an SAE of two seeds."""
    name = "seeded-texts"
    api.create(name, encoder="all-MiniLM-L6-v2")
    things = ["delivery", "battery", "screen", "price", "support", "sound", "story", "actor"]
    said = ["is good", "was late", "broke at once", "could be better", "is worth it", "made me smile"]
    api.upsert(
        name,
        [
            wire.document(f"{thing}-{word}-{at}", text=f"the {thing} {word} {at}")
            for thing in things
            for word in said
            for at in range(5)
        ],
    )
    last = None
    request = v1.TrainSaeRequest(collection=name, n_latents=40, k=4, epochs=20, seeds=2)
    for last in api.models.TrainSae(request):
        pass
    list(api.collections.AttachSae(v1.AttachSaeRequest(collection=name, sae=last.sae.sha256)))
    return name


def test_a_bound_that_cannot_hold_is_refused(api, trained):
    request = v1.DiffRequest(collection="seeded", a=wire.expr('side = "up"'), min_recurrence=1.5)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="min_recurrence", saying="0 to 1"):
        list(api.analyses.Diff(request))
    request.min_recurrence = 0.5
    request.groups.add(name="g", latents=[1, 2])
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="min_recurrence", saying="groups"):
        list(api.analyses.Diff(request))
    axis = v1.Axis(texts=["x"], min_recurrence=float("nan"))
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="axis.min_recurrence"):
        list(api.analyses.Cluster(v1.ClusterRequest(collection="seeded", axis=axis)))
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="seeds", saying="1 to 20"):
        list(api.models.TrainSae(v1.TrainSaeRequest(collection="seeded", seeds=21, **SETTINGS)))
    api.create("unseeded", dimension=4, n_latents=5)
    api.upsert("unseeded", [wire.document("d", vec=[1, 0, 0, 0], latents={1: 1.0})])
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="--seeds 3"):
        api.latents.ListLatents(v1.ListLatentsRequest(collection="unseeded", min_recurrence=0.5))


def test_the_command_trains_from_seeds_and_filters(api, trained, cli, tmp_path):  # noqa: F811
    vectors = tmp_path / "vectors.npy"
    np.save(vectors, np.random.default_rng(1).normal(size=(400, 12)).astype(np.float32))
    out = tmp_path / "sae"
    settings = ("--n", 16, "--k", 2, "--epochs", 4, "--seeds", 3)
    told = cli("sae", "train", "--vectors", vectors, *settings, "--out", out, plain=True)
    assert "of .5 or more in 2 other seeds" in told
    assert "of .5 or more in 2 other seeds" in cli("sae", "info", out, plain=True)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["sae", "vectors.npy"]
    page = cli("latents", "list", "seeded", "--min-recurrence", "0.8", "--limit", "500", plain=True)
    among = recurring(api, 0.8)
    assert "recurs" in page and f"{len(among)} of {len(among)} latents" in page
    assert "recurrence 0." in cli("latents", "show", "seeded", min(recurring(api, 0.5)), plain=True)
    assert "recurrence:" in cli("collection", "info", "seeded", plain=True)
    assert "(recurs 0." in cli("diff", "seeded", "--a", 'side = "up"', "--all", plain=True)
    diff = cli("diff", "seeded", "--a", 'side = "up"', "--all", "--min-recurrence", "0.8")
    assert {row["latent"] for row in diff["comparisons"][0]["rows"] if "UNTESTED" not in row.get("test", "UNTESTED")} <= among
