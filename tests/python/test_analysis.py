"""Diffs, correlations, trends and near-duplicates against SciPy on the same matrix."""

import csv
import json
import threading
import time

import grpc
import numpy as np
import pytest
import scipy.sparse
from scipy import stats
from scipy.sparse.csgraph import connected_components

import oracle
import wire
from harness import refused
from models import MODEL, NEEDS_MINILM
from stubs import v1
from test_cli import cli  # noqa: F401 (a fixture)

UNTESTED = v1.STATISTICAL_TEST_UNTESTED


class Matrix:
    """The living documents of a corpus as a SciPy matrix and columns of attributes."""

    def __init__(self, items, n_latents=oracle.N_LATENTS):
        self.items = list(items)
        entries = [
            (row, latent, value)
            for row, item in enumerate(self.items)
            for latent, value in item.latents.items()
        ]
        rows, columns, values = zip(*entries, strict=True)
        shape = (len(self.items), n_latents)
        self.values = scipy.sparse.csr_matrix((values, (rows, columns)), shape=shape)

    def active(self, above=0.0):
        """0 and 1, dense, as integers."""
        return (self.values.toarray() > above).astype(np.int64)

    def mask(self, test):
        return np.array([bool(test(item)) for item in self.items])

    def attribute(self, name):
        return [item.attributes.get(name) for item in self.items]


@pytest.fixture(scope="session")
def matrix(corpus):
    return Matrix(corpus.oracle.items.values())


def diff(api, name, a, *b, **fields):
    """Pairs of head and rows, one per comparison."""
    request = v1.DiffRequest(collection=name, a=a, b=b, **fields)
    found = []
    for message in api.analyses.Diff(request):
        match message.WhichOneof("part"):
            case "comparison":
                found.append((message.comparison, []))
            case "rows":
                found[-1][1].extend(message.rows.rows)
    return found


def correlate(api, name, **fields):
    summary, pairs = None, []
    for message in api.analyses.Correlate(v1.CorrelateRequest(collection=name, **fields)):
        match message.WhichOneof("part"):
            case "summary":
                summary = message.summary
            case "pairs":
                pairs.extend(message.pairs.pairs)
    return summary, pairs


def trends(api, name, **fields):
    summary, rows = None, []
    for message in api.analyses.Trends(v1.TrendsRequest(collection=name, **fields)):
        match message.WhichOneof("part"):
            case "summary":
                summary = message.summary
            case "rows":
                rows.extend(message.rows.rows)
    return summary, rows


def duplicates(api, name, **fields):
    summary, groups = None, []
    request = v1.NearDuplicatesRequest(collection=name, **fields)
    for message in api.analyses.NearDuplicates(request):
        match message.WhichOneof("part"):
            case "summary":
                summary = message.summary
            case "groups":
                groups.extend(message.groups.groups)
    return summary, groups


def named(expression, name=""):
    return v1.NamedSet(name=name, filter=wire.expr(expression))


def table_p(both, first, second, n):
    """SciPy's p of a 2x2 table, by the rule that the messages document."""
    table = [[both, first - both], [second - both, n - first - second + both]]
    margins = np.outer([first, n - first], [second, n - second]) / n
    if margins.min() < 5:
        return stats.fisher_exact(table).pvalue, v1.STATISTICAL_TEST_FISHER
    p = stats.chi2_contingency(table, correction=False).pvalue
    return p, v1.STATISTICAL_TEST_TWO_PROPORTION


def newcombe(x, m, y, n, confidence):
    """Newcombe's hybrid score interval from SciPy's Wilson intervals."""
    p, q = x / m, y / n
    l1, u1 = stats.binomtest(x, m).proportion_ci(confidence, "wilson")
    l2, u2 = stats.binomtest(y, n).proportion_ci(confidence, "wilson")
    return p - q - np.hypot(p - l1, u2 - q), p - q + np.hypot(u1 - p, q - l2)


def check_adjusted(rows, tested, hypotheses=None):
    """Over `hypotheses`, of which those that are not among the rows count as 1."""
    kept = [row for row in rows if row.test != UNTESTED]
    assert len(kept) == tested
    p_values = np.ones(tested if hypotheses is None else hypotheses)
    p_values[:tested] = [row.p_value for row in kept]
    expected = stats.false_discovery_control(p_values)[:tested]
    np.testing.assert_allclose([row.p_adjusted for row in kept], expected, rtol=1e-9)


