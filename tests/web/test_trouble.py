"""What goes wrong under an open page: servers that stop, collections that go, keys that come."""

import json

import pytest
from playwright.sync_api import expect
from serving import Server


@pytest.fixture
def own(tmp_path):
    """A server of the test's own, with a small collection without a model."""
    serving = Server(tmp_path / "data").start()
    serving.run("collection", "create", "notes", "--encoder", "none", "--n-latents", "16", "--dim", "2")
    records = "".join(json.dumps({"id": f"n{at}", "text": f"note number {at} about gnus", "v": [1.0, at / 10]}) + "\n" for at in range(30))
    serving.run("ingest", "notes", "-", "--format", "jsonl", "--id", "id", "--text", "{text}", "--vector", "v", stdin=records)
    yield serving
    serving.stop()


SEARCH = "/notes/search?kind=words&q=gnus"


def test_a_server_that_restarts(tabs, own):
    page = tabs(server=own).open(SEARCH)
    hits = page.hits()
    assert len(hits) == 10
    own.stop()
    page.by("query").fill("number")
    page.by("query").press("Enter")
    expect(page.locator(".banner")).to_contain_text("does not answer")
    # What was there stays.
    assert page.hits() == hits
    own.start()
    expect(page.locator(".banner")).to_have_count(0)
    page.settled()
    assert page.by("query").input_value() == "number" and len(page.hits()) == 10


def test_the_next_page_of_a_search_whose_token_is_gone(tabs, own):
    page = tabs(server=own).open(SEARCH)
    first = page.hits()
    # Tokens live in the server's memory; whoever reads on afterwards gets the page by its number.
    own.stop()
    own.start()
    answers = []
    page.on("response", lambda response: answers.append(response) if response.url.endswith("SearchService/Search") else None)
    for number in (2, 3):
        page.get_by_role("button", name="Next").click()
        page.get_by_text(f"Page {number}", exact=True).wait_for()
        page.settled()
    expect(page.locator("main .problem")).to_have_count(0)
    assert len(answers) == 3, "the token, the same page by its number, and the next by the token that came with it"
    assert page.locator(".hit .rank").first.inner_text() == "21"
    third = page.hits()
    page.get_by_role("button", name="Previous").click()
    page.settled()
    assert sorted({*first, *page.hits(), *third}) == sorted(f"n{at}" for at in range(30))


def test_a_collection_that_is_dropped(tabs, own):
    page = tabs(server=own).open(SEARCH)
    own.run("collection", "drop", "notes")
    page.by("query").fill("number")
    page.by("query").press("Enter")
    expect(page.locator(".results .problem")).to_contain_text("notes")
    page.locator(".home").click()
    expect(page.locator("main")).to_contain_text("No collection yet")
    page.open(SEARCH)
    page.reload()
    expect(page.locator("main .problem")).to_contain_text("notes")


def test_keys(tabs, own):
    page = tabs(server=own).open(SEARCH)
    secret = own.run("key", "create", "reader", "--role", "read", "--data", str(own.data)).split()
    secret = next(word for word in secret if word.startswith("ldb_"))
    page.by("query").fill("number")
    page.by("query").press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("asks for a key")
    page.by("key").fill("ldb_wrong")
    page.by("key").press("Enter")
    expect(dialog.get_by_role("alert")).to_be_visible()
    page.by("key").fill(secret)
    page.by("key").press("Enter")
    expect(dialog).to_have_count(0)
    page.settled()
    assert len(page.hits()) == 10
    # It is kept in the tab, and not in the address.
    page.reload()
    page.settled()
    assert len(page.hits()) == 10 and "ldb_" not in page.url
    # What it may not do is said where it is asked for.
    page.open("/notes/latent/3")
    page.get_by_role("button", name="Edit the label").click()
    page.by("label-text").fill("gnus")
    page.by("label-text").press("Enter")
    expect(page.locator(".latent-head .field-error")).to_contain_text("latentdb key create")


def test_a_page_without_a_key_says_so(tabs, own):
    own.run("key", "create", "reader", "--role", "read", "--data", str(own.data))
    page = tabs(server=own)
    page.goto(own.url(SEARCH))
    expect(page.get_by_role("dialog")).to_contain_text("asks for a key")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("main .problem").first).to_contain_text("key")
    page.get_by_role("button", name="Key", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("asks for a key")


def test_a_collection_without_latents_or_encoder(tabs, own):
    own.run("collection", "create", "plain", "--encoder", "none", "--dim", "2")
    page = tabs(server=own).open("/plain/latents")
    expect(page.locator("main .empty")).to_contain_text("No SAE is attached yet")
    page.open("/plain/search?q=anything")
    expect(page.locator("main")).to_contain_text("encoder")
