"""Targets explained by a few latents: planted ones, against scikit-learn on the same documents, and what is none."""

import grpc
import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression, lasso_path
from sklearn.metrics import f1_score, r2_score, roc_auc_score

import wire
from harness import refused
from stubs import v1
from test_cli import cli  # noqa: F401 (a fixture)

ROWS, LATENTS, WIDTH = 4000, 200, 16
TELLING = {5: 2.0, 31: -1.4, 77: 1.1, 110: 1.6, 150: -0.9, 199: 1.3}


@pytest.fixture(scope="module")
def planted(api):
    """A collection whose targets follow from six latents, with its matrix and numbers."""
    draws = np.random.default_rng(7)
    active = draws.random((ROWS, LATENTS)) < 0.1
    matrix = np.where(active, draws.uniform(0.2, 2.0, (ROWS, LATENTS)), 0).astype(np.float32)
    signal = matrix[:, list(TELLING)] @ np.array(list(TELLING.values()))
    number = signal + 0.6 * draws.normal(size=ROWS)
    vectors = draws.normal(size=(ROWS, WIDTH))
    vectors[:, 0] = number + draws.normal(size=ROWS)
    api.create("explained", dimension=WIDTH, n_latents=LATENTS)
    documents = [
        wire.document(
            f"d{at:05}",
            text="word " * (1 + at % 9),
            vec=vectors[at] / np.linalg.norm(vectors[at]),
            latents={int(latent): float(matrix[at, latent]) for latent in np.nonzero(matrix[at])[0]},
            number=float(number[at]),
            side="up" if number[at] > 0.5 else "down",
            third=["a", "b", "c"][int(number[at] > -0.4) + int(number[at] > 0.8)],
            noise=float(draws.normal()),
            words=1 + at % 9,
            author=f"w{at % 40}",
            one="same",
            tags=["x", "y"],
        )
        for at in range(ROWS)
    ]
    api.upsert("explained", documents)
    return matrix, number


def explain(api, target, collection="explained", **fields):
    request = v1.ExplainRequest(collection=collection, target=target, **fields)
    summary, latents = None, []
    for message in api.analyses.Explain(request):
        match message.WhichOneof("part"):
            case "summary":
                summary = message.summary
            case "latents":
                latents += message.latents.latents
    return summary, latents


@pytest.mark.parametrize("target", ["number", "side", "third"])
def test_what_was_planted_is_found_and_beats_length(api, planted, target):
    summary, latents = explain(api, target, latents=6)
    chosen = {own.latent for own in latents}
    right = len(chosen & TELLING.keys())
    assert 2 * right / (len(chosen) + len(TELLING)) > 0.9
    measure = {"number": "r2", "side": "auc", "third": "macro_f1"}[target]
    assert [field.name for field, _ in summary.held_out.ListFields()] == [measure]
    score, length = getattr(summary.held_out, measure), getattr(summary.length, measure)
    # What the planted signal itself has on all documents.
    matrix, number = planted
    signal = matrix[:, list(TELLING)] @ np.array(list(TELLING.values()))
    best = {
        "number": r2_score(number, signal),
        "side": roc_auc_score(number > 0.5, signal),
        "third": f1_score(np.digitize(number, [-0.4, 0.8]), np.digitize(signal, [-0.4, 0.8]), average="macro"),
    }[target]
    assert score > best - 0.04 and length < score - 0.2
    assert getattr(summary.dense, measure) > length
    assert summary.held_out_documents + summary.discovery_documents == ROWS
    assert [one.latents for one in summary.path] == [1, 2, 4, 6]
    assert all(len(own.documents) == 2 and own.documents[0].text for own in latents)
    assert not summary.warnings


