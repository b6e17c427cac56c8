"""The LangChain adapter: the suite of vector stores, metadata, filters, native arguments."""

import asyncio
import datetime as dt
import math
import random
import threading

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.indexing import InMemoryRecordManager, aindex, index
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests.vectorstores import VectorStoreIntegrationTests

import latentdb
from latentdb import ID, A, L, errors
from latentdb.integrations.connection import diverse
from latentdb.integrations.langchain import LatentDBRetriever, LatentDBVectorStore
from latentdb.integrations.metadata import of_attributes, to_attributes

EMBEDDING = DeterministicFakeEmbedding(size=6)


class TestStandardOnAnExistingCollection(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, db, name):
        db.create_collection(name, dimension=6)
        yield LatentDBVectorStore(client=db, collection=name, embedding=self.get_embeddings())
        db.drop_collection(name)


class TestStandardOnACollectionMadeByTheFirstWrite(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, db, name):
        yield LatentDBVectorStore(
            client=db.address, collection=name, embedding=self.get_embeddings()
        )
        if name in db.collections():
            db.drop_collection(name)


class Axes(Embeddings):
    """Vectors that say how often words of a small vocabulary are in a text."""

    WORDS = ("late", "parcel", "tea", "film", "good")

    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text):
        words = text.split()
        return [0.1 + words.count(word) for word in self.WORDS]


@pytest.fixture
def store(db, name):
    """An empty store whose collection takes latents of the client."""
    db.create_collection(name, dimension=5, n_latents=8)
    return LatentDBVectorStore(client=db, collection=name, embedding=Axes())


TEXTS = ["late parcel", "late late parcel", "good tea", "good film", "tea tea"]


@pytest.fixture
def filled(store):
    store.add_texts(
        TEXTS,
        [{"stars": at, "kind": "ab"[at % 2]} for at in range(5)],
        ids=[f"d{at}" for at in range(5)],
        latents=[{at: 1.0, 7: 0.25 * (at + 1)} for at in range(5)],
    )
    return store


def ids_of(documents):
    return [document.id for document in documents]


# Metadata

ODD = [
    {},
    {"a": 1, "b": 1.5, "c": "x", "d": True, "e": ["x", "y", "x"], "f": [1, 2], "g": [True, False]},
    {"none": None, "empty": [], "nothing": "", "mapping": {}},
    {"nested": {"a": {"b": [1, {"c": None}]}, "$date": "x", "d": {"$tuple": [1]}}},
    {"mixed": [1, "a", 2.5, None, True], "numbers": [1, 2.5], "lists": [[1], [2, [3]]]},
    {"a name": 1, "1st": 2, "": 3, "a" * 129: 4, "é": 5, "日本": "x", "$or": 6, "a.b-c": 7},
    {"_latentdb_json": 1, "_latentdb_held": ["x"], "_latentdb_empty": None, "_latentdb": {"a": 1}},
    {"huge": 2**63, "least": -(2**63), "most": 2**63 - 1, "hugest": 10**40},
    {"inf": math.inf, "less": -math.inf, "inside": [1.0, math.inf], "small": 5e-324, "e": 1e300},
    {"long": "é" * 16_001, "fits": "é" * 16_000, "longer": "x" * 200_000, "list": ["x" * 40_000]},
    {f"field{at}": at for at in range(600)},
    {"aware": dt.datetime(2026, 3, 1, 12, 30, 15, 123456, dt.timezone(dt.timedelta(hours=2)))},
    {"naive": dt.datetime(2026, 3, 1, 12, 30), "day": dt.date(2026, 3, 1)},
    {"days": [dt.date(2026, 3, 1)], "early": dt.datetime(900, 1, 1), "late": dt.date(9999, 1, 1)},
    {"pair": (1, "a"), "bytes": b"\x00\xff", "set": {1, 2}, "frozen": frozenset("ab")},
    {"surrogate": "\ud800", "control": "a\x00b\n", "\ud800": 1, "quotes": '"\\'},
    {1: "integer key", (1, 2): "tuple key", "inner": {1: 2}},
    {"id": "x", "text": "y", "vector": [1.0], "latents": 3, "version": None, "score": 1},
]


