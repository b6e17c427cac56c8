"""`latentdb report`: one HTML file that needs nothing else and holds what the analyses say."""

import os
import subprocess
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import wire
from harness import BINARY, PATIENCE
from stubs import v1
from test_cli import cli  # noqa: F401 (a fixture)
from test_cluster import AXIS, planted

HTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"
WILD = "<script>alert('x')</script> & \"quotes\" \x1b[31m"
ROWS = 200


class Page:
    """A report, read as a browser or an XML parser does."""

    def __init__(self, path):
        text = path.read_text()
        assert text.startswith("<!DOCTYPE html>\n")
        assert "<script" not in text and "\x1b" not in text
        for fetching in ("src=", "href=", "url(", "@import"):
            assert fetching not in text
        self.root = ET.fromstring(text.removeprefix("<!DOCTYPE html>\n"))
        self.headings = self.texts("h2")
        self.plots = list(self.root.iter(f"{SVG}svg"))
        self.articles = self.texts("article")
        names, values = self.texts("dt"), self.texts("dd")
        self.parameters = dict(zip(names, values, strict=True))

    def texts(self, tag: str) -> list[str]:
        return ["".join(element.itertext()) for element in self.root.iter(f"{HTML}{tag}")]


@pytest.fixture(scope="module")
def made(api):
    """Documents of two models that answer the same prompts; one uses latents 0 and 1 more."""
    name = "report"
    matrix, _ = planted(ROWS, seed=8)
    side = np.arange(ROWS) % 2
    random = np.random.default_rng(4)
    matrix[:, 0] = matrix[:, 1] = random.random(ROWS) < np.where(side, 0.1, 0.7)
    api.create(name, n_latents=matrix.shape[1])
    rows = [{int(latent): 1.0 for latent in np.flatnonzero(row)} for row in matrix]
    texts = [f"text of {at}" for at in range(ROWS)]
    # The strongest document of latent 0 has a text that means mischief.
    rows[0][0], texts[0] = 9.0, f"{WILD * 20} {texts[0]}"
    api.upsert(
        name,
        [
            wire.document(f"d{at:05}", text=text, latents=row, model="ab"[at % 2], prompt=at // 2)
            for at, (text, row) in enumerate(zip(texts, rows, strict=True))
        ],
    )
    labels = [v1.LabelEntry(latent=at, text=f"{WILD} {at}") for at in range(3)]
    api.latents.SetLabels(v1.SetLabelsRequest(collection=name, labels=labels))
    return name


def test_clusters(cli, made, tmp_path):  # noqa: F811
    out = tmp_path / "report.html"
    axis = [part for latent in AXIS for part in ("--latent", latent)]
    answer = cli(
        "report", "cluster", made, *axis, "--k", 3, "--documents", 100, "--out", out, "--seed", 5
    )
    assert answer["bytes"] == out.stat().st_size
    page = Page(out)
    assert page.headings[0] == "Groups" and page.headings[-1] == "The axis"
    assert len(page.headings) == 5 and len(page.plots) == 5
    assert page.parameters["seed"] == "5" and page.parameters["collection"] == made
    assert page.parameters["clusters"] == "3, as asked" and "UTC" in page.parameters["made"]
    assert any("text of 17" in text for text in page.articles)
    assert any("<script>alert('x')</script>" in text for text in page.articles)


@pytest.mark.parametrize("paired", [(), ("--pair-by", "prompt")])
def test_differences(cli, made, tmp_path, paired):  # noqa: F811
    out = tmp_path / "report.html"
    sides = ("--a", 'model = "a"', "--b", 'model = "b"', *paired)
    cli("report", "diff", made, *sides, "--out", out)
    (found,) = cli("diff", made, *sides)["comparisons"]
    rows = found["rows"]
    page = Page(out)
    assert page.headings[0] == 'Against model = "b"'
    assert {page.headings[1].split()[1], page.headings[2].split()[1]} == {"0", "1"}
    assert page.parameters["A"] == 'model = "a"' and page.parameters["B"] == 'model = "b"'
    (plot,) = page.plots
    drawn = min(len(rows), 20)
    # One bar each, three strokes of a whisker, on a ground.
    assert len(list(plot.iter(f"{SVG}rect"))) == drawn + 1
    listed = list(page.root.iter(f"{HTML}tr"))
    assert len(listed) == len(rows) + 1
    assert all("activation" in text for text in page.articles)
    # Next to each document of a pair stands the other side's, which has it not.
    articles = list(page.root.iter(f"{HTML}article"))
    kinds = ["counterpart" if article.get("class") else "shown" for article in articles]
    pattern = ["shown", "counterpart"] if paired else ["shown"]
    assert kinds == pattern * (len(articles) // len(pattern)) and articles
    first = page.texts("section")[1]
    assert f"{rows[0]['a'] * 100:.1f}%" in first and "pairs" in first or not paired


def test_documents_of_a_paired_diff_are_of_pairs_that_differ(cli, made, api):  # noqa: F811
    sides = ("--a", 'model = "a"', "--b", 'model = "b"', "--pair-by", "prompt")
    (found,) = cli("diff", made, *sides, "--documents", 20, "--all")["comparisons"]
    ids = [f"d{at:05}" for at in range(ROWS)]
    documents = api.get(made, ids, projection=v1.Projection(latents=True))
    stored = {document.id: document for document in documents}

    def has(document, latent):
        return any(entry.latent == latent for entry in stored[document["id"]].latents.values)

    for row in found["rows"]:
        only = row["only_a"] if row["delta"] >= 0 else row["only_b"]
        assert len(row["documents"]) == min(only, 20)
        for entry, other in zip(row["documents"], row["counterparts"], strict=True):
            document = entry["document"]
            assert has(document, row["latent"]) and not has(other, row["latent"])
            assert document["attributes"]["prompt"] == other["attributes"]["prompt"]
            assert document["attributes"]["model"] != other["attributes"]["model"]


def test_figures(cli, made, tmp_path):  # noqa: F811
    def bars(path):
        return len(list(ET.parse(path).getroot().iter(f"{SVG}rect"))) - 1

    # The sets overlap, and what does not pass is drawn too.
    bs = ("--b", "prompt < 30", "--b", "prompt >= 30")
    sides = ("--a", 'model = "a"', *bs, "--overlap", "keep", "--all")
    answer = cli("diff", made, *sides, "--plot", tmp_path / "d.svg")
    found = answer["comparisons"]
    assert [bars(tmp_path / f"d-{at + 1}.svg") for at in range(len(found))] == [
        min(len(one["rows"]), 20) for one in found
    ]
    found = cli("correlate", made, "--min-support", 10, "--plot", tmp_path / "c.svg")["pairs"]
    assert bars(tmp_path / "c.svg") == min(len(found), 20)


def test_figures_that_cannot_be_drawn_keep_the_answer(cli, server, made, tmp_path):  # noqa: F811
    def failing(*arguments):
        command = [str(BINARY), *map(str, arguments)]
        env = os.environ | {"LATENTDB_SERVER": server.api.address}
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=env)
        assert done.returncode == 1
        return done.stdout, done.stderr

    # A set that does not differ from A comes with one that does.
    bounds = ("--overlap", "keep", "--max-p", 1, "--min-delta", 0.01)
    sides = ("--a", "prompt < 30", "--b", "prompt < 30", *bounds, "--b", "prompt >= 30")
    answer = cli("diff", made, *sides, "--plot", tmp_path / "d.svg")
    drawn = [bool(one["rows"]) for one in answer["comparisons"]]
    assert not drawn[0] and drawn[1]
    assert [(tmp_path / f"d-{at + 1}.svg").exists() for at in range(3)] == drawn
    out, error = failing("diff", made, *sides[:-2], "--plot", tmp_path / "none.svg")
    assert "A prompt < 30" in out and "nothing passes against prompt < 30" in error

    # One document has no interval.
    one = ("--a", 'prompt = 1 and model = "a"', "--mean", "--all")
    (found,) = cli("diff", made, *one, "--plot", tmp_path / "one.svg")["comparisons"]
    assert found["a_documents"] == 1 and len(found["rows"]) >= 3
    assert (tmp_path / "one.svg").read_text().startswith("<svg")

    # Two documents a bucket are too few to draw.
    out, error = failing(
        "trends", made, "--by", "prompt", "--all", "--plot", tmp_path / "t.svg"
    )
    assert "tested over 100 buckets" in out and "no bucket has 20 documents" in error
    assert not (tmp_path / "t.svg").exists()


def test_a_diff_of_nothing_says_so(cli, made, tmp_path):  # noqa: F811
    out = tmp_path / "report.html"
    cli("report", "diff", made, "--a", "prompt < 50", "--min-delta", 0.99, "--out", out)
    page = Page(out)
    assert page.plots == [] and "No concept passes" in page.texts("section")[0]
    assert page.parameters["B"] == "everything that is not in A"


def test_correlations(cli, made, tmp_path):  # noqa: F811
    out = tmp_path / "report.html"
    cli("report", "corr", made, "--min-support", 10, "--out", out)
    page = Page(out)
    assert page.headings[0] == "The closest pairs" and len(page.plots) == 1
    # Latents 0 and 1 were made to occur together.
    assert page.headings[1].startswith("1. 0 ") and " and 1 " in page.headings[1]
    assert len(page.articles) == 30
    cli("report", "corr", made, "--attribute", "model", "--min-support", 10, "--out", out)
    page = Page(out)
    assert {"a", "b"} >= {heading.split()[-1] for heading in page.headings[1:]}
