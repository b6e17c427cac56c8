"""Latents of two SAEs matched by what they are active in: against NumPy and SciPy on the same matrices; what moves."""

import grpc
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

import wire
from harness import refused
from stubs import v1
from test_cli import cli  # noqa: F401 (a fixture)

ROWS, LATENTS, OTHERS = 1500, 60, 45


@pytest.fixture(scope="module")
def matrices(api):
    """Two collections of mostly the same documents: latents of B are those of A in another order, some as they are,
    some noisy, some nothing of the kind."""
    random = np.random.default_rng(11)
    a = random.random((ROWS, LATENTS)) < random.uniform(0.02, 0.2, LATENTS)
    order = random.permutation(LATENTS)[:OTHERS]
    b = a[:, order].copy()
    noise = np.where(np.arange(OTHERS) < 15, 0, np.where(np.arange(OTHERS) < 30, 0.03, 0.4))
    b ^= random.random(b.shape) < noise * 0.5
    # Two that are nearly one, of which B has one.
    a[:, 1] = a[:, order[0]] ^ (random.random(ROWS) < 0.004)
    for name, matrix, count, start in (("one", a, LATENTS, 0), ("two", b, OTHERS, 100)):
        api.create(name, dimension=4, n_latents=count)
        api.upsert(
            name,
            [
                wire.document(
                    f"d{at}",
                    text=f"text {at}",
                    vec=random.normal(size=4),
                    latents={int(latent): float(random.uniform(0.1, 2)) for latent in np.nonzero(matrix[at])[0]},
                )
                for at in range(start, ROWS if name == "one" else ROWS - 50)
            ],
        )
    shared = slice(100, ROWS - 50)
    return a[shared], b[shared], order, a


def matched(api, call="MatchLatents", **fields):
    summary, latents = None, []
    request = {
        "MatchLatents": v1.MatchLatentsRequest,
        "MoveLatents": v1.MoveLatentsRequest,
    }[call](**fields)
    for part in getattr(api.analyses, call)(request):
        match part.WhichOneof("part"):
            case "summary":
                summary = part.summary
            case "latents":
                latents += part.latents.latents
    return summary, {own.latent: own for own in latents}


def test_matches_are_those_of_numpy_and_scipy(api, matrices):
    a, b, order, _ = matrices
    summary, found = matched(api, collection="one", other="two")
    assert summary.documents == len(a)
    phi = np.corrcoef(a.T.astype(float), b.T.astype(float))[:LATENTS, LATENTS:]
    assert set(found) == {latent for latent in range(LATENTS) if a[:, latent].sum() >= 5}
    for latent, own in found.items():
        assert own.documents == a[:, latent].sum()
        nearest = own.nearest
        assert nearest.phi == pytest.approx(phi[latent].max(), abs=1e-9)
        assert nearest.both == (a[:, latent] & b[:, nearest.latent]).sum()
        if own.HasField("other"):
            assert own.other.phi == pytest.approx(phi[latent, own.other.latent], abs=1e-9)
    # One to one, and as good as the best assignment of the 20 best candidates.
    others = [own.other.latent for own in found.values() if own.HasField("other")]
    assert len(others) == len(set(others))
    values = np.where(phi >= np.sort(phi, axis=1)[:, [-20]], phi, 0).clip(0)
    rows, columns = linear_sum_assignment(-values)
    total = sum(own.other.phi for own in found.values() if own.HasField("other"))
    assert total == pytest.approx(values[rows, columns].sum(), abs=1e-3)
    # What was copied is found, but for the latent whose double is as near.
    for place in range(1, 30):
        if order[place] != 1:
            assert found[int(order[place])].other.latent == place
    assert summary.matched == sum(own.HasField("other") and own.other.phi >= 0.5 for own in found.values())