@pytest.mark.parametrize("metadata", ODD)
def test_metadata_comes_back_as_it_was_written(store, metadata):
    store.add_texts(["late"], [metadata], ids=["a"])
    (read,) = store.get_by_ids(["a"])
    (found,) = store.similarity_search("late", k=1)
    assert read.metadata == found.metadata == metadata
    for name, value in metadata.items():
        assert type(read.metadata[name]) is type(value)


def test_nan_and_numpy_come_back(store):
    store.add_texts(
        ["late"],
        [{"nan": math.nan, "number": np.float32(0.5), "n": np.int64(3), "array": np.arange(3)}],
        ids=["a"],
    )
    found = store.get_by_ids(["a"])[0].metadata
    assert math.isnan(found["nan"])
    assert (found["number"], found["n"], found["array"]) == (0.5, 3, [0, 1, 2])


def test_random_metadata_comes_back():
    chance = random.Random(7)
    scalars = [None, True, 0, -1, 2**70, 1.5, math.inf, "", "x", "é" * 20_000, b"z"]
    scalars += [dt.date(2026, 1, 1), dt.datetime(2026, 1, 1), "\ud800"]
    names = ["a", "b.c", "x y", "$and", "$mapping", "", "ü", 3, "_latentdb_json", "z" * 200]

    def value(depth):
        kind = chance.randrange(5 if depth else 2)
        if kind < 2:
            return chance.choice(scalars)
        items = [value(depth - 1) for _ in range(chance.randrange(4))]
        if kind == 2:
            return items
        if kind == 3:
            return tuple(items)
        return {chance.choice(names): item for item in items}

    for _ in range(500):
        metadata = {name: value(3) for name in chance.sample(names, chance.randrange(8))}
        assert of_attributes(to_attributes(metadata)) == metadata


def test_metadata_that_cannot_be_kept_is_named(store):
    named = r"metadatas\[1\]\.deep\.inner\[0\] is of object"
    with pytest.raises(errors.InvalidArgument, match=named):
        store.add_texts(["late", "tea"], [{}, {"deep": {"inner": [object()]}}])
    assert store.similarity_search("late") == []


def test_documents_written_by_others_are_read(store, db):
    db[store.connection.name].upsert(
        [{"id": "a", "vector": [1, 0, 0, 0, 0], "attributes": {"stars": 3}}], progress=False
    )
    assert store.get_by_ids(["a"]) == [Document(id="a", page_content="", metadata={"stars": 3})]


# Filters

ROWS = [
    {"n": 1, "x": 0.5, "s": "alpha", "flag": True, "tags": ["p", "q"]},
    {"n": 2, "x": -1.5, "s": "beta", "flag": False, "tags": ["q"]},
    {"n": 3, "x": 2.0, "s": "Alphabet", "tags": []},
    {"n": 4, "s": "gamma_1", "flag": None, "tags": ["r"]},
    {"n": 2.5, "x": 2, "s": "", "flag": True},
    {"n": None, "x": None, "s": None, "tags": None},
    {},
    {"n": -7, "x": 1e9, "s": "100%", "flag": False, "tags": ["p", "r", "q"]},
]


def passes(metadata, given):
    """What the documentation of filters says, over one mapping."""
    return all(_passes_entry(metadata, name, own) for name, own in given.items())


def _passes_entry(metadata, name, own):
    if name == "$and":
        return all(passes(metadata, part) for part in own)
    if name == "$or":
        return any(passes(metadata, part) for part in own)
    if name == "$not":
        return not passes(metadata, own)
    tests = own if isinstance(own, dict) else {"$eq": own}
    return all(_passes_test(metadata, name, test, value) for test, value in tests.items())


def _like(text, pattern):
    import re

    parts = re.split(r"(\\.|%|_)", pattern)
    known = {"%": ".*", "_": "."}
    made = [known.get(part) or re.escape(part.removeprefix("\\")) for part in parts]
    return re.fullmatch("".join(made), text, re.DOTALL) is not None


