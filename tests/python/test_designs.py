"""Diffs and correlations within strata, over clusters and on held-out documents, against statsmodels."""

import grpc
import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable

import wire
from harness import refused
from stubs import v1
from test_analysis import UNTESTED, correlate, diff, named, trends

LATENTS = 12
CMH = v1.STATISTICAL_TEST_COCHRAN_MANTEL_HAENSZEL
EXACT = v1.STATISTICAL_TEST_STRATIFIED_EXACT


class Made:
    """Documents of two sides; those of A are longer, and longer ones have more latents active."""

    def __init__(self, count=900, seed=3):
        random = np.random.default_rng(seed)
        self.in_a = random.random(count) < 0.5
        self.words = np.where(
            self.in_a, random.integers(8, 40, count), random.integers(2, 30, count)
        )
        self.thread = random.integers(0, 70, count)
        self.year = random.integers(2000, 2006, count)
        density = np.geomspace(0.4, 0.004, LATENTS)
        of_thread = random.random((70, LATENTS)) < 0.3
        odds = density * self.words[:, None] / 12 * (0.6 + of_thread[self.thread])
        self.active = random.random((count, LATENTS)) < np.minimum(odds, 0.95)
        self.active[:, 3] |= self.in_a & (random.random(count) < 0.3)
        self.values = np.where(self.active, random.gamma(2.0, 0.5, (count, LATENTS)), 0)
        self.values = self.values.astype(np.float16).astype(float)

    def documents(self):
        for at in range(len(self.in_a)):
            latents = {int(i): float(self.values[at, i]) for i in np.flatnonzero(self.active[at])}
            attributes = {
                "side": "a" if self.in_a[at] else "b",
                "thread": int(self.thread[at]),
                "year": int(self.year[at]),
            }
            # Few have it.
            if at % 10 == 0:
                attributes["rare"] = "x"
            text = " ".join(["word"] * int(self.words[at]))
            yield wire.document(f"d{at:04}", text=text, latents=latents, **attributes)

    def deciles(self):
        order = np.sort(self.words)
        return np.searchsorted(order, self.words, "left") * 10 // len(order)


@pytest.fixture(scope="module")
def made(server):
    made = Made()
    made.api, made.name = server.api, "designs"
    made.api.create(made.name, n_latents=LATENTS)
    made.api.upsert(made.name, made.documents())
    return made


A, B = wire.expr('side = "a"'), named('side = "b"')


def tables(made, strata, latent):
    """2x2 tables of side and activity, of the strata with both sides."""
    found = []
    for stratum in np.unique(strata):
        inside = strata == stratum
        a, b = made.active[inside & made.in_a, latent], made.active[inside & ~made.in_a, latent]
        if len(a) and len(b):
            found.append([[a.sum(), (~a).sum()], [b.sum(), (~b).sum()]])
    return np.array(found, dtype=float)


def exact(found):
    """The two-sided exact test given all margins, by convolving hypergeometric distributions."""
    sums, low = np.ones(1), 0
    for table in found:
        n, m, a = int(table.sum()), int(table[:, 0].sum()), int(table[0].sum())
        first, last = max(0, a + m - n), min(a, m)
        sums = np.convolve(sums, stats.hypergeom(n, m, a).pmf(np.arange(first, last + 1)))
        low += first
    observed = sums[int(found[:, 0, 0].sum()) - low]
    return sums[sums <= observed * (1 + 1e-9)].sum()


@pytest.mark.parametrize("attribute", ["length", "year"])
def test_strata_are_statsmodels(made, attribute):
    strata = made.deciles() if attribute == "length" else made.year
    ((head, rows),) = diff(
        made.api, made.name, A, B, stratify_by=attribute, all=True, confidence=0.9
    )
    shared = set(strata[made.in_a]) & set(strata[~made.in_a])
    alone = ~np.isin(strata, list(shared))
    assert head.groups == len(shared)
    outside = (alone & made.in_a).sum(), (alone & ~made.in_a).sum()
    assert (head.a_outside, head.b_outside) == outside
    seen = set()
    for row in rows:
        found = tables(made, strata, row.latent)
        a, b = found[:, 0], found[:, 1]
        n = found.sum(axis=(1, 2))
        of_a, of_b = a.sum(axis=1), b.sum(axis=1)
        weights = of_a * of_b / n
        delta = (weights * (a[:, 0] / of_a - b[:, 0] / of_b)).sum() / weights.sum()
        assert row.delta == pytest.approx(delta, abs=1e-12)
        # Sato (1989).
        p = (of_a**2 * b[:, 0] - of_b**2 * a[:, 0] + of_a * of_b * (of_b - of_a) / 2) / n**2
        q = (a[:, 0] * b[:, 1] + b[:, 0] * a[:, 1]) / (2 * n)
        error = np.sqrt(delta * p.sum() + q.sum()) / weights.sum()
        z = stats.norm.ppf(0.95)
        assert (row.low, row.high) == pytest.approx((delta - z * error, delta + z * error), abs=1e-9)
        if row.test == CMH:
            expected = StratifiedTable(np.moveaxis(found, 0, 2)).test_null_odds(correction=False)
            assert row.p_value == pytest.approx(expected.pvalue, rel=1e-6)
        elif row.test == EXACT:
            assert row.p_value == pytest.approx(exact(found), rel=1e-6)
        seen.add(row.test)
    assert CMH in seen


