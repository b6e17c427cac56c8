"""`latentdb latents export`: the matrix that SciPy loads is what the documents hold."""

import numpy as np
import pytest
import scipy.sparse

import wire
from stubs import v1
from test_cli import cli  # noqa: F401 (a fixture)

LATENTS_ONLY = v1.Projection(latents=True)


def load(folder, stem: str):
    """The matrix and the ids of its rows."""
    ids = (folder / f"{stem}.ids.txt").read_text().splitlines()
    return scipy.sparse.load_npz(folder / f"{stem}.npz"), ids


def check(corpus, matrix, ids, keys):
    assert len(ids) == len(set(ids)) == matrix.shape[0]
    assert set(ids) == keys
    stored = corpus.api.get(corpus.name, ids, LATENTS_ONLY)
    for row, document in enumerate(stored):
        start, end = matrix.indptr[row : row + 2]
        found = dict(zip(matrix.indices[start:end].tolist(), matrix.data[start:end], strict=True))
        assert found == wire.row(document)


def test_the_matrix_holds_every_document(corpus, cli, tmp_path):  # noqa: F811
    answer = cli("latents", "export", corpus.name, "--out", tmp_path / "all.npz")
    matrix, ids = load(tmp_path, "all")
    assert matrix.format == "csr" and matrix.dtype == np.float32
    assert matrix.indices.dtype == matrix.indptr.dtype == np.int32
    assert matrix.has_canonical_format
    n_latents = corpus.api.info(corpus.name).n_latents
    assert matrix.shape == (len(corpus.oracle), n_latents)
    assert (answer["documents"], answer["latents"]) == matrix.shape
    assert answer["entries"] == matrix.nnz
    check(corpus, matrix, ids, corpus.oracle.keys())


def test_a_filter_bounds_the_matrix(corpus, cli, tmp_path):  # noqa: F811
    out = tmp_path / "some.npz"
    cli("latents", "export", corpus.name, "--out", out, "--filter", "year >= 2010 and latent(0)")
    matrix, ids = load(tmp_path, "some")
    wanted = corpus.oracle.keys(lambda item: item.attributes["year"] >= 2010 and 0 in item.latents)
    check(corpus, matrix, ids, wanted)
    assert matrix[:, [0]].nnz == len(wanted)


def test_an_empty_matrix_has_its_columns(corpus, cli, tmp_path):  # noqa: F811
    cli("latents", "export", corpus.name, "--out", tmp_path / "none.npz", "--filter", "year < 0")
    matrix, ids = load(tmp_path, "none")
    assert matrix.shape == (0, corpus.api.info(corpus.name).n_latents) and ids == []


@pytest.mark.parametrize(
    ("arguments", "saying"),
    [
        (("--filter", "latent("), "filter"),
        (("--filter", "latent(9999)"), "9999"),
    ],
)
def test_a_failed_export_leaves_nothing(corpus, cli, tmp_path, arguments, saying):  # noqa: F811
    out = tmp_path / "x.npz"
    text = cli("latents", "export", corpus.name, "--out", out, *arguments, code=1)
    assert saying in text
    assert list(tmp_path.iterdir()) == []


def test_a_collection_without_latents_says_how_to_get_them(api, cli, name, tmp_path):  # noqa: F811
    api.create(name, dimension=4)
    text = cli("latents", "export", name, "--out", tmp_path / "x.npz", code=1)
    assert "latentdb sae train" in text and list(tmp_path.iterdir()) == []