def _passes_test(metadata, name, test, value):
    own = metadata.get(name)
    many = own if isinstance(own, list) else [own]
    if test == "$not":
        return not _passes_entry(metadata, name, value)
    if test == "$ne":
        return not _passes_test(metadata, name, "$eq", value)
    if test == "$nin":
        return not _passes_test(metadata, name, "$in", value)
    if test == "$exists":
        return (name in metadata) == value
    if test == "$in":
        return any(_passes_test(metadata, name, "$eq", one) for one in value)
    if test == "$eq" and value is None:
        return own is None or own == []
    same = [
        one
        for one in many
        if one is not None
        and isinstance(one, str) == isinstance(value, str)
        and isinstance(one, bool) == isinstance(value, bool)
    ]
    return any(
        {
            "$eq": lambda a: a == value,
            "$gt": lambda a: a > value,
            "$gte": lambda a: a >= value,
            "$lt": lambda a: a < value,
            "$lte": lambda a: a <= value,
            "$like": lambda a: _like(a, value),
            "$ilike": lambda a: _like(a.lower(), value.lower()),
        }[test](one)
        for one in same
    )


FILTERS = [
    {},
    {"n": 2},
    {"n": 2, "s": "beta"},
    {"flag": True},
    {"flag": False},
    {"flag": None},
    {"n": {"$eq": 2.0}},
    {"n": {"$ne": 2}},
    {"s": {"$ne": None}},
    {"n": {"$gt": 2}},
    {"n": {"$gte": 2, "$lt": 4}},
    {"x": {"$lte": 0.5}},
    {"s": {"$gt": "alpha"}},
    {"n": {"$in": [1, 4, 9]}},
    {"n": {"$in": []}},
    {"n": {"$nin": []}},
    {"n": {"$in": [1, None]}},
    {"s": {"$nin": ["alpha", "beta"]}},
    {"s": {"$nin": ["alpha", None]}},
    {"tags": "q"},
    {"tags": {"$in": ["p", "r"]}},
    {"tags": {"$nin": ["p", "r"]}},
    {"tags": {"$exists": True}},
    {"tags": {"$exists": False}},
    {"tags": None},
    {"absent": {"$exists": True}},
    {"absent": 3},
    {"absent": None},
    {"not a name": None},
    {"not a name": {"$exists": False}},
    {"s": {"$like": "alpha%"}},
    {"s": {"$like": "%\\_1"}},
    {"s": {"$like": "%\\%"}},
    {"s": {"$like": "_eta"}},
    {"s": {"$ilike": "ALPHA%"}},
    {"n": {"$not": {"$gt": 2}}},
    {"$not": {"n": 2}},
    {"$or": [{"n": 1}, {"s": "beta"}, {"x": {"$gt": 1e6}}]},
    {"$and": [{"n": {"$gt": 0}}, {"$or": [{"flag": True}, {"tags": "r"}]}]},
    {"$or": []},
    {"$and": []},
    {"$not": {"$or": [{"n": {"$exists": False}}, {"tags": {"$in": ["q"]}}]}, "s": {"$ne": ""}},
]


@pytest.fixture(scope="module")
def rows(db):
    store = LatentDBVectorStore(client=db, collection="langchain-rows", embedding=EMBEDDING)
    store.add_texts([f"row {at}" for at in range(len(ROWS))], ROWS, ids=list("abcdefgh"))
    return store


@pytest.mark.parametrize("given", FILTERS, ids=str)
def test_filters_take_what_they_say(rows, given):
    wanted = {own for own, row in zip("abcdefgh", ROWS) if passes(row, given)}
    assert set(ids_of(rows.similarity_search("row", k=20, filter=given))) == wanted


