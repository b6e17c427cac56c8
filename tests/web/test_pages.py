"""What holds on every page: it can be used by all, in both themes, on a phone; nothing runs or fails unseen."""

import functools
import re
from urllib.parse import parse_qs, unquote

import pytest
from axe_playwright_python.sync_playwright import Axe
from pages import PAGES
from serving import REPOSITORY

SERIOUS = {"serious", "critical"}
# Elements beyond the right edge of a phone that nothing scrolls or hides.
WIDER = """
() => [...document.querySelectorAll("body *")]
  .filter((one) => one.getBoundingClientRect().right > 391 && !one.closest(".scroll-x, nav, .suggestions, svg, .visually-hidden, pre"))
  .map((one) => one.outerHTML.slice(0, 120))
"""


def found(page, **options):
    """The serious findings of axe: rule, element, what would help."""
    violations = Axe().run(page.page, options=options).response["violations"]
    return [
        (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"])
        for one in violations
        if one["impact"] in SERIOUS
    ]


@functools.cache
def headings(guide):
    """The anchors of a page of the guide."""
    text = (REPOSITORY / f"src/guide/{unquote(guide)}.md").read_text()
    words = (re.sub(r"[^\w\s-]", "", line.lower()).strip() for line in re.findall(r"^#+\s+(.*)$", text, re.M))
    return {re.sub(r"\s", "-", word) for word in words}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_for_everyone(tabs, name):
    page = tabs().open(PAGES[name])
    assert page.title().endswith("LatentDB")
    assert page.locator("main h1, main form, main .problem, main .empty").count() > 0
    assert found(page) == []
    for href in page.locator("a.help").evaluate_all("(all) => all.map((one) => one.getAttribute('href'))"):
        guide, _, query = href.removeprefix("#/guide/").partition("?")
        at = parse_qs(query).get("at", [""])[0]
        assert not at or at in headings(guide), f"{href} leads to no heading"
    page.emulate_media(color_scheme="dark")
    page.settled()
    # What a theme changes is colours.
    assert found(page, runOnly=["color-contrast"]) == []
    page.set_viewport_size({"width": 390, "height": 844})
    page.settled()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, page.evaluate(WIDER)[:5]
    # What is folded away is no wider.
    page.evaluate("for (const one of document.querySelectorAll('main details')) one.open = true")
    page.settled()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, page.evaluate(WIDER)[:5]
    assert page.evaluate("window.stolen") is None


def test_themes_are_chosen_and_kept(tabs):
    page = tabs(theme="light").open("/")
    ground = lambda: page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = ground()
    page.get_by_role("button", name="Theme: system").click()
    assert ground() == light
    page.get_by_role("button", name="Theme: light").click()
    dark = ground()
    assert dark != light
    page.reload()
    page.settled()
    assert ground() == dark


def test_the_guide_is_rendered_and_linked(page):
    page.open("/guide/search?at=steering")
    assert page.locator("#steering").evaluate("(one) => one.getBoundingClientRect().top") < 400
    page.get_by_role("link", name="steering in methods").click()
    page.settled()
    assert page.hash == "#/guide/methods?at=steering"
    page.open("/guide/nothing")
    page.get_by_text("the guide has no page").wait_for()
    # Every page reads without leftovers of Markdown.
    for name in page.locator(".guide nav a").all_inner_texts():
        page.open(f"/guide/{name.lower()}")
        text = page.locator("article").evaluate("(one) => { for (const code of one.querySelectorAll('code, pre')) code.remove(); return one.innerText; }")
        assert "**" not in text and "](" not in text and "```" not in text, name
