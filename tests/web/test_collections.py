"""The collections, what one is made of, and what is done to it."""

import json

from playwright.sync_api import expect

from serving import Server, copied_demo


def test_collections_and_the_server(page):
    page.open("/")
    expect(page.get_by_role("link", name="demo", exact=True)).to_be_visible()
    expect(page.by("server")).to_contain_text("Resident memory")
    page.get_by_role("link", name="Info", exact=True).first.click()
    page.settled()
    assert page.hash == "#/demo/info"


def test_slow_searches_are_listed(tabs, tmp_path):
    server = Server(copied_demo(tmp_path), "--slow-search", "1").start()
    try:
        page = tabs(server=server)
        page.open("/")
        expect(page.by("slow-searches")).to_contain_text("None took as long")
        # The first search opens the encoder: more than a millisecond.
        server.run("search", "demo", "arrived late")
        page.reload()
        row = page.by("slow-searches").locator("tbody tr")
        expect(row).to_contain_text("demo")
        expect(row).to_contain_text("ms")
        assert "arrived" not in page.by("slow-searches").inner_text()
    finally:
        server.stop()


def test_a_collections_record(page, server):
    said = json.loads(server.run("collection", "info", "demo", "--json"))
    page.open("/demo/info")
    expect(page.locator(".figures").first).to_contain_text(f"{int(said['documents']):,}")
    expect(page.by("saes")).to_contain_text("FVU")
    expect(page.by("quality")).to_contain_text("are active in no document")
    expect(page.by("labels")).to_contain_text("of 1,024")


def test_the_sae_is_measured(page):
    page.open("/demo/info")
    page.by("evaluate").click()
    expect(page.by("quality")).to_contain_text("Cosine with the reconstruction", timeout=60_000)


def test_attaching_what_is_not_there_is_said_there(page):
    page.open("/demo/info")
    page.get_by_text("Attach an SAE").click()
    page.by("attach-folder").fill("/nowhere/at/all")
    page.get_by_role("button", name="Attach", exact=True).click()
    expect(page.by("saes").locator(".problem")).to_contain_text("/nowhere/at/all")


def test_an_sae_is_trained_attached_and_detached(page):
    page.open("/demo/info")
    page.get_by_text("Train an SAE").click()
    settings = {"Latents to learn": "64", "Active at once (k)": "8", "Passes": "1", "Trainings, each from a seed": "2"}
    for label, value in settings.items():
        page.get_by_label(label, exact=True).fill(value)
        page.get_by_label(label, exact=True).press("Tab")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.by("training")).to_contain_text("Cosine, held out", timeout=60_000)
    expect(page.by("training")).to_contain_text("Latents that recur")
    page.get_by_label("Name; empty: the default").fill("small")
    page.get_by_label("FVU up to", exact=True).fill("0.99")
    page.get_by_label("FVU up to", exact=True).press("Tab")
    page.get_by_role("button", name="Attach", exact=True).click()
    expect(page.by("saes").locator("tbody tr")).to_have_count(2, timeout=60_000)
    expect(page.get_by_role("combobox", name="Collection")).to_contain_text("demo:small")
    page.open("/demo:small/latents?order=recurrence")
    recurrence = [float(own) for own in page.locator("[data-testid=latent-row] td:nth-child(6)").all_inner_texts()]
    assert len(recurrence) == 50 and recurrence == sorted(recurrence, reverse=True) and recurrence[0] > 0
    page.locator("[data-testid=latent-row] a").first.click()
    expect(page.locator(".figures").first).to_contain_text("Recurs")
    page.open("/demo/info")
    page.get_by_role("button", name="Detach small").click()
    page.get_by_role("dialog").get_by_role("button", name="Detach").click()
    expect(page.by("saes").locator("tbody tr")).to_have_count(1, timeout=60_000)


def test_labels_are_made_and_scored_with_progress(page):
    page.open("/demo/info")
    page.get_by_text("Make labels").first.click()
    page.get_by_label("Latents at most", exact=True).fill("3")
    page.get_by_label("Latents at most", exact=True).press("Tab")
    page.get_by_label("Label again").check()
    page.get_by_role("button", name="Make labels").click()
    expect(page.get_by_role("status").filter(has_text="written.")).to_be_visible(timeout=60_000)
    page.get_by_text("Score labels").first.click()
    page.get_by_label("Drawn at random", exact=True).fill("4")
    page.get_by_label("Drawn at random", exact=True).press("Tab")
    page.get_by_role("button", name="Score labels").click()
    expect(page.by("labels")).to_contain_text("labels scored, median correlation", timeout=60_000)


def test_scoring_labels_is_stopped(page):
    page.route("**/*LatentService/ScoreLabels", lambda _: None)
    page.open("/demo/info")
    page.get_by_text("Score labels").first.click()
    page.get_by_role("button", name="Score labels").click()
    page.by("labels").get_by_role("button", name="Stop").click()
    expect(page.by("labels")).to_contain_text("Stopped.")
    expect(page.get_by_role("button", name="Score labels")).to_be_enabled()


def test_the_default_sae_stays(page):
    page.open("/demo/info")
    page.get_by_role("button", name="Detach the default SAE").click()
    expect(page.by("saes").get_by_role("alert")).to_contain_text("cannot be detached, only replaced")
    expect(page.by("saes").locator("tbody tr").first).to_contain_text("default")


def test_sets_and_presets_are_removed_after_a_question(page, server):
    server.run("collection", "save-set", "demo", "passing", "--filter", 'source = "news"')
    server.run("preset", "save", "demo", "passing", "--boost", "9=0.1")
    page.open("/demo/info")
    row = page.by("sets").locator("tr", has_text="passing")
    expect(row).to_contain_text("5,190")
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(row).to_be_visible()
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)
    page.by("presets").get_by_role("button", name="Remove the preset passing").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.by("presets")).not_to_contain_text("passing")


def test_segments_are_merged(page):
    page.open("/demo/info")
    page.get_by_role("button", name="Merge the segments").click()
    expect(page.get_by_role("status").filter(has_text="Merged into 1 segment")).to_be_visible(timeout=60_000)


def test_a_collection_is_dropped_after_a_question(page, server):
    server.run("collection", "create", "passing", "--dim", "8")
    page.open("/passing/info")
    expect(page.by("saes")).to_contain_text("No SAE yet")
    page.get_by_role("button", name="Drop the collection").click()
    page.get_by_role("dialog").get_by_role("button", name="Drop the collection").click()
    page.wait_for_function("() => location.hash === '#/'")
    page.settled()
    expect(page.get_by_role("link", name="passing", exact=True)).to_have_count(0)


def test_an_ingest_is_seen(page, server):
    server.run("collection", "create", "growing", "--dim", "2")
    page.open("/growing/info")
    records = "\n".join(json.dumps({"id": str(number), "vector": [1.0, number + 1.0]}) for number in range(20))
    server.run("ingest", "growing", "-", "--format", "jsonl", "--id", "id", "--vector", "vector", stdin=records)
    expect(page.locator(".figures").first).to_contain_text("+20 since this was opened")
    server.run("collection", "drop", "growing")
