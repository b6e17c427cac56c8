"""Filters as messages and as text: both mean what NumPy and Python mean by them; facets, sets."""

import collections
import datetime

import grpc
import numpy as np
import pytest

import oracle
import wire
from harness import refused
from stubs import v1
from wire import (
    between,
    either,
    equals,
    every,
    exists,
    expr,
    has_latent,
    ids_between,
    like,
    neither,
    one_of,
    words,
)

DAY = oracle.EPOCH + datetime.timedelta(days=200)
FIRST, SECOND = "d00001", "d00002"


def of(name):
    return lambda item: item.attributes.get(name)


# Name: message, expression, test of an item.
FILTERS = {
    "all": (v1.Filter(all=wire.EVERYTHING), "all", lambda i: True),
    "none": (either(), "none", lambda i: False),
    "empty and": (every(), "true", lambda i: True),
    "latent": (has_latent(5), "latent(5)", lambda i: 5 in i.latents),
    "latent above": (
        has_latent(0, gt=0.5),
        "latent(0, > 0.5)",
        lambda i: i.latents.get(0, 0) > 0.5,
    ),
    "latent between": (
        has_latent(0, gte=0.5, lt=1.0),
        "latent(0, >=0.5, <1)",
        lambda i: 0.5 <= i.latents.get(0, 0) < 1,
    ),
    "latent at most": (
        has_latent(2, lte=0.25),
        "LATENT(2, <= 0.25)",
        lambda i: 2 in i.latents and i.latents[2] <= 0.25,
    ),
    "rare latent": (has_latent(63), "latent(63)", lambda i: 63 in i.latents),
    "string": (equals("source", "films"), "source = 'films'", lambda i: of("source")(i) == "films"),
    "not string": (
        neither(equals("source", "films")),
        'source != "films"',
        lambda i: of("source")(i) != "films",
    ),
    "integer": (equals("year", 2010), "year = 2010", lambda i: of("year")(i) == 2010),
    "integer as float": (equals("year", 2010.0), "year = 2010.0", lambda i: of("year")(i) == 2010),
    "float range": (
        between("score", gte=-0.5, lt=0.25),
        "score >= -0.5 and score < 0.25",
        lambda i: -0.5 <= of("score")(i) < 0.25,
    ),
    "float by integer": (between("score", gt=1), "score > 1", lambda i: of("score")(i) > 1),
    "integer by float": (
        between("year", gt=2009.5, lte=2012.5),
        "year > 2009.5 and year <= 2012.5",
        lambda i: 2010 <= of("year")(i) <= 2012,
    ),
    "below all": (between("year", lt=1990), "year < 1990", lambda i: False),
    "equal to none, below": (equals("year", 1900), "year = 1900", lambda i: False),
    "equal to none, above": (one_of("year", [2100, 2200]), "year in (2100, 2200)", lambda i: False),
    "floats below all": (between("score", lte=-50), "score <= -50", lambda i: False),
    "times below all": (
        between("day", lt=oracle.EPOCH),
        'day < timestamp("2024-01-01")',
        lambda i: False,
    ),
    "boolean": (equals("flag", True), "flag = true", lambda i: of("flag")(i) is True),
    "not boolean": (
        neither(equals("flag", True)),
        "not flag = true",
        lambda i: of("flag")(i) is not True,
    ),
    "like": (
        like("source", "%ws"),
        'source like "%ws"',
        lambda i: of("source")(i) == "news",
    ),
    "like one character": (
        like("source", "_i%"),
        "source like '_i%'",
        lambda i: of("source")(i)[1] == "i",
    ),
    "like without case": (
        like("source", "FIL%", ignore_case=True),
        "source ilike 'FIL%'",
        lambda i: of("source")(i) == "films",
    ),
    "not like, of several": (
        neither(like("tags", "c%")),
        "tags not like 'c%'",
        lambda i: not any(tag.startswith("c") for tag in of("tags")(i)),
    ),
    "id like": (like("id", "d000_1"), "id like 'd000_1'", lambda i: i.key[:4] + i.key[5:] == "d0001"),
    "ids between": (
        ids_between(gte="d00100", lt="d00200"),
        "id(>= 'd00100', < 'd00200')",
        lambda i: "d00100" <= i.key < "d00200",
    ),
    "beginnings": (
        words("ba st", v1.TEXT_MODE_PREFIX),
        "text_prefix('ba st')",
        lambda i: all(
            any(word.startswith(first) for word in (i.text or "").split())
            for first in ("ba", "st")
        ),
    ),
    "errors": (
        words("galxay Moutain", v1.TEXT_MODE_FUZZY),
        "text_fuzzy('galxay Moutain')",
        lambda i: {"galaxy", "mountain"} <= set((i.text or "").split()),
    ),
    "exists": (exists("flag"), "flag exists", lambda i: "flag" in i.attributes),
    "absent": (neither(exists("flag")), "not flag exists", lambda i: "flag" not in i.attributes),
    "unknown attribute": (equals("nothing", 1), "nothing = 1", lambda i: False),
    "kinds differ": (equals("year", "2010"), "year = '2010'", lambda i: False),
    "in": (
        one_of("source", ["news", "films", "none"]),
        "source in ('news', 'films', 'none')",
        lambda i: of("source")(i) in ("news", "films"),
    ),
    "not in": (
        neither(one_of("year", [2001, 2002, 2003])),
        "year not in (2001, 2002, 2003)",
        lambda i: of("year")(i) not in (2001, 2002, 2003),
    ),
    "element of a list": (
        equals("tags", "river"),
        'tags = "river"',
        lambda i: "river" in of("tags")(i),
    ),
    "elements of a list": (
        one_of("tags", ["river", "storm"]),
        'tags in ("river", "storm")',
        lambda i: bool({"river", "storm"} & set(of("tags")(i))),
    ),
    "string range": (
        between("source", gte="news", lt="tweets"),
        "source >= 'news' and source < 'tweets'",
        lambda i: "news" <= of("source")(i) < "tweets",
    ),
    "time": (
        between("day", gte=DAY),
        'day >= timestamp("2024-07-19")',
        lambda i: of("day")(i) >= DAY,
    ),
    "time between": (
        between("day", gt=DAY, lt=DAY + datetime.timedelta(hours=36)),
        'day > timestamp("2024-07-19T00:00:00Z") and day < timestamp("2024-07-20T12:00:00Z")',
        lambda i: DAY < of("day")(i) < DAY + datetime.timedelta(hours=36),
    ),
    "dotted name": (equals("a.b-c", 3), "a.b-c = 3", lambda i: of("a.b-c")(i) == 3),
    "ids": (
        wire.with_ids(FIRST, SECOND, "none"),
        f"id in ('{FIRST}', '{SECOND}', 'none')",
        lambda i: i.key in (FIRST, SECOND),
    ),
    "not an id": (neither(wire.with_ids(FIRST)), f"id != '{FIRST}'", lambda i: i.key != FIRST),
    "and": (
        every(has_latent(0), equals("source", "tweets")),
        "latent(0) and source = 'tweets'",
        lambda i: 0 in i.latents and of("source")(i) == "tweets",
    ),
    "or": (
        either(has_latent(10), has_latent(11), equals("year", 2020)),
        "latent(10) or latent(11) or year = 2020",
        lambda i: 10 in i.latents or 11 in i.latents or of("year")(i) == 2020,
    ),
    "and binds tighter": (
        either(has_latent(10), every(has_latent(0), has_latent(1))),
        "latent(10) or latent(0) and latent(1)",
        lambda i: 10 in i.latents or {0, 1} <= set(i.latents),
    ),
    "of the issue": (
        every(
            has_latent(3),
            neither(has_latent(4, gt=0.3)),
            equals("source", "tweets"),
            between("score", lt=-1),
        ),
        'latent(3) and not latent(4, >0.3) and source = "tweets" and score < -1',
        lambda i: (
            3 in i.latents
            and not i.latents.get(4, 0) > 0.3
            and of("source")(i) == "tweets"
            and of("score")(i) < -1
        ),
    ),
    "nested": (
        neither(either(every(has_latent(0), neither(has_latent(1))), between("year", lt=2013))),
        "not ((latent(0) and not latent(1)) or year < 2013)",
        lambda i: not ((0 in i.latents and 1 not in i.latents) or of("year")(i) < 2013),
    ),
}