async def test_filters_of_the_database(rows):
    assert set(ids_of(rows.similarity_search("row", k=9, filter=A.n > 2))) == {"c", "d", "e"}
    words = 'n > 2 and s = "gamma_1"'
    assert ids_of(rows.similarity_search("row", k=9, filter=words)) == ["d"]
    assert set(ids_of(rows.similarity_search("row", k=9, filter=ID.isin(["a", "zz"])))) == {"a"}
    mixed = {"$or": [A.n == 1, "n = 4", {"n": 3}]}
    assert set(ids_of(await rows.asimilarity_search("row", k=9, filter=mixed))) == {"a", "c", "d"}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"n": {"$near": 3}}, r"filter\.n\.\$near is no test"),
        ({"n": {}}, r"filter\.n is empty"),
        ({"n": [1, 2]}, r"filter\.n\.\$eq is list"),
        ({"n": {"$in": "abc"}}, r"filter\.n\.\$in is str"),
        ({"n": {"$exists": 1}}, r"filter\.n\.\$exists is 1"),
        ({"n": {"$like": 3}}, r"filter\.n\.\$like is int"),
        ({"$nor": []}, r"filter\.\$nor is not known"),
        ({"$or": {"n": 1}}, r"filter\.\$or is dict"),
        ({"$or": [None]}, r"filter\.\$or\[0\] is None"),
        ({"a name": 3}, r"filter\.a name cannot be filtered by"),
        ({"_latentdb_held": "x"}, r"filter\._latentdb_held cannot be filtered by"),
        ({"n": {"$gt": None}}, "n is a NoneType"),
        ({"n": {"$gt": 2**70}}, "64 bits"),
        (3, "filter is int"),
        ("n >", "column|expected|filter"),
    ],
)
def test_filters_that_are_not_understood_are_named(rows, given, named):
    with pytest.raises(errors.InvalidArgument, match=named):
        rows.similarity_search("row", filter=given)


@pytest.mark.parametrize(
    "value",
    [{"a": 1}, [1, "a"], "x" * 40_000, 2**64, math.nan, [[1]], b"x"],
    ids=lambda value: str(value)[:9],
)
def test_a_filter_on_values_that_no_filter_sees_is_an_error(store, value):
    store.add_texts(["late", "tea"], [{"odd": value, "n": 1}, {"odd": 3, "n": 2}], ids=["a", "b"])
    found = [
        {"odd": 3},
        {"odd": {"$ne": 3}},
        {"$or": [{"n": 1}, {"$not": {"odd": {"$in": [3]}}}]},
        A.odd == 3,
        ~(A.odd > 1) & (A.n == 1),
        'n = 1 or odd(> 2, < 4) and not text("odd")',
    ]
    for given in found:
        with pytest.raises(errors.InvalidArgument, match=r"filter\.odd cannot be filtered by"):
            store.similarity_search("late", filter=given)
        with pytest.raises(errors.InvalidArgument, match=r"filter\.odd cannot be filtered by"):
            store.delete(filter=given)
    assert ids_of(store.similarity_search("late", filter={"n": 1})) == ["a"]
    assert ids_of(store.similarity_search("late", filter='n = 1 and not text("odd")')) == ["a"]
    assert len(store.similarity_search("late", filter={"odd": {"$exists": True}})) == 2
    assert store.similarity_search("late", filter={"odd": None}) == []
    store.add_texts(["late"], [{"odd": 3}], ids=["a"])
    assert len(store.similarity_search("late", filter={"odd": 3})) == 2


# Writing


def test_writes_and_deletes(store):
    first, second = store.add_texts(["late", "tea"], ids=["a", None])
    assert first == "a" and len(second) == 36
    assert store.add_texts([]) == [] and store.add_documents([]) == []
    assert ids_of(store.get_by_ids([second, "none", "a"])) == [second, "a"]
    assert store.get_by_ids([]) == []
    assert store.delete([]) is True and len(store.similarity_search("x")) == 2
    assert store.delete(filter={"nope": 3}) is True and len(store.similarity_search("x")) == 2
    store.add_texts(["good", "film"], [{"k": 1}, {"k": 2}], ids=["c", "d"])
    store.delete(filter={"k": {"$gte": 2}})
    assert set(ids_of(store.similarity_search("x"))) == {"a", second, "c"}
    with pytest.raises(errors.InvalidArgument, match="ids or a filter"):
        store.delete(["a"], filter={"k": 1})
    assert store.delete() is True and store.similarity_search("x") == []