SETS = {
    "source": ('source = "tweets"', 'source = "films"'),
    "rare": ('source = "news"', "year < 2002"),
    "latent": ("latent(3)", "not latent(3)"),
}
TESTS = {
    'source = "tweets"': lambda item: item.attributes["source"] == "tweets",
    'source = "films"': lambda item: item.attributes["source"] == "films",
    'source = "news"': lambda item: item.attributes["source"] == "news",
    "year < 2002": lambda item: item.attributes["year"] < 2002,
    "latent(3)": lambda item: 3 in item.latents,
    "not latent(3)": lambda item: 3 not in item.latents,
}


@pytest.mark.parametrize("sets", SETS.values(), ids=SETS)
@pytest.mark.parametrize("above", [0.0, 0.8])
def test_a_diff_is_scipys(corpus, matrix, sets, above):
    a, b = sets
    ((head, rows),) = diff(
        corpus.api,
        corpus.name,
        wire.expr(a),
        named(b),
        all=True,
        active_above=above,
        min_support=1,
        overlap=v1.DIFF_OVERLAP_KEEP,
    )
    active = matrix.active(above)
    in_a, in_b = matrix.mask(TESTS[a]), matrix.mask(TESTS[b])
    n, m = int(in_a.sum()), int(in_b.sum())
    assert (head.a_documents, head.b_documents) == (n, m)
    assert head.shared == (in_a & in_b).sum()
    a_counts, b_counts = active[in_a].sum(axis=0), active[in_b].sum(axis=0)
    assert [row.latent for row in rows] == list(range(oracle.N_LATENTS))
    assert [row.a_count for row in rows] == a_counts.tolist()
    assert [row.b_count for row in rows] == b_counts.tolist()
    for row in rows:
        x, y = row.a_count, row.b_count
        assert row.delta == pytest.approx(x / n - y / m, abs=1e-12)
        larger = max(x / n, y / m)
        assert row.relative == pytest.approx(row.delta / larger if larger else 0, abs=1e-12)
        assert (row.low, row.high) == pytest.approx(newcombe(x, n, y, m, 0.95), abs=1e-9)
        if x + y == 0:
            assert row.test == UNTESTED
            continue
        p, test = table_p(x, n, x + y, n + m)
        assert row.test == test
        assert row.p_value == pytest.approx(p, rel=1e-6)
    check_adjusted(rows, head.tested)


def test_means_are_compared_by_welchs_test(corpus, matrix):
    a, b = SETS["source"]
    ((head, rows),) = diff(
        corpus.api,
        corpus.name,
        wire.expr(a),
        named(b),
        all=True,
        measure=v1.DIFF_MEASURE_MEAN_ACTIVATION,
        confidence=0.9,
        min_support=1,
    )
    values = matrix.values.toarray()
    in_a, in_b = values[matrix.mask(TESTS[a])], values[matrix.mask(TESTS[b])]
    for row in rows:
        x, y = in_a[:, row.latent], in_b[:, row.latent]
        assert (row.a, row.b) == pytest.approx((x.mean(), y.mean()), rel=1e-9)
        if row.test == UNTESTED:
            assert x.var() + y.var() == 0
            continue
        expected = stats.ttest_ind(x, y, equal_var=False)
        assert row.test == v1.STATISTICAL_TEST_WELCH
        assert row.p_value == pytest.approx(expected.pvalue, rel=1e-6)
        interval = expected.confidence_interval(0.9)
        assert (row.low, row.high) == pytest.approx((interval.low, interval.high), rel=1e-6)
    check_adjusted(rows, head.tested)


