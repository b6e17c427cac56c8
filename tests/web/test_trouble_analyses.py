"""What goes wrong under the views of analyses: servers that stop, collections without latents, keys that may not."""

import json

import pytest
from playwright.sync_api import expect
from serving import Server

COMPARE = "/notes/compare?a=latent(1)&b=latent(2)&p=1&delta=0"


@pytest.fixture
def own(tmp_path):
    """A server of the test's own, with a small collection of latents that the client brought."""
    serving = Server(tmp_path / "data").start()
    serving.run("collection", "create", "notes", "--encoder", "none", "--n-latents", "16", "--dim", "2")
    lines = [
        {"id": f"n{at}", "text": f"note {at}", "v": [1.0, at / 10], "l": {str(1 + at % 2): 1.0, str(3 + at % 3): 0.5}, "even": at % 2 == 0, "at": at}
        for at in range(60)
    ]
    fields = ["--text", "{text}", "--vector", "v", "--latents", "l", "--attribute", "even", "--attribute", "at"]
    serving.run("ingest", "notes", "-", "--format", "jsonl", "--id", "id", *fields, stdin="\n".join(map(json.dumps, lines)))
    yield serving
    serving.stop()


def test_a_comparison_outlives_a_restart(tabs, own):
    page = tabs(server=own).open(COMPARE)
    rows = page.by("forest").locator("tbody tr")
    before = rows.count()
    assert before > 0
    own.stop()
    rows.first.get_by_role("button").click()
    expect(page.locator(".banner")).to_contain_text("does not answer")
    assert rows.count() == before
    own.start()
    expect(page.locator(".banner")).to_have_count(0)
    page.settled()
    expect(rows).to_have_count(before)
    expect(page.by("side-by-side").locator(".document-card").first).to_be_visible()


def test_a_map_outlives_a_restart(tabs, own):
    page = tabs(server=own).open("/notes/map")
    page.get_by_role("combobox", name="Laid out by", exact=True).select_option("two principal components")
    page.by("make-map").click()
    page.wait_for_selector("[data-testid=map]")
    page.settled()
    own.stop()
    page.get_by_role("combobox", name="Coloured by", exact=True).select_option("even")
    expect(page.locator(".banner")).to_contain_text("does not answer")
    expect(page.by("map")).to_be_visible()
    own.start()
    expect(page.locator(".banner")).to_have_count(0)
    page.settled()
    expect(page.by("legend")).to_contain_text("false")
    # Booleans are literals of the filter language, not strings.
    page.by("legend").get_by_role("button", name="true").click()
    page.settled()
    assert page.hash.endswith("filter=even = true")
    expect(page.by("legend")).to_contain_text("Marked")


def test_a_collection_that_is_dropped(tabs, own):
    page = tabs(server=own).open("/notes/map")
    own.run("collection", "drop", "notes")
    page.reload()
    for hash in [COMPARE, "/notes/relations", "/notes/relations/trends?by=at", "/notes/map", "/notes/info"]:
        page.open(hash)
        expect(page.locator("main .problem").first).to_contain_text("notes")


def test_a_collection_without_latents_or_vectors(tabs, own):
    own.run("collection", "create", "plain", "--encoder", "none", "--dim", "2")
    page = tabs(server=own)
    for hash in ["/plain/compare?a=id = \"x\"", "/plain/relations", "/plain/relations/families", "/plain/map", "/plain/info"]:
        page.open(hash)
        assert page.locator("main .problem, main .empty").count() > 0, hash
    page.open("/plain/relations/trends")
    expect(page.locator("main .empty")).to_contain_text("Nothing to order documents by")


def test_what_a_key_may_not_is_said(tabs, own):
    said = own.run("key", "create", "reader", "--role", "read", "--data", str(own.data)).split()
    secret = next(word for word in said if word.startswith("ldb_"))
    page = tabs(server=own)
    page.goto(own.url("/notes/map"))
    page.by("key").fill(secret)
    page.by("key").press("Enter")
    page.settled()
    page.by("make-map").click()
    expect(page.locator(".map-make .problem")).to_contain_text("latentdb key create")
    page.open("/notes/info")
    page.get_by_role("button", name="Merge the segments").click()
    expect(page.locator(".problem")).to_contain_text("latentdb key create")


def test_a_latent_that_does_not_exist_is_said(tabs, own):
    page = tabs(server=own).open(COMPARE)
    page.by("side-A").get_by_test_id("filter").fill("latent(99)")
    page.by("side-A").get_by_test_id("filter").press("Enter")
    page.settled()
    expect(page.by("side-A").get_by_test_id("filter-error").or_(page.locator(".problem")).first).to_contain_text("99")
