"""Pages of a search: one snapshot, no document twice, none missing."""

import grpc
import numpy as np
import pytest

import corpus as corpora
import oracle
import wire
from harness import refused
from oracle import check_ranking
from stubs import v1
from wire import fused, matching, near, weighted

VECTOR = np.random.default_rng(8).normal(size=oracle.DIMENSION)


def pages(search, query, limit, between=lambda page: None, **fields):
    """All pages of a search; `between` runs after each."""
    found = [search(query, limit=limit, **fields)]
    while found[-1].next_page_token:
        between(len(found))
        found.append(search(None, page_token=found[-1].next_page_token))
    return found


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        ("near", 7),
        *((kind, 100) for kind in ("near", "latents", "matching", "fusion")),
        *((kind, 1000) for kind in ("near", "latents", "matching", "fusion")),
    ],
)
def test_pages_together_are_the_whole_ranking(corpus, kind, limit):
    described = wire.expr('source = "products"') if limit == 7 else None
    allowed = corpus.keys(described)
    query = {
        "near": near(VECTOR, filter=described),
        "latents": weighted({0: 1.0, 1: -0.5, 2: 0.1}),
        "matching": matching(),
        "fusion": fused(near(VECTOR), weighted({0: 1.0}), depth=2500),
    }[kind]
    found = pages(corpus.search, query, limit)
    hits = [hit for page in found for hit in page.hits]
    assert all(len(page.hits) == limit for page in found[:-1])
    keys = wire.ids_of(hits)
    assert len(set(keys)) == len(keys)
    match kind:
        case "near":
            check_ranking(hits, corpus.oracle.nearest(VECTOR, allowed), 3000)
        case "latents":
            scores = corpus.oracle.latents({0: 1.0, 1: -0.5, 2: 0.1})
            check_ranking(hits, scores, 3000, tolerance=1e-4)
        case "matching":
            assert set(keys) == allowed
        case "fusion":
            either = set(corpus.oracle.nearest(VECTOR)) | set(corpus.oracle.latents({0: 1.0}))
            assert set(keys) == either
            scores = [hit.score for hit in hits]
            assert scores == sorted(scores, reverse=True)


def test_pages_are_stable_while_writes_go_on(api, name):
    made = corpora.build(api, name, count=600, seed=21)
    expected = made.oracle.nearest(VECTOR)

    def disturb(page: int):
        # Documents that would come first, and the loss of some that were to come.
        closest = [wire.document(f"new-{page}-{n}", vec=VECTOR) for n in range(5)]
        api.upsert(name, closest)
        gone = oracle.best(expected, 600)[100 + 40 * page :][:10]
        api.documents.Delete(v1.DeleteRequest(collection=name, ids=gone))
        if page == 3:
            api.admin.Optimize(v1.OptimizeRequest(collection=name))

    found = pages(made.search, near(VECTOR), 50, disturb)
    hits = [hit for page in found for hit in page.hits]
    check_ranking(hits, expected, 600)
    assert len({page.sequence for page in found}) == 1
    # Documents read late are those of the snapshot, although they were deleted since.
    assert all(wire.attributes(hit.document)["source"] for hit in hits)
    fresh = api.search(name, near(VECTOR), limit=5)
    assert all(key.startswith("new-") for key in wire.ids_of(fresh.hits))


def test_a_token_gives_the_same_page_each_time(corpus):
    first = corpus.search(near(VECTOR), limit=10)
    second = corpus.search(None, page_token=first.next_page_token)
    third = corpus.search(None, page_token=second.next_page_token)
    again = corpus.search(None, page_token=first.next_page_token)
    assert again.hits == second.hits and again.next_page_token == second.next_page_token
    assert corpus.search(None, page_token=again.next_page_token).hits == third.hits


def test_the_first_request_decides_query_limit_and_projection(corpus):
    first = corpus.search(near(VECTOR), limit=4, projection=wire.IDS_ONLY)
    other = weighted({0: 1.0})
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="page_token", saying="another query"):
        corpus.search(other, limit=9, page_token=first.next_page_token)
    second = corpus.search(near(VECTOR), limit=9, page_token=first.next_page_token)
    assert len(second.hits) == 4 and (first.offset, second.offset) == (0, 4)
    assert not second.hits[0].document.attributes
    ranked = oracle.best(corpus.oracle.nearest(VECTOR), 8)
    assert wire.ids_of(first.hits) + wire.ids_of(second.hits) == ranked


def test_a_last_page_has_no_token(corpus):
    described = wire.with_ids("d00001", "d00002", "d00003")
    full = corpus.search(matching(described), limit=3)
    assert len(full.hits) == 3 and full.next_page_token == ""
    part = corpus.search(matching(described), limit=2)
    last = corpus.search(None, page_token=part.next_page_token)
    assert len(last.hits) == 1 and last.next_page_token == ""


@pytest.mark.parametrize("token", ["nonsense", "a.b", "12.-1", "."])
def test_what_is_no_token_is_refused(corpus, token):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="page_token"):
        corpus.search(None, page_token=token)


def test_a_token_of_nobody_is_refused_and_says_what_to_do(corpus):
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="from the first page"):
        corpus.search(None, page_token="0123456789abcdef0123456789abcdef.10")


def test_a_token_ends_with_its_collection(api, name):
    api.create(name, dimension=2)
    api.upsert(name, [wire.document(f"k{n}", vec=[1, n]) for n in range(5)])
    token = api.search(name, near([1, 0]), limit=2).next_page_token
    api.collections.DropCollection(v1.DropCollectionRequest(name=name))
    with refused(grpc.StatusCode.FAILED_PRECONDITION):
        api.search(name, None, page_token=token)
