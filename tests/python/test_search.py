"""Every query kind through a real client, against brute force in NumPy."""

import math

import grpc
import numpy as np
import pytest

import oracle
import wire
from harness import refused
from oracle import best, check_ranking
from stubs import v1
from wire import bm25, expr, fused, matching, near, weighted, without

RANDOM = np.random.default_rng(5)
VECTORS = RANDOM.normal(size=(4, oracle.DIMENSION))
WEIGHTS = [
    {0: 1.0},
    {3: 1.0, 10: 0.5, 20: 2.0},
    {0: 1.0, 1: -0.5, 30: 3.0, 7: -2.0},
    {2: -1.0, 5: -0.25},
    {40: 1.0, 63: 5.0, 50: -4.0},
    {int(at): float(w) for at, w in enumerate(RANDOM.normal(size=oracle.N_LATENTS))},
]
FILTER = 'source = "tweets" and not latent(1)'


def filtered_keys(corpus) -> set[str]:
    return corpus.oracle.keys(
        lambda item: item.attributes["source"] == "tweets" and 1 not in item.latents
    )


@pytest.mark.parametrize("limit", [1, 10, 1000])
@pytest.mark.parametrize("which", range(len(VECTORS)))
def test_nearest_to_a_vector(corpus, which, limit):
    found = corpus.search(near(VECTORS[which]), limit=limit)
    check_ranking(found.hits, corpus.oracle.nearest(VECTORS[which]), limit)


def test_the_norm_of_a_vector_does_not_matter(corpus):
    hits = [corpus.search(near(VECTORS[0] * scale)).hits for scale in (1.0, 1e-6, 1e6)]
    assert wire.ids_of(hits[0]) == wire.ids_of(hits[1]) == wire.ids_of(hits[2])


def test_exact_and_wide_beams_agree_on_a_small_collection(corpus):
    plain = corpus.search(near(VECTORS[1])).hits
    for query in (near(VECTORS[1], exact=True), near(VECTORS[1], ef=500)):
        assert wire.ids_of(corpus.search(query).hits) == wire.ids_of(plain)


def test_nearest_to_a_document_finds_itself_first(corpus):
    item = next(item for item in corpus.oracle.items.values() if item.vector is not None)
    found = corpus.search(near(item.key), limit=50)
    assert found.hits[0].document.id == item.key
    assert found.hits[0].score == pytest.approx(1.0, abs=1e-5)
    check_ranking(found.hits, corpus.oracle.nearest(item.vector), 50)


def test_nearest_among_the_documents_of_a_filter(corpus):
    allowed = filtered_keys(corpus)
    assert 100 < len(allowed) < 1000
    found = corpus.search(near(VECTORS[2], filter=expr(FILTER)), limit=100)
    check_ranking(found.hits, corpus.oracle.nearest(VECTORS[2], allowed), 100)


@pytest.mark.parametrize("p90", [False, True], ids=["raw", "p90"])
@pytest.mark.parametrize("weights", WEIGHTS, ids=lambda weights: f"{len(weights)}-latents")
def test_weighted_latents_of_either_sign(corpus, weights, p90):
    scale = v1.ACTIVATION_SCALE_P90 if p90 else v1.ACTIVATION_SCALE_RAW
    for limit in (10, 1000):
        found = corpus.search(weighted(weights, scale), limit=limit)
        scores = corpus.oracle.latents(weights, p90=p90)
        check_ranking(found.hits, scores, limit, tolerance=1e-4)


def test_rare_latents_tell_more_with_idf(api, name):
    """Latent 0 is in most documents, 1 in some, 2 in one."""
    api.create(name, n_latents=8)
    latents = [{0: 1.0}] * 5 + [{0: 0.5, 1: 0.25}, {1: 1.0}, {2: 0.5}, {0: 2.0, 1: 0.0625}, {3: 1.0}]
    api.upsert(name, [wire.document(f"d{at}", latents=codes) for at, codes in enumerate(latents)])
    weights = {0: 1.0, 1: 0.5, 2: -1.0}
    query = weighted(weights)
    query.latents.idf = True

    def idf(latent):
        having = sum(latent in codes for codes in latents)
        return max(0.0, np.log((len(latents) - having + 0.5) / (having + 0.5)))

    assert idf(0) == 0 < idf(1) < idf(2)
    expected = {
        f"d{at}": sum(weights[n] * idf(n) * codes[n] for n in weights if n in codes)
        for at, codes in enumerate(latents)
        if weights.keys() & codes.keys()
    }
    found = {hit.document.id: hit.score for hit in api.search(name, query, limit=20).hits}
    assert found == pytest.approx(expected, abs=1e-6)


