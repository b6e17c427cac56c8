"""Search and steer: every control, through the browser against the real server."""

import json
import os
import re
import shlex
import subprocess
import sys

import odd
import pytest
from playwright.sync_api import expect
from serving import BINARY, REPOSITORY

# A latent of the demo's SAE is named by what it is about, since other builds number them otherwise.
CONCEPT = "battery"
QUERY = "the best thing I ever bought"


@pytest.fixture(scope="session")
def concept(server):
    """The latent whose label is nearest to the concept."""
    found = json.loads(server.run("latents", "find", "demo", CONCEPT, "--limit", "1", "--json"))
    return found["labels"][0]["latent"]


def query(page, text):
    page.by("query").fill(text)
    page.by("query").press("Enter")
    page.settled()


def test_a_search_is_in_the_address_and_a_link_shows_the_same(page, tabs):
    page.open("/demo/search")
    query(page, "arrived late")
    assert page.hash == "#/demo/search?q=arrived late"
    first = page.hits()
    assert len(first) == 10
    other = tabs().open("/demo/search?q=arrived+late")
    assert other.hits() == first
    query(page, "a boring film")
    assert page.hits() != first
    page.go_back()
    page.wait_for_function(f"() => document.querySelector('[data-testid=hit]')?.dataset.id === {json.dumps(first[0])}")
    assert page.by("query").input_value() == "arrived late"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("nearest", "arrived late"),
        ("words", "battery life"),
        ("hybrid", "battery life"),
        ("property", "a complaint about a broken product"),
        ("own", "the battery died"),
        ("latents", "1=1 2=-0.5"),
        ("like", "products/34_1"),
        ("examples", "products/34_1 products/34_6 not films/10"),
    ],
)
def test_each_kind_of_query_finds_documents(page, kind, text):
    page.open("/demo/search")
    page.by("kind").select_option(kind)
    query(page, text)
    assert len(page.hits()) == 10
    assert f"q={text}" in page.hash


def test_matching_lists_documents_in_an_order(page):
    page.open("/demo/search?kind=matching")
    page.get_by_label("Order").select_option("words:desc")
    page.settled()
    lengths = page.locator(".attribute", has_text="words").all_inner_texts()
    numbers = [int(re.search(r"\d+", text)[0]) for text in lengths]
    assert len(numbers) == 10 and numbers == sorted(numbers, reverse=True)


def test_words_that_were_asked_for_are_marked(page):
    page.open("/demo/search?kind=words&q=battery")
    marks = page.locator("[data-testid=hit] mark.mark-word").all_inner_texts()
    assert marks and {mark.lower() for mark in marks} == {"battery"}


def test_several_rankings_are_fused_with_weights(page):
    page.open("/demo/search?q=camera")
    page.get_by_role("button", name="Add a ranking").click()
    page.by("query2").fill("refund")
    page.by("query2").press("Enter")
    page.settled()
    page.get_by_label("Combined").select_option("standard")
    page.settled()
    page.get_by_label("Weight 2").fill("0.5")
    page.get_by_label("Weight 2").press("Enter")
    page.settled()
    assert "kind2=words" in page.hash and "fusion=standard" in page.hash and "w2=0.5" in page.hash
    assert page.locator(".hit .part").count() > 0
    page.get_by_role("button", name="Remove ranking 2").click()
    page.settled()
    assert "kind2" not in page.hash


def test_more_options(page):
    page.open("/demo/search?q=battery+life")
    before = page.hits()
    page.get_by_role("button", name="More options").click()
    page.get_by_label("Without what is nearest to").fill("battery")
    page.get_by_label("Without what is nearest to").press("Enter")
    page.settled()
    assert page.hits() != before and "except=battery" in page.hash
    page.get_by_label("One hit of each").select_option("source")
    page.settled()
    sources = [text.split()[-1] for text in page.locator(".hit .attribute", has_text="source").all_inner_texts()]
    assert len(sources) == len(set(sources))
    page.get_by_label("One hit of each").select_option("")
    page.get_by_label("Hits a page").select_option("20")
    page.settled()
    assert len(page.hits()) == 20


