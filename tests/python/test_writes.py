"""Writes that depend on what is there: by filter, if absent, on condition of a version."""

import datetime
import json

import grpc
import pytest

import wire
from harness import refused
from stubs import v1
from test_cli import cli  # noqa: F401
from wire import document, expr

WITH_VERSION = v1.Projection(text=True, attributes=True, vector=True, latents=True, version=True)


@pytest.fixture
def collection(api, name):
    api.create(name, dimension=3, n_latents=10)
    documents = [
        document(
            f"d{at}",
            text=f"number {at}",
            vec=[1, at, 0.5],
            latents={at % 10: 1.5},
            stars=at % 5,
            source="news" if at % 2 else "films",
            day=datetime.datetime(2025, 3, 1 + at, tzinfo=datetime.UTC),
        )
        for at in range(20)
    ]
    api.upsert(name, documents)
    return name


def version(api, collection, key: str) -> str:
    (found,) = api.get(collection, [key], v1.Projection(version=True))
    return found.version


def test_a_version_changes_with_the_content_and_comes_back_with_it(api, collection):
    (before,) = api.get(collection, ["d1"], WITH_VERSION)
    assert len(before.version) == 32
    seen = {before.version}
    changes = [
        v1.DocumentUpdate(text="other"),
        v1.DocumentUpdate(set_attributes={"stars": wire.value(9)}),
        v1.DocumentUpdate(remove_attributes=["day"]),
        v1.DocumentUpdate(vector=wire.vector([1, 1, 1])),
        v1.DocumentUpdate(latents=wire.activations({2: 0.25})),
    ]
    for change in changes:
        change.id = "d1"
        api.documents.Update(v1.UpdateRequest(collection=collection, updates=[change]))
        seen.add(version(api, collection, "d1"))
    assert len(seen) == 6
    api.admin.Optimize(v1.OptimizeRequest(collection=collection))
    assert version(api, collection, "d1") in seen
    restored = v1.Document()
    restored.CopyFrom(before)
    restored.ClearField("version")
    api.upsert(collection, [restored])
    assert version(api, collection, "d1") == before.version
    # Searches and scrolls show it too, and only where it is asked for.
    hit = api.search(collection, wire.near([1, 1, 0.5]), projection=WITH_VERSION).hits[0]
    assert hit.document.version == version(api, collection, hit.document.id)
    assert all(one.version for one in api.scroll(collection, projection=WITH_VERSION))
    assert not api.get(collection, ["d1"])[0].HasField("version")


def test_an_update_on_a_stale_version_changes_nothing(api, collection):
    stale = version(api, collection, "d1")
    change = v1.DocumentUpdate(id="d1", set_attributes={"stars": wire.value(7)})
    other = v1.DocumentUpdate(id="d2", set_attributes={"stars": wire.value(7)})
    request = v1.UpdateRequest(
        collection=collection, updates=[other, change], expected_versions={"d1": stale}
    )
    api.documents.Update(request)
    found = version(api, collection, "d1")
    before = [version(api, collection, key) for key in ("d1", "d2")]
    change.set_attributes["stars"].integer = 8
    request.updates[0].set_attributes["stars"].integer = 8
    with refused(grpc.StatusCode.ABORTED, saying=f'document "d1" has version {found}'):
        api.documents.Update(request)
    assert [version(api, collection, key) for key in ("d1", "d2")] == before


def test_a_filter_in_the_space_of_an_address_is_not_accepted(api, collection):
    change = v1.MatchingUpdate(filter=wire.EVERYTHING_FILTER, remove_attributes=["day"])
    request = v1.UpdateRequest(collection=f"{collection}:x", matching=change)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="collection"):
        api.documents.Update(request)


def test_an_empty_group_is_refused_and_all_is_not(api, collection):
    change = v1.MatchingUpdate(
        filter=v1.Filter(all_of=v1.FilterList()), set_attributes={"seen": wire.value(True)}
    )
    request = v1.UpdateRequest(collection=collection, matching=change)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="matching.filter", saying="`all`"):
        api.documents.Update(request)
    request.matching.filter.CopyFrom(wire.EVERYTHING_FILTER)
    assert api.documents.Update(request).upserted == 20
    assert api.count(collection, expr("seen = true")) == 20


def test_update_by_id_types_values_as_the_documents_have_them(cli, api, collection):  # noqa: F811
    answer = cli(
        *("update", collection, "--id", "d3", "--set", "stars=5", "--set", 'tags=["a","b"]'),
        *("--set", "day=2024-02-03", "--set", "source=7", "--set", "new:float=2"),
    )
    assert answer["upserted"] == 1
    (found,) = api.get(collection, ["d3"])
    assert wire.attributes(found) == {
        "stars": 5,
        "tags": ["a", "b"],
        "day": datetime.datetime(2024, 2, 3, tzinfo=datetime.UTC),
        "source": "7",
        "new": 2.0,
    }
    cli("update", collection, "--id", "d3", "--remove", "day", "--text", "new words")
    assert api.count(collection, expr('phrase("new words") and not day exists')) == 1
    said = cli("update", collection, "--id", "d3", "--set", "stars=many", code=1)
    assert "stars" in said and "not of kind int" in said
    assert "does not exist" in cli("update", collection, "--id", "x", "--set", "a=1", code=1)


def test_update_by_filter_on_the_command_line(cli, api, collection):  # noqa: F811
    arguments = ("update", collection, "--where", 'source = "news"')
    assert cli(*arguments, "--set", "checked=false", "--remove", "day")["upserted"] == 10
    assert api.count(collection, expr("checked = false and not day exists")) == 10
    said = cli("update", collection, "--where", "srce = 'x'", "--set", "a=1", code=1)
    assert 'is it "source"?' in said
    plain = cli("update", collection, "--filter", "stars < 2", "--set", "low=true", plain=True)
    assert plain.strip() == "updated 8 documents"


def test_versions_on_the_command_line(cli, collection):  # noqa: F811
    (shown,) = cli("get", collection, "d1")["documents"]
    assert f"version {shown['version']}" in cli("get", collection, "d1", plain=True)
    condition = ("--expect-version", shown["version"])
    cli("update", collection, "--id", "d1", "--set", "stars=0", *condition)
    said = cli("update", collection, "--id", "d1", "--set", "stars=1", *condition, code=1)
    (now,) = cli("get", collection, "d1")["documents"]
    assert shown["version"] in said and now["version"] in said
    assert now["attributes"]["stars"] == 0
    cli("delete", collection, "d1", *condition, code=1)
    assert cli("delete", collection, "d1", "--expect-version", now["version"])["deleted"] == 1
    assert "32 hexadecimal" in cli("delete", collection, "d2", "--expect-version", "x", code=2)


def test_ingest_if_absent_leaves_what_is_there(cli, api, collection, tmp_path):  # noqa: F811
    records = [{"id": f"d{at}", "text": "from the file"} for at in range(15, 25)]
    file = tmp_path / "more.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    answer = cli("ingest", collection, file, "--if-absent")
    assert (answer["documents"], answer["existing"]) == (5, 5)
    assert api.count(collection, expr('phrase("from the file")')) == 5
    said = cli("ingest", collection, file, "--if-absent", plain=True)
    assert "10 exist already and were left alone" in said