async def test_indexing_keeps_a_store_in_step_with_its_sources(store):
    records = InMemoryRecordManager(namespace="notes")
    records.create_schema()
    documents = [
        Document(page_content=text, metadata={"source": f"s{at}"}) for at, text in enumerate(TEXTS)
    ]
    arguments = {"cleanup": "full", "key_encoder": "sha256", "source_id_key": "source"}
    done = index(documents, records, store, batch_size=2, **arguments)
    assert done["num_added"] == 5
    done = await aindex(documents[1:], records, store, **arguments)
    assert (done["num_skipped"], done["num_deleted"]) == (4, 1)
    read = store.similarity_search("late", k=9)
    assert sorted(own.page_content for own in read) == sorted(TEXTS[1:])


@pytest.mark.parametrize("name_of", ["metadatas", "ids", "latents"])
def test_lists_of_other_lengths_are_refused(store, name_of):
    given = {"metadatas": [{}], "ids": ["a"], "latents": [{}]}[name_of]
    with pytest.raises(ValueError, match=f"{name_of} has 1 entries for 2 texts"):
        store.add_texts(["late", "tea"], **{name_of: given})


def test_a_store_of_texts_and_documents(db, name):
    made = LatentDBVectorStore.from_texts(
        ["late", "tea"], Axes(), [{"a": 1}, {"a": 2}], ids=["x", "y"], client=db, collection=name
    )
    assert isinstance(made, LatentDBVectorStore) and made.embeddings.embed_query("late")
    assert db[name].info().dimension == 5
    again = LatentDBVectorStore.from_documents(
        [Document(id="z", page_content="film")], Axes(), client=db, collection=name
    )
    assert ids_of(again.similarity_search("film", k=1)) == ["z"]
    assert db[name].count() == 3


async def test_a_store_of_texts_and_documents_asynchronously(db, name):
    made = await LatentDBVectorStore.afrom_texts(
        ["late"], Axes(), ids=["x"], client=db, collection=name
    )
    await LatentDBVectorStore.afrom_documents(
        [Document(id="z", page_content="film")], Axes(), client=db, collection=name
    )
    assert ids_of(await made.asimilarity_search("film", k=5)) == ["z", "x"]


def test_a_collection_that_does_not_exist_is_empty(db, name):
    store = LatentDBVectorStore(client=db, collection=name, embedding=Axes())
    assert store.similarity_search("late", filter={"a": 1}) == []
    assert store.max_marginal_relevance_search("late") == []
    assert store.get_by_ids(["a"]) == [] and store.delete(["a"]) and store.delete()
    assert name not in db.collections()
    with pytest.raises(errors.NotFound, match="does not exist"):
        LatentDBVectorStore(client=db, collection=name).add_texts(["late"])


def test_a_vector_of_another_dimension_is_refused(filled, db):
    other = LatentDBVectorStore(
        client=db, collection=filled.connection.name, embedding=DeterministicFakeEmbedding(size=4)
    )
    with pytest.raises(errors.InvalidArgument, match="has 4 values; the collection takes 5"):
        other.add_texts(["late"])
    with pytest.raises(errors.InvalidArgument, match="4"):
        other.similarity_search("late")
    assert len(filled.similarity_search("late", k=9)) == 5


async def test_a_missing_server_is_named():
    store = LatentDBVectorStore(client="127.0.0.1:9", collection="x", embedding=Axes())
    for call in (
        lambda: store.similarity_search("late"),
        lambda: store.add_texts(["late"]),
        lambda: store.delete(["a"]),
    ):
        with pytest.raises(errors.Unavailable, match="127.0.0.1:9"):
            call()
    with pytest.raises(errors.Unavailable, match="127.0.0.1:9"):
        await store.asimilarity_search("late")
    await store.aclose()
    with pytest.raises(errors.InvalidArgument, match="client is int"):
        LatentDBVectorStore(client=3)
    with pytest.raises(errors.InvalidArgument, match="collection is ''"):
        LatentDBVectorStore(client="127.0.0.1:9", collection="")


# Searches


