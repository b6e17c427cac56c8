"""Pairs, families and trends."""

import json

from playwright.sync_api import expect

PAIRS = "/demo/relations?support=60"


def pairs(page):
    return page.by("pairs").locator("tbody tr")


def test_pairs_are_the_servers(page, server):
    said = json.loads(server.run("correlate", "demo", "--min-support", "60", "--limit", "200", "--json"))
    page.open(PAIRS)
    expect(pairs(page)).to_have_count(len(said["pairs"]))
    first = said["pairs"][0]
    expect(pairs(page).first).to_contain_text(str(first["i"]))
    expect(pairs(page).first).to_contain_text(f"{first['npmi']:.3f}")


def test_a_pair_shows_documents_with_both(page):
    page.open(PAIRS)
    pairs(page).first.get_by_role("button").click()
    page.settled()
    assert "pair=" in page.hash
    assert page.by("together").locator(".document-card").count() > 0
    expect(page.locator(".edge.lit")).to_have_count(1)
    page.go_back()
    expect(page.by("together")).to_have_count(0)


def test_a_node_of_the_graph_narrows_the_table(page):
    page.open(PAIRS)
    all_of_them = pairs(page).count()
    page.by("graph").locator("g.node circle").first.click(force=True)
    page.settled()
    assert "node=" in page.hash and 0 < pairs(page).count() < all_of_them
    page.get_by_role("button", name=f"All {all_of_them} pairs").click()
    expect(pairs(page)).to_have_count(all_of_them)


def test_the_graph_zooms(page):
    page.open(PAIRS)
    group = page.by("graph").locator("g").first
    before = group.get_attribute("transform")
    page.get_by_role("button", name="Larger").click()
    assert group.get_attribute("transform") != before
    page.get_by_role("button", name="Whole").click()
    assert group.get_attribute("transform") == before


def test_pairs_with_an_attribute_and_of_one_latent(page):
    page.open(PAIRS)
    page.get_by_role("combobox", name="Latents with", exact=True).select_option("values of source")
    page.settled()
    assert "attribute=source" in page.hash
    others = set(pairs(page).locator("td:nth-child(2)").all_inner_texts())
    assert others <= {"films", "news", "products", "tweets", "odd"} and len(others) > 1
    page.open("/demo/relations?latent=9&support=20")
    assert all("9" in text for text in pairs(page).all_inner_texts())


def test_work_is_stopped(page):
    # An answer that does not come: however fast the machine, the work is under way.
    page.route("**/*AnalysisService/Correlate", lambda _: None)
    page.goto(page.server.url("/demo/relations?support=2&similar=1"))
    stop = page.get_by_role("button", name="Stop")
    stop.click()
    expect(page.get_by_text("Stopped.")).to_be_visible()
    expect(page.get_by_role("button", name="Begin again")).to_be_visible()


def test_families_are_found_looked_through_and_opened(page):
    page.open("/demo/relations/families")
    if page.by("families").count() == 0:
        expect(page.locator(".empty-title")).to_have_text("No families yet")
    else:
        page.get_by_text("Find families").first.click()
    page.by("find-families").click()
    if page.get_by_role("dialog").count() > 0:
        page.get_by_role("dialog").get_by_role("button", name="Find them").click()
    expect(page.by("families").locator("details").first).to_be_visible(timeout=60_000)
    page.settled()
    family = page.by("families").locator("details").first
    family.locator("summary").click()
    page.settled()
    assert "open=" in page.hash
    assert family.locator(".tree .tree .chip").count() > 0
    label = family.locator("strong").inner_text()
    page.get_by_placeholder("Words of any label").fill(label)
    page.settled()
    expect(page.by("families").locator("details").first.locator("strong")).to_have_text(label)
    page.by("families").get_by_role("link", name="Its documents").first.click()
    page.settled()
    assert "filter=family(" in page.hash
    assert len(page.hits()) > 0


def test_trends_are_the_servers_and_drawn(page, server):
    said = json.loads(server.run("trends", "demo", "--by", "sentiment", "--bins", "10", "--limit", "200", "--json"))
    page.open("/demo/relations/trends?by=sentiment")
    expect(page.by("trends").locator("tbody tr")).to_have_count(len(said["rows"]))
    expect(page.by("lines").locator("canvas")).to_have_count(1)
    expect(page.locator(".lines figcaption .chip")).to_have_count(5)
    page.by("lines").hover(position={"x": 300, "y": 100})
    expect(page.locator(".lines-said")).to_contain_text("documents:")
    page.locator(".lines figcaption .chip").first.click()
    expect(page.locator(".lines figcaption .chip")).to_have_count(4)
    page.by("trends").locator("tbody tr input").nth(8).check()
    expect(page.locator(".lines figcaption .chip")).to_have_count(5)


def test_trends_of_one_direction(page):
    page.open("/demo/relations/trends?by=sentiment")
    page.get_by_role("combobox", name="Which", exact=True).select_option("falling")
    page.settled()
    changes = page.by("trends").locator("tbody tr td:nth-child(4)").all_inner_texts()
    assert changes and all(change.startswith("−") for change in changes)


def test_an_attribute_that_is_no_number_is_ordered_by_its_values(page):
    page.open("/demo/relations/trends")
    page.get_by_role("combobox", name="Along", exact=True).select_option("source")
    page.settled()
    expect(page.by("summary")).to_contain_text("buckets")
