"""Lists of latents: made, kept in the browser, shared by their address."""

import json
import re

from playwright.sync_api import expect
from test_pages import found as serious

STORED = "JSON.parse(localStorage.getItem('latentdb.lists.demo'))"


def rows(page):
    """The latents that the table shows."""
    return [int(text) for text in page.locator("[data-testid=latent-row] td:first-child").all_inner_texts()]


def make(page, name):
    """In the dialog that is open, a new list."""
    page.by("list-name").fill(name)
    page.by("list-name").press("Enter")
    expect(page.get_by_role("dialog").get_by_role("checkbox", name=name, exact=True)).to_be_checked()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_latents_page_puts_it_on_lists(page):
    page.open("/demo/latent/9")
    page.get_by_role("button", name="Put it on a list").click()
    make(page, "power <b>&")
    on = page.by("on-lists")
    expect(on.get_by_role("link", name="power <b>&")).to_be_visible()
    # Another latent finds the list again, also after a reload.
    page.open("/demo/latent/73")
    page.reload()
    page.settled()
    page.get_by_role("button", name="Put it on a list").click()
    page.get_by_role("dialog").get_by_role("checkbox", name="power <b>&").check()
    assert serious(page) == []
    page.keyboard.press("Escape")
    assert page.evaluate(STORED) == [{"name": "power <b>&", "latents": [9, 73]}]
    on.get_by_role("link", name="power <b>&").click()
    page.settled()
    assert page.hash == "#/demo/latents?list=9,73&name=power <b>&"
    expect(page.by("list-title")).to_have_text("power <b>&")
    assert sorted(rows(page)) == [9, 73]
    # Taken off where it was put on.
    page.open("/demo/latent/9")
    page.get_by_role("button", name="Lists", exact=True).click()
    page.get_by_role("dialog").get_by_role("checkbox").uncheck()
    page.get_by_role("button", name="Done").click()
    expect(on.get_by_role("link")).to_have_count(0)
    assert page.evaluate(STORED) == [{"name": "power <b>&", "latents": [73]}]


def test_the_table_makes_shows_and_changes_a_list(page):
    page.open("/demo/latents?q=battery&by=words")
    found = rows(page)
    page.get_by_role("button", name=re.compile(f"^Lists of latent {found[0]}$")).click()
    make(page, "batteries")
    expect(page.get_by_role("button", name=f"Lists of latent {found[0]}: batteries")).to_be_visible()
    page.get_by_role("button", name="List all").click()
    page.get_by_role("dialog").get_by_role("checkbox", name="batteries").check()
    page.get_by_role("button", name="Done").click()
    page.open("/demo/latents")
    page.locator(".latent-lists").get_by_role("link", name="batteries").click()
    page.settled()
    assert sorted(rows(page)) == sorted(found)
    # Another order, and one fewer by the keyboard; the next row's button has the focus then.
    page.get_by_role("button", name="Latent", exact=True).click()
    page.settled()
    assert rows(page) == sorted(found)
    off = page.get_by_role("button", name=f"Take latent {sorted(found)[0]} off the list")
    off.focus()
    page.keyboard.press("Enter")
    expect(off).to_have_count(0)
    assert rows(page) == sorted(found)[1:]
    expect(page.get_by_role("button", name=f"Take latent {sorted(found)[1]} off the list")).to_be_focused()
    expect(page.get_by_text("kept in this browser", exact=True)).to_be_visible()
    page.get_by_role("button", name="Rename").click()
    page.by("list-rename").fill("power")
    page.by("list-rename").press("Enter")
    expect(page.by("list-title")).to_have_text("power")
    assert "name=power" in page.hash and "order=number" in page.hash
    assert [one["name"] for one in page.evaluate(STORED)] == ["power"]
    # Back to the list as it was: the browser keeps another now, and asks before it is replaced.
    page.go_back()
    page.go_back()
    page.settled()
    assert rows(page) == sorted(found)
    expect(page.get_by_text("not kept in this browser")).to_be_visible()
    page.get_by_role("button", name="Keep it…").click()
    page.by("list-rename").fill("power")
    page.by("list-rename").press("Enter")
    page.get_by_role("dialog", name="Replace “power”?").get_by_role("button", name="Replace").click()
    expect(page.by("list-title")).to_have_text("power")
    assert sorted(page.evaluate(STORED)[0]["latents"]) == sorted(found)
    page.get_by_role("button", name="Forget it").click()
    expect(page.get_by_text("not kept in this browser")).to_be_visible()
    assert page.evaluate(STORED) == [] and rows(page) == sorted(found)


def test_a_link_shows_a_list_to_others(tabs):
    page = tabs().open("/demo/latents?list=73,9,816&name=power")
    assert sorted(rows(page)) == [9, 73, 816]
    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_role("status").filter(has_text="copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    # A browser that keeps no list shows it and takes it over.
    other = tabs()
    other.goto(link)
    other.settled()
    assert sorted(rows(other)) == [9, 73, 816]
    other.get_by_role("button", name="Keep it…").click()
    other.by("list-rename").press("Enter")
    expect(other.get_by_text("kept in this browser", exact=True)).to_be_visible()
    assert other.evaluate(STORED) == [{"name": "power", "latents": [73, 9, 816]}]
    # The list as a search: a weight for each of its latents.
    other.get_by_role("link", name="Search by it").click()
    other.settled()
    assert other.by("query").input_value() == "73=1 9=1 816=1"
    assert len(other.hits()) == 10


def test_a_list_of_another_tab_is_seen(page):
    page.open("/demo/latent/9")
    other = page.context.new_page()
    other.goto(page.server.url("/demo/latents"))
    other.evaluate("localStorage.setItem('latentdb.lists.demo', JSON.stringify([{ name: 'theirs', latents: [9] }]))")
    expect(page.by("on-lists").get_by_role("link", name="theirs")).to_be_visible()
    other.close()


def test_lists_that_are_wrong_are_said(page):
    page.open("/demo/latents?list=9,nine,999999&name=odd")
    assert rows(page) == [9]
    expect(page.locator(".warnings")).to_contain_text("“nine”")
    expect(page.locator(".warnings")).to_contain_text("“999999”")
    page.open("/demo/latents?name=empty")
    expect(page.locator(".empty")).to_contain_text("No latent is on this list")
    # What the browser holds may be anything.
    for held in ('{"no": "list"}', "nonsense", json.dumps([{"name": 3}, {"name": "x", "latents": ["a", 9]}])):
        page.evaluate("(held) => localStorage.setItem('latentdb.lists.demo', held)", held)
        page.reload()
        page.settled()
    page.open("/demo/latents")
    expect(page.locator(".latent-lists").get_by_role("link", name="x")).to_contain_text("1")


def test_a_browser_that_keeps_nothing(page):
    page.add_init_script("Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };")
    page.open("/demo/latent/9")
    page.get_by_role("button", name="Put it on a list").click()
    page.by("list-name").fill("passing")
    page.by("list-name").press("Enter")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("keeps nothing")
    page.get_by_role("button", name="Done").click()
    page.by("on-lists").get_by_role("link", name="passing").click()
    page.settled()
    assert rows(page) == [9]
