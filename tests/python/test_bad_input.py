"""Input that is wrong: the canonical code, the field at fault by its path, and nothing changed."""

import dataclasses
from collections.abc import Callable

import grpc
import numpy as np
import pytest

import wire
from harness import refused
from stubs import v1
from wire import (
    bm25,
    document,
    expr,
    fused,
    histogram,
    matching,
    near,
    statistics,
    weighted,
    without,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
NAN, INF = float("nan"), float("inf")
GOOD = document("good", vec=[1, 2, 3, 4], latents={1: 1.0})


@pytest.fixture(scope="module")
def strict(api):
    """A collection that must stay as it is."""
    name = "strict"
    api.create(name, dimension=4, n_latents=8)
    api.upsert(
        name,
        [
            document(f"k{at}", text=f"word {at}", vec=[1, at, 0, 1], latents={at % 8: 1.0}, n=at)
            for at in range(20)
        ],
    )
    return name


@pytest.fixture(autouse=True)
def nothing_changes(api, strict):
    """The server answers after the test as it did before."""
    before = api.scroll(strict, projection=wire.ALL_PARTS)
    sequence = api.info(strict).sequence
    yield
    assert api.scroll(strict, projection=wire.ALL_PARTS) == before
    assert api.info(strict).sequence == sequence


@dataclasses.dataclass
class Case:
    """A request that is refused."""

    call: Callable
    field: str | None
    saying: str = ""
    code: grpc.StatusCode = INVALID


def upsert(*documents):
    return lambda api, name: api.documents.Upsert(
        v1.UpsertRequest(collection=name, documents=documents)
    )


def update(**fields):
    change = v1.DocumentUpdate(**({"id": "k1"} | fields))
    good = v1.DocumentUpdate(id="k2", set_attributes={"n": wire.value(100)})
    return lambda api, name: api.documents.Update(
        v1.UpdateRequest(collection=name, updates=[good, change])
    )


def search(query, **fields):
    return lambda api, name: api.search(name, query, **fields)


def count(described):
    return lambda api, name: api.count(name, described)


def with_attribute(name, wire_value):
    made = v1.Document(id="bad")
    made.attributes[name].CopyFrom(wire_value)
    return made


def latents(*pairs):
    return v1.Document(id="bad", latents=wire.activations(pairs))


def nested_not(levels: int):
    described = wire.exists("n")
    for _ in range(levels):
        described = wire.neither(described)
    return described


def nested_facet(levels: int):
    facet = v1.Facet(attribute="n")
    for _ in range(levels - 1):
        facet = v1.Facet(attribute="n", then=facet)
    return facet


def nested_and(levels: int):
    described = wire.exists("n")
    for _ in range(levels):
        described = wire.every(described)
    return described


def nested_fusion(levels: int):
    query = matching()
    for _ in range(levels):
        query = fused(query)
    return query


def nested_except(levels: int):
    query = matching()
    for _ in range(levels):
        query = without(query, matching())
    return query


VECTOR = [1.0, 2.0, 3.0, 4.0]
DOCUMENTS = {
    "empty id": Case(upsert(GOOD, document("")), "documents[1].id", "0 bytes"),
    "oversized id": Case(upsert(document("x" * 513)), "documents[0].id", "513"),
    "control character in id": Case(upsert(document("a\nb")), "documents[0].id", "control"),
    "nul in id": Case(upsert(document("a\0")), "documents[0].id", "control"),
    "oversized text": Case(
        upsert(GOOD, document("bad", text="x" * (2**20 + 1))), "documents[1].text", "1048577"
    ),
    "oversized batch": Case(
        upsert(*(document(f"bad{at}") for at in range(10_001))), "documents", "10000"
    ),
    "wrong dimension": Case(
        upsert(GOOD, document("bad", vec=[1, 2, 3])), "documents[1].vector", "takes 4"
    ),
    "empty vector": Case(upsert(document("bad", vec=[])), "documents[0].vector", "0 values"),
    "NaN in vector": Case(upsert(document("bad", vec=[1, NAN, 0, 0])), "documents[0].vector[1]"),
    "infinite vector": Case(upsert(document("bad", vec=[0, 0, -INF, 0])), "documents[0].vector[2]"),
    "zero vector": Case(upsert(document("bad", vec=[0] * 4)), "documents[0].vector", "direction"),
    "vanishing vector": Case(upsert(document("bad", vec=[1e-30] * 4)), "documents[0].vector"),
    "overflowing vector": Case(upsert(document("bad", vec=[3e38] * 4)), "documents[0].vector"),
    "unknown latent": Case(upsert(latents((1, 1.0), (8, 1.0))), "documents[0].latents[1].latent"),
    "a latent twice": Case(upsert(latents((2, 1.0), (2, 0.5))), "documents[0].latents[1].latent"),
    "negative activation": Case(upsert(latents((1, -0.5))), "documents[0].latents[0].activation"),
    "NaN activation": Case(upsert(latents((1, NAN))), "documents[0].latents[0].activation"),
    "too large activation": Case(
        upsert(latents((0, 1.0), (1, 65505.0))), "documents[0].latents[1].activation", "65504"
    ),
    "bad attribute name": Case(
        upsert(with_attribute("1a", wire.value(1))), "documents[0].attributes", "1a"
    ),
    "empty attribute name": Case(
        upsert(with_attribute("", wire.value(1))), "documents[0].attributes"
    ),
    "long attribute name": Case(
        upsert(with_attribute("a" * 129, wire.value(1))), "documents[0].attributes", "128"
    ),
    "too many attributes": Case(
        upsert(document("bad", **{f"a{at}": at for at in range(257)})),
        "documents[0].attributes",
        "256",
    ),
    "NaN attribute": Case(upsert(document("bad", x=NAN)), "documents[0].attributes.x"),
    "infinite attribute": Case(
        upsert(document("bad", x=[1.0, INF])), "documents[0].attributes.x[1]"
    ),
    "oversized string attribute": Case(
        upsert(document("bad", x="x" * 32_001)), "documents[0].attributes.x", "32000"
    ),
    "mixed list": Case(
        upsert(document("bad", x=[1, 2.0])), "documents[0].attributes.x[1]", "one kind"
    ),
    "list in a list": Case(
        upsert(
            with_attribute("x", v1.Value(list=v1.ValueList(values=[v1.Value(list=v1.ValueList())])))
        ),
        "documents[0].attributes.x[0]",
    ),
    "attribute without value": Case(
        upsert(with_attribute("x", v1.Value())), "documents[0].attributes.x.kind"
    ),
    "time out of range": Case(
        upsert(with_attribute("x", v1.Value(timestamp={"seconds": 10**11}))),
        "documents[0].attributes.x",
        "2262",
    ),
    "nanoseconds out of range": Case(
        upsert(with_attribute("x", v1.Value(timestamp={"seconds": 1, "nanos": -1}))),
        "documents[0].attributes.x",
    ),
    "update: empty id": Case(update(id=""), "updates[1].id"),
    "update: unknown id": Case(update(id="none"), None, '"none"', NOT_FOUND),
    "update: text": Case(update(text="x" * (2**20 + 1)), "updates[1].text"),
    "update: vector": Case(update(vector=wire.vector([1])), "updates[1].vector"),
    "update: latents": Case(
        update(latents=wire.activations({9: 1.0})), "updates[1].latents[0].latent"
    ),
    "update: attribute": Case(
        update(set_attributes={"x": wire.value(NAN)}), "updates[1].set_attributes.x"
    ),
    "delete: ids and filter": Case(
        lambda api, name: api.documents.Delete(
            v1.DeleteRequest(collection=name, ids=["k1"], filter=expr("all"))
        ),
        "filter",
        "with ids",
    ),
    "delete: bad filter": Case(
        lambda api, name: api.documents.Delete(
            v1.DeleteRequest(collection=name, filter=expr("n >"))
        ),
        "filter.expression",
        "column 4",
    ),
    "delete: empty filter": Case(
        lambda api, name: api.documents.Delete(
            v1.DeleteRequest(collection=name, filter=v1.Filter())
        ),
        "filter.kind",
    ),
    "get: too many": Case(
        lambda api, name: api.documents.Get(
            v1.GetRequest(collection=name, ids=[str(at) for at in range(10_001)])
        ),
        "ids",
        "10000",
    ),
    "scroll: batch size": Case(
        lambda api, name: api.scroll(name, batch_size=10_001), "batch_size", "10000"
    ),
    "scroll: bad filter": Case(lambda api, name: api.scroll(name, expr("(")), "filter.expression"),
}
QUERIES = {
    "no query": Case(search(None), "query"),
    "empty query": Case(search(v1.Query()), "query.kind"),
    "empty nearest": Case(search(v1.Query(nearest=v1.NearestQuery())), "query.nearest.to"),
    "wrong dimension": Case(search(near([1, 2])), "query.nearest.vector", "takes 4"),
    "NaN": Case(search(near([1, NAN, 1, 1])), "query.nearest.vector[1]"),
    "infinite": Case(search(near([1, 1, 1, INF])), "query.nearest.vector[3]"),
    "zero vector": Case(search(near([0] * 4)), "query.nearest.vector"),
    "ef too large": Case(search(near(VECTOR, ef=10_001)), "query.nearest.ef", "10000"),
    "near to an unknown document": Case(search(near("none")), None, '"none"', NOT_FOUND),
    "near to an empty text": Case(search(wire.near_text("  ")), "query.nearest.text", "empty"),
    "near to a text without encoder": Case(
        search(wire.near_text("words")), None, "encoder", grpc.StatusCode.FAILED_PRECONDITION
    ),
    "steering without an SAE": Case(
        search(near(VECTOR, steer=[v1.SteerEdit(latent=1, add=1.0)])),
        None,
        "latentdb sae train",
        grpc.StatusCode.FAILED_PRECONDITION,
    ),
    "no weights": Case(search(weighted({})), "query.latents.weights"),
    "too many weights": Case(
        search(weighted({at: 1.0 for at in range(4097)})), "query.latents.weights", "4096"
    ),
    "unknown latent": Case(
        search(weighted({1: 1.0, 8: 1.0})), "query.latents.weights[1].latent", "0 to 7"
    ),
    "NaN weight": Case(search(weighted({1: NAN})), "query.latents.weights[0].weight"),
    "infinite weight": Case(search(weighted({0: 1, 1: INF})), "query.latents.weights[1].weight"),
    "a weight twice": Case(
        search(
            v1.Query(latents=v1.LatentsQuery(weights=[v1.LatentWeight(latent=1, weight=1.0)] * 2))
        ),
        "query.latents.weights[1].latent",
        "second time",
    ),
    "unknown scale": Case(search(weighted({1: 1.0}, scale=9)), "query.latents.scale"),
    "empty text": Case(search(bm25("")), "query.text.text"),
    "blank text": Case(search(bm25(" \n")), "query.text.text"),
    "unknown text mode": Case(search(bm25("word", mode=7)), "query.text.mode"),
    "fusion of nothing": Case(search(fused()), "query.fusion.children"),
    "fusion child without query": Case(
        search(v1.Query(fusion=v1.FusionQuery(children=[v1.FusionChild(weight=1.0)]))),
        "query.fusion.children[0].query",
    ),
    "fusion weight": Case(
        search(fused(matching(), (matching(), NAN))), "query.fusion.children[1].weight"
    ),
    "fusion depth": Case(search(fused(matching(), depth=10_001)), "query.fusion.depth"),
    "fusion method": Case(search(fused(matching(), method=5)), "query.fusion.method"),
    "rank constant": Case(search(fused(matching(), k=-1.0)), "query.fusion.rank_constant"),
    "inside a fusion": Case(
        search(fused(matching(), near([1.0]))), "query.fusion.children[1].query.nearest.vector"
    ),
    "except without a right side": Case(search(without(matching(), None)), "query.excluding.minus"),
    "except without a left side": Case(search(without(None, matching())), "query.excluding.query"),
    "except top": Case(search(without(matching(), matching(), 10_001)), "query.excluding.top"),
    "inside an except": Case(
        search(without(matching(), weighted({1: NAN}))),
        "query.excluding.minus.latents.weights[0].weight",
    ),
    "one name twice": Case(
        search(fused(matching(name="a"), matching(name="a"))), "query.fusion.children[1].query.name"
    ),
    "limit": Case(search(matching(), limit=1001), "limit", "1000"),
    "latents per hit": Case(search(matching(), latents_per_hit=1001), "latents_per_hit"),
    "page token": Case(search(None, page_token="nonsense"), "page_token"),
    "deep fusion": Case(search(nested_fusion(16)), None, "16 levels"),
    "deep except": Case(search(nested_except(16)), None, "16 levels"),
    "wide fusion": Case(search(fused(*[matching()] * 300)), "query.fusion.children[255].query"),
    "filter on a node": Case(
        search(fused(matching(expr("n = = 1")))),
        "query.fusion.children[0].query.filter.expression",
        "column 5",
    ),
    "batch: the search at fault": Case(
        lambda api, name: api.searches.SearchBatch(
            v1.SearchBatchRequest(
                searches=[
                    v1.SearchRequest(collection=name, query=matching()),
                    v1.SearchRequest(collection=name, query=near([1.0])),
                ]
            )
        ),
        "searches[1].query.nearest.vector",
    ),
    "batch: limit": Case(
        lambda api, name: api.searches.SearchBatch(
            v1.SearchBatchRequest(
                searches=[v1.SearchRequest(collection=name, query=matching(), limit=2000)]
            )
        ),
        "searches[0].limit",
    ),
    "batch: two collections": Case(
        lambda api, name: api.searches.SearchBatch(
            v1.SearchBatchRequest(
                searches=[
                    v1.SearchRequest(collection=name, query=matching()),
                    v1.SearchRequest(collection="other", query=matching()),
                ]
            )
        ),
        "searches[1].collection",
    ),
    "batch: page token": Case(
        lambda api, name: api.searches.SearchBatch(
            v1.SearchBatchRequest(searches=[v1.SearchRequest(collection=name, page_token="a.1")])
        ),
        "searches[0].page_token",
    ),
    "batch: too many": Case(
        lambda api, name: api.searches.SearchBatch(
            v1.SearchBatchRequest(
                searches=[v1.SearchRequest(collection=name, query=matching())] * 1001
            )
        ),
        "searches",
        "1000",
    ),
}
FILTERS = {
    "empty filter": Case(count(v1.Filter()), "filter.kind"),
    "empty expression": Case(count(expr("")), "filter.expression", "column 1"),
    "bad expression": Case(count(expr("n = 1 nd n = 2")), "filter.expression", "column 7"),
    "column in characters": Case(count(expr("größe = 'ü' ü")), "filter.expression", "column 13"),
    "number of a latent": Case(count(expr("latent(99999999999)")), "filter.expression"),
    "unknown latent": Case(count(wire.has_latent(8)), "filter.latent", "0 to 7"),
    "unknown latent in text": Case(count(expr("n = 1 or latent(8)")), None, "0 to 7"),
    "NaN bound": Case(count(wire.has_latent(1, gt=NAN)), "filter.latent"),
    "attribute name": Case(count(wire.exists("a b")), "filter.attribute", "a b"),
    "attribute without test": Case(
        count(v1.Filter(attribute=v1.AttributeFilter(name="n"))), "filter.attribute.test"
    ),
    "NaN value": Case(count(wire.equals("n", NAN)), None, "finite"),
    "list value": Case(count(wire.equals("n", [1])), None, "list"),
    "range of booleans": Case(count(wire.between("n", gte=True)), None, "boolean"),
    "range of two kinds": Case(count(wire.between("n", gte=1, lt="x")), None, "string"),
    "unknown text mode": Case(count(v1.Filter(text=v1.TextFilter(text="word", mode=9))), None, "9"),
    "too many ids": Case(
        count(wire.with_ids(*(str(at) for at in range(100_001)))), "filter.ids", "100000"
    ),
    "deep message of not": Case(count(nested_not(33)), None, "32 levels"),
    "deep message of and": Case(count(nested_and(32)), None, "32 levels"),
    "deep text of not": Case(count(expr("not " * 40 + "n = 1")), "filter.expression", "32 levels"),
    "deep text of brackets": Case(
        count(expr("(" * 100_000 + "n = 1" + ")" * 100_000)), "filter.expression", "32 levels"
    ),
    "too many parts": Case(count(expr(" or ".join(["n = 1"] * 5000))), None, "4096 parts"),
    "unknown set": Case(count(wire.saved("none")), None, '"none"', NOT_FOUND),
    "unknown set in text": Case(count(expr('not set("none")')), None, '"none"', NOT_FOUND),
    "facet by nothing": Case(
        lambda api, name: api.facet(name, v1.Facet()), "facets[0].by"
    ),
    "facet by a bad name": Case(
        lambda api, name: api.facet(name, v1.Facet(attribute="a b")), "facets[0].attribute"
    ),
    "facet limit": Case(
        lambda api, name: api.facet(name, v1.Facet(attribute="n", limit=100_001)),
        "facets[0].limit",
        "100001",
    ),
    "no facets": Case(lambda api, name: api.facet(name), "facets"),
    "too many facets": Case(
        lambda api, name: api.facet(name, *[v1.Facet(attribute="n")] * 101), "facets", "101"
    ),
    "deep facets": Case(
        lambda api, name: api.facet(name, nested_facet(4)), "facets[0].then.then.then", "3"
    ),
    "facet inside statistics": Case(
        lambda api, name: api.facet(name, statistics("n", then=v1.Facet(attribute="n"))),
        "facets[0].then",
    ),
    "limit of a histogram": Case(
        lambda api, name: api.facet(name, histogram("n", width=1, limit=3)), "facets[0].limit"
    ),
    "histogram without buckets": Case(
        lambda api, name: api.facet(name, histogram("n")), "facets[0].histogram.buckets"
    ),
    "histogram of no width": Case(
        lambda api, name: api.facet(name, histogram("n", width=0)), "facets[0].histogram.width"
    ),
    "histogram of NaN": Case(
        lambda api, name: api.facet(name, histogram("n", width=NAN)), "facets[0].histogram.width"
    ),
    "histogram by no unit": Case(
        lambda api, name: api.facet(name, histogram("n", calendar=0)),
        "facets[0].histogram.calendar",
    ),
    "histogram of one quantile": Case(
        lambda api, name: api.facet(name, histogram("n", quantiles=1)),
        "facets[0].histogram.quantiles",
    ),
    "quantile above 1": Case(
        lambda api, name: api.facet(name, statistics("n", [0.5, 1.5])),
        "facets[0].statistics.quantiles[1]",
        "1.5",
    ),
    "facet of a search": Case(
        lambda api, name: api.search(name, matching(), facets=[histogram("n", quantiles=1)]),
        "facets[0].histogram.quantiles",
    ),
    "set without filter": Case(
        lambda api, name: api.collections.SaveSet(v1.SaveSetRequest(collection=name, name="s")),
        "filter",
    ),
    "set with a bad name": Case(
        lambda api, name: api.collections.SaveSet(
            v1.SaveSetRequest(collection=name, name="a/b", filter=expr("all"))
        ),
        "name",
    ),
    "set with a bad filter": Case(
        lambda api, name: api.collections.SaveSet(
            v1.SaveSetRequest(collection=name, name="s", filter=wire.has_latent(9))
        ),
        "filter.latent",
    ),
}
OTHERS = {
    "name with a slash": Case(lambda api, _: api.create("../up"), "name"),
    "hidden name": Case(lambda api, _: api.create(".hidden"), "name"),
    "empty name": Case(lambda api, _: api.create(""), "name"),
    "long name": Case(lambda api, _: api.create("x" * 129), "name"),
    "dimension": Case(lambda api, _: api.create("bad", dimension=100_000), "dimension"),
    "latents": Case(lambda api, _: api.create("bad", n_latents=2**25), "n_latents"),
    "no SAE there": Case(lambda api, _: api.create("bad", sae="/nowhere/sae"), None, "", NOT_FOUND),
    "attach: no SAE there": Case(
        lambda api, name: list(
            api.collections.AttachSae(v1.AttachSaeRequest(collection=name, sae="/nowhere/sae"))
        ),
        None,
        "",
        NOT_FOUND,
    ),
    "label of an unknown latent": Case(
        lambda api, name: api.latents.SetLabels(
            v1.SetLabelsRequest(collection=name, labels=[v1.LabelEntry(latent=8, text="x")])
        ),
        "labels[0].latent",
    ),
    "empty label": Case(
        lambda api, name: api.latents.SetLabels(
            v1.SetLabelsRequest(collection=name, labels=[v1.LabelEntry(latent=1, text=" ")])
        ),
        "labels[0].text",
    ),
    "long label": Case(
        lambda api, name: api.latents.SetLabels(
            v1.SetLabelsRequest(collection=name, labels=[v1.LabelEntry(latent=1, text="x" * 201)])
        ),
        "labels[0].text",
        "200",
    ),
    "NaN score": Case(
        lambda api, name: api.latents.SetLabels(
            v1.SetLabelsRequest(
                collection=name, labels=[v1.LabelEntry(latent=1, text="x", score=NAN)]
            )
        ),
        "labels[0].score",
    ),
    "unknown latent": Case(
        lambda api, name: api.latents.GetLatent(v1.GetLatentRequest(collection=name, latent=8)),
        "latent",
    ),
    "documents of a latent": Case(
        lambda api, name: api.latents.GetLatent(
            v1.GetLatentRequest(collection=name, latent=1, documents=101)
        ),
        "documents",
    ),
    "order": Case(
        lambda api, name: api.latents.ListLatents(v1.ListLatentsRequest(collection=name, order=5)),
        "order",
    ),
    "texts for nobody": Case(
        lambda api, _: api.models.EncodeTexts(v1.EncodeTextsRequest(texts=["a"])), "with"
    ),
    "texts without an encoder": Case(
        lambda api, name: api.models.EncodeTexts(
            v1.EncodeTextsRequest(collection=name, texts=["a"])
        ),
        None,
        "encoder",
        grpc.StatusCode.FAILED_PRECONDITION,
    ),
    "vectors to encode": Case(
        lambda api, name: api.models.EncodeVectors(
            v1.EncodeVectorsRequest(
                collection=name, vectors=[wire.vector(VECTOR), wire.vector([1, NAN, 1, 1])]
            )
        ),
        "vectors[1][1]",
    ),
    "rows to decode": Case(
        lambda api, name: api.models.DecodeLatents(
            v1.DecodeLatentsRequest(collection=name, rows=[wire.activations({8: 1.0})])
        ),
        "rows[0][0].latent",
    ),
    "SAE of nobody": Case(lambda api, _: api.models.GetSae(v1.GetSaeRequest()), "of"),
    "steering nothing": Case(
        lambda api, name: api.searches.Steer(v1.SteerRequest(collection=name)), "nearest"
    ),
    "steering to nothing": Case(
        lambda api, name: api.searches.Steer(
            v1.SteerRequest(collection=name, nearest=v1.NearestQuery())
        ),
        "nearest.to",
    ),
    "steering an empty text": Case(
        lambda api, name: api.searches.Steer(
            v1.SteerRequest(collection=name, nearest=v1.NearestQuery(text=""))
        ),
        "nearest.text",
    ),
}
TABLE = {
    f"{group}: {case}": row
    for group, rows in {
        "document": DOCUMENTS,
        "query": QUERIES,
        "filter": FILTERS,
        "other": OTHERS,
    }.items()
    for case, row in rows.items()
}


@pytest.mark.parametrize("case", TABLE)
def test_wrong_input_is_refused_by_field_and_changes_nothing(api, strict, case):
    row = TABLE[case]
    with refused(row.code, field=row.field, saying=row.saying):
        row.call(api, strict)


@pytest.mark.parametrize(
    "call",
    [
        lambda api, name: api.info(name),
        lambda api, name: api.collections.DropCollection(v1.DropCollectionRequest(name=name)),
        lambda api, name: api.documents.Upsert(
            v1.UpsertRequest(collection=name, documents=[document("a")])
        ),
        lambda api, name: api.documents.Update(
            v1.UpdateRequest(collection=name, updates=[v1.DocumentUpdate(id="a")])
        ),
        lambda api, name: api.documents.Delete(v1.DeleteRequest(collection=name, ids=["a"])),
        lambda api, name: api.documents.Get(v1.GetRequest(collection=name, ids=["a"])),
        lambda api, name: api.scroll(name),
        lambda api, name: api.search(name, matching()),
        lambda api, name: api.searches.SearchBatch(
            v1.SearchBatchRequest(searches=[v1.SearchRequest(collection=name, query=matching())])
        ),
        lambda api, name: api.count(name),
        lambda api, name: api.facet(name, v1.Facet(attribute="n")),
        lambda api, name: api.searches.Steer(
            v1.SteerRequest(collection=name, nearest=v1.NearestQuery(vector=wire.vector(VECTOR)))
        ),
        lambda api, name: api.collections.SaveSet(
            v1.SaveSetRequest(collection=name, name="s", filter=expr("all"))
        ),
        lambda api, name: api.collections.ListSets(v1.ListSetsRequest(collection=name)),
        lambda api, name: api.collections.DropSet(v1.DropSetRequest(collection=name, name="s")),
        lambda api, name: list(
            api.collections.AttachSae(v1.AttachSaeRequest(collection=name, sae="/x"))
        ),
        lambda api, name: api.latents.ListLatents(v1.ListLatentsRequest(collection=name)),
        lambda api, name: api.latents.GetLatent(v1.GetLatentRequest(collection=name)),
        lambda api, name: api.latents.SetLabels(v1.SetLabelsRequest(collection=name)),
        lambda api, name: api.models.EncodeTexts(
            v1.EncodeTextsRequest(collection=name, texts=["a"])
        ),
        lambda api, name: api.models.EncodeVectors(v1.EncodeVectorsRequest(collection=name)),
        lambda api, name: api.models.DecodeLatents(v1.DecodeLatentsRequest(collection=name)),
        lambda api, name: list(
            api.models.TrainSae(v1.TrainSaeRequest(collection=name))
        ),
        lambda api, name: api.models.EvaluateSae(v1.EvaluateSaeRequest(collection=name)),
        lambda api, name: api.models.GetSae(v1.GetSaeRequest(collection=name)),
        lambda api, name: api.admin.Optimize(v1.OptimizeRequest(collection=name)),
    ],
)
def test_an_unknown_collection_is_not_found_by_every_rpc(api, call):
    with refused(NOT_FOUND, saying='"no-such-collection"'):
        call(api, "no-such-collection")


LONG = "x" * 20_000


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda api, name: api.info(LONG), NOT_FOUND),
        (lambda api, name: api.create(LONG), INVALID),
        (lambda api, name: api.search(name, near(LONG)), NOT_FOUND),
        (lambda api, name: api.count(name, wire.exists("?" + LONG)), INVALID),
        (lambda api, name: api.count(name, wire.saved(LONG)), NOT_FOUND),
        (lambda api, name: api.count(name, expr(f"n = 1 '{LONG}'")), INVALID),
        (lambda api, name: api.count(name, expr(f"{LONG} ;")), INVALID),
        (upsert(with_attribute("?" + LONG, wire.value(1))), INVALID),
        (upsert(with_attribute("?" + LONG, wire.value(NAN))), INVALID),
        (lambda api, name: api.search(name, matching(name=LONG), page_token=LONG), INVALID),
        (lambda api, name: api.search(name, fused(*[matching(name=LONG)] * 2)), INVALID),
        (
            lambda api, name: list(
                api.collections.AttachSae(
                    v1.AttachSaeRequest(collection=name, sae="/nowhere/" + "x/" * 1500)
                )
            ),
            NOT_FOUND,
        ),
    ],
    ids=lambda value: value.name if isinstance(value, grpc.StatusCode) else None,
)
def test_errors_about_long_input_fit_into_a_status(api, strict, call, code):
    """gRPC refuses trailers beyond 8 to 16 KiB: a message that repeats its input is cut before."""
    with refused(code):
        call(api, strict)


