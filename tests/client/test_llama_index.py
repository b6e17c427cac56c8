"""The LlamaIndex adapter: nodes, filters against a naive filter in Python, modes, indexes."""

import asyncio
import itertools
import threading

import numpy as np
import pytest
from llama_index.core import Document, StorageContext, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.indices.query.embedding_utils import get_top_k_embeddings
from llama_index.core.schema import (
    ImageNode,
    IndexNode,
    MediaResource,
    Node,
    NodeRelationship,
    ObjectType,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)
from llama_index.core.vector_stores.utils import build_metadata_filter_fn

from latentdb import A, L, errors
from latentdb.integrations.llama_index import LatentDBVectorStore

Op = FilterOperator
Mode = VectorStoreQueryMode


def filters(*given, condition="and"):
    made = [
        own if isinstance(own, MetadataFilters) else MetadataFilter(
            key=own[0], operator=own[1], value=own[2]
        )
        for own in given
    ]
    return MetadataFilters(filters=made, condition=condition)


def source(ref_doc_id):
    return {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=ref_doc_id)}


TEXTS = ["late parcel", "late late parcel", "good tea", "good film", "tea tea tea", "a dog"]


@pytest.fixture
def store(db, name):
    """An empty store whose collection takes latents of the client."""
    db.create_collection(name, dimension=3, n_latents=8)
    return LatentDBVectorStore(client=db, collection=name)


def made_nodes():
    """Six nodes of two documents, their vectors turning from the first axis to the second."""
    angles = np.linspace(0, np.pi / 2, 6)
    return [
        TextNode(
            id_=f"n{at}",
            text=text,
            embedding=[float(np.cos(angle)), float(np.sin(angle)), 0.0],
            metadata={"stars": at, "kind": "ab"[at % 2]},
            relationships=source("even" if at % 2 == 0 else "odd"),
        )
        for at, (text, angle) in enumerate(zip(TEXTS, angles))
    ]


@pytest.fixture
def filled(store):
    latents = {f"n{at}": {at: 1.0, 7: 0.25 * (at + 1)} for at in range(6)}
    assert store.add(made_nodes(), latents=latents) == [f"n{at}" for at in range(6)]
    return store


def asked(**options):
    near = {"query_embedding": [1.0, 0.0, 0.0], "similarity_top_k": 10}
    return VectorStoreQuery(**{**near, **options})


def found(store, **options):
    return store.query(asked(**options)).ids


# Nodes

NODES = [
    TextNode(text=""),
    TextNode(text="late", metadata={"z": 1, "a": "x", "m": 1.5, "flag": True, "none": None}),
    TextNode(text="late", metadata={"tags": ["a", "b", "a"], "empty": [], "mixed": [1, "a", None]}),
    TextNode(text="late", metadata={"deep": {"a": [{"b": None}]}, "a name": 1, "1st": 2, "": 3}),
    TextNode(text="late", metadata={"long": "é" * 40_000, "huge": 2**80, "日本": "東京"}),
    TextNode(text="x" * 100_000, metadata={"long": ["y" * 20_000] * 5}),
    TextNode(text="late", metadata={f"field{at}": at for at in range(500)}),
    TextNode(
        text="late",
        metadata={"document_id": "mine", "doc_id": 3, "ref_doc_id": None, "_node_type": "mine"},
    ),
    TextNode(
        text="late",
        metadata={"doc_id": 3, "_latentdb_held": 1},
        relationships={
            NodeRelationship.SOURCE: RelatedNodeInfo(
                node_id="doc", node_type=ObjectType.DOCUMENT, metadata={"a": {"b": 1}}, hash="h"
            ),
            NodeRelationship.NEXT: RelatedNodeInfo(node_id="other"),
            NodeRelationship.CHILD: [RelatedNodeInfo(node_id="x"), RelatedNodeInfo(node_id="y")],
        },
        start_char_idx=3,
        end_char_idx=7,
        excluded_embed_metadata_keys=["doc_id"],
        excluded_llm_metadata_keys=["doc_id"],
        metadata_template="{key}={value}",
        metadata_separator=";",
        text_template="{metadata_str}: {content}",
        mimetype="text/markdown",
    ),
    IndexNode(text="late", index_id="table", obj=TextNode(id_="inner", text="inner")),
    ImageNode(text="a dog", image="aGVsbG8=" * 10_000, image_mimetype="image/png"),
    Node(text_resource=MediaResource(text="late", mimetype="text/plain"), metadata={"a": 1}),
    Node(image_resource=MediaResource(data=b"hello" * 9_000, mimetype="image/png")),
    Node(text_resource=MediaResource(text="")),
    Document(text="late", metadata={"a": 1}, id_="a document"),
]