def test_weighted_latents_among_the_documents_of_a_filter(corpus):
    allowed = filtered_keys(corpus)
    for weights in WEIGHTS[:4]:
        for described in (expr(FILTER), wire.with_ids(*sorted(allowed)[:3])):
            inside = corpus.keys(described)
            found = corpus.search(weighted(weights, filter=described), limit=1000)
            scores = corpus.oracle.latents(weights, inside)
            check_ranking(found.hits, scores, 1000, tolerance=1e-4)


def test_latents_that_no_document_has_find_nothing(api, name):
    api.create(name, n_latents=8)
    api.upsert(name, [wire.document("a", latents={1: 1.0})])
    for scale in (v1.ACTIVATION_SCALE_RAW, v1.ACTIVATION_SCALE_P90):
        assert not api.search(name, weighted({2: 1.0}, scale)).hits
        assert wire.ids_of(api.search(name, weighted({2: 1.0, 1: 1.0}, scale)).hits) == ["a"]


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        ("any", "battery"),
        ("any", "Battery river"),
        ("all", "battery river"),
        ("all", "battery nosuchword"),
        ("any", "battery nosuchword"),
        ("phrase", "train market"),
    ],
)
def test_text_finds_the_documents_that_hold_the_words(corpus, mode, text):
    wire_mode = getattr(v1, f"TEXT_MODE_{mode.upper()}")
    expected = corpus.oracle.holding(text, mode)
    found = corpus.search(bm25(text, wire_mode), limit=1000)
    assert set(wire.ids_of(found.hits)) == expected
    scores = [hit.score for hit in found.hits]
    assert scores == sorted(scores, reverse=True) and all(score > 0 for score in scores)
    assert corpus.keys(wire.words(text, wire_mode)) == expected
    allowed = filtered_keys(corpus)
    query = bm25(text, wire_mode, filter=expr(FILTER))
    assert set(wire.ids_of(corpus.search(query, limit=1000).hits)) == expected & allowed


def test_text_scores_are_bm25(api, name):
    """k1 = 1.2, b = 0.75, idf = ln(1 + (N - df + .5) / (df + .5)) (Robertson and Zaragoza)."""
    texts = {item.key: item.text for item in oracle.items(300, seed=3) if item.text}
    api.create(name)
    api.upsert(name, [wire.document(key, text=text) for key, text in texts.items()])
    lengths = {key: len(text.split()) for key, text in texts.items()}
    mean = sum(lengths.values()) / len(texts)
    query = "river bridge paper"
    scores = {}
    for key, text in texts.items():
        total = 0.0
        for word in query.split():
            frequency = text.split().count(word)
            if frequency:
                df = sum(word in other.split() for other in texts.values())
                idf = math.log(1 + (len(texts) - df + 0.5) / (df + 0.5))
                norm = 1.2 * (1 - 0.75 + 0.75 * lengths[key] / mean)
                total += idf * frequency * 2.2 / (frequency + norm)
        if total:
            scores[key] = total
    found = api.search(name, bm25(query), limit=300)
    check_ranking(found.hits, scores, 300, tolerance=1e-4)


CHILDREN = {
    "near": near(VECTORS[0], name="near"),
    "latents": weighted(WEIGHTS[2], name="latents"),
    "words": bm25("battery river storm", name="words"),
}


