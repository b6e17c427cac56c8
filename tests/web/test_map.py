"""The map: made, moved over, coloured, marked, selected from, kept as a set, removed."""

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect


@pytest.fixture(scope="session")
def mapped(browser, server):
    """A map of all documents, made through the page's form."""
    page = browser.new_page()
    page.goto(server.url("/demo/map"))
    page.get_by_role("combobox", name="Laid out by", exact=True).select_option("two principal components")
    page.get_by_test_id("map-name").fill("all")
    page.get_by_test_id("make-map").click()
    page.wait_for_selector("[data-testid=map]", timeout=60_000)
    assert "#/demo/map/all" in page.url
    page.close()


def painted(page):
    """Pixels of the canvas that are not empty, and a sum that changes with what is painted."""
    return page.evaluate(
        """() => {
          const canvas = document.querySelector('[data-testid=map]');
          const copy = document.createElement('canvas');
          copy.width = canvas.width; copy.height = canvas.height;
          const context = copy.getContext('2d');
          context.drawImage(canvas, 0, 0);
          const data = context.getImageData(0, 0, copy.width, copy.height).data;
          let [full, sum] = [0, 0];
          for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 0) { full += 1; sum = (sum + at * (data[at] + 2 * data[at + 1])) % 1e9; }
          return [full, sum];
        }"""
    )


def steady(page):
    """The same, once something is painted and stays."""
    before = painted(page)
    for _ in range(100):
        page.wait_for_timeout(100)
        now = painted(page)
        if now == before and now[0] > 0:
            break
        before = now
    return before


def legend(page):
    return {row.locator("th").inner_text().strip(): row.locator("td").first.inner_text() for row in page.by("legend").locator("tbody tr").all()}


