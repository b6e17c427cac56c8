"""The table of latents and a latent's page."""

import json
import re

import odd
import pytest
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def battery(server):
    found = json.loads(server.run("latents", "find", "demo", "battery", "--limit", "1", "--json"))
    return found["labels"][0]["latent"]


def numbers(page, column):
    cells = page.locator(f"[data-testid=latent-row] td:nth-child({column})").all_inner_texts()
    return [float(re.sub(r"[^\d.]", "", text) or "nan") for text in cells]


def test_latents_are_sorted_and_paged(page):
    page.open("/demo/latents")
    documents = numbers(page, 4)
    assert len(documents) == 50 and documents == sorted(documents, reverse=True)
    page.get_by_role("button", name="Latent", exact=True).click()
    page.settled()
    assert numbers(page, 1) == list(range(50))
    page.get_by_role("button", name="Next").click()
    page.settled()
    assert numbers(page, 1) == list(range(50, 100))
    page.get_by_role("button", name="Mean activation").click()
    page.settled()
    means = numbers(page, 5)
    assert means == sorted(means, reverse=True)
    page.get_by_role("button", name="Label", exact=True).click()
    page.settled()
    page.go_back()
    page.settled()
    assert "order=mean" in page.hash


def test_latents_are_found_by_meaning_and_by_words(page):
    page.open("/demo/latents")
    page.by("latent-query").fill("battery")
    page.by("latent-query").press("Enter")
    page.settled()
    expect(page.by("latent-row").first).to_contain_text("battery")
    page.get_by_label("How").select_option("contains")
    page.settled()
    labels = page.locator(".label-cell").all_inner_texts()
    assert labels and all("battery" in label for label in labels)
    page.by("latent-query").fill("xyzzyplugh")
    page.by("latent-query").press("Enter")
    expect(page.locator(".empty")).to_contain_text("No latent is found")


def test_a_latent_shows_its_documents_and_relations(page, battery):
    page.open("/demo/latents?q=battery")
    page.locator(".label-cell a").first.click()
    page.settled()
    assert page.hash == f"#/demo/latent/{battery}"
    expect(page.by("label")).to_contain_text("battery")
    assert page.locator(".histogram rect").count() > 5
    strongest = page.by("example").all_inner_texts()
    page.get_by_role("button", name="Middling").click()
    page.settled()
    middling = page.by("example").all_inner_texts()
    page.get_by_role("button", name="Random").click()
    page.settled()
    random = page.by("example").all_inner_texts()
    assert len({tuple(strongest), tuple(middling), tuple(random)}) == 3
    assert float(strongest[0].split()[0]) > float(middling[0].split()[0])
    for heading in ("Nearest by direction", "Active in the same documents", "Values it goes with", "Prevalence", "Families"):
        expect(page.get_by_role("heading", name=re.compile(heading))).to_be_visible()
    page.get_by_label("Along", exact=True).select_option("words")
    page.settled()
    page.get_by_role("link", name="Its documents").click()
    page.settled()
    assert page.by("filter").input_value() == f"latent({battery})"


def test_a_label_is_edited_scored_and_put_back(page, battery):
    page.open(f"/demo/latent/{battery}")
    before = page.by("label").inner_text()
    page.get_by_role("button", name="Edit the label").click()
    page.by("label-text").fill("word " * 60)
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".latent-head .field-error")).to_be_visible()
    page.by("label-text").fill("power for <b>gadgets</b>")
    page.by("label-text").press("Enter")
    expect(page.by("label")).to_have_text("power for <b>gadgets</b>")
    page.get_by_role("button", name="Score it").click()
    expect(page.locator(".score-fact")).to_contain_text("by similarity")
    page.locator(".versions summary").click()
    page.locator(".versions li", has_text=before).get_by_role("button", name="Use").first.click()
    expect(page.by("label")).to_have_text(before)


def test_scoring_a_label_is_stopped(page, battery):
    # An answer that does not come: however fast the machine, the work is under way.
    page.route("**/*LatentService/ScoreLabels", lambda _: None)
    page.open(f"/demo/latent/{battery}")
    facts = page.locator(".score-fact").all_inner_texts()
    score = page.get_by_role("button", name=re.compile("^Score (it|again)$"))
    score.click()
    expect(page.get_by_role("button", name="Scoring…")).to_be_disabled()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("status").filter(has_text="Stopped.")).to_be_visible()
    expect(page.locator(".latent-head .field-error")).to_have_count(0)
    assert page.locator(".score-fact").all_inner_texts() == facts
    # Then it is scored to the end.
    page.unroute("**/*LatentService/ScoreLabels")
    score.click()
    expect(page.locator(".score-fact")).to_contain_text("by similarity")
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)


def test_labels_are_shown_and_never_run(page):
    page.open(f"/demo/latent/{odd.MARKED_LATENT}")
    expect(page.by("label")).to_contain_text("<img src=x")
    page.open("/demo/latents?q=<img&by=contains")
    expect(page.by("latent-row").first).to_contain_text("onerror")
    assert page.evaluate("window.stolen") is None
    assert page.locator("main img").count() == 0


@pytest.mark.parametrize("latent", ["999999", "nine"])
def test_a_latent_that_does_not_exist_is_said(page, latent):
    page.open(f"/demo/latent/{latent}")
    expect(page.locator("main .problem, main .empty")).to_contain_text(latent)