def test_labels_presets_and_sets_move_with_their_latents(api, matrices):
    _, _, order, _ = matrices
    to = {int(latent): place for place, latent in enumerate(order)}
    same, lost = int(order[3]), next(latent for latent in range(2, LATENTS) if latent not in to)
    label = lambda latent, text: v1.LabelEntry(latent=latent, text=text, source="person")  # noqa: E731
    api.latents.SetLabels(
        v1.SetLabelsRequest(collection="one", labels=[label(same, "the same"), label(lost, "lost")])
    )
    for name, latent in (("kept", same), ("left", lost)):
        edit = v1.SteerEdit(latent=latent, boost=0.2)
        preset = v1.Preset(name=name, edits=[edit])
        api.searches.SavePreset(v1.SavePresetRequest(collection="one", preset=preset))
    raw = v1.Preset(name="raw", edits=[v1.SteerEdit(latent=same, set=0.2)])
    api.searches.SavePreset(v1.SavePresetRequest(collection="one", preset=raw))
    for name, expression in (
        ("with", f"latent({same}) and not latent({int(order[6])})"),
        ("above", f"latent({same}, > 0.3)"),
        ("without", f"latent({lost})"),
        ("words", 'text("text")'),
    ):
        filter_ = wire.expr(expression)
        api.collections.SaveSet(v1.SaveSetRequest(collection="one", name=name, filter=filter_))
    fields = {"labels": True, "presets": True, "sets": True}
    request = v1.MatchLatentsRequest(collection="one", other="two")
    summary, _ = matched(api, "MoveLatents", matching=request, **fields)
    moved = {(own.kind, own.name): (own.to, own.phi) for own in summary.moved}
    assert {key[1] for key in moved} == {"the same", "kept", "with"}
    assert all(phi == pytest.approx(1) for _, phi in moved.values())
    assert {own.name: own.why for own in summary.stayed}.keys() == {"lost", "left", "raw", "above", "without"}
    page = api.latents.GetLatent(v1.GetLatentRequest(collection="two", latent=to[same]))
    own = page.labels[0]
    assert (own.text, own.source, own.moved_from) == ("the same", "person", "one")
    assert own.moved_phi == pytest.approx(1)
    presets = api.searches.ListPresets(v1.ListPresetsRequest(collection="two")).presets
    assert [(one.name, one.edits[0].latent) for one in presets] == [("kept", to[same])]
    counts = [
        api.count(name, wire.expr('set("with")') if name == "one" else wire.expr('set("with") and text("text")'))
        for name in ("one", "two")
    ]
    assert counts[1] > 0 and counts[0] >= counts[1]
    # A second time nothing is overwritten, unless it is asked for.
    summary, _ = matched(api, "MoveLatents", matching=request, **fields)
    assert summary.moved == [] and any("already" in own.why for own in summary.stayed)
    summary, _ = matched(api, "MoveLatents", matching=request, replace=True)
    assert [own.name for own in summary.moved] == ["the same"]


def test_the_commands_show_matches_and_drift(cli, matrices):  # noqa: F811
    found = cli("latents", "map", "one", "two")
    assert int(found["documents"]) == len(matrices[0]) and len(found["latents"]) == int(found["active"])
    page = cli("latents", "map", "one", "two", "--limit", "3", plain=True)
    assert "have a counterpart among" in page and len(page.splitlines()) == 5
    # Latents of the first ids beside those of the others: nothing is planted there.
    drift = cli("latents", "drift", "one", "--before", 'id < "d2"')
    assert drift["before_documents"] + drift["after_documents"] == ROWS
    assert drift["both"] + drift["only_before"] + drift["only_after"] <= LATENTS
    a = matrices[3]
    before = np.array([f"d{at}" < "d2" for at in range(ROWS)])
    shares = a[before].mean(0), a[~before].mean(0)
    expected = np.abs(shares[0] - shares[1]).sum() / (shares[0] + shares[1]).sum()
    assert drift["moved"] == pytest.approx(expected)
    assert drift["residuals_before"] is None


def test_what_cannot_be_matched_says_why(api, matrices, name):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="other"):
        matched(api, collection="one", other="one")
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="min_phi"):
        matched(api, collection="one", other="two", min_phi=2)
    api.create(name, n_latents=3)
    api.upsert(name, [wire.document(f"x{at}", latents={0: 1.0}) for at in range(20)])
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="share 0 documents"):
        matched(api, collection="one", other=name)
    with refused(grpc.StatusCode.NOT_FOUND):
        matched(api, collection="one", other="nowhere")
