"""Comparing sets: the table, the plots, the documents beside them, files, and what goes wrong."""

import csv
import json
import re

import pytest
from playwright.sync_api import expect

FILMS = '/demo/compare?a=source = "films"&b=source = "products"'


def rows(page):
    """Latents of the table, in its order."""
    return [int(row.get_attribute("data-latent")) for row in page.by("forest").locator("tbody tr").all()]


def expected(server, *flags):
    said = json.loads(server.run("diff", "demo", "--a", 'source = "films"', "--b", 'source = "products"', "--json", *flags))
    return [row["latent"] for row in said["comparisons"][0]["rows"]]


def side(page, name):
    return page.by(f"side-{name}").get_by_test_id("filter")


def test_filters_are_typed_and_the_answer_is_the_servers(page, server):
    page.open("/demo/compare")
    side(page, "A").fill('source = "films"')
    side(page, "B").fill('source = "products"')
    page.by("compare").click()
    page.settled()
    assert page.hash == '#/demo/compare?a=source = "films"&b=source = "products"'
    expect(page.by("summary")).to_contain_text(re.compile(r"1,0[12]\d latents tested"))
    assert rows(page) == expected(server)


def test_what_to_begin_with_comes_from_the_attributes(page):
    page.open("/demo/compare")
    page.locator(".suggested a").first.click()
    page.settled()
    assert len(rows(page)) > 0


def test_table_is_ordered_by_its_headings(page):
    page.open(FILMS)
    by_size = rows(page)
    page.get_by_role("button", name="|A − B|").click()
    page.settled()
    assert sorted(rows(page)) == sorted(by_size) != rows(page) or rows(page) != by_size
    page.get_by_role("button", name="p ", exact=False).first.click()
    page.settled()
    assert "sort=" in page.hash


def test_a_row_shows_documents_of_both_sides(page):
    page.open(FILMS)
    row = page.by("forest").locator("tbody tr").first
    latent = row.get_attribute("data-latent")
    row.get_by_role("button").click()
    page.settled()
    assert f"latent={latent}" in page.hash
    columns = page.by("side-by-side").locator(".column")
    expect(columns).to_have_count(2)
    for column, source in zip(columns.all(), ["films", "products"]):
        ids = [card.get_attribute("data-id") for card in column.locator(".document-card").all()]
        assert len(ids) > 0 and all(id.startswith(f"{source}/") for id in ids)


def test_keys_walk_the_differences(page):
    page.open(FILMS)
    order = rows(page)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.settled()
    assert f"latent={order[1]}" in page.hash
    page.keyboard.press("k")
    page.settled()
    assert f"latent={order[0]}" in page.hash