def test_it_does_no_worse_than_the_lasso_of_scikit_learn(api, planted):
    matrix, number = planted
    summary, latents = explain(api, "number", latents=3, documents=20)
    # The same number of latents by the L1 path, refitted, on another split of the same size.
    draws = np.random.default_rng(0).permutation(ROWS)
    outer, inner = draws[: int(0.3 * ROWS)], draws[int(0.3 * ROWS) :]
    x = matrix / np.array([np.percentile(row[row > 0], 90) for row in matrix.T])
    centred = number[inner] - number[inner].mean()
    _, path, _ = lasso_path(x[inner].astype(float), centred, alphas=100)
    three = next(np.nonzero(step)[0] for step in path.T if np.count_nonzero(step) >= 3)[:3]
    design = np.column_stack([x[:, three], np.ones(ROWS)])
    weights, *_ = np.linalg.lstsq(design[inner], number[inner], rcond=None)
    assert summary.held_out.r2 > r2_score(number[outer], design[outer] @ weights) - 0.05
    # The largest amounts come first.
    for own in latents:
        strongest = [matrix[int(one.id[1:]), own.latent] for one in own.documents]
        assert strongest == pytest.approx(sorted(matrix[:, own.latent], reverse=True)[:20], rel=1e-3)


def is_held_out(key: str, share: float) -> bool:
    """The documented split: FNV-1a of the id, its bits mixed as SplitMix64 does."""
    mask = (1 << 64) - 1
    state = 0xCBF29CE484222325
    for byte in key.encode():
        state = ((state ^ byte) * 0x100000001B3) & mask
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
    state ^= state >> 31
    return (state >> 11) / (1 << 53) < share


def test_effects_alone_are_scipys_on_what_is_held_out(api, planted):
    matrix, number = planted
    outer = np.array([is_held_out(f"d{at:05}", 0.5) for at in range(ROWS)])
    active = {latent: matrix[outer, latent] > 0 for latent in TELLING}
    summary, latents = explain(api, "number", latents=6, held_out=0.5)
    assert summary.held_out_documents == outer.sum()
    p_values = []
    for own in latents:
        there = active[own.latent]
        expected = stats.ttest_ind(number[outer][there], number[outer][~there], equal_var=False)
        assert own.active_documents == there.sum()
        assert own.effect == pytest.approx(number[outer][there].mean() - number[outer][~there].mean())
        interval = expected.confidence_interval(0.95)
        assert (own.effect_low, own.effect_high) == pytest.approx((interval.low, interval.high), rel=1e-4)
        assert own.p_value == pytest.approx(expected.pvalue, rel=1e-6)
        p_values.append(own.p_value)
    adjusted = stats.false_discovery_control(p_values)
    assert [own.p_adjusted for own in latents] == pytest.approx(adjusted, rel=1e-9)
    _, latents = explain(api, "side", latents=6, held_out=0.5)
    up = number[outer] > 0.5
    for own in latents:
        there = active[own.latent]
        assert own.effect == pytest.approx(up[there].mean() - up[~there].mean())
        table = [[(up & there).sum(), (~up & there).sum()], [(up & ~there).sum(), (~up & ~there).sum()]]
        assert own.p_value == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue, rel=1e-6)


def test_what_belongs_together_is_held_out_together(api, planted):
    summary, _ = explain(api, "number", latents=6, split_by="author", held_out=0.5)
    assert 0 < summary.held_out_documents < ROWS and summary.held_out_documents % (ROWS // 40) == 0


@pytest.mark.parametrize("k", [1, 4])
def test_probes_are_those_of_scikit_learn(api, planted, k):
    matrix, number = planted
    outer = np.array([is_held_out(f"d{at:05}", 0.3) for at in range(ROWS)])
    up = number > 0.5
    p90 = np.array([np.percentile(row[row > 0], 90) for row in matrix[~outer].T])
    amounts = np.minimum(matrix / p90, 2)
    means = amounts[~outer & up].mean(axis=0) - amounts[~outer & ~up].mean(axis=0)
    first = np.argsort(-np.abs(means))[:k]
    probe = LogisticRegression(C=0.1).fit(amounts[~outer][:, first], up[~outer])
    expected = roc_auc_score(up[outer], probe.decision_function(amounts[outer][:, first]))
    positive = wire.expr("side = 'up'")
    means = v1.EXPLAIN_CHOICE_MEANS
    summary, latents = explain(api, "", target_filter=positive, choice=means, latents=k)
    assert [own.latent for own in latents] == list(first)
    assert summary.held_out.auc == pytest.approx(expected, abs=0.01)
    assert summary.form == v1.EXPLAIN_FORM_AMOUNTS and not summary.pairs
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="target"):
        explain(api, "side", target_filter=positive)
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="0 documents"):
        explain(api, "", target_filter=wire.expr("side = 'sideways'"))