def test_pages_follow_one_another(page):
    page.open("/demo/search?q=arrived+late")
    first = page.hits()
    page.get_by_role("button", name="Next").click()
    page.wait_for_function("() => document.querySelector('.rank')?.textContent === '11'")
    assert not set(first) & set(page.hits())
    page.get_by_role("button", name="Previous").click()
    page.wait_for_function("() => document.querySelector('.rank')?.textContent === '1'")
    assert page.hits() == first


def test_the_next_page_is_of_the_same_snapshot_and_its_link_shows_it(page, tabs):
    page.open("/demo/search?q=arrived+late")
    with page.expect_request("**/*SearchService/Search") as asked:
        page.get_by_role("button", name="Next").click()
    page.settled()
    # The page token alone: the query's text is not sent again.
    assert b"arrived late" not in asked.value.post_data_buffer
    assert page.hash == "#/demo/search?q=arrived late&page=2"
    other = tabs().open("/demo/search?q=arrived+late&page=2")
    assert other.hits() == page.hits()


def test_the_plan_and_timings_are_shown_when_asked_for(page):
    page.open("/demo/search?kind=hybrid&q=battery+life")
    asked = []
    page.on("request", lambda request: asked.append(request) if request.url.endswith("SearchService/Search") else None)
    page.locator(".planned summary").click()
    plan = page.locator(".planned")
    expect(plan.locator("tbody tr").first).to_be_visible()
    expect(plan).to_contain_text("ms in all: ")
    expect(plan).to_contain_text("bm25")
    page.settled()
    assert len(asked) == 1
    page.by("query").fill("arrived late")
    page.by("query").press("Enter")
    page.settled()
    expect(plan).to_contain_text("ms in all: ")
    assert len(asked) == 3, "the search, and its plan"


def test_a_filter_holds_and_counts(page):
    page.open("/demo/search?q=arrived+late")
    page.by("filter").fill('source = "films" and sentiment < -1')
    page.by("filter").press("Enter")
    page.settled()
    assert all(id.startswith("films/") for id in page.hits())
    expect(page.locator(".filter-count")).to_contain_text(" of ")


def test_a_wrong_filter_is_underlined_at_its_column(page):
    page.open("/demo/search?q=arrived+late")
    page.by("filter").fill('source = "films" and sentiment <')
    expect(page.by("filter-error")).to_contain_text("Column 33: expected a value")
    expect(page.by("filter")).to_have_attribute("aria-invalid", "true")
    page.by("filter").fill("latent(12) and and")
    expect(page.locator(".filter-back u")).to_have_text("and")
    page.by("filter").fill("latent(99999999)")
    expect(page.by("filter-error")).to_contain_text("99999999")
    page.by("filter").press("Enter")
    expect(page.locator(".results")).to_contain_text("The filter is not accepted")
    # An attribute that no document has is a doubt, not an error.
    page.by("filter").fill('sourse = "films"')
    expect(page.locator(".filter .warnings")).to_contain_text("source")


def test_a_filter_is_completed(page):
    page.open("/demo/search")
    box = page.by("filter")
    options = page.get_by_role("option")
    box.click()
    box.press_sequentially("sour")
    expect(options.filter(has_text="source")).to_be_visible()
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value("source ")
    expect(options.filter(has_text="!=")).to_be_visible()
    box.press_sequentially('= "fi')
    expect(options.filter(has_text="films")).to_be_visible()
    box.press("ArrowDown")
    box.press("Tab")
    expect(box).to_have_value('source = "films"')
    box.press_sequentially(" and latent(battery")
    expect(options.filter(has_text=CONCEPT).first).to_be_visible()
    options.filter(has_text=CONCEPT).first.click()
    expect(box).to_have_value(re.compile(r'^source = "films" and latent\(\d+\)$'))
    box.press("Escape")
    expect(page.locator(".filter-gloss .chip")).to_contain_text(CONCEPT)
    box.press("Enter")
    page.settled()
    assert all(id.startswith("films/") for id in page.hits())