@pytest.mark.parametrize("case", FILTERS)
def test_message_and_text_mean_the_same_and_what_the_oracle_means(corpus, case):
    message, text, test = FILTERS[case]
    expected = corpus.oracle.keys(test)
    for described in (message, expr(text)):
        assert corpus.count(described) == len(expected)
        assert corpus.keys(described) == expected
    mixed = every(message, expr(text), neither(neither(expr(text))))
    assert corpus.count(mixed) == len(expected)
    assert corpus.count(every(message, neither(expr(text)))) == 0


def test_the_filters_are_no_trivial_ones(corpus):
    sizes = [len(corpus.oracle.keys(test)) for _, _, test in FILTERS.values()]
    assert sum(0 < size < len(corpus.oracle) for size in sizes) >= 30


@pytest.mark.parametrize(
    ("text", "mode", "words_of_it"),
    [
        ('text("battery river")', v1.TEXT_MODE_ALL, "battery river"),
        ('text_any("battery river")', v1.TEXT_MODE_ANY, "battery river"),
        ('phrase("market vote")', v1.TEXT_MODE_PHRASE, "market vote"),
    ],
)
def test_text_in_filters(corpus, text, mode, words_of_it):
    name = {v1.TEXT_MODE_ALL: "all", v1.TEXT_MODE_ANY: "any", v1.TEXT_MODE_PHRASE: "phrase"}[mode]
    expected = corpus.oracle.holding(words_of_it, name)
    assert corpus.keys(expr(text)) == corpus.keys(words(words_of_it, mode)) == expected
    # Documents without text do not hold words.
    everyone = corpus.oracle.keys()
    assert corpus.keys(expr(f"not {text}")) == everyone - expected


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("latent(812", 11),
        ("latent(x)", 8),
        ("source = ", 10),
        ("year = 1 score = 2", 10),
        ("source = 'open", 10),
        ("year = 1 and ;", 14),
        ("colour(3)", 1),
        ("day > timestamp('soon')", 7),
        ("flag = yes", 8),
        ("year in ()", 10),
    ],
)
def test_errors_of_the_text_form_point_at_the_column(corpus, text, column):
    with refused(
        grpc.StatusCode.INVALID_ARGUMENT, field="filter.expression", saying=f"column {column}:"
    ):
        corpus.count(expr(text))
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="query.filter.expression"):
        corpus.search(wire.matching(expr(text)))