def test_nothing_is_explained_by_nothing(api, planted):
    summary, latents = explain(api, "noise", latents=8)
    assert summary.held_out.r2 < 0.02 and "next to nothing" in summary.warnings[0]
    assert sum(own.p_adjusted < 0.05 for own in latents) <= 1
    summary, _ = explain(api, "words", latents=8)
    assert summary.length.r2 > 0.95 and summary.held_out.r2 < 0.02


def test_what_is_no_target_is_refused(api, planted, name):
    for target, code, saying in (
        ("one", grpc.StatusCode.FAILED_PRECONDITION, "one value"),
        ("nowhere", grpc.StatusCode.FAILED_PRECONDITION, "nowhere"),
        ("tags", grpc.StatusCode.INVALID_ARGUMENT, "several values"),
        ("", grpc.StatusCode.INVALID_ARGUMENT, ""),
    ):
        with refused(code, saying=saying):
            explain(api, target)
    for fields, field in (
        ({"latents": 2000}, "latents"),
        ({"held_out": 0.95}, "held_out"),
        ({"held_out": -1}, "held_out"),
        ({"sample": 5}, "sample"),
        ({"documents": 21}, "documents"),
        ({"filter": wire.expr("number <")}, "filter.expression"),
    ):
        with refused(grpc.StatusCode.INVALID_ARGUMENT, field=field):
            explain(api, "number", **fields)
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="10 of each class"):
        explain(api, "third", filter=wire.expr("third != 'b' or id < 'd00009'"))
    api.create(name, dimension=2)
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="SAE"):
        explain(api, "number", collection=name)
    summary, _ = explain(api, "number", filter=wire.expr("gone = 1 or number > -100"))
    assert "gone" in summary.warnings[0]


def test_the_command_line_answers_as_scripts_expect(cli, planted, tmp_path):  # noqa: F811
    found = cli("explain", "explained", "--target", "number", "--latents", "6")
    assert found["held_out"]["r2"] > 0.7 and set(found["held_out"]) == {"r2"}
    assert {own["latent"] for own in found["latents"]} == TELLING.keys()
    page = cli("explain", "explained", "--target", "third", "--latents", "3", plain=True)
    assert "macro-F1" in page and "ridge on vectors" in page and "documents held out" in page
    table = tmp_path / "rows.csv"
    cli("explain", "explained", "--target", "side", "--latents", "3", "--csv", table)
    assert len(table.read_text().splitlines()) == 4
    found = cli("eval", "probe", "--collection", "explained", "--target", "third,side", "--k", "1,6")
    assert [own["target"] for own in found["rows"]][-1] in ("side = down", "side = up")
    assert len(found["rows"]) == 5 and all(own["auc"][1] > own["auc"][0] for own in found["rows"])
    page = cli("eval", "probe", "--collection", "explained", "--target", "side", plain=True)
    assert "vectors" in page and page.count("\n") == 5
    assert "one" in cli("eval", "probe", "--collection", "explained", "--target", "one", code=1)
    assert "held" in cli("explain", "explained", "--target", "side", "--held-out", "0", code=2)
