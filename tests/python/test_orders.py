"""Documents in an order of their own, samples, groups, thresholds and offsets, pages without end."""

import collections

import grpc
import pytest

import oracle
import wire
from harness import refused
from stubs import v1
from wire import expr, fused, ids_of, matching, near, weighted

INVALID = grpc.StatusCode.INVALID_ARGUMENT
VECTOR = [1.0, *([0.5] * (oracle.DIMENSION - 1))]


def every_page(corpus, query, **fields):
    """All hits, page by page."""
    page = corpus.search(query, **fields)
    hits = list(page.hits)
    while page.next_page_token:
        page = corpus.search(None, page_token=page.next_page_token)
        assert page.offset == len(hits) + fields.get("offset", 0)
        hits.extend(page.hits)
    return hits


def test_all_documents_come_in_the_order_of_their_attributes(corpus):
    hits = every_page(corpus, matching(order=["-year", "score", "id"]), limit=700)
    items = corpus.oracle.items.values()
    expected = sorted(items, key=lambda i: (-i.attributes["year"], i.attributes["score"], i.key))
    assert ids_of(hits) == [item.key for item in expected]


@pytest.mark.parametrize("order", ["flag", "-flag"])
def test_documents_without_the_attribute_come_last(corpus, order):
    hits = every_page(corpus, matching(order=[order, "id"]), limit=1000)
    last = {True: 0, False: 1} if order.startswith("-") else {False: 0, True: 1}
    items = corpus.oracle.items.values()
    expected = sorted(items, key=lambda i: (last.get(i.attributes.get("flag"), 2), i.key))
    assert ids_of(hits) == [item.key for item in expected]


def test_of_several_values_the_first_in_the_direction_counts(corpus):
    described = expr("year = 2010")
    some = [i for i in corpus.oracle.items.values() if i.attributes["year"] == 2010]
    up = ids_of(corpus.search(matching(described, order=["tags", "id"]), limit=1000).hits)
    assert up == [i.key for i in sorted(some, key=lambda i: (min(i.attributes["tags"]), i.key))]
    down = ids_of(corpus.search(matching(described, order=["-tags", "-id"]), limit=1000).hits)
    some.sort(key=lambda i: (max(i.attributes["tags"]), i.key), reverse=True)
    assert down == [item.key for item in some]


def test_a_sample_has_a_seed_and_no_favourites(corpus):
    def sample(seed, limit=100):
        return ids_of(corpus.search(matching(seed=seed), limit=limit).hits)

    assert sample(1) == sample(1) != sample(2)
    assert sample(1, 1000)[:100] == sample(1)
    assert len(set(sample(3, 1000))) == 1000
    times = collections.Counter(key for seed in range(60) for key in sample(seed))
    expected = 60 * 100 / len(corpus.oracle)
    # Poisson with a mean of 3.2: above 15 is one in 10^7.
    assert max(times.values()) <= 15 and len(times) > 0.9 * len(corpus.oracle), expected
    under = ids_of(corpus.search(matching(expr("flag = true"), seed=1), limit=10).hits)
    assert all(corpus.oracle.items[key].attributes["flag"] for key in under)


def test_an_order_is_a_ranking_in_a_fusion(corpus):
    recent = matching(order=["-day", "id"])
    scores = collections.Counter()
    for query, weight in [(near(VECTOR), 1.0), (recent, 2.0)]:
        for rank, key in enumerate(ids_of(corpus.search(query, limit=100).hits), 1):
            scores[key] += weight / (60 + rank)
    hits = corpus.search(fused(near(VECTOR), (recent, 2.0), depth=100), limit=100).hits
    for hit, (_, score) in zip(hits, scores.most_common(100), strict=True):
        assert hit.score == pytest.approx(score, rel=1e-5)
        assert hit.score == pytest.approx(scores[hit.document.id], rel=1e-5)
    with refused(INVALID, field="query.fusion.children[1].query", saying="reciprocal rank"):
        corpus.search(fused(near(VECTOR), recent, method=v1.FUSION_METHOD_LINEAR))
    below = wire.without(recent, near("d00001"), top=5)
    with refused(INVALID, field="query.fusion.children[1].query", saying="reciprocal rank"):
        corpus.search(fused(near(VECTOR), below, method=v1.FUSION_METHOD_MIN_MAX))


@pytest.mark.parametrize(
    "query",
    [
        weighted({0: 1.0, 1: -0.5}),
        near(VECTOR),
        fused(near(VECTOR), weighted({2: 1.0})),
        fused(near(VECTOR), weighted({2: 1.0}), method=v1.FUSION_METHOD_STANDARD),
        wire.without(near(VECTOR), near("d00001"), top=50),
    ],
    ids=["latents", "nearest", "ranks", "standard", "except"],
)
def test_pages_have_no_end_but_the_last_hit(corpus, query):
    whole = corpus.search(query, limit=1000)
    paged = every_page(corpus, query, limit=97)
    assert ids_of(paged[:1000]) == ids_of(whole.hits)
    assert [hit.score for hit in paged[:1000]] == [hit.score for hit in whole.hits]
    assert list(paged[500].components) == list(whole.hits[500].components)
    assert len(ids_of(paged)) == len(set(ids_of(paged)))
    later = corpus.search(query, limit=10, offset=333)
    assert ids_of(later.hits) == ids_of(paged[333:343]) and later.offset == 333