@pytest.mark.usefixtures("mapped")
class TestMap:
    def test_points_are_painted_and_counted(self, page):
        page.open("/demo/map/all")
        assert steady(page)[0] > 5000
        assert list(legend(page)) == ["all documents"]

    def test_colour_by_an_attribute_has_the_servers_counts(self, page, server):
        page.open("/demo/map/all")
        page.get_by_role("combobox", name="Coloured by", exact=True).select_option("source")
        page.settled()
        assert "colour=attribute:source" in page.hash
        counts = legend(page)
        for source in ["films", "news", "products"]:
            said = json.loads(server.run("count", "demo", "--filter", f'source = "{source}"', "--json"))
            assert counts[source] == f"{int(said['count']):,}"

    def test_colour_by_a_number_and_by_a_latent(self, page):
        page.open("/demo/map/all?colour=attribute:sentiment")
        assert len(legend(page)) >= 5 and any(" to " in name for name in legend(page))
        page.get_by_role("combobox", name="Coloured by", exact=True).select_option("a latent")
        page.get_by_placeholder("Find a latent").fill("battery")
        page.locator(".suggestions [role=option]").first.click()
        page.settled()
        assert re.search(r"colour=latent:\d+", page.hash)
        assert "inactive" in legend(page)

    def test_colour_by_clusters_along_an_axis(self, page):
        page.open("/demo/map/all")
        page.get_by_role("combobox", name="Coloured by", exact=True).select_option("clusters along an axis")
        page.by("axis").fill("film; camera; politics")
        page.by("axis").press("Enter")
        expect(page.by("legend")).to_contain_text("1. ", timeout=60_000)
        assert len(legend(page)) >= 2

    def test_moving_is_in_the_address_and_a_link_shows_the_same(self, page, tabs):
        page.open("/demo/map/all")
        before = steady(page)
        page.by("map").focus()
        page.keyboard.press("+")
        page.keyboard.press("ArrowRight")
        page.wait_for_function("() => location.hash.includes('at=')")
        moved = painted(page)
        assert moved != before
        other = tabs().open(page.evaluate("location.hash.slice(1)"))
        assert steady(other) == moved
        page.by("map").focus()
        page.keyboard.press("0")
        page.wait_for_function("() => !location.hash.includes('at=')")
        assert painted(page) == before

    def test_wheel_and_drag_move(self, page):
        page.open("/demo/map/all")
        first = steady(page)
        page.by("map").hover(position={"x": 300, "y": 200})
        page.mouse.wheel(0, -300)
        page.wait_for_function("() => location.hash.includes('at=')")
        near = painted(page)
        assert near != first
        address = page.hash
        page.mouse.down()
        page.mouse.move(500, 500, steps=5)
        page.mouse.up()
        page.wait_for_function(f"() => decodeURIComponent(location.hash) !== {json.dumps(address)}")
        page.wait_for_timeout(300)
        assert painted(page) != near

    def test_pointing_reads_a_document_and_a_click_opens_it(self, page):
        page.open("/demo/map/all")
        page.by("map").hover(position={"x": 440, "y": 330})
        expect(page.locator(".map-tip")).to_be_visible()
        told = page.locator(".map-tip").inner_text()
        page.by("map").click(position={"x": 440, "y": 330})
        page.settled()
        assert "document=" in page.hash
        expect(page.by("opened")).to_contain_text(told[:20])
        page.get_by_role("button", name="Close the document").click()
        expect(page.by("opened")).to_have_count(0)

    def test_enter_opens_the_document_in_the_middle(self, page):
        page.open("/demo/map/all")
        page.by("map").focus()
        page.keyboard.press("+")
        page.keyboard.press("Enter")
        expect(page.by("opened")).to_be_visible()

    def test_a_lasso_selects_and_is_kept_as_a_set(self, page, server, tabs):
        page.open("/demo/map/all?colour=attribute:source")
        page.by("lasso").click()
        box = page.by("map").bounding_box()
        corners = [(0.55, 0.3), (0.9, 0.3), (0.9, 0.75), (0.55, 0.75), (0.55, 0.32)]
        for number, (x, y) in enumerate(corners):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)
            if number == 0:
                page.mouse.down()
        page.mouse.up()
        page.settled()
        said = page.by("selection").locator("h2").inner_text()
        count = int(said.split()[0].replace(",", ""))
        assert 100 < count < 20_000
        assert page.by("selection").locator(".document-card").count() == 20
        expect(page.by("legend")).to_contain_text("Selected")
        other = tabs().open(page.evaluate("location.hash.slice(1)"))
        expect(other.by("selection").locator("h2")).to_have_text(said)
        page.by("set-name").fill("lassoed")
        page.by("save-set").click()
        expect(page.get_by_text("Saved:")).to_be_visible()
        found = json.loads(server.run("count", "demo", "--filter", 'set("lassoed")', "--json"))
        assert int(found["count"]) == count
        page.get_by_role("link", name="search it").click()
        page.settled()
        assert len(page.hits()) == 10
        page.go_back()
        expect(page.by("selection").locator("h2")).to_have_text(said)
        page.get_by_role("button", name="Clear", exact=True).click()
        expect(page.by("selection")).to_have_count(0)
        server.run("collection", "drop-set", "demo", "lassoed")

    def test_a_set_with_a_bad_name_is_said(self, page):
        page.open("/demo/map/all?lasso=-1000,-1000 1000,-1000 1000,1000 -1000,1000")
        page.by("set-name").fill("no/slash")
        page.by("save-set").click()
        expect(page.by("selection").locator(".problem")).to_be_visible()

    def test_a_filter_marks(self, page, server):
        said = json.loads(server.run("count", "demo", "--filter", "sentiment < -2", "--json"))
        page.open("/demo/map/all?colour=attribute:source&filter=sentiment < -2")
        expect(page.by("legend")).to_contain_text("Marked")
        marked = [row.locator("td").nth(2).inner_text() for row in page.by("legend").locator("tbody tr").all()]
        assert sum(int(count.replace(",", "")) for count in marked) == int(said["count"])
        expect(page.get_by_role("link", name="Search these")).to_be_visible()
        page.get_by_role("button", name="No marks").click()
        expect(page.by("legend")).not_to_contain_text("Marked")
        page.by("legend").get_by_role("button", name="news").click()
        page.settled()
        assert 'filter=source = "news"' in page.hash

    def test_a_bad_filter_leaves_the_map(self, page):
        page.open("/demo/map/all?filter=nonsense(")
        expect(page.by("filter-error").or_(page.locator(".problem")).first).to_be_visible()
        assert painted(page)[0] > 5000

    def test_a_map_that_is_not_there_is_said(self, page):
        page.open("/demo/map/nowhere")
        expect(page.locator(".empty-title")).to_contain_text("There is no map")

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_axe_finds_nothing_serious(self, tabs, theme):
        page = tabs(theme=theme).open("/demo/map/all?colour=attribute:source&filter=sentiment < -2&lasso=-300,-300 300,-300 300,300 -300,300")
        found = Axe().run(page.page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in ("serious", "critical")] == []

    def test_it_reads_on_a_phone_and_in_the_dark(self, tabs):
        page = tabs(width=390, height=844, theme="dark").open("/demo/map/all?colour=attribute:source")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert painted(page)[0] > 1000


def test_a_map_is_made_with_progress_stopped_and_removed(page):
    page.open("/demo/map")
    if page.by("map-name").is_hidden():
        page.get_by_text("Make a map").click()
    page.by("map-name").fill("passing")
    page.by("make-map").click()
    stop = page.get_by_role("button", name="Stop")
    stop.click()
    expect(page.get_by_text("Stopped.")).to_be_visible()
    page.get_by_role("combobox", name="Laid out by", exact=True).select_option("two principal components")
    page.by("make-map").click()
    page.wait_for_function("() => location.hash.startsWith('#/demo/map/passing')", timeout=60_000)
    page.settled()
    if page.by("map-name").is_hidden():
        page.get_by_text("Make a map").click()
    page.get_by_role("combobox", name="Laid out by", exact=True).select_option("the latents of an axis")
    expect(page.by("make-map")).to_be_disabled()
    page.by("map-axis").fill("price; sound quality")
    page.by("make-map").click()
    expect(page.get_by_text("by their latents, along an axis")).to_be_visible(timeout=60_000)
    page.settled()
    page.get_by_role("button", name="Remove this map").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    page.wait_for_function("() => location.hash === '#/demo/map'")
    page.settled()
    assert "passing" not in page.locator("main").inner_text()
