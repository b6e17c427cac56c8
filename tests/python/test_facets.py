"""Facets of numbers and times, facets inside facets, and facets beside hits, against NumPy."""

import collections
import datetime

import grpc
import numpy as np
import pytest

import oracle
import wire
from harness import refused
from stubs import v1
from wire import expr, histogram, statistics

FILTER = "latent(1) and year >= 2005"


@pytest.fixture
def inside(corpus):
    """The documents of FILTER."""
    return [
        item
        for item in corpus.oracle.items.values()
        if 1 in item.latents and item.attributes["year"] >= 2005
    ]


def counts_of(result) -> dict:
    """Counts by value, by bucket's bounds, or by latent."""
    found = {wire.plain(entry.value): entry.count for entry in result.values}
    for entry in result.buckets:
        found[wire.plain(entry.lower), wire.plain(entry.upper)] = entry.count
    return found | {entry.latent: entry.count for entry in result.latents}


def test_statistics_are_those_of_numpy(corpus, inside):
    points = [0.0, 0.1, 0.5, 0.99, 1.0]
    asked = [statistics(name, points) for name in ("year", "score", "day", "nothing")]
    year, score, day, nothing = corpus.api.facet(corpus.name, *asked, described=expr(FILTER))
    for found, name in ((year, "year"), (score, "score")):
        values = np.array([item.attributes[name] for item in inside])
        told = found.statistics
        assert (told.values, found.documents, found.missing) == (len(values), len(values), 0)
        assert wire.plain(told.min) == values.min() and wire.plain(told.max) == values.max()
        assert wire.plain(told.mean) == pytest.approx(values.mean())
        assert wire.plain(told.sum) == pytest.approx(values.sum())
        assert told.standard_deviation == pytest.approx(values.std(ddof=1))
        assert [quantile.at for quantile in told.quantiles] == points
        quantiles = [wire.plain(quantile.value) for quantile in told.quantiles]
        assert quantiles == pytest.approx(np.quantile(values, points))
    assert year.statistics.sum.WhichOneof("kind") == "integer"
    times = sorted(item.attributes["day"] for item in inside)
    told = day.statistics
    assert (wire.plain(told.min), wire.plain(told.max)) == (times[0], times[-1])
    seconds = np.array([time.timestamp() for time in times])
    assert wire.plain(told.mean).timestamp() == pytest.approx(seconds.mean(), abs=1e-3)
    assert told.standard_deviation == pytest.approx(seconds.std(ddof=1))
    assert not told.HasField("sum")
    assert not nothing.HasField("statistics") and nothing.missing == len(inside)