@pytest.mark.parametrize(
    ("method", "k"),
    [
        (v1.FUSION_METHOD_RECIPROCAL_RANK, None),
        (v1.FUSION_METHOD_RECIPROCAL_RANK, 5.0),
        (v1.FUSION_METHOD_MIN_MAX, None),
        (v1.FUSION_METHOD_DISTRIBUTION, None),
    ],
    ids=["rrf", "rrf-k5", "min-max", "distribution"],
)
def test_fusion_is_recomputed_from_its_children(corpus, method, k):
    depth, weights = 300, {"near": 1.0, "latents": 2.5, "words": 0.5}
    query = fused(
        *((CHILDREN[name], weights[name]) for name in CHILDREN), method=method, depth=depth, k=k
    )
    found = corpus.search(query, limit=1000)
    rankings = {}
    for name, child in CHILDREN.items():
        hits = corpus.search(child, limit=depth).hits
        rankings[name] = {hit.document.id: hit.score for hit in hits}
    expected: dict[str, float] = {}
    for name, ranking in rankings.items():
        if method == v1.FUSION_METHOD_RECIPROCAL_RANK:
            parts = oracle.reciprocal_ranks([(list(ranking), 1.0)], k or 60.0)
        elif method == v1.FUSION_METHOD_MIN_MAX:
            parts = oracle.min_max(ranking)
        else:
            parts = oracle.distribution(ranking)
        for key, part in parts.items():
            expected[key] = expected.get(key, 0.0) + weights[name] * part
    check_ranking(found.hits, expected, 1000, tolerance=1e-4)

    for hit in found.hits:
        parts = {part.name: part for part in hit.components}
        holding = {name for name, ranking in rankings.items() if hit.document.id in ranking}
        assert set(parts) == holding
        for name, part in parts.items():
            ranked = list(rankings[name])
            assert ranked[part.rank - 1] == hit.document.id
            assert part.score == pytest.approx(rankings[name][hit.document.id])
            if method == v1.FUSION_METHOD_RECIPROCAL_RANK:
                rrf = weights[name] / ((k or 60.0) + part.rank)
                assert part.contribution == pytest.approx(rrf, rel=1e-5)
        total = sum(part.contribution for part in parts.values())
        assert hit.score == pytest.approx(total, rel=1e-5)


def test_fusion_takes_no_more_than_its_depth_from_a_child(corpus):
    found = corpus.search(fused(CHILDREN["near"], CHILDREN["latents"], depth=3), limit=100)
    tops = [wire.ids_of(corpus.search(CHILDREN[c], limit=3).hits) for c in ("near", "latents")]
    assert set(wire.ids_of(found.hits)) == set(tops[0]) | set(tops[1])


def test_queries_nest_and_filters_narrow_what_is_below_them(corpus):
    inner = fused(
        near(VECTORS[0], name="a", filter=expr("year >= 2010")),
        weighted(WEIGHTS[1], name="b"),
        depth=1000,
        filter=expr('source in ("tweets", "films")'),
        name="inner",
    )
    query = fused(
        inner, bm25("battery", name="c"), depth=1000, filter=expr("score > 0"), name="outer"
    )
    found = corpus.search(query, limit=1000)

    def allowed(*tests):
        return corpus.oracle.keys(lambda item: all(test(item) for test in tests))

    def positive(item):
        return item.attributes["score"] > 0

    def sources(item):
        return item.attributes["source"] in ("tweets", "films")

    def recent(item):
        return item.attributes["year"] >= 2010

    # The children alone, under all filters above them; their order decides among equal scores.
    above = 'score > 0 and source in ("tweets", "films")'
    nearest = corpus.search(near(VECTORS[0], filter=expr(f"{above} and year >= 2010")), limit=1000)
    latents = corpus.search(weighted(WEIGHTS[1], filter=expr(above)), limit=1000)
    near_scores = corpus.oracle.nearest(VECTORS[0], allowed(positive, sources, recent))
    latent_scores = corpus.oracle.latents(WEIGHTS[1], allowed(positive, sources))
    check_ranking(nearest.hits, near_scores, 1000)
    check_ranking(latents.hits, latent_scores, 1000, tolerance=1e-4)
    inner_scores = oracle.reciprocal_ranks(
        [(wire.ids_of(nearest.hits), 1.0), (wire.ids_of(latents.hits), 1.0)]
    )
    words = corpus.oracle.holding("battery", allowed=allowed(positive))
    assert set(wire.ids_of(found.hits)) == set(inner_scores) | words
    for hit in found.hits:
        parts = {part.name: part for part in hit.components}
        if "inner" in parts:
            assert parts["inner"].score == pytest.approx(inner_scores[hit.document.id], rel=1e-4)
        assert ("a" in parts) == (hit.document.id in near_scores)
        top_level = sum(parts[part].contribution for part in ("inner", "c") if part in parts)
        assert hit.score == pytest.approx(top_level, rel=1e-5)