def test_a_batch_is_written_whole_or_not_at_all(api, strict):
    wrong = [document(f"new{at}", vec=VECTOR) for at in range(100)]
    wrong[99].vector.values[0] = np.inf
    with refused(INVALID, field="documents[99].vector[0]"):
        upsert(*wrong)(api, strict)
    assert api.documents.Get(v1.GetRequest(collection=strict, ids=["new0"])).missing == ["new0"]


def test_the_limits_themselves_are_accepted(api, name):
    api.create(name, dimension=4, n_latents=8)
    made = document(
        "x" * 512, text="y" * 2**20, vec=[1e-12] * 4, latents={7: 65504.0}, a="z" * 32_000
    )
    api.upsert(name, [made, *(document(f"k{at}") for at in range(9_999))], batch=10_000)
    found = api.get(name, ["x" * 512])[0]
    assert len(found.text) == 2**20 and wire.row(found) == {7: 65504.0}
    assert api.count(name, wire.equals("a", "z" * 32_000)) == 1
    assert api.count(name, nested_not(31)) == 10_000
    assert api.count(name, expr("not " * 31 + "n = 1")) == 10_000
    assert len(api.search(name, nested_fusion(15), limit=1000).hits) == 1000
    assert len(api.search(name, nested_except(15), limit=1000).hits) == 1000
    assert len(api.search(name, near(VECTOR, ef=10_000), limit=1000).hits) == 1