def test_scores_and_relevance(filled):
    found = filled.similarity_search_with_score("late parcel", k=5)
    reference = InMemoryVectorStore(Axes())
    reference.add_texts(TEXTS, ids=[f"d{at}" for at in range(5)])
    wanted = reference.similarity_search_with_score("late parcel", k=5)
    assert ids_of(own for own, _ in found) == ids_of(own for own, _ in wanted)
    assert [score for _, score in found] == pytest.approx([score for _, score in wanted], abs=1e-5)
    relevant = filled.similarity_search_with_relevance_scores("late parcel", k=5)
    assert all(0 <= score <= 1 for _, score in relevant)
    assert relevant[0][1] == pytest.approx(1, abs=1e-6)
    kept = filled.similarity_search_with_relevance_scores("late parcel", k=5, score_threshold=0.9)
    assert ids_of(own for own, _ in kept) == [
        own.id for own, score in relevant if score >= 0.9
    ]
    vector = Axes().embed_query("late parcel")
    assert filled.similarity_search_by_vector(vector, k=5) == [own for own, _ in found]
    assert filled.similarity_search_with_score_by_vector(vector, k=5) == found


def test_opposite_vectors_are_not_relevant(db, name):
    class Signed(Embeddings):
        def embed_documents(self, texts):
            return [self.embed_query(text) for text in texts]

        def embed_query(self, text):
            return [-1.0, 0.0] if text == "no" else [1.0, 0.0]

    store = LatentDBVectorStore.from_texts(["no", "yes"], Signed(), client=db, collection=name)
    scores = [score for _, score in store.similarity_search_with_relevance_scores("yes")]
    assert scores == pytest.approx([1, 0], abs=1e-6)


def test_more_hits_than_a_page(db, name):
    store = LatentDBVectorStore(client=db, collection=name, embedding=EMBEDDING)
    store.add_texts([f"text {at}" for at in range(2300)])
    assert len(set(ids_of(store.similarity_search("text", k=2100)))) == 2100
    assert len(store.similarity_search("text", k=5000)) == 2300
    with pytest.raises(errors.InvalidArgument, match="number of hits is 0"):
        store.similarity_search("text", k=0)


def test_maximal_marginal_relevance_is_that_of_langchain(db, name):
    texts = [f"text {at}" for at in range(40)]
    ids = [f"d{at}" for at in range(40)]
    store = LatentDBVectorStore.from_texts(texts, EMBEDDING, ids=ids, client=db, collection=name)
    reference = InMemoryVectorStore(EMBEDDING)
    reference.add_texts(texts, ids=ids)
    for weight in (0.0, 0.3, 0.5, 0.9, 1.0):
        arguments = {"k": 6, "fetch_k": 25, "lambda_mult": weight}
        wanted = ids_of(reference.max_marginal_relevance_search("a question", **arguments))
        assert ids_of(store.max_marginal_relevance_search("a question", **arguments)) == wanted
        vector = EMBEDDING.embed_query("a question")
        found = store.max_marginal_relevance_search_by_vector(vector, **arguments)
        assert ids_of(found) == wanted
    with pytest.raises(errors.InvalidArgument, match="weight of relevance is 2"):
        store.max_marginal_relevance_search("a question", lambda_mult=2)
    assert diverse([], 3, 0.5) == []


async def test_every_search_is_the_same_asynchronously(filled):
    vector = Axes().embed_query("good tea")
    options = {"k": 3, "filter": {"stars": {"$gt": 0}}}
    assert await filled.asimilarity_search("good tea", **options) == filled.similarity_search(
        "good tea", **options
    )
    assert await filled.asimilarity_search_with_score(
        "good tea", **options
    ) == filled.similarity_search_with_score("good tea", **options)
    assert await filled.asimilarity_search_by_vector(
        vector, **options
    ) == filled.similarity_search_by_vector(vector, **options)
    assert await filled.asimilarity_search_with_score_by_vector(
        vector, **options
    ) == filled.similarity_search_with_score_by_vector(vector, **options)
    assert await filled.asimilarity_search_with_relevance_scores(
        "good tea", **options
    ) == filled.similarity_search_with_relevance_scores("good tea", **options)
    assert await filled.amax_marginal_relevance_search(
        "good tea", fetch_k=4, **options
    ) == filled.max_marginal_relevance_search("good tea", fetch_k=4, **options)
    assert await filled.amax_marginal_relevance_search_by_vector(
        vector, **options
    ) == filled.max_marginal_relevance_search_by_vector(vector, **options)
    assert await filled.aget_by_ids(["d1", "x"]) == filled.get_by_ids(["d1", "x"])
    assert await filled.asearch("good tea", "mmr", k=2) == filled.search("good tea", "mmr", k=2)
    assert await filled.adelete(filter={"stars": 1})
    assert ids_of(await filled.aget_by_ids(["d1", "d2"])) == ["d2"]