@pytest.mark.parametrize("top", [1, 50, 400])
def test_except_takes_away_the_best_of_another_query(corpus, top):
    query = without(near(VECTORS[0]), weighted(WEIGHTS[1]), top)
    found = corpus.search(query, limit=1000)
    scores = corpus.oracle.nearest(VECTORS[0])
    taken = wire.ids_of(corpus.search(weighted(WEIGHTS[1]), limit=top).hits)
    assert len(taken) == top
    check_ranking(found.hits, {k: s for k, s in scores.items() if k not in taken}, 1000)


def test_the_default_of_except_is_the_best_hundred(corpus):
    found = corpus.search(without(near(VECTORS[0]), near(VECTORS[0])), limit=1000)
    ranked = best(corpus.oracle.nearest(VECTORS[0]), 1100)
    assert set(wire.ids_of(found.hits)) == set(ranked[100:1100])


def test_a_filter_on_except_does_not_narrow_its_right_side(corpus):
    described = expr('source = "news"')
    query = without(near(VECTORS[0]), near(VECTORS[1]), 200, filter=described)
    found = corpus.search(query, limit=1000)
    taken = best(corpus.oracle.nearest(VECTORS[1]), 200)
    allowed = corpus.keys(described) - set(taken)
    check_ranking(found.hits, corpus.oracle.nearest(VECTORS[0], allowed), 1000)


def test_matching_returns_every_allowed_document_unscored(corpus):
    found = corpus.search(matching(expr('source = "news"')), limit=1000)
    assert set(wire.ids_of(found.hits)) == corpus.oracle.keys(
        lambda item: item.attributes["source"] == "news"
    )
    assert {hit.score for hit in found.hits} == {0.0}


def test_contributions_of_a_latents_query_sum_to_its_score(corpus):
    for p90 in (False, True):
        scale = v1.ACTIVATION_SCALE_P90 if p90 else v1.ACTIVATION_SCALE_RAW
        weights = WEIGHTS[2]
        query = weighted(weights, scale, name="w")
        found = corpus.search(query, limit=200, latents_per_hit=100)
        for hit in found.hits:
            item = corpus.oracle.items[hit.document.id]
            assert {part.component for part in hit.latents} == {"w"}
            assert {part.latent for part in hit.latents} == set(weights) & set(item.latents)
            for part in hit.latents:
                assert part.activation == pytest.approx(item.latents[part.latent])
                divisor = corpus.oracle.percentile90(part.latent) if p90 else 1.0
                expected = weights[part.latent] * part.activation / divisor
                assert part.contribution == pytest.approx(expected, rel=1e-4)
            total = sum(part.contribution for part in hit.latents)
            assert hit.score == pytest.approx(total, rel=1e-4, abs=1e-5)
            sizes = [abs(part.contribution) for part in hit.latents]
            assert sizes == sorted(sizes, reverse=True)


def test_the_number_of_latents_per_hit_is_chosen(corpus):
    query = near(VECTORS[0])
    assert all(len(hit.latents) <= 5 for hit in corpus.search(query).hits)
    for most in (0, 1, 3):
        hits = corpus.search(query, latents_per_hit=most).hits
        for hit in hits:
            item = corpus.oracle.items[hit.document.id]
            assert len(hit.latents) == min(most, len(item.latents))
            # Without an SAE in the server nothing ties latents to the vectors.
            assert all(part.component == "" for part in hit.latents)


def test_a_hit_carries_its_component_at_the_root(corpus):
    hit = corpus.search(near(VECTORS[0])).hits[3]
    (part,) = hit.components
    assert (part.name, part.rank) == ("nearest", 4)
    assert part.score == hit.score == part.contribution
    nested = corpus.search(fused(near(VECTORS[0]), weighted({0: 1.0})))
    names = {part.name for hit in nested.hits for part in hit.components}
    assert names == {"0.nearest", "1.latents"}


def test_a_batch_answers_each_search_as_if_alone(corpus):
    searches = [
        v1.SearchRequest(collection=corpus.name, query=near(VECTORS[0]), limit=7),
        v1.SearchRequest(collection=corpus.name, query=weighted(WEIGHTS[2]), explain=True),
        v1.SearchRequest(
            collection=corpus.name, query=matching(expr("year = 2001")), projection=wire.IDS_ONLY
        ),
    ]
    answer = corpus.api.searches.SearchBatch(v1.SearchBatchRequest(searches=searches))
    assert len(answer.responses) == 3
    for request, found in zip(searches, answer.responses, strict=True):
        alone = corpus.api.searches.Search(request)
        assert found.hits == alone.hits
        assert found.sequence == alone.sequence
        assert found.HasField("explanation") == request.explain