@pytest.mark.parametrize("node", NODES, ids=lambda node: type(node).__name__)
def test_nodes_come_back_equal(store, node):
    with_vector = node.model_copy()
    with_vector.embedding = [1.0, 2.0, 0.0]
    before = with_vector.model_copy(deep=True)
    assert store.add([with_vector]) == [node.node_id]
    assert with_vector == before
    (read,) = store.get_nodes([node.node_id])
    (asked_for,) = store.query(asked()).nodes
    assert type(read) is type(node)
    assert read == asked_for == node
    assert read.hash == node.hash
    assert list(read.metadata) == list(node.metadata)
    assert read.get_content("all") == node.get_content("all")


def test_documents_written_by_others_are_nodes_too(store, db):
    db[store.collection].upsert(
        [{"id": "a", "text": "late", "vector": [1, 0, 0], "attributes": {"stars": 3}}],
        progress=False,
    )
    assert store.get_nodes(["a"]) == [TextNode(id_="a", text="late", metadata={"stars": 3})]
    assert found(store, filters=filters(("stars", Op.EQ, 3))) == ["a"]


def test_what_the_store_is(filled, db):
    assert isinstance(filled, BasePydanticVectorStore)
    assert filled.stores_text and filled.is_embedding_query and filled.client is db
    assert filled.class_name() == filled.to_dict()["class_name"] == "LatentDBVectorStore"
    assert filled.get_nodes(["n1", "none", "n0"]) == [
        node.model_copy(update={"embedding": None}) for node in (made_nodes()[1], made_nodes()[0])
    ]


# Filters

ROWS = [
    {"n": 1, "x": 0.5, "s": "alpha", "flag": True, "tags": ["p", "q"], "years": [2020, 2021]},
    {"n": 2, "x": -1.5, "s": "beta", "flag": False, "tags": ["q"], "years": [2021]},
    {"n": 3, "x": 2.0, "s": "Alphabet", "tags": [], "years": [2022, 2020, 2023]},
    {"n": 4, "x": 3.5, "s": "gamma_1", "flag": True, "tags": ["r"]},
    {"n": 2.5, "x": 2, "s": "", "tags": ["p", "q", "r"]},
    {"n": None, "x": None, "s": None, "tags": None},
    {},
    {"n": -7, "x": 1e9, "s": "100%", "flag": False, "tags": ["p", "r", "q"]},
]
NAMES = [f"r{at}" for at in range(len(ROWS))]

TESTS = [
    ("n", Op.EQ, 2),
    ("n", Op.EQ, 2.0),
    ("n", Op.EQ, 99),
    ("s", Op.EQ, "alpha"),
    ("flag", Op.EQ, 1),
    ("flag", Op.NE, 1),
    ("flag", Op.IN, [0, 5]),
    ("flag", Op.NIN, [0, 5]),
    ("n", Op.NE, 2),
    ("s", Op.NE, "alpha"),
    ("absent", Op.NE, "alpha"),
    ("absent", Op.EQ, "alpha"),
    ("n", Op.GT, 2),
    ("n", Op.GTE, 2),
    ("n", Op.LT, 2.5),
    ("n", Op.LTE, 2.5),
    ("x", Op.GT, 0),
    ("x", Op.LTE, 2),
    ("s", Op.GT, "alpha"),
    ("s", Op.LTE, "alpha"),
    ("n", Op.IN, [1, 4, 9]),
    ("n", Op.IN, []),
    ("s", Op.IN, ["alpha", "beta", "x"]),
    ("x", Op.IN, [0.5, 2.0]),
    ("n", Op.NIN, [1, 4, 9]),
    ("n", Op.NIN, []),
    ("s", Op.NIN, ["alpha", ""]),
    ("tags", Op.ANY, ["p", "z"]),
    ("tags", Op.ANY, []),
    ("years", Op.ANY, [2020, 2022]),
    ("tags", Op.ALL, ["p", "q"]),
    ("tags", Op.ALL, ["r"]),
    ("years", Op.ALL, [2020, 2023]),
    ("tags", Op.CONTAINS, "q"),
    ("years", Op.CONTAINS, 2021),
    ("s", Op.TEXT_MATCH, "alpha"),
    ("s", Op.TEXT_MATCH, "_"),
    ("s", Op.TEXT_MATCH, "%"),
    ("s", Op.TEXT_MATCH, ""),
    ("s", Op.TEXT_MATCH_INSENSITIVE, "LPHA"),
    ("n", Op.IS_EMPTY, None),
    ("s", Op.IS_EMPTY, None),
    ("tags", Op.IS_EMPTY, None),
    ("absent", Op.IS_EMPTY, None),
]