def test_pairs_are_compared_by_mcnemars_test(corpus, matrix):
    # Several documents share a day's number on either side.
    a, b = 'source = "tweets"', 'source = "films"'
    request = {"pair_by": "year", "all": True}
    ((head, rows),) = diff(corpus.api, corpus.name, wire.expr(a), named(b), **request)
    active = matrix.active()
    years = np.array(matrix.attribute("year"))
    in_a, in_b = matrix.mask(TESTS[a]), matrix.mask(TESTS[b])
    shared = sorted(set(years[in_a]) & set(years[in_b]))
    assert head.a_documents == head.b_documents == len(shared)
    of_a = np.array([active[in_a & (years == year)].any(axis=0) for year in shared])
    of_b = np.array([active[in_b & (years == year)].any(axis=0) for year in shared])
    for row in rows:
        x, y = of_a[:, row.latent], of_b[:, row.latent]
        only = int((x & ~y).sum()), int((y & ~x).sum())
        assert (row.only_a, row.only_b) == only
        assert (row.a_count, row.b_count) == (x.sum(), y.sum())
        if row.test != UNTESTED:
            expected = stats.binomtest(only[0], sum(only)).pvalue if sum(only) else 1.0
            assert row.p_value == pytest.approx(expected, rel=1e-9)
    check_adjusted(rows, head.tested)


def test_one_set_is_compared_with_many_and_their_union(corpus, matrix):
    sets = [named(f'source = "{source}"', source) for source in ("films", "news")]
    found = diff(
        corpus.api, corpus.name, wire.expr('source = "tweets"'), *sets, all=True, documents=2
    )
    assert [head.name for head, _ in found] == ["films", "news", "any"]
    active = matrix.active()
    sources = np.array(matrix.attribute("source"))
    for (head, rows), inside in zip(
        found, [["films"], ["news"], ["films", "news"]], strict=True
    ):
        members = np.isin(sources, inside)
        assert head.b_documents == members.sum()
        assert [row.b_count for row in rows] == active[members].sum(axis=0).tolist()
        for row in rows:
            side = sources == "tweets" if row.delta >= 0 else members
            column = matrix.values.toarray()[side, row.latent]
            expected = sorted(column[column > 0], reverse=True)[:2]
            assert [entry.activation for entry in row.documents] == pytest.approx(expected)


def test_a_selection_and_groups(corpus, matrix):
    a, b = SETS["latent"]
    ((head, rows),) = diff(corpus.api, corpus.name, wire.expr(a), named(b))
    assert all(abs(row.delta) > 0.03 for row in rows) and len(rows) == head.passing
    sizes = [abs(row.delta) for row in rows]
    assert sizes == sorted(sizes, reverse=True) and rows[0].latent == 3
    # Without B, the rest.
    ((rest, same),) = diff(corpus.api, corpus.name, wire.expr(a))
    assert rest.b_documents == head.b_documents and rest.shared == 0
    assert [row.delta for row in same] == [row.delta for row in rows]

    missing = {"max_b_share": 0.0, "min_delta": 0.0}
    ((_, rows),) = diff(corpus.api, corpus.name, wire.expr(a), named(b), **missing)
    assert [row.latent for row in rows] == [3]

    groups = [v1.LatentGroup(name="some", latents=[1, 5, 9]), v1.LatentGroup(name="3", latents=[3])]
    ((_, rows),) = diff(
        corpus.api, corpus.name, wire.expr(a), named(b), groups=groups, all=True
    )
    active = matrix.active()
    in_a = matrix.mask(TESTS[a])
    assert [row.label for row in rows] == ["some", "3"]
    assert rows[0].a_count == active[in_a][:, [1, 5, 9]].any(axis=1).sum()
    assert rows[1].b_count == 0


