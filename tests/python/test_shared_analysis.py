"""Analyses of arXiv abstracts of LATENTDB_CORPORA against SciPy."""

import datetime

import numpy as np
import pytest
import scipy.sparse

import test_analysis
import test_sae
import test_shared_data
import wire
from stubs import v1
from test_analysis import correlate, diff, duplicates, named, trends
from test_ingest import Stream
from test_shared_data import abstracts  # noqa: F401 (a fixture)

N_LATENTS = 512
pytestmark = test_shared_data.pytestmark


@pytest.fixture(scope="module")
def arxiv(api, abstracts, tmp_path_factory):  # noqa: F811
    """Name of the collection, records, and the matrix of what is active, rows as the records."""
    records, vectors = abstracts
    name = "arxiv-analysis"
    api.create(name, dimension=vectors.shape[1])
    stream = Stream(api, name, "abstracts")
    for start in range(0, len(records), 500):
        part = zip(records[start : start + 500], vectors[start : start + 500], strict=True)
        documents = [
            wire.document(
                record["id"],
                text=record["title"],
                vec=vector,
                primary=record["categories"][0],
                date=datetime.datetime.fromisoformat(record["date"]).replace(
                    tzinfo=datetime.UTC
                ),
            )
            for record, vector in part
        ]
        stream.send(documents, batch=1 + start // 500)
    stream.finish()
    folder = tmp_path_factory.mktemp("sae") / "sae"
    *_, _ = test_sae.train(api, name, folder, n_latents=N_LATENTS, k=16, epochs=2)
    test_sae.attach(api, name, folder)
    rows = {record["id"]: row for row, record in enumerate(records)}
    active = scipy.sparse.lil_matrix((len(records), N_LATENTS), dtype=np.int64)
    for document in api.scroll(name, projection=v1.Projection(latents=True)):
        for entry in document.latents.values:
            active[rows[document.id], entry.latent] = 1
    return name, records, active.tocsr()


def test_a_diff_of_categories(api, arxiv):
    name, records, active = arxiv
    primary = np.array([record["categories"][0] for record in records])
    ((head, rows),) = diff(
        api, name, wire.expr('primary = "cs.CV"'), named('primary = "cs.CL"'), all=True, min_support=1
    )
    in_a, in_b = primary == "cs.CV", primary == "cs.CL"
    n, m = int(in_a.sum()), int(in_b.sum())
    assert (head.a_documents, head.b_documents) == (n, m) and n > 100 and m > 100
    assert [row.a_count for row in rows] == active[in_a].sum(axis=0).A1.tolist()
    assert [row.b_count for row in rows] == active[in_b].sum(axis=0).A1.tolist()
    for row in rows:
        if row.a_count + row.b_count:
            p, test = test_analysis.table_p(row.a_count, n, row.a_count + row.b_count, n + m)
            assert row.test == test
            assert row.p_value == pytest.approx(p, rel=1e-6)
            expected = test_analysis.newcombe(row.a_count, n, row.b_count, m, 0.95)
            assert (row.low, row.high) == pytest.approx(expected, abs=1e-9)
    test_analysis.check_adjusted(rows, head.tested)


def test_correlations_of_all_pairs(api, arxiv):
    name, records, active = arxiv
    product = scipy.sparse.triu(active.T @ active, 1).tocoo()
    expected = {
        (int(i), int(j)): int(count)
        for i, j, count in zip(product.row, product.col, product.data, strict=True)
        if count >= 20
    }
    summary, pairs = correlate(api, name, min_support=20, all=True)
    assert {(pair.i, pair.j): pair.count for pair in pairs} == expected
    singles = active.sum(axis=0).A1
    for pair in pairs:
        pmi = np.log(pair.count * len(records) / (singles[pair.i] * singles[pair.j]))
        npmi = pmi / -np.log(pair.count / len(records))
        assert pair.npmi == pytest.approx(npmi, rel=1e-9, abs=1e-12)
    for pair in pairs[:: max(1, len(pairs) // 300)]:
        p, test = test_analysis.table_p(pair.count, pair.i_count, pair.j_count, len(records))
        assert pair.test == test
        assert pair.p_value == pytest.approx(p, rel=1e-6)
    reaching = int((singles >= 20).sum())
    assert summary.eligible == reaching * (reaching - 1) // 2
    test_analysis.check_adjusted(pairs, summary.tested, summary.eligible)


def test_trends_over_months(api, arxiv):
    name, records, active = arxiv
    summary, rows = trends(
        api, name, attribute="date", buckets=v1.TREND_BUCKETS_MONTH, limit=N_LATENTS
    )
    months = np.array([record["date"][:7] for record in records])
    for place, bucket in enumerate(summary.buckets):
        inside = months == bucket.name
        assert bucket.documents == inside.sum()
        counts = active[inside].sum(axis=0).A1
        assert all(row.counts[place] == counts[row.latent] for row in rows)
    assert sum(bucket.documents for bucket in summary.buckets) == len(records)


def test_near_duplicates(api, arxiv):
    name, _, active = arxiv
    summary, groups = duplicates(api, name, threshold=0.6, limit=100_000)
    rows = active[active.sum(axis=1).A1 >= 4]
    sizes = rows.sum(axis=1).A1
    both = scipy.sparse.triu(rows @ rows.T, 1).tocoo()
    union = sizes[both.row] + sizes[both.col] - both.data
    assert summary.pairs == (both.data / union >= 0.6).sum()
    assert summary.documents == rows.shape[0] and summary.n_groups == len(groups)