@pytest.fixture(scope="module")
def rows(db):
    store = LatentDBVectorStore(client=db, collection="llama-rows")
    nodes = [
        TextNode(id_=name, text="row", metadata=row, embedding=[1.0, float(at), 0.0])
        for at, (name, row) in enumerate(zip(NAMES, ROWS))
    ]
    store.add(nodes)
    return store


def naive(given):
    """What the filter of LlamaIndex's own store lets pass; nested ones by their parts."""
    if not any(isinstance(own, MetadataFilters) for own in given.filters):
        passes = build_metadata_filter_fn(lambda name: ROWS[NAMES.index(name)], given)
        return {name for name in NAMES if passes(name)}
    parts = [
        naive(own if isinstance(own, MetadataFilters) else MetadataFilters(filters=[own]))
        for own in given.filters
    ]
    if given.condition == FilterCondition.OR:
        return set.union(*parts)
    if given.condition == FilterCondition.NOT:
        return set(NAMES) - set.union(*parts)
    return set.intersection(*parts)


def test_every_operator_is_among_the_tests():
    assert {operator for _, operator, _ in TESTS} == set(FilterOperator)


@pytest.mark.parametrize("test", TESTS, ids=str)
def test_operators_are_those_of_a_naive_filter(rows, test):
    given = filters(test)
    assert set(found(rows, filters=given)) == naive(given)
    assert {node.node_id for node in rows.get_nodes(filters=given)} == naive(given)


@pytest.mark.parametrize("condition", ["and", "or", "not"])
def test_conditions_are_those_of_a_naive_filter(rows, condition):
    for pair in itertools.islice(itertools.combinations(TESTS, 2), 0, None, 9):
        given = filters(*pair, condition=condition)
        assert set(found(rows, filters=given)) == naive(given), given
        nested = filters(
            given, filters(*pair[::-1], TESTS[3], condition="or"), TESTS[8], condition="or"
        )
        deeper = filters(nested, filters(given, condition="not"), condition=condition)
        assert set(found(rows, filters=deeper)) == naive(deeper), deeper
    assert set(found(rows, filters=filters(condition=condition))) == set(NAMES)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("n", Op.EQ, None), r"filters\.n == is None"),
        (("n", Op.EQ, [1, 2]), r"filters\.n == is \[1, 2\]"),
        (("n", Op.IN, 3), r"filters\.n in is 3; a list"),
        (("tags", Op.ANY, "abc"), r"filters\.tags any is 'abc'; a list"),
        (("s", Op.TEXT_MATCH, 3), r"filters\.s text_match is 3; a string"),
        (("a name", Op.EQ, 3), r"filter\.a name cannot be filtered by"),
        (("n", Op.GT, 2**70), "64 bits"),
    ],
)
def test_filters_that_cannot_be_honoured_are_named(rows, given, named):
    with pytest.raises(errors.InvalidArgument, match=named):
        rows.query(asked(filters=filters(given)))


async def test_a_filter_on_values_that_no_filter_sees_is_an_error(store):
    store.add(
        [
            TextNode(id_="a", text="x", metadata={"odd": {"in": 1}, "n": 1}, embedding=[1, 0, 0]),
            TextNode(id_="b", text="x", metadata={"odd": 3, "n": 2}, embedding=[1, 0, 0]),
        ]
    )
    nested = filters(("n", Op.EQ, 1), filters(("odd", Op.NE, 3)), condition="or")
    for given in (filters(("odd", Op.EQ, 3)), nested):
        for call in (
            lambda given=given: store.query(asked(filters=given)),
            lambda given=given: store.get_nodes(filters=given),
            lambda given=given: store.delete_nodes(filters=given),
        ):
            with pytest.raises(errors.InvalidArgument, match=r"filter\.odd cannot be filtered by"):
                call()
        with pytest.raises(errors.InvalidArgument, match=r"filter\.odd cannot be filtered by"):
            await store.aquery(asked(filters=given))
    with pytest.raises(errors.InvalidArgument, match=r"filter\.odd cannot be filtered by"):
        store.query(asked(), latent_filter="odd = 3")
    assert found(store, filters=filters(("n", Op.EQ, 1))) == ["a"]
    assert found(store, filters=filters(("odd", Op.IS_EMPTY, None))) == []