# A key that is pressed and what is typed right behind it, before the page is drawn again.
TYPED_ON = """async (box, [key, text]) => {
  box.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  await undefined;
  for (const letter of text) {
    document.execCommand("insertText", false, letter);
    await undefined;
  }
}"""


def test_what_is_typed_right_after_a_completion_stands_behind_it(page):
    page.open("/demo/search")
    box = page.by("filter")
    options = page.get_by_role("option")
    box.click()
    box.press_sequentially('source = "fi')
    expect(options.filter(has_text="films")).to_be_visible()
    box.press("ArrowDown")
    expect(options.and_(page.locator("[aria-selected=true]"))).to_have_count(1)
    box.evaluate(TYPED_ON, ["Tab", " and words() > 3"])
    expect(box).to_have_value('source = "films" and words() > 3')


def test_counts_refine_the_filter_and_take_it_back(page):
    page.open("/demo/search?q=arrived+late")
    tweets = page.locator(".facet button", has_text="tweets")
    tweets.click()
    page.settled()
    assert page.by("filter").input_value() == 'source = "tweets"'
    assert all(id.startswith("tweets/") for id in page.hits())
    expect(tweets).to_have_attribute("aria-pressed", "true")
    page.locator(".facet button[title^='words(']").first.click()
    page.settled()
    assert page.by("filter").input_value().startswith('source = "tweets" and words(>= ')
    tweets.click()
    page.settled()
    assert page.by("filter").input_value().startswith("words(>= ")
    # A range is cut anew once it is chosen, so what is held of it is taken away at its heading.
    page.get_by_role("button", name="Any words").click()
    page.settled()
    assert page.by("filter").input_value() == ""
    expect(page.get_by_role("button", name="Any words")).to_have_count(0)


def slider(page, latent):
    return page.by(f"slider-{latent}")


def test_sliders_steer_and_say_what_moved(page, concept):
    page.open(f"/demo/search?q={QUERY}")
    before = page.hits()
    page.by("add-latent").fill(CONCEPT)
    page.by("add-latent").press("Enter")
    expect(slider(page, concept)).to_be_visible()
    slider(page, concept).focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    expect(page.by("cosine")).to_have_text("1.000")
    page.wait_for_function(f"() => decodeURIComponent(location.hash).includes('steer={concept}:0.2')")
    page.settled()
    after = page.hits()
    assert after != before
    expect(page.by("relevance")).to_have_text(re.compile(r"^\d+\.\d%$"))
    expect(page.by("target")).not_to_have_text("–")
    moved = page.by("moved").all_inner_texts()
    assert len(moved) == len(after) and any("▲" in text for text in moved)
    page.locator(".left summary").click()
    assert page.by("left").count() == len(set(before) - set(after))
    # The command line finds the same.
    found = json.loads(page.server.run("search", "demo", QUERY, f"--boost={concept}=0.2", "--json"))
    assert [hit["document"]["id"] for hit in found["hits"]] == after
    page.get_by_role("button", name="Reset all").click()
    page.settled()
    assert page.hits() == before


@pytest.mark.parametrize(("how", "keys"), [("add", 6), ("scale", 10), ("set", 20)])
def test_other_ways_of_steering_move_the_query(page, how, keys):
    page.open(f"/demo/search?q={QUERY}")
    page.by("how").select_option(how)
    page.settled()
    first = page.locator(".sliders input").first
    first.focus()
    for _ in range(keys):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("() => location.hash.includes('steer=')")
    page.settled()
    expect(page.by("cosine")).to_have_text(re.compile(r"^0\.\d{3}$"))
    assert f"how={how}" in page.hash