def test_every_event_loop_has_a_client_of_its_own(filled):
    async def several():
        found = await asyncio.gather(*(filled.asimilarity_search("tea", k=1) for _ in range(20)))
        await filled.aclose()
        return {document.id for (document,) in found}

    found = []
    for _ in range(3):
        thread = threading.Thread(target=lambda: found.append(asyncio.run(several())))
        thread.start()
        thread.join()
    assert found == [{"d4"}] * 3


def test_unknown_arguments_are_named(filled):
    for call in (
        filled.similarity_search,
        filled.similarity_search_with_score,
        filled.max_marginal_relevance_search,
    ):
        with pytest.raises(TypeError, match="namespace"):
            call("tea", namespace="x")
    for call in (filled.add_texts, filled.add_documents, filled.delete):
        with pytest.raises(TypeError, match="namespace"):
            call([], namespace="x")


# Concepts


def test_steering_and_filters_of_latents(filled):
    assert ids_of(filled.similarity_search("tea", k=1)) == ["d4"]
    assert ids_of(filled.similarity_search("tea", k=1, steer={3: 10.0})) == ["d3"]
    assert ids_of(filled.max_marginal_relevance_search("tea", k=1, steer={3: 10.0})) == ["d3"]
    assert set(ids_of(filled.similarity_search("tea", filter=L(7, gt=0.9)))) == {"d3", "d4"}
    assert set(ids_of(filled.similarity_search("tea", filter="latent(0) or latent(1)"))) == {
        "d0",
        "d1",
    }
    found = filled.similarity_search("tea", filter={"$or": [L(0), {"stars": 2}], "kind": "a"})
    assert set(ids_of(found)) == {"d0", "d2"}
    with pytest.raises(errors.InvalidArgument, match="latents are 0 to 7"):
        filled.similarity_search("tea", steer={99: 1.0})


def test_why_documents_were_found(filled, db):
    db[filled.connection.name].latents.set_labels({3: "films"})
    (found,) = filled.similarity_search("tea", k=1, steer={3: 10.0}, explain=True)
    why = found.metadata.pop("_latentdb")
    assert found == filled.get_by_ids(["d3"])[0]
    assert set(why) == {"score", "parts", "latents", "highlights"}
    strongest = why["latents"][0]
    assert (strongest["latent"], strongest["label"]) == (3, "films")
    assert strongest["contribution"] > 0 and why["parts"][0]["rank"] == 1
    (plain,) = filled.similarity_search("tea", k=1)
    assert "_latentdb" not in plain.metadata


# Retrievers


async def test_retrievers_of_langchain(filled):
    retriever = filled.as_retriever(search_kwargs={"k": 2, "filter": {"kind": "a"}})
    assert ids_of(retriever.invoke("tea")) == ids_of(await retriever.ainvoke("tea")) == ["d4", "d2"]
    several = filled.as_retriever(search_type="mmr", search_kwargs={"k": 2, "steer": {0: 9.0}})
    assert ids_of(several.invoke("tea"))[0] == "d0"
    near = filled.as_retriever(
        search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.95}
    )
    assert ids_of(near.invoke("late parcel")) == ["d0", "d1"]
    assert "LatentDBVectorStore" in retriever.tags