def test_histograms_are_those_of_numpy(corpus, inside):
    width, quarters, equal = corpus.api.facet(
        corpus.name,
        histogram("score", width=0.25),
        histogram("day", calendar=v1.CALENDAR_UNIT_QUARTER),
        histogram("score", quantiles=7),
        described=expr(FILTER),
    )
    scores = np.array([item.attributes["score"] for item in inside])
    lowers = [entry.lower.float for entry in width.buckets]
    uppers = [entry.upper.float for entry in width.buckets]
    assert lowers[1:] == uppers[:-1] and all(bound % 0.25 == 0 for bound in lowers)
    assert lowers[0] <= scores.min() < uppers[0] and lowers[-1] <= scores.max() < uppers[-1]
    expected, _ = np.histogram(scores, [*lowers, uppers[-1]])
    assert [entry.count for entry in width.buckets] == list(expected)

    days = [item.attributes["day"] for item in inside]
    told = collections.Counter((day.year, (day.month + 2) // 3) for day in days)
    for entry in quarters.buckets:
        lower, upper = wire.plain(entry.lower), wire.plain(entry.upper)
        assert (lower.day, lower.month % 3, lower.hour) == (1, 1, 0)
        assert entry.count == told[lower.year, (lower.month + 2) // 3]
        assert 90 <= (upper - lower).days <= 92
    assert sum(entry.count for entry in quarters.buckets) == len(days)

    counts = [entry.count for entry in equal.buckets]
    assert len(counts) == 7 and sum(counts) == len(scores)
    assert max(counts) - min(counts) <= 3
    assert equal.buckets[-1].upper.float == scores.max()


def test_counts_inside_counts_are_a_recount(corpus, inside):
    tags = v1.Facet(attribute="tags", limit=1000)
    by_source, by_year, by_latent = corpus.api.facet(
        corpus.name,
        v1.Facet(attribute="source", then=tags),
        histogram("year", width=10, then=statistics("score", [0.5])),
        v1.Facet(latents=wire.EVERYTHING, limit=3, then=histogram("year", quantiles=4)),
        described=expr(FILTER),
    )
    two_way = collections.Counter(
        (item.attributes["source"], tag)
        for item in inside
        for tag in set(item.attributes["tags"])
    )
    found = {
        (wire.plain(entry.value), tag): count
        for entry in by_source.values
        for tag, count in counts_of(entry.then).items()
    }
    assert found == dict(two_way)

    for entry in by_year.buckets:
        lower, upper = entry.lower.integer, entry.upper.integer
        scores = [
            item.attributes["score"]
            for item in inside
            if lower <= item.attributes["year"] < upper
        ]
        assert entry.count == entry.then.documents == len(scores)
        assert wire.plain(entry.then.statistics.mean) == pytest.approx(np.mean(scores))

    bounds = {tuple(counts_of(entry.then)) for entry in by_latent.latents}
    assert len(bounds) == 1, "buckets inside are those of the whole set"
    for entry in by_latent.latents:
        years = [item.attributes["year"] for item in inside if entry.latent in item.latents]
        *lower, (last, largest) = bounds.copy().pop()
        edges = [*(bound for bound, _ in lower), last, largest]
        assert list(counts_of(entry.then).values()) == list(np.histogram(years, edges)[0])

    latents = v1.Facet(latents=wire.EVERYTHING, limit=1000)
    (nested,) = corpus.api.facet(
        corpus.name, v1.Facet(attribute="source", then=latents), described=expr(FILTER)
    )
    news = next(entry for entry in nested.values if entry.value.string == "news")
    told = collections.Counter(
        latent for item in inside if item.attributes["source"] == "news" for latent in item.latents
    )
    assert counts_of(news.then) == dict(told)


def test_hits_and_facets_come_from_one_call(corpus, inside):
    facets = [v1.Facet(attribute="source"), wire.BY_LATENTS]
    apart = corpus.api.facet(corpus.name, *facets, described=expr(FILTER))
    query = wire.matching(expr(FILTER))
    found = corpus.search(query, limit=5, facets=facets)
    assert list(found.facets) == list(apart)
    assert found.facets[0].documents == len(inside)
    near = wire.near(np.ones(oracle.DIMENSION), filter=expr(FILTER))
    # The root's filter counts, whatever ranks.
    assert list(corpus.search(near, limit=1, facets=facets).facets) == list(apart)
    below = wire.fused(near, near)
    everything = corpus.api.facet(corpus.name, *facets)
    assert list(corpus.search(below, facets=facets).facets) == list(everything)
    following = corpus.api.searches.Search(v1.SearchRequest(page_token=found.next_page_token))
    assert len(following.hits) == 5 and len(following.facets) == 0
    batch = v1.SearchBatchRequest(
        searches=[
            v1.SearchRequest(collection=corpus.name, query=query, facets=facets[:1]),
            v1.SearchRequest(collection=corpus.name, query=query),
        ]
    )
    first, second = corpus.api.searches.SearchBatch(batch).responses
    assert list(first.facets) == list(apart[:1]) and len(second.facets) == 0


def test_numbers_keep_their_digits_and_lists_count_once_per_value(api, name):
    large = 2**53 + 1
    api.create(name)
    api.upsert(name, [wire.document("a", n=large), wire.document("b", n=[1, 1, 7])])
    api.upsert(name, [wire.document("c", n=2), wire.document("d"), wire.document("e", n=[5, 6])])
    told, buckets = api.facet(name, statistics("n", [0, 1]), histogram("n", quantiles=2))
    assert (told.missing, told.statistics.values) == (1, 6)
    assert told.statistics.max.integer == large == told.statistics.quantiles[1].value.integer
    assert told.statistics.sum.integer == large + 1 + 7 + 2 + 5 + 6
    # "b" has values in both, "e" one in the second only.
    assert counts_of(buckets) == {(1, 6): 3, (6, large): 3}
    # 2 and 2.0 are one value across segments; floats make all of them floats.
    api.upsert(name, [wire.document("f", n=2.0), wire.document("g", n=2.5)])
    described = wire.between("n", lt=3)
    values, told, buckets = api.facet(
        name,
        v1.Facet(attribute="n"),
        statistics("n"),
        histogram("n", width=0.5),
        described=expr('n < 3 and n >= 2 and not id = "b"'),
    )
    assert counts_of(values) == {2.0: 2, 2.5: 1}
    assert told.statistics.min.float == 2.0
    assert counts_of(buckets) == {(2.0, 2.5): 2, (2.5, 3.0): 1}
    assert api.count(name, described) == 4


def test_values_that_do_not_suit_are_refused(api, name):
    api.create(name)
    day = datetime.datetime(2025, 3, 1, tzinfo=datetime.UTC)
    api.upsert(name, [wire.document("a", n=1, s="x", m=1), wire.document("b", n=10**9, m=day)])
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    for facet, field, saying in (
        (statistics("s"), "facets[0].statistics.attribute", "string"),
        (histogram("s", width=1), "facets[0].histogram.attribute", "string"),
        (histogram("m", width=1), "facets[0].histogram.attribute", "timestamps"),
        (histogram("n", width=1), "facets[0].histogram.width", "1000000000 buckets"),
        (
            histogram("n", calendar=v1.CALENDAR_UNIT_DAY),
            "facets[0].histogram.calendar",
            "n:timestamp",
        ),
        (
            v1.Facet(attribute="s", then=statistics("s")),
            "facets[0].then.statistics.attribute",
            "string",
        ),
    ):
        with refused(invalid, field=field, saying=saying):
            api.facet(name, facet)
    # What the filter leaves out does not matter.
    (told,) = api.facet(name, statistics("m"), described=expr("s exists"))
    assert told.statistics.max.integer == 1
    wide = v1.Facet(
        attribute="n", then=histogram("n", width=2 * 10**5, then=histogram("n", width=2 * 10**5))
    )
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, saying="100000 entries"):
        api.facet(name, wide)


def test_an_attribute_that_no_document_has_is_a_warning(corpus):
    request = v1.FacetRequest(
        collection=corpus.name, facets=[v1.Facet(attribute="yaer"), statistics("scroe")]
    )
    answer = corpus.api.searches.Facet(request)
    assert sorted(answer.warnings) == [
        'no document has the attribute "scroe"; is it "score"?',
        'no document has the attribute "yaer"; is it "year"?',
    ]
    assert answer.facets[0].missing == answer.documents == len(corpus.oracle)