def test_ids_of_documents_and_nodes(filled):
    assert found(filled, doc_ids=["even"]) == ["n0", "n2", "n4"]
    assert found(filled, node_ids=["n1", "n5", "none"]) == ["n1", "n5"]
    assert found(filled, doc_ids=["odd"], node_ids=["n0", "n1", "n3"]) == ["n1", "n3"]
    assert found(filled, doc_ids=[], node_ids=[]) == found(filled)
    for key in ("ref_doc_id", "doc_id", "document_id"):
        assert found(filled, filters=filters((key, Op.EQ, "odd"))) == ["n1", "n3", "n5"]
    given = filters(("kind", Op.EQ, "a"), ("stars", Op.GT, 1))
    assert found(filled, filters=given, doc_ids=["even", "odd"]) == ["n2", "n4"]


# Deleting


def test_deleting(filled):
    filled.delete("none")
    filled.delete("odd")
    assert set(found(filled)) == {"n0", "n2", "n4"}
    filled.delete_nodes([])
    filled.delete_nodes(["n0", "none"])
    assert found(filled) == ["n2", "n4"]
    filled.delete_nodes(["n2"], filters(("stars", Op.GT, 3)))
    filled.delete_nodes(filters=filters(("nothing", Op.EQ, 3)))
    assert found(filled) == ["n2", "n4"]
    filled.delete_nodes(filters=filters(("stars", Op.GT, 3)))
    assert found(filled) == ["n2"]
    with pytest.raises(errors.InvalidArgument, match="node_ids or filters"):
        filled.delete_nodes()
    filled.clear()
    assert found(filled) == [] == filled.get_nodes()
    filled.add(made_nodes())
    assert len(found(filled)) == 6


def test_nodes_with_the_same_id_are_replaced(filled):
    filled.add([TextNode(id_="n0", text="new", embedding=[0.0, 1.0, 0.0])])
    (node,) = filled.get_nodes(["n0"])
    assert (node.text, node.metadata, node.ref_doc_id) == ("new", {}, None)
    assert len(filled.get_nodes()) == 6
    filled.delete("None")
    assert len(filled.get_nodes()) == 6


def test_getting_by_ids_and_filters(filled):
    assert [node.node_id for node in filled.get_nodes(["n3", "n1"])] == ["n3", "n1"]
    assert filled.get_nodes([]) == []
    given = filters(("stars", Op.GTE, 3))
    assert {node.node_id for node in filled.get_nodes(filters=given)} == {"n3", "n4", "n5"}
    assert [node.node_id for node in filled.get_nodes(["n1", "n3"], given)] == ["n3"]
    assert len(filled.get_nodes()) == 6


# Modes


def test_nearest_nodes_and_their_similarities(filled):
    nodes = made_nodes()
    wanted, names = get_top_k_embeddings(
        [1.0, 0.2, 0.0],
        [node.embedding for node in nodes],
        similarity_top_k=4,
        embedding_ids=[node.node_id for node in nodes],
    )
    result = filled.query(asked(query_embedding=[1.0, 0.2, 0.0], similarity_top_k=4))
    assert result.ids == names == [node.node_id for node in result.nodes]
    assert result.similarities == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("mode", [Mode.TEXT_SEARCH, Mode.SPARSE])
def test_searching_text(filled, mode):
    result = filled.query(asked(query_embedding=None, query_str="good tea", mode=mode))
    assert set(result.ids) == {"n2", "n3", "n4"} and result.ids[0] == "n2"
    assert result.similarities == sorted(result.similarities, reverse=True)
    given = filters(("kind", Op.EQ, "b"))
    assert found(filled, query_str="good tea", mode=mode, filters=given) == ["n3"]


