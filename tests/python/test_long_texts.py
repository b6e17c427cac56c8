"""Texts with more tokens than the encoder reads are counted, warned of, and remembered."""

import json

import pytest

import wire
from stubs import v1
from test_cli import cli  # noqa: F401 (a fixture)

# Tokens of a text that all-MiniLM-L6-v2 reads beside the special ones around it.
READS = 254
WHOLE = " ".join(["word"] * READS)
LONG = WHOLE + " more"
# Longer than what is looked at first, by words and by spaces.
LONGEST = " ".join(["word"] * 20_000)
WIDE = WHOLE + " " * 20_000


@pytest.fixture
def collection(api, request):
    name = f"long-{request.node.name[:40]}"
    api.create(name, encoder="all-MiniLM-L6-v2")
    return name


def ingest(api, batches):
    return list(api.documents.Ingest(iter(batches)))


def test_texts_beyond_the_last_token_are_counted(api, collection):
    texts = {"empty": "", "whole": WHOLE, "long": LONG, "longest": LONGEST, "wide": WIDE, "ä": "ä" * 400}
    answer = api.documents.Upsert(
        v1.UpsertRequest(collection=collection, documents=[wire.document(id, text=text) for id, text in texts.items()])
    )
    # One word without a token of its own is one token, however long.
    assert (answer.upserted, answer.cut_texts) == (6, 2)
    assert api.info(collection).cut_texts == 2
    # A vector of the client's reads whatever it read.
    own = wire.document("own", text=LONG, vec=[1.0] + [0.0] * 383)
    assert api.documents.Upsert(v1.UpsertRequest(collection=collection, documents=[own])).cut_texts == 0
    change = v1.DocumentUpdate(id="whole", text=LONGEST)
    assert api.documents.Update(v1.UpdateRequest(collection=collection, updates=[change])).cut_texts == 1
    assert api.info(collection).cut_texts == 3


def test_streams_count_what_they_write_once(api, collection):
    batch = v1.IngestRequest(
        collection=collection, stream_id="s", batch=1, documents=[wire.document("a", text=LONG)], set_aside=True
    )
    bad = v1.IngestRequest(batch=2, documents=[wire.document("b", text=LONG), wire.document("", text=LONG)], set_aside=True)
    answers = ingest(api, [batch, bad])
    assert [answer.cut_texts for answer in answers] == [1, 1]
    (again,) = ingest(api, [batch])
    assert again.duplicate and again.cut_texts == 0
    skipped = v1.IngestRequest(collection=collection, if_exists=v1.IF_EXISTS_SKIP, documents=[wire.document("a", text=LONG)])
    assert ingest(api, [skipped])[0].cut_texts == 0
    assert api.info(collection).cut_texts == 2


def test_the_count_outlives_the_server_and_an_attach(own_server, tmp_path):
    api = own_server.api
    api.create("kept", encoder="all-MiniLM-L6-v2")
    documents = [wire.document(f"d{at}", text=f"{at} {LONG}" if at < 3 else f"text {at}") for at in range(120)]
    assert api.documents.Upsert(v1.UpsertRequest(collection="kept", documents=documents)).cut_texts == 3
    last = None
    for last in api.models.TrainSae(v1.TrainSaeRequest(collection="kept", n_latents=16, k=2, epochs=2)):
        pass
    list(api.collections.AttachSae(v1.AttachSaeRequest(collection="kept", sae=last.sae.sha256)))
    own_server.stop()
    api = own_server.start()
    assert api.info("kept").cut_texts == 3


def test_commands_warn(api, collection, cli, tmp_path):  # noqa: F811
    path = tmp_path / "texts.jsonl"
    path.write_text("\n".join(json.dumps({"id": id, "text": text}) for id, text in (("a", LONG), ("b", "short"))))
    assert cli("ingest", collection, path)["cut_texts"] == 1
    assert cli("update", collection, "--id", "b", "--text", LONG)["cut_texts"] == 1
    page = cli("collection", "info", collection, plain=True)
    assert "2 texts written so far are longer than the encoder reads" in page
