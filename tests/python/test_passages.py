"""Long texts are split into passages: documents with the parent's id, which replace one another as a whole."""

import json

import grpc
import pytest

import wire
from harness import refused
from stubs import v1
from test_cli import cli  # noqa: F401 (a fixture)

SENTENCES = [f"The {word} of the {place} was late again." for place in ("train", "ship", "bus") for word in "abcdefgh"]
TEXT = " ".join(SENTENCES)
CHUNK = v1.Chunking(tokens=40, overlap=12)


@pytest.fixture
def collection(api, name):
    name = name.replace("_", "-")[-60:]
    api.create(name, encoder="all-MiniLM-L6-v2")
    return name


def upsert(api, collection, *documents, chunk=CHUNK, **fields):
    request = v1.UpsertRequest(collection=collection, documents=documents, chunk=chunk, **fields)
    return api.documents.Upsert(request)


def ingest(api, *batches):
    return list(api.documents.Ingest(iter(batches)))


def stored(api, collection):
    """All documents by id."""
    return {own.id: own for own in api.scroll(collection)}


def test_passages_are_documents_of_their_parent(api, collection):
    attributes = {"year": 2020}
    answer = upsert(api, collection, wire.document("a", text=TEXT, **attributes), wire.document("b", text="Short."))
    found = stored(api, collection)
    assert answer.upserted == len(found) and answer.cut_texts == 0
    own = [id for id in found if id.startswith("a#")]
    assert sorted(own) == sorted(f"a#{number}" for number in range(len(own))) and len(own) > 6
    for number in range(len(own)):
        passage = found[f"a#{number}"]
        values = passage.attributes
        assert values["parent"].string == "a" and values["passage"].integer == number
        assert values["year"].integer == 2020
        # Whole sentences, in their order, the last of which the next passage may have again.
        assert passage.text in TEXT and passage.text.startswith("The") and passage.text.endswith("again.")
    assert all(any(sentence in own.text for own in found.values()) for sentence in SENTENCES)
    pairs = [(found[f"a#{at}"].text, found[f"a#{at + 1}"].text) for at in range(len(own) - 1)]
    assert all(TEXT.index(after) < TEXT.index(before) + len(before) for before, after in pairs)
    assert found["b#0"].text == "Short."
    query = v1.Query(nearest=v1.NearestQuery(text="the ship"))
    hits = api.search(collection, query, limit=5, group_by="parent", per_group=1).hits
    assert sorted(hit.document.id.partition("#")[0] for hit in hits) == ["a", "b"]


def test_a_document_is_replaced_as_a_whole(api, collection):
    assert upsert(api, collection, wire.document("a", text="Whole."), chunk=None).upserted == 1
    # One that looks like a passage, and is none.
    upsert(api, collection, wire.document("a#1", text="Other."), chunk=None)
    answer = upsert(api, collection, wire.document("a", text="Short."))
    assert (answer.upserted, answer.deleted) == (1, 1)
    assert {id: own.text for id, own in stored(api, collection).items()} == {"a#0": "Short.", "a#1": "Other."}
    many = upsert(api, collection, wire.document("a", text=TEXT)).upserted
    answer = upsert(api, collection, wire.document("a", text=SENTENCES[0]))
    assert (answer.upserted, answer.deleted) == (1, many - 1)
    # Twice in one write: the last holds.
    answer = upsert(api, collection, wire.document("a", text=TEXT), wire.document("a", text="Last."))
    assert {id: own.text for id, own in stored(api, collection).items()} == {"a#0": "Last."}
    # Without a text, and with white space alone, a document is one passage.
    upsert(api, collection, v1.Document(id="none"), wire.document("blank", text=" \n "))
    assert {"none#0", "blank#0"} <= set(stored(api, collection))


def test_what_exists_is_left_alone_or_refused(api, collection):
    upsert(api, collection, wire.document("a", text=TEXT))
    upsert(api, collection, wire.document("w", text="Whole."), chunk=None)
    before = stored(api, collection)
    documents = [wire.document(id, text="New.") for id in ("a", "w", "n", "n")]
    answer = upsert(api, collection, *documents, if_exists=v1.IF_EXISTS_SKIP)
    assert answer.upserted == 1 and list(answer.existing) == ["a", "w", "n"]
    assert stored(api, collection).keys() == before.keys() | {"n#0"}
    for id in ("a", "w"):
        with refused(grpc.StatusCode.ALREADY_EXISTS, saying=repr(id).replace("'", '"')):
            upsert(api, collection, wire.document(id, text="New."), if_exists=v1.IF_EXISTS_FAIL)
    assert upsert(api, collection, wire.document("m", text="New."), if_exists=v1.IF_EXISTS_FAIL).upserted == 1


