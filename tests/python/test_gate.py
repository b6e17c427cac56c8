"""How an SAE fits the vectors it meets, against NumPy."""

import json

import grpc
import numpy as np
import pytest

import test_sae
import wire
from harness import refused
from stubs import v1


def made(api, name, folder, rows, **fields):
    """A collection of vectors with an SAE trained on them, and what its record says."""
    api.create(name, dimension=rows.shape[1])
    api.upsert(name, test_sae.documents(rows))
    test_sae.train(api, name, folder, **fields)
    test_sae.attach(api, name, folder)
    config = json.loads((folder / "cfg.json").read_text())
    return config["metadata"]["latentdb"]["record"]["report"]


def restored(api, name, rows):
    request = v1.EncodeVectorsRequest(collection=name, vectors=[wire.vector(row) for row in rows])
    codes = api.models.EncodeVectors(request).rows
    request = v1.DecodeLatentsRequest(collection=name, rows=codes)
    return np.array([list(row.values) for row in api.models.DecodeLatents(request).vectors])


def test_the_fit_is_about_the_training_mean_and_held_to_its_own(api, name, tmp_path):
    rows = test_sae.concept_vectors(1500, seed=1)
    report = made(api, name, tmp_path / "sae", rows)
    mean, own = np.array(report["mean"]), report["held_out"]["fvu"]
    np.testing.assert_allclose(mean, rows.mean(axis=0), atol=0.02)

    # What comes is off the centre of the training, so it varies little about its own mean.
    fresh = rows[:900] + 0.5 * np.sign(mean)
    fresh = fresh.astype(np.float32)
    lenient = v1.AttachSaeRequest(
        collection=name, sae=str(tmp_path / "sae"), gate=v1.FitGate(fvu_limit=100.0)
    )
    list(api.collections.AttachSae(lenient))
    api.upsert(name, test_sae.documents(fresh, prefix="f"))
    met = np.concatenate([rows, fresh]).astype(float)
    residual = ((met - restored(api, name, met)) ** 2).sum()
    fit = api.info(name).fit
    assert fit.vectors == len(met)
    assert fit.fvu == pytest.approx(residual / ((met - mean) ** 2).sum(), rel=1e-3)
    assert (fit.own_fvu, fit.own_l0) == pytest.approx((own, report["held_out"]["l0"]))

    # Without a limit of the collection's own, the training's quality decides.
    default = v1.AttachSaeRequest(
        collection=name, sae=str(tmp_path / "sae"), gate=v1.FitGate(warn=True)
    )
    list(api.collections.AttachSae(default))
    limit = api.info(name).fit.limit
    assert limit == pytest.approx(own + max(0.1, 0.5 * own))


def test_a_threshold_sae_that_fires_too_often_is_refused(api, name, tmp_path):
    rows = test_sae.concept_vectors(1500, seed=1)
    report = made(api, name, tmp_path / "sae", rows, batch_top_k=True)
    own = report["held_out"]["l0"]
    assert api.info(name).fit.l0 == pytest.approx(own, rel=0.3)
    far = f"{name}-far"
    gate = v1.FitGate(fvu_limit=1e9)
    api.create(far, dimension=rows.shape[1], sae=str(tmp_path / "sae"), gate=gate)
    scaled = test_sae.documents((6 * rows).astype(np.float32))
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying=f"{own:.1f} in its training"):
        api.upsert(far, scaled[:500])
    assert api.count(far, None) == 0