def test_facets_of_attributes_are_exact(corpus):
    described = expr("latent(1) and year >= 2005")
    inside = [
        item
        for item in corpus.oracle.items.values()
        if 1 in item.latents and item.attributes["year"] >= 2005
    ]
    for name in ("source", "year", "score", "flag", "day", "tags", "a.b-c", "nothing"):
        counts = collections.Counter()
        for item in inside:
            content = item.attributes.get(name)
            counts.update(set(content) if isinstance(content, list) else [content])
        del counts[None]
        facet = v1.Facet(attribute=name, limit=10_000)
        short = v1.Facet(attribute=name, limit=2)
        answer, short = corpus.api.facet(corpus.name, facet, short, described=described)
        found = {wire.plain(entry.value): entry.count for entry in answer.values}
        assert found == dict(counts)
        assert (answer.distinct, answer.documents) == (len(counts), len(inside))
        assert answer.missing == sum(name not in item.attributes for item in inside)
        listed = [entry.count for entry in answer.values]
        assert listed == sorted(listed, reverse=True)
        assert list(short.values) == list(answer.values)[:2]
        assert short.distinct == len(counts)


@pytest.mark.parametrize("text", ["all", 'source = "news" and not latent(0)', "none"])
def test_facets_of_latents_are_exact(corpus, text):
    keys = corpus.keys(expr(text))
    activations = collections.defaultdict(list)
    for key in keys:
        for latent, activation in corpus.oracle.items[key].latents.items():
            activations[latent].append(activation)
    facet = v1.Facet(latents=wire.EVERYTHING, limit=1000)
    (answer,) = corpus.api.facet(corpus.name, facet, described=expr(text))
    assert {entry.latent: entry.count for entry in answer.latents} == {
        latent: len(values) for latent, values in activations.items()
    }
    for entry in answer.latents:
        assert entry.mean_activation == pytest.approx(np.mean(activations[entry.latent]), rel=1e-5)
    counts = [entry.count for entry in answer.latents]
    assert counts == sorted(counts, reverse=True)
    assert (answer.distinct, answer.documents) == (len(activations), len(keys))
    assert answer.missing == sum(not corpus.oracle.items[key].latents for key in keys)


