"""The page of one latent, against brute force."""

import grpc
import numpy as np
import pytest
from safetensors.numpy import load_file

import test_sae
import wire
from harness import refused
from stubs import v1



def page(corpus, latent, **fields):
    return corpus.api.latents.GetLatent(
        v1.GetLatentRequest(collection=corpus.name, latent=latent, **fields)
    )


@pytest.fixture(scope="module")
def rows(corpus):
    return [set(item.latents) for item in corpus.oracle.items.values()]


@pytest.mark.parametrize("latent", [0, 5, 40])
def test_activations_are_spread_as_they_are(corpus, latent):
    values = [
        item.latents[latent] for item in corpus.oracle.items.values() if latent in item.latents
    ]
    found = page(corpus, latent)
    assert found.summary.documents == len(values)
    assert found.summary.density == pytest.approx(len(values) / len(corpus.oracle))
    edges = found.histogram.lower + found.histogram.width * np.arange(21)
    assert edges[0] == pytest.approx(min(values)) and edges[-1] == pytest.approx(max(values))
    assert len(found.histogram.counts) == 20 and sum(found.histogram.counts) == len(values)
    expected, _ = np.histogram(values, bins=20)
    # A value on an edge may fall to either side.
    assert np.abs(np.array(found.histogram.counts) - expected).sum() <= 4


def test_random_documents_follow_the_seed(corpus):
    def drawn(seed):
        found = page(corpus, 3, random_documents=10, seed=seed).random_documents
        for entry in found:
            item = corpus.oracle.items[entry.document.id]
            assert item.latents[3] == pytest.approx(entry.activation)
        return [entry.document.id for entry in found]

    assert len(set(drawn(1))) == 10
    assert drawn(1) == drawn(1) != drawn(2)
    assert page(corpus, 3).random_documents == []


@pytest.mark.parametrize("latent", [0, 7, 20])
def test_co_occurrence_is_npmi(corpus, rows, latent):
    n = len(rows)
    count = {at: sum(at in row for row in rows) for at in range(64)}
    expected = {}
    for other in range(64):
        both = sum(latent in row and other in row for row in rows)
        if other != latent and both >= 5:
            npmi = np.log(both * n / (count[latent] * count[other])) / -np.log(both / n)
            if npmi > 0:
                expected[other] = (npmi, both)
    found = page(corpus, latent, related=100).co_occurring
    assert {entry.latent for entry in found} == set(expected)
    for entry in found:
        assert entry.score == pytest.approx(expected[entry.latent][0])
        assert entry.documents == expected[entry.latent][1]
    scores = [entry.score for entry in found]
    assert scores == sorted(scores, reverse=True)
    assert len(page(corpus, latent, related=1).co_occurring) <= 1
    # Client latents have no directions.
    assert page(corpus, latent, related=5).nearest == []


def test_attributes_with_lift_are_those_planted(api, name):
    random = np.random.default_rng(5)
    api.create(name, dimension=2, n_latents=4)
    made = []
    for at in range(600):
        active = at % 6 == 0
        source = "blog" if random.random() < (0.7 if active else 0.2) else "paper"
        made.append(
            wire.document(
                f"d{at}",
                vec=[1, at],
                latents={1: 1.0} if active else {2: 1.0},
                source=source,
                signed=bool(random.random() < (0.9 if active else 0.1)),
                tags=["all", "rare"] if at < 3 else ["all"],
                year=2000 + at % 6,
                **{"a.b": "x" if active else "y"},
            )
        )
    api.upsert(name, made, batch=200)
    request = v1.GetLatentRequest(collection=name, latent=1, related=10)
    found = api.latents.GetLatent(request).attributes
    by_value = {(lift.name, str(wire.plain(lift.value))): lift for lift in found}
    # Numbers are no classes, what all have says nothing, and three documents are too few.
    assert set(by_value) == {("source", "blog"), ("signed", "True"), ("a.b", "x")}
    for (attribute, value), lift in by_value.items():
        have = [d for d in made if str(wire.plain(d.attributes[attribute])) == value]
        both = [d for d in have if wire.row(d).keys() == {1}]
        assert (lift.documents, lift.total) == (len(both), len(have))
        assert lift.lift == pytest.approx(len(both) / 100 / (len(have) / 600))


def test_nearest_directions_are_those_of_the_decoder(api, name, tmp_path):
    vectors = test_sae.concept_vectors(300, seed=8)
    api.create(name, dimension=16)
    api.upsert(name, [wire.document(f"d{at}", vec=row) for at, row in enumerate(vectors)])
    test_sae.train(api, name, tmp_path / "sae", n_latents=24, k=3, epochs=2)
    list(
        api.collections.AttachSae(
            v1.AttachSaeRequest(collection=name, sae=str(tmp_path / "sae"))
        )
    )
    decoder = load_file(tmp_path / "sae/sae_weights.safetensors")["W_dec"].astype(np.float64)
    unit = decoder / np.linalg.norm(decoder, axis=1, keepdims=True)
    cosines = unit @ unit[4]
    expected = [int(at) for at in np.argsort(-cosines) if at != 4][:6]
    found = api.latents.GetLatent(v1.GetLatentRequest(collection=name, latent=4, related=6)).nearest
    assert [entry.latent for entry in found] == expected
    np.testing.assert_allclose([entry.score for entry in found], cosines[expected], atol=1e-5)


def test_lists_are_bounded(corpus):
    for field in ["documents", "random_documents", "related"]:
        with refused(grpc.StatusCode.INVALID_ARGUMENT, field=field):
            page(corpus, 1, **{field: 101})