def test_streams_set_whole_documents_aside(api, collection):
    bad = wire.document("b", text=TEXT, parent="x")
    wide = wire.document("c", text=TEXT, vec=[1.0] * 384)
    batch = v1.IngestRequest(
        collection=collection, documents=[wire.document("a", text=TEXT), bad, wide], chunk=CHUNK, set_aside=True, stream_id="s"
    )
    (answer,) = ingest(api, batch)
    assert [(own.document, own.error.field) for own in answer.rejected] == [(1, 'attributes["parent"]'), (2, "vector")]
    assert answer.upserted == len(stored(api, collection)) > 6
    (again,) = ingest(api, batch)
    assert again.duplicate


@pytest.mark.parametrize(
    ("field", "saying", "fields"),
    [
        ("chunk.tokens", "16 to 254 is accepted", {"chunk": v1.Chunking(tokens=255)}),
        ("chunk.tokens", "16 to 254 is accepted", {"chunk": v1.Chunking(tokens=8)}),
        ("chunk.overlap", "at most 20", {"chunk": v1.Chunking(tokens=40, overlap=21)}),
        ("documents[1].attributes[\"passage\"]", "another name", {"passage": 1}),
        ("documents[1].vector", "whole text", {"vec": [1.0] * 384}),
    ],
)
def test_what_cannot_be_split_is_refused(api, collection, field, saying, fields):
    chunk = fields.get("chunk", CHUNK)
    own = {key: value for key, value in fields.items() if key != "chunk"}
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field=field, saying=saying):
        upsert(api, collection, wire.document("a", text=TEXT), wire.document("b", text=TEXT, **own), chunk=chunk)
    assert stored(api, collection) == {}


def test_collections_without_encoder_split_nothing(api, name):
    api.create(name, dimension=4)
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="no encoder"):
        upsert(api, name, wire.document("a", text=TEXT))
    batch = v1.IngestRequest(collection=name, documents=[wire.document("a", text=TEXT)], chunk=CHUNK, as_given=True)
    (answer,) = ingest(api, batch)
    assert answer.error.field == "as_given"


def test_hostile_texts_are_split_too(api, collection):
    texts = ["a" * 300_000, "." * 20_000, " " * 300_000, "漢" * 5_000, "a\n" * 5_000]
    documents = [wire.document(f"d{at}", text=text) for at, text in enumerate(texts)]
    answer = upsert(api, collection, *documents, chunk=v1.Chunking(tokens=254))
    assert answer.cut_texts == 0
    found = stored(api, collection).values()
    assert "".join(own.text for own in sorted(found, key=number_of) if own.id.startswith("d1#")) == texts[1]


def number_of(document):
    return int(document.id.partition("#")[2])


def test_commands_split(api, collection, cli, tmp_path):  # noqa: F811
    path = tmp_path / "texts.jsonl"
    path.write_text("\n".join(json.dumps({"id": id, "text": text}) for id, text in (("a", TEXT), ("b", "Short."))))
    done = cli("ingest", collection, path, "--chunk", "40,12", "--stream-id", "s")
    assert done["documents"] == 2 and done["passages"] == len(stored(api, collection)) > 6
    # Other passages are another stream.
    fewer = cli("ingest", collection, path, "--chunk", "80", "--stream-id", "s")
    assert fewer["recognised"] == 0 and 2 < fewer["passages"] == len(stored(api, collection)) < done["passages"]
    again = cli("ingest", collection, path, "--chunk", "80", "--stream-id", "s")
    assert (again["recognised"], again["passages"]) == (2, 0)
    page = cli("ingest", collection, path, "--chunk", "80", plain=True)
    assert page.startswith("2 documents in ") and f"as {fewer['passages']} passages" in page
    hits = cli("search", collection, "the bus", "--group-by", "parent")["hits"]
    assert len(hits) == 2