def test_more_than_ten_thousand_hits(api):
    name = "many"
    api.create(name, n_latents=4)
    count = 25_000
    documents = [
        wire.document(f"{at:05}", latents={0: 1 + at % 97, at % 3 + 1: 1.0}, rank=at)
        for at in range(count)
    ]
    api.upsert(name, documents, batch=5000)

    def pages(query):
        page = api.search(name, query, limit=1000, projection=wire.IDS_ONLY, latents_per_hit=0)
        found, tokens = ids_of(page.hits), []
        while page.next_page_token:
            tokens.append(page.next_page_token)
            page = api.search(name, None, page_token=page.next_page_token)
            found += ids_of(page.hits)
        return found, tokens

    found, tokens = pages(weighted({0: 1.0}))
    assert len(set(found)) == count
    activations = [int(key) % 97 for key in found]
    assert activations == sorted(activations, reverse=True)
    back = api.search(name, None, page_token=tokens[-3])
    assert ids_of(back.hits) == found[22_000:23_000]
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="10000 hits before"):
        api.search(name, None, page_token=tokens[0])
    found, _ = pages(matching(order=["-rank"]))
    assert found == [f"{at:05}" for at in reversed(range(count))]


def test_hits_of_a_group_are_few(corpus):
    whole = every_page(corpus, near(VECTOR), limit=1000)
    for per_group in (0, 3):
        grouped = every_page(corpus, near(VECTOR), limit=7, group_by="year", per_group=per_group)
        seen, expected = collections.Counter(), []
        for hit in whole:
            year = corpus.oracle.items[hit.document.id].attributes["year"]
            seen[year] += 1
            if seen[year] <= (per_group or 1):
                expected.append(hit.document.id)
        assert ids_of(grouped) == expected


def test_a_document_without_the_attribute_is_no_group(corpus):
    hits = every_page(corpus, matching(), limit=1000, group_by="flag")
    flags = [corpus.oracle.items[key].attributes.get("flag") for key in ids_of(hits)]
    without = sum("flag" not in item.attributes for item in corpus.oracle.items.values())
    assert collections.Counter(flags) == {True: 1, False: 1, None: without}


def test_hits_below_the_threshold_are_left_out(corpus):
    query = weighted({0: 1.0, 3: -1.0})
    whole = every_page(corpus, query, limit=1000)
    least = whole[300].score
    some = every_page(corpus, query, limit=50, min_score=least)
    assert ids_of(some) == ids_of([hit for hit in whole if hit.score >= least])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"offset": 9_995, "limit": 6}, "offset"),
        ({"min_score": float("nan")}, "min_score"),
        ({"group_by": "a b"}, "group_by"),
        ({"group_by": "year", "per_group": 1001}, "per_group"),
        ({"per_group": 2}, "per_group"),
    ],
)
def test_options_out_of_range_are_refused(corpus, fields, field):
    with refused(INVALID, field=field):
        corpus.search(near(VECTOR), **fields)


def test_orders_that_mean_nothing_are_refused(corpus):
    with refused(INVALID, field="min_score", saying="no scores"):
        corpus.search(matching(), min_score=0.5)
    with refused(INVALID, field="query.matching.sample_seed"):
        corpus.search(matching(order=["year"], seed=1))
    with refused(INVALID, field="query.matching.order"):
        corpus.search(matching(order=["year"] * 9))
    empty = v1.Query(matching=v1.MatchingQuery(order=[v1.OrderKey()]))
    with refused(INVALID, field="query.matching.order[0].by"):
        corpus.search(empty)


def test_attributes_that_no_document_has_are_doubted(corpus):
    (warning,) = corpus.search(matching(order=["yaer"])).warnings
    assert 'is it "year"?' in warning
    (warning,) = corpus.search(near(VECTOR), group_by="sourc").warnings
    assert 'is it "source"?' in warning
    (warning,) = corpus.search(matching(wire.like("year", "20%"))).warnings
    assert "compares strings" in warning


def test_patterns_that_mean_nothing_are_refused(corpus):
    for described, field in [
        (wire.like("source", "C:\\new%"), "source.like"),
        (wire.like("source", "fil*"), "source.like"),
        (wire.like("id", "d?"), "id.like"),
    ]:
        with refused(INVALID, field=f"filter.{field}"):
            corpus.count(described)
    both = v1.Filter(ids=v1.IdFilter(ids=["a"], like=v1.Pattern(pattern="a%")))
    with refused(INVALID, field="filter.ids", saying="one is accepted"):
        corpus.count(both)
    with refused(INVALID, saying="column 13"):
        corpus.count(expr(r'source like "C:\\n%"'))


def marked(hit):
    """The highlighted parts of a hit's text, with their components."""
    text = hit.document.text
    return [(at.component, text[at.span.start : at.span.end]) for at in hit.highlights]


def test_words_that_were_asked_for_are_marked(api):
    name = "marked"
    api.create(name)
    texts = {
        "a": "äpfel: the Delivery was late, so late",
        "b": "我喜欢北京烤鸭和长城",
        "c": "a parcel, delivered",
    }
    api.upsert(name, [wire.document(key, text=text) for key, text in texts.items()])

    def found(query, **fields):
        return {hit.document.id: marked(hit) for hit in api.search(name, query, **fields).hits}

    assert found(wire.bm25("late delivery")) == {
        "a": [("text", "Delivery"), ("text", "late"), ("text", "late")]
    }
    assert found(wire.bm25("so late", v1.TEXT_MODE_PHRASE)) == {
        "a": [("text", "so"), ("text", "late")]
    }
    assert found(matching(expr('text("北京烤鸭") or text_prefix("deliv")'))) == {
        "a": [("", "Delivery")],
        "b": [("", "北京烤鸭")],
        "c": [("", "delivered")],
    }
    assert found(matching(expr('not text("北京")'))) == {"a": [], "c": []}
    both = fused(wire.bm25("parsel", v1.TEXT_MODE_FUZZY, name="words"), matching())
    assert found(both) == {"a": [], "b": [], "c": [("words", "parcel")]}
    assert found(wire.bm25("late"), projection=wire.IDS_ONLY) == {"a": []}