def test_hybrid_is_reciprocal_rank_fusion(filled):
    near = found(filled)
    words = found(filled, query_str="tea good", mode=Mode.TEXT_SEARCH)
    for alpha in (None, 0.2, 0.5, 0.9):
        weight = 0.5 if alpha is None else alpha
        scores = dict.fromkeys(near, 0.0)
        for part, ranking in ((weight, near), (1 - weight, words)):
            for rank, name in enumerate(ranking, 1):
                scores[name] += part / (60 + rank)
        result = filled.query(asked(query_str="tea good", mode=Mode.HYBRID, alpha=alpha))
        assert result.similarities == pytest.approx(sorted(scores.values(), reverse=True), rel=1e-5)
        assert [scores[name] for name in result.ids] == pytest.approx(result.similarities, rel=1e-5)


def test_semantic_hybrid_fuses_scores(filled):
    near = filled.query(asked())
    words = filled.query(asked(query_str="tea good", mode=Mode.TEXT_SEARCH))

    def scaled(result):
        low, high = min(result.similarities), max(result.similarities)
        return {
            name: (score - low) / (high - low)
            for name, score in zip(result.ids, result.similarities)
        }

    parts = [(0.7, scaled(near)), (0.3, scaled(words))]
    result = filled.query(asked(query_str="tea good", mode=Mode.SEMANTIC_HYBRID, alpha=0.7))
    wanted = [sum(part * own.get(name, 0) for part, own in parts) for name in result.ids]
    assert result.similarities == pytest.approx(wanted, abs=1e-5)
    assert result.similarities == sorted(result.similarities, reverse=True)


@pytest.mark.parametrize("mode", [Mode.HYBRID, Mode.SEMANTIC_HYBRID])
def test_ends_and_numbers_of_hybrid_modes(filled, mode):
    assert found(filled, query_str="tea", mode=mode, alpha=1.0) == found(filled)
    assert found(filled, query_str="tea", mode=mode, alpha=0.0) == found(
        filled, query_str="tea", mode=Mode.TEXT_SEARCH
    )
    assert len(found(filled, query_str="tea", mode=mode, similarity_top_k=2)) == 2
    sides = {"similarity_top_k": 2, "hybrid_top_k": 5}
    assert set(found(filled, query_str="tea good", mode=mode, **sides)) <= {"n0", "n1", "n4", "n2"}
    assert set(found(filled, query_str="tea", mode=mode, sparse_top_k=1, **sides)) == {
        "n0",
        "n1",
        "n4",
    }
    for alpha in (-0.1, 1.5):
        with pytest.raises(errors.InvalidArgument, match=f"alpha is {alpha}"):
            found(filled, query_str="tea", mode=mode, alpha=alpha)


def test_maximal_marginal_relevance(store):
    vectors = {"a": [1, 0.1, 0], "b": [1, 0.11, 0], "c": [1, -0.4, 0.3], "d": [0, 1, 1]}
    store.add([TextNode(id_=name, text=name, embedding=own) for name, own in vectors.items()])
    assert found(store, mode=Mode.MMR, mmr_threshold=1.0) == found(store)
    assert found(store, mode=Mode.MMR, similarity_top_k=2) == ["a", "c"]
    assert found(store, mode=Mode.MMR, similarity_top_k=2, mmr_threshold=0.0) == ["a", "d"]
    query = asked(mode=Mode.MMR, similarity_top_k=2)
    assert store.query(query, mmr_threshold=0.0).ids == ["a", "d"]
    assert store.query(query, mmr_threshold=0.0, mmr_prefetch_k=2).ids == ["a", "b"]
    assert store.query(query, mmr_threshold=0.0, mmr_prefetch_factor=1.5).ids == ["a", "c"]
    with pytest.raises(errors.InvalidArgument, match="exclude each other"):
        store.query(query, mmr_prefetch_k=2, mmr_prefetch_factor=2)