def test_the_volcano_and_the_table_are_linked(page):
    page.open(FILMS)
    plot = page.by("volcano")
    box = plot.bounding_box()
    # The film latent lies alone, at the upper right.
    for x in range(int(box["width"]) - 14, int(box["width"]) // 2, -4):
        plot.hover(position={"x": x, "y": 18})
        if page.locator(".forest tr.lit").count() > 0:
            plot.click(position={"x": x, "y": 18})
            break
    page.settled()
    assert re.search(r"latent=\d+", page.hash)
    expect(page.locator(".forest tr.chosen")).to_have_count(1)


def test_several_sets_are_compared_each_and_together(page):
    page.open(FILMS + '&b=source = "tweets"')
    choices = page.get_by_role("group", name="Comparison").get_by_role("button")
    expect(choices).to_have_count(3)
    first = rows(page)
    choices.nth(1).click()
    page.settled()
    assert "which=1" in page.hash and rows(page) != first


def test_another_set_is_added_and_taken_away(page):
    page.open(FILMS)
    page.get_by_role("button", name="Another B").click()
    side(page, "B2").fill('source = "news"')
    page.by("compare").click()
    page.settled()
    assert page.hash.count("&b=") == 2
    page.get_by_role("button", name="Remove B2").click()
    page.by("compare").click()
    page.settled()
    assert page.hash.count("&b=") == 1


def test_sides_are_swapped(page):
    page.open(FILMS)
    page.get_by_role("button", name="Swap").click()
    page.settled()
    assert page.hash.startswith('#/demo/compare?a=source = "products"&b=source = "films"')


@pytest.mark.parametrize(
    ("label", "choice", "flags"),
    [
        ("Compares", "mean activations", ["--mean"]),
        ("More in", "A", ["--more-in", "a"]),
    ],
)
def test_options_that_are_chosen(page, server, label, choice, flags):
    page.open(FILMS)
    page.locator("summary", has_text="Options").click()
    page.get_by_role("combobox", name=label, exact=True).select_option(choice)
    page.settled()
    assert rows(page) == expected(server, *flags)


@pytest.mark.parametrize(
    ("label", "value", "flags"),
    [
        ("Adjusted p up to", "0.0001", ["--max-p", "0.0001"]),
        ("Difference above", "0.1", ["--min-delta", "0.1"]),
        ("Documents at least", "500", ["--min-support", "500"]),
        ("Active above", "0.2", ["--above", "0.2"]),
        ("Share of B up to", "0.01", ["--max-b-share", "0.01"]),
        ("Held back to confirm", "0.5", ["--confirm", "0.5"]),
    ],
)
def test_options_that_are_typed(page, server, label, value, flags):
    page.open(FILMS)
    page.locator("summary", has_text="Options").click()
    page.get_by_label(label, exact=True).fill(value)
    page.keyboard.press("Enter")
    page.settled()
    assert rows(page) == expected(server, *flags)


def test_a_number_that_is_none_is_said_at_its_field(page):
    page.open(FILMS)
    before = page.hash
    page.locator("summary", has_text="Options").click()
    field = page.get_by_label("Adjusted p up to", exact=True)
    field.fill("seven")
    field.press("Enter")
    expect(field).to_have_attribute("aria-invalid", "true")
    assert page.hash == before


def test_strata_and_pairs(page, server):
    page.open(FILMS)
    page.locator("summary", has_text="Options").click()
    page.get_by_role("combobox", name="Documents", exact=True).select_option("within strata of")
    expect(page.locator(".empty-title")).to_have_text("Choose the attribute")
    page.get_by_role("combobox", name="Attribute", exact=True).select_option("length")
    page.settled()
    expect(page.by("summary")).to_contain_text("strata")
    assert rows(page) == expected(server, "--stratify-by", "length")
    page.open('/demo/compare?a=source = "films"&b=source = "news"&how=pair&by=words&latent=9')
    expect(page.by("summary")).to_contain_text("without a pair")
    page.get_by_role("button", name="Only B has it").click()
    page.settled()
    expect(page.by("side-by-side")).to_be_visible()


def test_overlapping_sets_ask_what_becomes_of_both(page):
    page.open('/demo/compare?a=sentiment > 1&b=source = "films"')
    expect(page.locator(".problem")).to_contain_text("in both A and")
    page.get_by_role("button", name="Drop them from both sets").click()
    page.settled()
    expect(page.by("summary")).to_contain_text("in both")


def test_what_a_has_and_b_has_not(page):
    page.open(FILMS)
    page.get_by_role("button", name="What A has and B has not").click()
    page.settled()
    cards = page.by("only-in-a").locator(".document-card")
    expect(cards).to_have_count(8)
    assert all(card.get_attribute("data-id").startswith("films/") for card in cards.all())
    assert page.by("only-in-a").locator(".chip").count() > 0


def test_a_saved_set_is_a_side(page, server):
    server.run("collection", "save-set", "demo", "films", "--filter", 'source = "films"')
    page.open("/demo/compare")
    page.get_by_label("A: a saved set").select_option("films")
    assert side(page, "A").input_value() == 'set("films")'
    page.by("compare").click()
    page.settled()
    assert len(rows(page)) > 0


def test_files(page, server, tmp_path):
    page.open(FILMS)
    with page.expect_download() as waited:
        page.by("report").click()
    path = tmp_path / "report.html"
    waited.value.save_as(path)
    text = path.read_text()
    assert "<svg" in text and "A against source = &quot;products&quot;" in text and "<script" not in text
    with page.expect_download() as waited:
        page.get_by_role("button", name="Download CSV").click()
    waited.value.save_as(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as file:
        assert [int(row["latent"]) for row in csv.DictReader(file)] == expected(server)
    page.get_by_role("button", name="Copy as command").click()
    page.wait_for_timeout(200)
    assert page.evaluate("navigator.clipboard.readText()") == "latentdb diff demo --a 'source = \"films\"' --b 'source = \"products\"'"


def test_a_report_stands_alone(page, tabs, tmp_path):
    page.open(FILMS + "&latent=9")
    with page.expect_download() as waited:
        page.by("report").click()
    path = tmp_path / "report.html"
    waited.value.save_as(path)
    other = tabs()
    other.goto(f"file://{path}")
    expect(other.locator("h1")).to_contain_text("films")
    assert other.locator("article").count() > 0


def test_a_bad_filter_is_said_where_it_is(page):
    page.open("/demo/compare")
    side(page, "A").fill('source = "films" and nonsense(')
    side(page, "A").press("Enter")
    page.settled()
    expect(page.by("side-A").get_by_test_id("filter-error")).to_contain_text("Column")
    side(page, "A").fill('source = "films"')
    side(page, "A").press("Enter")
    page.settled()
    assert len(rows(page)) > 0


def test_on_a_phone_documents_come_over_the_table(tabs):
    page = tabs(width=390, height=844).open(FILMS)
    page.by("forest").locator("tbody tr").first.get_by_role("button").click()
    expect(page.get_by_role("dialog").locator(".column")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert "latent=" not in page.hash