@pytest.mark.parametrize("support", [1, 20])
@pytest.mark.parametrize("filtered", [False, True])
def test_correlations_are_scipys(corpus, matrix, support, filtered):
    chosen = matrix.mask(TESTS['source = "tweets"']) if filtered else slice(None)
    active = matrix.active()[chosen]
    n = len(active)
    product = (scipy.sparse.csr_matrix(active).T @ scipy.sparse.csr_matrix(active)).toarray()
    described = {"filter": wire.expr('source = "tweets"')} if filtered else {}
    # All of them, to compare each.
    described["all"] = True
    summary, pairs = correlate(corpus.api, corpus.name, min_support=support, **described)
    expected = {
        (i, j): int(product[i, j])
        for i in range(oracle.N_LATENTS)
        for j in range(i + 1, oracle.N_LATENTS)
        if product[i, j] >= support
    }
    assert {(pair.i, pair.j): pair.count for pair in pairs} == expected
    assert (summary.documents, summary.tested, summary.listed) == (n, len(pairs), len(pairs))
    for pair in pairs:
        first, second = int(product[pair.i, pair.i]), int(product[pair.j, pair.j])
        assert (pair.i_count, pair.j_count) == (first, second)
        pmi = np.log(pair.count * n / (first * second))
        assert pair.pmi == pytest.approx(pmi, rel=1e-9, abs=1e-12)
        assert pair.npmi == pytest.approx(pmi / -np.log(pair.count / n), rel=1e-9, abs=1e-12)
        assert pair.j_given_i == pytest.approx(pair.count / first)
        assert pair.i_given_j == pytest.approx(pair.count / second)
    for pair in pairs[:: max(1, len(pairs) // 300)]:
        p, test = table_p(pair.count, pair.i_count, pair.j_count, n)
        assert pair.test == test
        assert pair.p_value == pytest.approx(p, rel=1e-6)
    reaching = int((active.sum(axis=0) >= support).sum())
    assert summary.eligible == reaching * (reaching - 1) // 2
    check_adjusted(pairs, summary.tested, summary.eligible)
    for pair in pairs:
        low = stats.binomtest(pair.count, n).proportion_ci(0.95, "wilson").low
        pmi = np.log(low * n * n / (pair.i_count * pair.j_count))
        assert pair.npmi_low == pytest.approx(pmi / -np.log(low), rel=1e-6, abs=1e-9)
    low = [pair.npmi_low for pair in pairs]
    assert sorted(low, reverse=True) == low


def test_latents_are_held_against_values(corpus, matrix):
    summary, pairs = correlate(
        corpus.api, corpus.name, attribute="tags", min_support=3, all=True
    )
    active = matrix.active()
    tags = matrix.attribute("tags")
    for pair in pairs:
        has = np.array([pair.value.string in of for of in tags])
        assert pair.j_count == has.sum()
        assert pair.count == active[has, pair.i].sum() >= 3
        p, _ = table_p(pair.count, pair.i_count, pair.j_count, len(tags))
        assert pair.p_value == pytest.approx(p, rel=1e-6)
    having = [sum(tag in of for of in tags) for tag in {tag for of in tags for tag in of}]
    reaching = int((active.sum(axis=0) >= 3).sum())
    assert summary.eligible == reaching * sum(count >= 3 for count in having)
    check_adjusted(pairs, summary.tested, summary.eligible)


@pytest.mark.parametrize(
    ("first", "others"), [([1, 5, 9], []), ([1, 5, 9], [5, 9, 2, 3]), ([4], [4])]
)
def test_every_pair_of_a_scope_is_a_hypothesis(corpus, matrix, first, others):
    summary, pairs = correlate(
        corpus.api, corpus.name, latents=first, others=others, min_support=2, all=True
    )
    reaching = set(np.flatnonzero(matrix.active().sum(axis=0) >= 2))
    possible = {
        frozenset((i, j))
        for i in set(first) & reaching
        for j in (set(others) or reaching) & reaching
        if i != j
    }
    assert summary.eligible == len(possible)
    assert {frozenset((pair.i, pair.j)) for pair in pairs} <= possible
    if pairs:
        check_adjusted(pairs, summary.tested, summary.eligible)


def test_sides_are_joined_by_a_value(corpus, matrix):
    summary, pairs = correlate(
        corpus.api,
        corpus.name,
        filter=wire.expr('source = "news"'),
        join_by="score",
        other_filter=wire.expr('source = "tweets"'),
        min_support=2,
        all=True,
    )
    active = matrix.active()
    scores = np.array(matrix.attribute("score"))
    news, tweets = (
        matrix.mask(TESTS['source = "news"']),
        matrix.mask(TESTS['source = "tweets"']),
    )
    shared = sorted(set(scores[news]) & set(scores[tweets]))
    of_a = np.array([active[news & (scores == score)].any(axis=0) for score in shared], dtype=int)
    of_b = np.array([active[tweets & (scores == score)].any(axis=0) for score in shared], dtype=int)
    assert summary.documents == len(shared)
    product = of_a.T @ of_b
    expected = {
        (int(i), int(j)): int(product[i, j]) for i, j in zip(*np.nonzero(product >= 2), strict=True)
    }
    assert {(pair.i, pair.j): pair.count for pair in pairs} == expected
    reaching = [int((of.sum(axis=0) >= 2).sum()) for of in (of_a, of_b)]
    assert summary.eligible == reaching[0] * reaching[1]
    check_adjusted(pairs, summary.tested, summary.eligible)


def test_trends_are_tested_as_cochran_and_armitage(corpus, matrix):
    summary, rows = trends(
        corpus.api,
        corpus.name,
        attribute="year",
        limit=oracle.N_LATENTS,
        all=True,
        min_support=1,
    )
    active = matrix.active()
    years = np.array(matrix.attribute("year"))
    values = sorted(set(years))
    assert [bucket.name for bucket in summary.buckets] == [str(year) for year in values]
    assert [b.documents for b in summary.buckets] == [(years == year).sum() for year in values]
    places = np.searchsorted(values, years)
    for row in rows:
        column = active[:, row.latent]
        assert list(row.counts) == [column[years == year].sum() for year in values]
        if column.any():
            z = stats.pearsonr(places, column).statistic * np.sqrt(len(years))
            assert row.z == pytest.approx(z, rel=1e-9, abs=1e-9)
            assert row.p_value == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-6)
            slope = stats.linregress(places, column).slope
            assert row.slope == pytest.approx(slope, rel=1e-9, abs=1e-12)
            assert row.change == pytest.approx(slope * (len(values) - 1), rel=1e-9, abs=1e-12)
    months, _ = trends(corpus.api, corpus.name, attribute="day", buckets=v1.TREND_BUCKETS_MONTH)
    found = {bucket.name: bucket.documents for bucket in months.buckets}
    days = [day.strftime("%Y-%m") for day in matrix.attribute("day")]
    assert found == {month: days.count(month) for month in found} and sum(found.values()) == len(days)


def test_near_duplicates_are_those_of_all_pairs(corpus, matrix):
    active = matrix.active()
    kept = np.flatnonzero(active.sum(axis=1) >= 4)
    rows = active[kept]
    both = rows @ rows.T
    sizes = rows.sum(axis=1)
    similar = both / (sizes[:, None] + sizes[None, :] - both) >= 0.75
    summary, groups = duplicates(
        corpus.api, corpus.name, threshold=0.75, limit=10_000, projection=wire.IDS_ONLY
    )
    assert summary.documents == len(kept)
    assert summary.pairs == np.triu(similar, 1).sum()
    _, label = connected_components(scipy.sparse.csr_matrix(similar), directed=False)
    keys = np.array([matrix.items[at].key for at in kept])
    expected = {frozenset(keys[label == of]) for of in set(label) if (label == of).sum() > 1}
    found = {frozenset(member.document.id for member in group.documents) for group in groups}
    assert found == expected and summary.n_groups == len(expected)


def test_a_large_group_lists_its_first_documents(api, name, cli, tmp_path):  # noqa: F811
    api.create(name, n_latents=8)
    text, latents = "the same " * 10, dict.fromkeys(range(4), 1.0)
    documents = [wire.document(f"d{at:04}", text=text, latents=latents) for at in range(1200)]
    api.upsert(name, documents, batch=1000)
    for asked, listed in [(0, 100), (3, 3), (2000, 1200)]:
        summary, (group,) = duplicates(api, name, documents=asked)
        assert (summary.n_groups, summary.grouped, group.size) == (1, 1200, 1200)
        assert len(group.documents) == listed
        assert all(member.document.text == text for member in group.documents)
    # What is longer than a message is listed as far as it fits one.
    text, latents = "x" * (900 << 10), dict.fromkeys(range(4, 8), 1.0)
    for at in range(4):
        api.upsert(name, [wire.document(f"long{at}", text=text, latents=latents)])
    _, groups = duplicates(api, name)
    assert [(group.size, len(group.documents)) for group in groups] == [(1200, 100), (4, 1)]
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="documents"):
        duplicates(api, name, documents=10_001)
    file = tmp_path / "members.csv"
    page = cli("duplicates", name, "--documents", 2, "--csv", file, plain=True)
    assert "group 1, 1,200 documents" in page and "and 1,198 more" in page
    with file.open() as lines:
        assert [row["group_size"] for row in csv.DictReader(lines)] == ["1200", "1200", "4"]