@pytest.mark.parametrize(
    ("options", "arguments", "named"),
    [
        ({"mode": Mode.SVM}, {}, "mode is svm; default, mmr"),
        ({"mode": Mode.LOGISTIC_REGRESSION}, {}, "mode is logistic_regression"),
        ({"query_embedding": None}, {}, "query_embedding is missing"),
        ({"mode": Mode.TEXT_SEARCH}, {}, "query_str is missing"),
        ({"mode": Mode.HYBRID}, {}, "query_str is missing"),
        ({"output_fields": ["text"]}, {}, "output_fields cannot be honoured"),
        ({"embedding_field": "other"}, {}, "embedding_field cannot be honoured"),
        ({}, {"mmr_threshold": 0.5}, "mmr_threshold is not known to a query of mode default"),
        ({}, {"namespace": "x"}, "namespace is not known"),
        ({"mode": Mode.TEXT_SEARCH, "query_str": "x"}, {"steer": {1: 1.0}}, "steer is of a vector"),
        ({"similarity_top_k": 0}, {}, "number of hits is 0"),
        ({"query_embedding": [1.0]}, {}, "1 values|has 1"),
        ({}, {"latent_filter": 3}, "latent_filter is int"),
        ({}, {"latent_filter": L(99)}, "99"),
    ],
)
def test_arguments_that_cannot_be_honoured_are_named(filled, options, arguments, named):
    with pytest.raises(errors.InvalidArgument, match=named):
        filled.query(asked(**options), **arguments)


def test_arguments_of_writes_that_are_unknown_are_named(filled):
    for call in (
        lambda: filled.add([], upsert=True),
        lambda: filled.delete("x", force=True),
        lambda: filled.delete_nodes(["x"], force=True),
    ):
        with pytest.raises(errors.InvalidArgument, match="(upsert|force) is not known to"):
            call()


# Concepts


async def test_steering_and_filters_of_latents(filled):
    assert filled.query(asked(similarity_top_k=1)).ids == ["n0"]
    assert filled.query(asked(similarity_top_k=1), steer={5: 20.0}).ids == ["n5"]
    assert (await filled.aquery(asked(similarity_top_k=1), steer={5: 20.0})).ids == ["n5"]
    hybrid = asked(query_str="tea", mode=Mode.HYBRID, alpha=1.0, similarity_top_k=1)
    assert filled.query(hybrid, steer={5: 20.0}).ids == ["n5"]
    mmr = asked(mode=Mode.MMR, similarity_top_k=1)
    assert filled.query(mmr, steer={5: 20.0}).ids == ["n5"]
    assert filled.query(asked(), latent_filter=L(7, gt=1.1)).ids == ["n4", "n5"]
    assert filled.query(asked(), latent_filter="latent(0) or latent(3)").ids == ["n0", "n3"]
    given = asked(filters=filters(("kind", Op.EQ, "b")), doc_ids=["odd"])
    assert filled.query(given, latent_filter=L(0) | L(1) | (A.stars == 5)).ids == ["n1", "n5"]
    words = asked(query_str="tea good", mode=Mode.TEXT_SEARCH)
    assert filled.query(words, latent_filter=L(4)).ids == ["n4"]


# Async, collections, servers


async def test_everything_is_the_same_asynchronously(filled):
    for query in (
        asked(),
        asked(query_str="tea", mode=Mode.TEXT_SEARCH),
        asked(query_str="tea", mode=Mode.HYBRID),
        asked(mode=Mode.MMR, similarity_top_k=3),
        asked(filters=filters(("stars", Op.GT, 2))),
    ):
        assert await filled.aquery(query) == filled.query(query)
    given = filters(("stars", Op.GT, 2))
    assert await filled.aget_nodes(["n2", "x"]) == filled.get_nodes(["n2"])
    names = {node.node_id for node in await filled.aget_nodes(filters=given)}
    assert names == {"n3", "n4", "n5"}
    assert len(await filled.aget_nodes()) == 6
    await filled.adelete("odd")
    await filled.adelete_nodes(["n0"])
    assert found(filled) == ["n2", "n4"]
    await filled.adelete_nodes(filters=given)
    assert found(filled) == ["n2"]
    await filled.aclear()
    assert found(filled) == []
    assert await filled.async_add(made_nodes()) == [f"n{at}" for at in range(6)]
    assert len(found(filled)) == 6


def test_every_event_loop_has_a_client_of_its_own(filled):
    async def several():
        answers = await asyncio.gather(*(filled.aquery(asked()) for _ in range(20)))
        await filled.aclose()
        return {answer.ids[0] for answer in answers}

    seen = []
    for _ in range(3):
        thread = threading.Thread(target=lambda: seen.append(asyncio.run(several())))
        thread.start()
        thread.join()
    assert seen == [{"n0"}] * 3