async def test_kinds_of_retrievers(filled):
    near = LatentDBRetriever(store=filled, k=2)
    assert ids_of(near.invoke("tea")) == ids_of(filled.similarity_search("tea", k=2))
    words = LatentDBRetriever(store=filled, kind="text", k=5)
    assert set(ids_of(words.invoke("late film"))) == {"d0", "d1", "d3"}
    every = LatentDBRetriever(store=filled, kind="text", options={"mode": "all"})
    assert set(ids_of(every.invoke("late parcel"))) == {"d0", "d1"}
    hybrid = LatentDBRetriever(store=filled, kind="hybrid", k=3, explain=True)
    found = hybrid.invoke("good")
    assert set(ids_of(found)[:2]) == {"d2", "d3"}
    parts = {part["name"]: part for part in found[0].metadata["_latentdb"]["parts"]}
    shares = [parts[name]["contribution"] for name in ("text", "nearest")]
    ranks = [parts[name]["rank"] for name in ("text", "nearest")]
    assert shares == pytest.approx([1 / (60 + rank) for rank in ranks], rel=1e-5)
    assert found[0].metadata["_latentdb"]["highlights"]
    for retriever in (near, words, every, hybrid):
        assert await retriever.ainvoke("good film") == retriever.invoke("good film")


def test_retrievers_with_filters_and_steering(filled):
    retriever = LatentDBRetriever(store=filled, filter={"kind": "a"}, steer={0: 10.0})
    assert ids_of(retriever.invoke("tea")) == ["d0", "d4", "d2"]
    assert ids_of(retriever.invoke("tea", k=1, steer=None)) == ["d4"]
    assert ids_of(retriever.invoke("tea", filter=L(1))) == ["d1"]
    hybrid = LatentDBRetriever(
        store=filled, kind="hybrid", steer={3: 10.0}, weights=(0.01, 5.0), filter="stars >= 2"
    )
    assert ids_of(hybrid.invoke("tea"))[0] == "d3"
    words = LatentDBRetriever(store=filled, kind="text", filter={"stars": {"$lt": 1}})
    assert ids_of(words.invoke("late")) == ["d0"]


def test_retrievers_refuse_what_their_kind_has_not(filled):
    for kind in ("text", "property"):
        with pytest.raises(ValueError, match='steer is of the kinds "nearest" and "hybrid"'):
            LatentDBRetriever(store=filled, kind=kind, steer={1: 1.0})
    words = LatentDBRetriever(store=filled, kind="text")
    with pytest.raises(errors.InvalidArgument, match="steer"):
        words.invoke("tea", steer={1: 1.0})
    with pytest.raises(ValueError, match="kind"):
        LatentDBRetriever(store=filled, kind="other")
    with pytest.raises(ValueError, match="options"):
        LatentDBRetriever(store=filled, options={"kept": 3})
    with pytest.raises(errors.PreconditionFailed, match="no encoder"):
        LatentDBRetriever(store=filled, kind="property").invoke("tea")


@pytest.fixture(scope="module")
def encoded(db):
    """A store whose collection makes the vectors itself."""
    try:
        db.create_collection("langchain-encoded", encoder="all-MiniLM-L6-v2", n_latents=8)
    except errors.LatentDBError as error:
        pytest.skip(f"the encoder's weights are not here: {error}")
    store = LatentDBVectorStore(client=db, collection="langchain-encoded")
    texts = ["The parcel came three weeks late.", "A lovely film about a dog.", "Green tea."]
    store.add_texts(texts, ids=["a", "b", "c"], latents=[{0: 1.0}, {1: 1.0}, {2: 1.0}])
    return store


async def test_without_an_embedding_the_collection_makes_vectors(encoded):
    assert ids_of(encoded.similarity_search("delivery was slow", k=1)) == ["a"]
    assert ids_of(await encoded.asimilarity_search("a hot drink", k=1)) == ["c"]
    assert ids_of(encoded.max_marginal_relevance_search("cinema", k=2))[0] == "b"
    assert ids_of(LatentDBRetriever(store=encoded, kind="hybrid").invoke("film"))[0] == "b"


async def test_retrieving_by_property(encoded):
    retriever = LatentDBRetriever(
        store=encoded, kind="property", k=1, explain=True, options={"kept": 2}
    )
    (found,) = retriever.invoke("complains about delivery")
    assert found.id == "a"
    assert found.metadata["_latentdb"]["latents"][0]["latent"] == 0
    assert ids_of(await retriever.ainvoke("complains about delivery")) == ["a"]


def test_the_package_is_that_of_this_repository():
    assert latentdb.__file__.endswith("src/python/latentdb/__init__.py")