def test_a_planted_correlation_is_found(api, name):
    """The injection test of paper A."""
    random = np.random.default_rng(5)
    n, latents = 10_000, 300
    active = random.random((n, latents)) < np.geomspace(0.002, 0.08, latents)
    planted = random.choice(n, n // 100, replace=False)
    active[np.ix_(planted, [40, 170])] = True
    api.create(name, n_latents=latents)
    api.upsert(
        name,
        (
            wire.document(str(row), latents={int(at): 1.0 for at in np.flatnonzero(active[row])})
            for row in range(n)
        ),
        batch=5000,
    )
    _, pairs = correlate(api, name, limit=10)
    assert (40, 170) in [(pair.i, pair.j) for pair in pairs]


def test_badly_explained_documents_are_found(api, name, tmp_path):
    import test_sae

    vectors = test_sae.concept_vectors(400, seed=3)
    vectors[:5] = np.random.default_rng(4).normal(size=vectors[:5].shape)
    api.create(name, dimension=vectors.shape[1])
    api.upsert(name, [wire.document(f"d{at:03}", vec=row) for at, row in enumerate(vectors)])
    *_, _ = test_sae.train(api, name, tmp_path / "sae", n_latents=64, k=4, epochs=20)
    test_sae.attach(api, name, tmp_path / "sae")
    request = v1.PoorlyExplainedRequest(collection=name, limit=400)
    *_, last = api.analyses.PoorlyExplained(request)
    found = {entry.document.id: entry.residual_share for entry in last.result.worst}
    rows = api.models.EncodeVectors(
        v1.EncodeVectorsRequest(collection=name, vectors=[wire.vector(row) for row in vectors])
    ).rows
    decoded = api.models.DecodeLatents(v1.DecodeLatentsRequest(collection=name, rows=rows)).vectors
    restored = np.array([vector.values for vector in decoded])
    shares = ((vectors - restored) ** 2).sum(axis=1) / (vectors**2).sum(axis=1)
    assert [found[f"d{at:03}"] for at in range(400)] == pytest.approx(shares.tolist(), rel=1e-4)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert last.result.quantiles[0] == min(found.values())
    assert last.result.quantiles[-1] == max(found.values())


@pytest.mark.parametrize("bound", [None, 0.9, 1.0])
def test_labels_that_say_the_same_are_passed_over(api, name, bound):
    """Latents 0 and 1 are labelled alike, 2 and 3 unlike, 4 not at all; all go together."""
    api.create(name, encoder=MODEL, n_latents=5)
    rows = [range(5)] * 30 + [[]] * 70
    vector = np.ones(384)
    api.upsert(
        name,
        [
            wire.document(str(at), vec=vector, latents={latent: 1.0 for latent in row})
            for at, row in enumerate(rows)
        ],
    )
    labels = ["rain and storms", "storms and rain", "football", "chess openings"]
    entries = [v1.LabelEntry(latent=at, text=text) for at, text in enumerate(labels)]
    api.latents.SetLabels(v1.SetLabelsRequest(collection=name, labels=entries))
    fields = {} if bound is None else {"max_label_similarity": bound}
    summary, pairs = correlate(api, name, **fields)
    vectors = api.models.EncodeTexts(v1.EncodeTextsRequest(collection=name, texts=labels)).vectors
    made = np.array([vector.values for vector in vectors])
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    cosines = made @ made.T
    most = 0.2 if bound is None else bound
    expected = {
        (i, j)
        for i in range(5)
        for j in range(i + 1, 5)
        if most >= 1.0 or j == 4 or cosines[i, j] < most
    }
    assert {(pair.i, pair.j) for pair in pairs} == expected
    assert ((0, 1) in expected) == (bound == 1.0) and summary.tested == 10
    if bound == 1.0:
        assert not summary.HasField("similar_labels")
        return
    assert summary.similar_labels == 10 - len(expected)
    for pair in pairs:
        assert pair.HasField("label_similarity") == (pair.j != 4)
        if pair.j != 4:
            assert pair.label_similarity == pytest.approx(cosines[pair.i, pair.j], abs=1e-5)


test_labels_that_say_the_same_are_passed_over.pytestmark += NEEDS_MINILM

BAD = {
    "a": (lambda api, name: diff(api, name, None), "a"),
    "a.expression": (lambda api, name: diff(api, name, wire.expr("latent(")), "a.expression"),
    "b": (
        lambda api, name: diff(api, name, wire.EVERYTHING_FILTER, named("year <")),
        "b[0].filter.expression",
    ),
    "latent": (
        lambda api, name: diff(api, name, wire.EVERYTHING_FILTER, named("latent(64)")),
        "b[0].filter.latent",
    ),
    "confidence": (
        lambda api, name: diff(
            api, name, wire.expr("year >= 2002"), named("year < 2002"), confidence=1.0
        ),
        "confidence",
    ),
    "above": (
        lambda api, name: diff(api, name, wire.expr("year < 2002"), active_above=-1.0),
        "active_above",
    ),
    "groups": (
        lambda api, name: diff(
            api, name, wire.expr("year < 2002"), groups=[v1.LatentGroup(name="g", latents=[1, 64])]
        ),
        "groups[0].latents[1]",
    ),
    "documents": (
        lambda api, name: diff(api, name, wire.expr("year < 2002"), documents=1000),
        "documents",
    ),
    "latents": (lambda api, name: correlate(api, name, latents=[3, 64]), "latents[1]"),
    "others": (lambda api, name: correlate(api, name, others=[3]), "others"),
    "density": (lambda api, name: correlate(api, name, max_density=1.5), "max_density"),
    "values": (lambda api, name: correlate(api, name, attribute="no name"), "attribute"),
    "order": (lambda api, name: trends(api, name), "attribute"),
    "buckets": (
        lambda api, name: trends(api, name, attribute="year", buckets=v1.TREND_BUCKETS_DAY),
        "buckets",
    ),
    "threshold": (lambda api, name: duplicates(api, name, threshold=0.0), "threshold"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_bad_requests_name_the_field(corpus, case):
    call, field = case
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field=field):
        call(corpus.api, corpus.name)


def test_what_is_not_there(corpus, name):
    with refused(grpc.StatusCode.NOT_FOUND):
        correlate(corpus.api, name)
    with refused(grpc.StatusCode.NOT_FOUND, saying="no-set"):
        diff(corpus.api, corpus.name, wire.expr('set("no-set")'))
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="no documents"):
        diff(corpus.api, corpus.name, wire.expr('id = "nobody"'), named("year < 2002"))
    corpus.api.create(name, dimension=4)
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="SAE"):
        correlate(corpus.api, name)
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="different SAEs"):
        diff(corpus.api, corpus.name, wire.EVERYTHING_FILTER, b_collection=name)