def test_length_alone_is_no_difference(made):
    """Token counts drive most latents: within lengths only the planted one is left."""
    ((plain, rows),) = diff(made.api, made.name, A, B)
    assert plain.a_median_length == pytest.approx(np.median(made.words[made.in_a]), abs=1)
    ((head, within),) = diff(made.api, made.name, A, B, stratify_by="length")
    assert 3 in [row.latent for row in within] and head.passing < plain.passing
    assert max(within, key=lambda row: row.delta).latent == 3


@pytest.mark.parametrize("mean", [False, True])
def test_clusters_are_statsmodels(made, mean):
    measure = v1.DIFF_MEASURE_MEAN_ACTIVATION if mean else v1.DIFF_MEASURE_PREVALENCE
    ((head, rows),) = diff(
        made.api, made.name, A, B, cluster_by="thread", all=True, measure=measure
    )
    assert head.groups == len(np.unique(made.thread))
    y = made.values if mean else made.active.astype(float)
    x = sm.add_constant(made.in_a.astype(float))
    for row in rows:
        if row.test == UNTESTED:
            continue
        fitted = sm.OLS(y[:, row.latent], x).fit(
            cov_type="cluster", cov_kwds={"groups": made.thread}, use_t=True
        )
        assert row.delta == pytest.approx(fitted.params[1], abs=1e-12)
        t = fitted.params[1] / fitted.bse[1]
        freedom = int(head.groups) - 2
        assert row.p_value == pytest.approx(2 * stats.t.sf(abs(t), freedom), rel=1e-6)
        width = stats.t.ppf(0.975, freedom) * fitted.bse[1]
        assert (row.low, row.high) == pytest.approx((row.delta - width, row.delta + width), rel=1e-6)


def test_what_passes_is_listed_with_intervals_for_what_was_chosen(made):
    ((head, rows),) = diff(made.api, made.name, A, B, min_delta=0.0)
    ((_, every),) = diff(made.api, made.name, A, B, all=True)
    passing = [row.latent for row in every if row.test != UNTESTED and row.p_adjusted <= 0.05]
    assert sorted(row.latent for row in rows) == passing and head.passing == len(passing)
    assert len(every) == LATENTS and all(row.a_count + row.b_count >= 5 for row in rows)
    from test_analysis import newcombe

    confidence = 1 - 0.05 * len(rows) / head.tested
    for row in rows:
        expected = newcombe(
            row.a_count, head.a_documents, row.b_count, head.b_documents, confidence
        )
        assert (row.low, row.high) == pytest.approx(expected, abs=1e-9)


def test_comparisons_of_a_call_are_one_family(made):
    sets = [named(f"year = {year} and side = \"b\"") for year in (2001, 2003)]
    found = diff(made.api, made.name, A, *sets, all=True)
    rows = [row for _, rows in found for row in rows if row.test != UNTESTED]
    expected = stats.false_discovery_control([row.p_value for row in rows])
    assert [row.p_adjusted for row in rows] == pytest.approx(expected.tolist(), rel=1e-9)


def test_sets_that_overlap_are_refused_unless_told(made):
    b = named("year < 2003")
    in_b = made.year < 2003
    shared = int((made.in_a & in_b).sum())
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="overlap", saying=f"{shared} documents"):
        diff(made.api, made.name, A, b)
    ((head, _),) = diff(made.api, made.name, A, b, overlap=v1.DIFF_OVERLAP_KEEP)
    assert (head.shared, head.a_documents) == (shared, made.in_a.sum())
    ((head, rows),) = diff(made.api, made.name, A, b, overlap=v1.DIFF_OVERLAP_DROP, all=True)
    only_a, only_b = made.in_a & ~in_b, ~made.in_a & in_b
    assert (head.shared, head.a_documents, head.b_documents) == (shared, only_a.sum(), only_b.sum())
    assert [row.a_count for row in rows] == made.active[only_a].sum(axis=0).tolist()