def test_sliders_of_a_property_are_weights(page):
    page.open("/demo/search?kind=property&q=a complaint about a broken product")
    before = page.hits()
    first = page.locator(".sliders input").first
    first.focus()
    for _ in range(40):
        page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => location.hash.includes('steer=')")
    page.settled()
    assert page.hits() != before


def test_the_chips_of_a_hit_steer_and_filter(page):
    page.open("/demo/search?q=arrived+late")
    before = page.hits()
    chip = page.locator(".hit .chip").first
    chip.click()
    page.get_by_role("menuitem", name="Less of it").click()
    page.wait_for_function("() => location.hash.includes('steer=')")
    page.settled()
    assert page.hits() != before
    page.locator(".hit .chip").first.click()
    expect(page.get_by_role("menuitem").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    expect(page.get_by_role("menuitem")).to_have_count(0)
    page.locator(".hit .chip").first.click()
    page.get_by_role("menuitem", name="Only documents with it").click()
    page.settled()
    assert re.fullmatch(r"latent\(\d+\)", page.by("filter").input_value())


def test_why_and_more_like_this(page):
    page.open("/demo/search?kind=hybrid&q=battery+life")
    hit = page.by("hit").nth(1)
    id = hit.get_attribute("data-id")
    hit.get_by_role("button", name="Why?").click()
    expect(hit.locator(".why")).to_contain_text("meaning")
    expect(hit.locator(".why")).to_contain_text("the rest")
    hit.get_by_role("button", name=f"More for {id}").click()
    page.get_by_role("menuitem", name="More like this").click()
    page.wait_for_function("() => location.hash.includes('kind=like')")
    page.settled()
    assert page.hits()[0] == id


def test_the_sweep_shows_small_multiples(page, concept):
    page.open(f"/demo/search?q={QUERY}&steer={concept}:0.2")
    page.get_by_role("button", name="Sweep").click()
    expect(page.locator(".sweep-step")).to_have_count(8)
    expect(page.locator(".sweep-line svg")).to_have_count(4)
    page.keyboard.press("Escape")
    expect(page.locator(".sweep-step")).to_have_count(0)


def test_presets_are_saved_used_and_removed(page, concept):
    page.open(f"/demo/search?q={QUERY}&steer={concept}:0.2")
    steered = page.hits()
    page.get_by_role("button", name="Presets").click()
    page.by("preset-name").fill("no good name!")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".presets .field-error")).to_be_visible()
    page.by("preset-name").fill("gadgets")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.by("preset-gadgets")).to_be_visible()
    page.get_by_role("button", name="Reset all").click()
    page.settled()
    assert page.hits() != steered
    page.by("preset-gadgets").check()
    page.settled()
    assert page.hits() == steered and "preset=gadgets:1" in page.hash
    page.get_by_role("button", name="Remove gadgets").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.by("preset-gadgets")).to_have_count(0)


COPIED = [
    "q=arrived late&filter=source = \"tweets\" and text_any('it''s \\\\ late')".replace("''", ""),
    "q=the best thing I ever bought&steer=1:0.2,2:-0.1",
    "q=the best thing I ever bought&how=add&steer=1:0.6",
    "q=the best thing I ever bought&how=scale&steer=1:2&limit=20",
    "kind=latents&q=1=1 2=-0.5&mode=p90&page=2",
    "kind=property&q=a complaint about a \"broken\" product's $PATH `x`&mode=both",
    "q=camera&q2=refund&kind2=words&w2=0.5&fusion=standard",
    "kind=hybrid&q=battery life&except=cell phone&except-top=50",
    "kind=matching&mode=words:desc&filter=source = \"news\"",
    "kind=examples&q=products/34_1 products/34_6 not films/10",
    "kind=like&q=products/34_1&group=source",
]