def test_latents_of_ones_own_are_compared_across_collections_where_one_vouches(api, name):
    for which, latent in [("a", 1), ("b", 2)]:
        api.create(f"{name}-{which}", n_latents=3)
        api.upsert(f"{name}-{which}", [wire.document("d", latents={0: 1.0, latent: 1.0})])
    both = (f"{name}-a", wire.EVERYTHING_FILTER)
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="same_latents"):
        diff(api, *both, b_collection=f"{name}-b")
    ((head, rows),) = diff(api, *both, b_collection=f"{name}-b", same_latents=True, all=True)
    assert (head.a_documents, head.b_documents) == (1, 1)
    assert [(row.a_count, row.b_count) for row in rows] == [(1, 1), (1, 0), (0, 1)]


def test_a_call_that_is_dropped_is_called_off(corpus):
    call = corpus.api.analyses.Correlate(
        v1.CorrelateRequest(collection=corpus.name, min_support=1)
    )
    threading.Thread(target=call.cancel).start()
    with pytest.raises(grpc.RpcError):
        for _ in call:
            time.sleep(0.01)
        raise grpc.RpcError  # It was quicker than the cancellation.
    assert corpus.count(None) == len(corpus.oracle)


def test_the_command_line_answers_as_scripts_expect(corpus, matrix, cli, tmp_path):  # noqa: F811
    a, b = SETS["source"]
    (found,) = cli("diff", corpus.name, "--a", a, "--b", b, "--all")["comparisons"]
    active = matrix.active()
    in_a, in_b = active[matrix.mask(TESTS[a])], active[matrix.mask(TESTS[b])]
    assert (found["a_documents"], found["b_documents"]) == (len(in_a), len(in_b))
    assert [row["latent"] for row in found["rows"]] == list(range(oracle.N_LATENTS))
    assert [row["a_count"] for row in found["rows"]] == in_a.sum(axis=0).tolist()
    assert [row["b_count"] for row in found["rows"]] == in_b.sum(axis=0).tolist()
    assert {"delta", "p_adjusted", "label"} <= set(found["rows"][0])

    file = tmp_path / "pairs.csv"
    found = cli("correlate", corpus.name, "--min-support", 20, "--all", "--csv", file)
    product = active.T @ active
    upper = np.triu(product, 1)
    assert len(found["pairs"]) == (upper >= 20).sum()
    for pair in found["pairs"]:
        assert pair["count"] == product[pair["i"], pair["j"]]
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    assert [int(row["count"]) for row in rows] == [pair["count"] for pair in found["pairs"]]
    assert float(rows[0]["npmi"]) == found["pairs"][0]["npmi"]

    groups = tmp_path / "groups.jsonl"
    groups.write_text(json.dumps({"name": "g", "latents": [1, 2]}))
    diff_groups = ("diff", corpus.name, "--a", a, "--groups", groups, "--all", "--documents", 1)
    (found,) = cli(*diff_groups)["comparisons"]
    assert [row["label"] for row in found["rows"]] == ["g"]
    assert found["rows"][0]["a_count"] == in_a[:, [1, 2]].any(axis=1).sum()
    week = ("trends", corpus.name, "--by", "day", "--every", "week", "--all", "--limit", 3)
    found = cli(*week)
    assert len(found["rows"]) == 3 and found["buckets"][0]["name"].startswith("202")
    found = cli("duplicates", corpus.name, "--threshold", 0.75, "--limit", 2)
    assert len(found["groups"]) == min(2, found["n_groups"])
    for arguments in [
        ("diff", corpus.name, "--a", a, "--b", b, "--documents", 2, "--all"),
        ("correlate", corpus.name, "--attribute", "source", "--all"),
        ("trends", corpus.name, "--by", "year", "--all"),
        ("duplicates", corpus.name),
    ]:
        assert len(cli(*arguments, plain=True).splitlines()) > 2
    assert "no side" in cli("diff", corpus.name, "--a", a, "--more-in", "c", code=2)