def raw_filter(levels: int) -> bytes:
    """`not` in `not`, deeper than a protobuf library would write it."""

    def length(size: int) -> bytes:
        out = bytearray()
        while size > 127:
            out.append(size & 127 | 128)
            size >>= 7
        return bytes([*out, size])

    inner = wire.exists("n").SerializeToString()
    for _ in range(levels):
        # Field 4, length-delimited.
        inner = b"\x22" + length(len(inner)) + inner
    # CountRequest: collection and filter.
    return b"\x0a\x06strict\x12" + length(len(inner)) + inner


@pytest.mark.parametrize("levels", [50, 1000, 20_000])
def test_messages_nested_far_too_deep_do_not_hurt_the_server(api, strict, levels):
    call = api.channel.unary_unary("/latentdb.v1.SearchService/Count")
    with pytest.raises(grpc.RpcError) as error:
        call(raw_filter(levels))
    assert error.value.code() != grpc.StatusCode.UNAVAILABLE, error.value.details()
    if levels == 50:
        assert error.value.code() == INVALID


def test_bytes_that_are_no_message_do_not_hurt_the_server(api, strict):
    call = api.channel.unary_unary("/latentdb.v1.DocumentService/Upsert")
    for raw in (b"\xff" * 100, b"\x0a\x06strict\x12\xff\xff\xff\xff\x0f", b"\x0a\x02\xff\xfe"):
        with pytest.raises(grpc.RpcError) as error:
            call(raw)
        assert error.value.code() != grpc.StatusCode.UNAVAILABLE, error.value.details()


def test_a_message_over_64_mib_is_refused(api, strict):
    big = [document(f"big{at}", text="x" * 2**20) for at in range(65)]
    with pytest.raises(grpc.RpcError) as error:
        upsert(*big)(api, strict)
    assert error.value.code() in (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.OUT_OF_RANGE,
    ), error.value.details()


def test_an_unknown_method_is_unimplemented(api):
    call = api.channel.unary_unary("/latentdb.v1.SearchService/Nothing")
    with pytest.raises(grpc.RpcError) as error:
        call(b"")
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