def test_explain_returns_the_plan_with_counts_and_timings(corpus):
    query = fused(
        near(VECTORS[0], name="n", filter=expr('source = "news"')),
        weighted({3: 1.0, 10: 0.5}, name="l"),
        bm25("battery", name="t"),
        without(near(VECTORS[1], name="q"), matching(name="m"), 5, name="e"),
        name="f",
    )
    found = corpus.search(query, explain=True)
    explanation = found.explanation
    assert explanation.total_us >= explanation.execute_us
    plan = explanation.plan
    assert (plan.name, plan.access, plan.allowed) == ("f", "fusion", len(corpus.oracle))
    assert plan.selectivity == pytest.approx(1.0)
    nodes = {node.name: node for node in plan.children}
    assert [node.name for node in plan.children] == ["n", "l", "t", "e"]
    news = corpus.count(expr('source = "news"'))
    assert (nodes["n"].access, nodes["n"].allowed) == ("scan", news)
    assert nodes["n"].selectivity == pytest.approx(news / len(corpus.oracle))
    assert 0 < nodes["n"].candidates <= news
    assert nodes["l"].access == "postings" and nodes["l"].candidates > 0
    assert nodes["t"].access == "bm25"
    assert nodes["t"].candidates >= len(corpus.oracle.holding("battery"))
    assert nodes["e"].access == "except"
    assert [(node.name, node.access) for node in nodes["e"].children] == [
        ("q", "scan"),
        ("m", "bitmap"),
    ]
    few = corpus.search(
        weighted({0: 1.0, 1: 1.0}, filter=wire.with_ids("d00001", "d00002")), explain=True
    )
    assert few.explanation.plan.access == "rows"
    assert not corpus.search(query).HasField("explanation")


def test_limits_are_ten_by_default_and_a_thousand_at_most(corpus):
    assert len(corpus.search(near(VECTORS[0])).hits) == 10
    assert len(corpus.search(near(VECTORS[0]), limit=1000).hits) == 1000
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="limit", saying="1000"):
        corpus.search(near(VECTORS[0]), limit=1001)


def test_an_empty_collection_finds_nothing(api, name):
    api.create(name, dimension=oracle.DIMENSION, n_latents=oracle.N_LATENTS)
    for query in (near(VECTORS[0]), weighted({0: 1.0}), bm25("river"), matching()):
        answer = api.search(name, query, explain=True)
        assert not answer.hits and not answer.next_page_token
    assert api.count(name) == 0
    assert api.scroll(name) == []


def test_a_sweep_counts_the_same_latents_at_every_strength(api, name):
    api.create(name, dimension=2, n_latents=3)
    documents = [
        wire.document(f"d{at}", vec=[1.0, at / 10], latents={at % 2: 1.0}) for at in range(8)
    ]
    api.upsert(name, documents)

    def sweep(edits, **fields):
        nearest = v1.NearestQuery(vector=wire.vector(np.array([1.0, 0.0])), steer=edits)
        request = v1.SteerSweepRequest(
            collection=name, nearest=nearest, strengths=[0, 1], limit=4, **fields
        )
        return api.searches.SteerSweep(request).steps

    shares = [step.target_share for step in sweep([v1.SteerEdit(latent=1, boost=5.0)])]
    assert shares == [0.5, 1.0]
    # What is turned down counts where nothing is turned up.
    shares = [step.target_share for step in sweep([v1.SteerEdit(latent=1, boost=-5.0)])]
    assert shares == [0.5, 0.0]
    both = [v1.SteerEdit(latent=0, boost=5.0), v1.SteerEdit(latent=1, boost=-5.0)]
    assert [step.target_share for step in sweep(both)] == [0.5, 1.0]
    for step in sweep(both):
        assert step.relevance_kept == pytest.approx(1.0, abs=0.05)
    for step in sweep(both, filter=expr('id = "nobody"')):
        assert not step.hits and not step.HasField("relevance_kept")