def test_filters_that_cannot_match_are_doubted(corpus):
    api, name = corpus.api, corpus.name
    typo = wire.expr('source = "films" or sorce = "films"')

    def warned(stream, part="summary"):
        found = [getattr(message, part) for message in stream if message.HasField(part)]
        return list(found[0].warnings)

    analyses = {
        "correlate": warned(
            api.analyses.Correlate(v1.CorrelateRequest(collection=name, filter=typo))
        ),
        "trends": warned(
            api.analyses.Trends(
                v1.TrendsRequest(collection=name, filter=typo, attribute="year")
            )
        ),
        "cluster": warned(
            api.analyses.Cluster(
                v1.ClusterRequest(collection=name, filter=typo, axis=v1.Axis(latents=[0, 1, 2]))
            )
        ),
        "duplicates": warned(
            api.analyses.NearDuplicates(v1.NearDuplicatesRequest(collection=name, filter=typo))
        ),
        "diff": warned(api.analyses.Diff(v1.DiffRequest(collection=name, a=typo)), "comparison"),
    }
    for analysis, warnings in analyses.items():
        assert len(warnings) == 1 and 'is it "source"' in warnings[0], analysis
    saved = api.collections.SaveSet(
        v1.SaveSetRequest(collection=name, name="doubtful", filter=typo)
    )
    assert len(saved.warnings) == 1
    api.collections.DropSet(v1.DropSetRequest(collection=name, name="doubtful"))