async def test_a_collection_is_made_by_the_first_write(db, name):
    store = LatentDBVectorStore(client=db.address, collection=name)
    assert found(store) == [] == store.get_nodes() == store.get_nodes(["a"])
    assert found(store, filters=filters(("a", Op.EQ, 1))) == []
    store.delete("x")
    store.delete_nodes(["x"])
    store.clear()
    assert store.add([]) == [] and name not in db.collections()
    with pytest.raises(errors.InvalidArgument, match="node 'bare' has no embedding"):
        store.add([TextNode(id_="bare", text="x")])
    await store.async_add(made_nodes())
    assert db[name].info().dimension == 3
    with pytest.raises(errors.InvalidArgument, match="node 'bare' has no embedding"):
        store.add([TextNode(id_="bare", text="x")])
    with pytest.raises(errors.InvalidArgument, match="has 2 values; the collection takes 3"):
        store.add([TextNode(id_="short", text="x", embedding=[1.0, 2.0])])
    assert len(found(store)) == 6
    store.close()


async def test_a_missing_server_is_named():
    store = LatentDBVectorStore(client="127.0.0.1:9", collection="x")
    for call in (
        lambda: found(store),
        lambda: store.add(made_nodes()),
        lambda: store.delete("a"),
        lambda: store.get_nodes(["a"]),
    ):
        with pytest.raises(errors.Unavailable, match="127.0.0.1:9"):
            call()
    with pytest.raises(errors.Unavailable, match="127.0.0.1:9"):
        await store.aquery(asked())
    await store.aclose()
    with pytest.raises(errors.InvalidArgument, match="client is int"):
        LatentDBVectorStore(client=3)


def test_more_nodes_than_a_page(db, name):
    store = LatentDBVectorStore(client=db, collection=name)
    random = np.random.default_rng(3)
    vectors = random.normal(size=(2300, 4)).tolist()
    store.add([TextNode(id_=f"n{at}", text="x", embedding=own) for at, own in enumerate(vectors)])
    query = VectorStoreQuery(query_embedding=[1.0, 0, 0, 0], similarity_top_k=2100)
    assert len(set(store.query(query).ids)) == 2100
    assert len(store.get_nodes()) == 2300


# Through an index


async def test_an_index_over_the_store(db, name):
    store = LatentDBVectorStore(client=db, collection=name)
    documents = [
        Document(text=text, id_=f"doc{at}", metadata={"at": at}) for at, text in enumerate(TEXTS)
    ]
    index = VectorStoreIndex.from_documents(
        documents,
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=MockEmbedding(embed_dim=4),
    )
    retriever = index.as_retriever(
        similarity_top_k=2,
        vector_store_query_mode="text_search",
        filters=filters(("at", Op.GT, 2)),
        vector_store_kwargs={"latent_filter": "at < 5"},
    )
    (hit,) = retriever.retrieve("tea")
    assert (hit.node.text, hit.node.ref_doc_id, hit.node.metadata) == (
        "tea tea tea",
        "doc4",
        {"at": 4},
    )
    assert [own.node_id for own in await retriever.aretrieve("tea")] == [hit.node_id]
    hybrid = index.as_retriever(vector_store_query_mode="hybrid", alpha=0.3, similarity_top_k=3)
    assert len(hybrid.retrieve("tea")) == 3
    again = VectorStoreIndex.from_vector_store(store, embed_model=MockEmbedding(embed_dim=4))
    assert len(again.as_retriever(similarity_top_k=10).retrieve("x")) == 6
    again.delete_ref_doc("doc4")
    again.insert(Document(text="more tea", id_="doc9"))
    words = again.as_retriever(vector_store_query_mode="text_search")
    assert {own.node.ref_doc_id for own in words.retrieve("tea")} == {"doc9", "doc2"}


async def test_without_embeddings_the_collection_makes_vectors(db, name):
    try:
        db.create_collection(name, encoder="all-MiniLM-L6-v2")
    except errors.LatentDBError as error:
        pytest.skip(f"the encoder's weights are not here: {error}")
    store = LatentDBVectorStore(client=db, collection=name)
    store.add(
        [
            TextNode(id_="a", text="The parcel came three weeks late."),
            TextNode(id_="b", text="A lovely film about a dog."),
        ]
    )
    query = VectorStoreQuery(query_str="delivery was slow", similarity_top_k=1)
    assert store.query(query).ids == (await store.aquery(query)).ids == ["a"]