def test_statistics_of_a_latent_are_those_of_its_documents(corpus):
    holding = {
        item.key: item.latents[4] for item in corpus.oracle.items.values() if 4 in item.latents
    }
    request = v1.GetLatentRequest(collection=corpus.name, latent=4, documents=10)
    found = corpus.api.latents.GetLatent(request)
    values = np.array(sorted(holding.values()))
    assert found.summary.documents == len(holding)
    assert found.summary.density == pytest.approx(len(holding) / len(corpus.oracle))
    assert found.summary.mean_activation == pytest.approx(values.mean(), rel=1e-5)
    assert len(found.quantiles) == 8 and list(found.quantiles) == sorted(found.quantiles)
    assert (found.quantiles[0], found.quantiles[-1]) == (values[0], values[-1])
    top = [(entry.document.id, entry.activation) for entry in found.documents]
    assert [activation for _, activation in top] == list(values[::-1][:10])
    assert all(holding[key] == activation for key, activation in top)

    listed = corpus.api.latents.ListLatents(
        v1.ListLatentsRequest(collection=corpus.name, limit=1000)
    )
    assert listed.total == oracle.N_LATENTS == len(listed.latents)
    counts = [entry.documents for entry in listed.latents]
    assert counts == sorted(counts, reverse=True)
    page = corpus.api.latents.ListLatents(
        v1.ListLatentsRequest(
            collection=corpus.name, limit=3, offset=4, order=v1.LATENT_ORDER_NUMBER
        )
    )
    assert [entry.latent for entry in page.latents] == [4, 5, 6]
    assert page.latents[0].documents == len(holding)


def test_labels_are_set_listed_found_and_shown_on_hits(api, name):
    api.create(name, dimension=2, n_latents=8)
    api.upsert(name, [wire.document("a", vec=[1, 0], latents={1: 1.0, 2: 0.5})])
    labels = [
        v1.LabelEntry(latent=1, text="Battery life", source="person", score=0.75),
        v1.LabelEntry(latent=2, text="broken screen"),
        v1.LabelEntry(latent=7, text="battery fire"),
    ]
    request = v1.SetLabelsRequest(collection=name, labels=labels)
    assert api.latents.SetLabels(request).written == 3
    hit = api.search(name, wire.weighted({1: 1.0, 2: 1.0})).hits[0]
    assert {part.latent: part.label for part in hit.latents} == {
        1: "Battery life",
        2: "broken screen",
    }
    label = api.latents.GetLatent(v1.GetLatentRequest(collection=name, latent=1)).summary.label
    assert (label.text, label.source, label.score) == ("Battery life", "person", 0.75)
    found = api.latents.ListLatents(v1.ListLatentsRequest(collection=name, label_query="BATTERY"))
    assert {entry.latent for entry in found.latents} == {1, 7} and found.total == 2
    (facet,) = api.facet(name, wire.BY_LATENTS)
    assert {entry.latent: entry.label for entry in facet.latents}[2] == "broken screen"
    # All or none.
    wrong = [v1.LabelEntry(latent=3, text="fine"), v1.LabelEntry(latent=8, text="unknown")]
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="labels[1].latent"):
        api.latents.SetLabels(v1.SetLabelsRequest(collection=name, labels=wrong))
    three = api.latents.GetLatent(v1.GetLatentRequest(collection=name, latent=3))
    assert not three.summary.HasField("label")