@pytest.mark.parametrize("hash", COPIED)
def test_what_is_copied_finds_the_same(page, hash, tmp_path):
    page.open("/demo/search?" + hash.replace(" ", "+").replace("%", "%25"))
    shown = page.hits()
    assert shown
    page.get_by_role("button", name="Copy as…").click()
    texts = {}
    for form in ("Python", "Command line", "grpcurl"):
        page.get_by_role("button", name=form, exact=True).click()
        texts[form] = page.by("copy-text").inner_text()
    page.get_by_role("button", name="Copy", exact=True).click()
    assert page.evaluate("navigator.clipboard.readText()") == texts["grpcurl"]

    command = texts["Command line"]
    assert command.startswith("latentdb search ")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "latentdb").symlink_to(BINARY)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    printed = subprocess.run(["sh", "-c", f"{command} --json"], env=environment, capture_output=True, text=True)
    assert printed.returncode == 0, printed.stderr
    assert [hit["document"]["id"] for hit in json.loads(printed.stdout)["hits"]] == shown

    # grpcurl reads JSON as the proto mapping has it, and so does the Python package of messages.
    words = shlex.split(texts["grpcurl"])
    assert words[0] == "grpcurl" and words[-2:] == [page.server.address, "latentdb.v1.SearchService/Search"]
    request = json.loads(words[words.index("-d") + 1])
    assert request["collection"] == "demo"

    if not client_installed():
        return
    script = texts["Python"].replace("print(hit.score, hit.id, hit.text)", "print(hit.id)")
    ran = subprocess.run([client_python(), "-c", script], cwd=REPOSITORY / "src/python", capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split()[: len(shown)] == shown


def client_python():
    """A Python that has what the client needs."""
    return os.environ.get("LATENTDB_CLIENT_PYTHON", sys.executable)


def client_installed():
    code = "import latentdb"
    return subprocess.run([client_python(), "-c", code], cwd=REPOSITORY / "src/python", capture_output=True).returncode == 0


def test_odd_texts_are_shown_and_never_run(page):
    page.open('/demo/search?kind=matching&limit=20&filter=source = "odd"')
    assert set(page.hits()) == set(odd.TEXTS)
    text = lambda id: page.locator(f"[data-id='{id}'] .document-text p")
    assert text("odd/markup").inner_text() == odd.TEXTS["odd/markup"]
    assert text("odd/arabic").evaluate("(one) => getComputedStyle(one).direction") == "rtl"
    long = page.locator("[data-id='odd/long']")
    assert long.bounding_box()["height"] < 300
    long.get_by_role("button", name="Show all of it").click()
    assert long.bounding_box()["height"] > 300
    assert page.evaluate("window.stolen") is None
    # Spans count code points: a word behind characters of two units is marked whole.
    page.open('/demo/search?kind=words&q=zebra+crossing&filter=source = "odd"')
    assert page.locator("[data-id='odd/emoji'] mark").all_inner_texts() == ["zebra", "crossing"]
    page.open('/demo/search?kind=words&q=北京&filter=source = "odd"')
    assert page.locator("[data-id='odd/chinese'] mark").all_inner_texts() == ["北京"]


def test_keys_reach_everything(page):
    page.open("/demo/search?q=arrived+late")
    page.locator("main").focus()
    page.keyboard.press("j")
    expect(page.by("hit").nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(page.by("hit").nth(1)).to_be_focused()
    page.keyboard.press("/")
    expect(page.by("query")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("To the filter")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.wait_for_function("() => location.hash.startsWith('#/demo/latents')")


def test_a_selection_survives_a_new_ranking(page, concept):
    page.open(f"/demo/search?q={QUERY}&steer={concept}:0.01")
    id = page.hits()[0]
    text = page.locator(f"[data-id='{id}'] .document-text p")
    text.evaluate("(one) => getSelection().selectAllChildren(one)")
    selected = page.evaluate("String(getSelection())")
    slider(page, concept).evaluate("(one) => { one.value = 0.2; one.dispatchEvent(new Event('input', {bubbles: true})); }")
    page.wait_for_function("() => location.hash.includes('0.2')")
    page.settled()
    if id in page.hits():
        assert page.evaluate("String(getSelection())") == selected