def test_what_is_found_is_confirmed_on_other_documents(made):
    ((head, rows),) = diff(made.api, made.name, A, B, confirm=0.4, min_delta=0.0)
    both = int(made.in_a.sum()), int((~made.in_a).sum())
    held_out = head.a_documents, head.b_documents
    assert held_out == pytest.approx((0.4 * both[0], 0.4 * both[1]), rel=0.2)
    assert head.passing <= head.tested == head.found and 3 in [row.latent for row in rows]
    assert all(row.p_adjusted <= 0.05 for row in rows)
    # Everything is of the held-out part, and the same part each time.
    ((again, every),) = diff(made.api, made.name, A, B, confirm=0.4, min_delta=0.0, all=True)
    assert (again.a_documents, len(every)) == (head.a_documents, LATENTS)
    assert sum(row.test != UNTESTED for row in every) == head.tested


def test_pairs_within_strata_are_held_against_what_lengths_give(made):
    strata = made.deciles()
    summary, pairs = correlate(
        made.api, made.name, stratify_by="length", all=True, min_support=5
    )
    assert summary.strata == len(np.unique(strata))
    n = len(strata)
    for pair in pairs:
        expected, found = 0.0, []
        for stratum in np.unique(strata):
            i, j = made.active[strata == stratum][:, [pair.i, pair.j]].T
            expected += i.sum() * j.sum() / len(i)
            both = (i & j).sum()
            found.append([[both, (i & ~j).sum()], [(~i & j).sum(), (~i & ~j).sum()]])
        pmi = np.log(pair.count / expected)
        assert pair.pmi == pytest.approx(pmi, rel=1e-9, abs=1e-12)
        assert pair.npmi == pytest.approx(pmi / -np.log(pair.count / n), rel=1e-9, abs=1e-12)
        found = np.array(found, dtype=float)
        if pair.test == CMH:
            table = StratifiedTable(np.moveaxis(found, 0, 2))
            expected_p = table.test_null_odds(correction=False).pvalue
            assert pair.p_value == pytest.approx(expected_p, rel=1e-6)
        else:
            assert pair.p_value == pytest.approx(exact(found), rel=1e-6)
    # Longer texts have more of everything, which is nothing that goes together.
    plain, _ = correlate(made.api, made.name, min_support=5)
    within, _ = correlate(made.api, made.name, min_support=5, stratify_by="length")
    assert within.listed < plain.listed


def test_nothing_that_chance_explains_is_listed(made):
    _, pairs = correlate(made.api, made.name, min_support=5)
    assert all(pair.p_adjusted <= 0.05 for pair in pairs)
    _, every = correlate(made.api, made.name, min_support=5, all=True)
    assert len(every) > len(pairs)
    low = [pair.npmi_low for pair in every]
    assert low == sorted(low, reverse=True)
    summary, rows = trends(made.api, made.name, attribute="year")
    assert all(row.p_adjusted <= 0.05 for row in rows) and summary.passing == len(rows)
    summary, rows = trends(made.api, made.name, attribute="year", all=True)
    assert len(rows) == LATENTS > summary.passing


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"stratify_by": "rare"}, "stratify_by", "most documents have"),
        ({"cluster_by": "rare"}, "cluster_by", "most documents have"),
        ({"stratify_by": "side"}, "stratify_by", "no value is in both sets"),
        ({"stratify_by": "year", "cluster_by": "thread"}, "cluster_by", "stratify_by"),
        ({"pair_by": "year", "stratify_by": "thread"}, "stratify_by", "pair_by"),
        ({"stratify_by": "no name"}, "stratify_by", "no name"),
        ({"confirm": 1.0}, "confirm", "below 1"),
    ],
)
def test_designs_that_cannot_be_are_named(made, fields, field, words):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field=field, saying=words):
        diff(made.api, made.name, A, B, **fields)


def test_families_are_kept_where_no_label_has_a_score(made):
    before = made.api.latents.FindFamilies(v1.FindFamiliesRequest(collection=made.name))
    request = v1.FindFamiliesRequest(collection=made.name, min_label_score=0.5)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="min_label_score"):
        made.api.latents.FindFamilies(request)
    kept = made.api.latents.ListFamilies(v1.ListFamiliesRequest(collection=made.name))
    assert kept == before