def save(api, name, set_name, text, frozen=False):
    request = v1.SaveSetRequest(collection=name, name=set_name, filter=expr(text), frozen=frozen)
    return api.collections.SaveSet(request)


def test_saved_sets_live_or_frozen_and_their_difference(api, name):
    api.create(name, n_latents=4)
    made = [
        wire.document(f"k{at}", n=at, latents={0: 1.0} if at % 2 else {1: 1.0}) for at in range(20)
    ]
    api.upsert(name, made)
    assert save(api, name, "a", "n < 10").documents == 10
    assert save(api, name, "b", "latent(0)").documents == 10
    kept = save(api, name, "kept", "n < 10", frozen=True)
    assert (kept.documents, kept.frozen) == (10, True)

    def keys(described):
        return {int(found.id[1:]) for found in api.scroll(name, described)}

    difference = 'set("a") and not set("b")'
    assert keys(expr(difference)) == {0, 2, 4, 6, 8}
    assert keys(every(wire.saved("a"), neither(wire.saved("b")))) == {0, 2, 4, 6, 8}
    assert api.count(name, expr(difference)) == 5
    found = api.search(name, wire.weighted({1: 1.0}, filter=expr(difference)), limit=20)
    assert {int(key[1:]) for key in wire.ids_of(found.hits)} == {0, 2, 4, 6, 8}

    # A filter follows what is written, frozen documents stay and only leave when they are deleted.
    api.upsert(name, [wire.document("k0", n=50), wire.document("k30", n=-1)])
    assert keys(wire.saved("a")) == set(range(1, 10)) | {30}
    assert keys(wire.saved("kept")) == set(range(10))
    api.documents.Delete(v1.DeleteRequest(collection=name, ids=["k1"]))
    assert keys(wire.saved("kept")) == set(range(10)) - {1}

    # A set may name sets; a set of the same name is replaced.
    save(api, name, "c", 'set("a") or set("kept")')
    assert keys(wire.saved("c")) == set(range(10)) - {1} | {30}
    save(api, name, "a", "n = 15")
    assert keys(wire.saved("a")) == {15}
    listed = api.collections.ListSets(v1.ListSetsRequest(collection=name)).sets
    assert [(entry.name, entry.frozen, entry.documents) for entry in listed] == [
        ("a", False, 1),
        ("b", False, 9),
        ("c", False, 10),
        ("kept", True, 9),
    ]
    api.collections.DropSet(v1.DropSetRequest(collection=name, name="b"))
    with refused(grpc.StatusCode.NOT_FOUND, saying='"b"'):
        api.count(name, wire.saved("b"))
    with refused(grpc.StatusCode.NOT_FOUND):
        api.collections.DropSet(v1.DropSetRequest(collection=name, name="b"))


def test_a_set_that_names_itself_is_refused_not_followed_forever(api, name):
    api.create(name)
    api.upsert(name, [wire.document("a", n=1)])
    save(api, name, "a", "n = 1")
    save(api, name, "b", 'set("a") and n = 1')
    # Now a means b means a.
    save(api, name, "a", 'set("b") or n = 2')
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        api.count(name, wire.saved("a"))
    assert api.count(name) == 1
