"""The commands of README and of the guide, run in their order as they stand there.

They run in one folder against one server over a copy of the demo's data (`latentdb demo` makes it; without it
they skip with a line), with the files that a page's text asks of its reader. `NEEDS` names what a command
needs that is not here: every command is run or is one of these."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import latentdb
from test_notebooks import CACHE, REPOSITORY

BINARY = os.environ["LATENTDB_BINARY"]
PAGES = ["README", "concepts", "search", "analyses", "labels", "ingest", "training", "operations", "api"]
# Where a page writes the demo's corpus, one line of twelve is kept, and those that pages name.
SHORTEN = """awk 'NR % 12 == 1 || /"(products\\/34_6|films\\/6931)"/' demo.jsonl > short && mv short demo.jsonl"""

NEEDS = {
    "a server of its own: tests/python": r"latentdb (serve|demo)\b|--server |key (create|list|revoke)",
    "the tools of a developer: .ci/run": r"^(cargo|tests/run|pip|python)\b",
    "corpora: LATENTDB_CORPORA": r"\b(arxiv|answers|articles)\b|arxiv-axes",
    "the Hugging Face hub": r"(Qwen|intfloat|BAAI|google)/",
    "a chat endpoint: tests/python/test_labels.py": r"(labeller|judge) chat",
    "minutes of a language model: tests/python/test_judge.py": r"--judge local|--labeller local|--compare|smollm2|\bwords\b|sample\.jsonl",
    "minutes of training: tests/python/test_sae.py": r"sae (train|sweep) --(collection demo|vectors)|demo:large|--as large|sae eval|sae info sae|sae\(\"large\"|--to large|detach demo large|attach demo|--min-recurrence",
    "an SAE of another program: tests/python/test_sae.py": r"ae_folder|collection create acts",
    "a second collection of other latents: tests/python/test_matching.py": r"reviews next",
    "the root of a family, which another training numbers otherwise": r"family(\(|:)12",
    "jq": r"\bjq\b",
    "a folder of snapshots: tests/python/test_snapshots.py": r"latentdb snapshot",
}


def blocks(page):
    """The commands of each console block of a page, its place, and whether it shows that the last fails."""
    path = REPOSITORY / ("README.md" if page == "README" else f"src/guide/{page}.md")
    text = path.read_text()
    for block in re.finditer(r"```console\n(.*?)```", text, flags=re.S):
        lines = re.sub(r"\\\n\s*", "", block[1]).splitlines()
        place = f"{path.name} line {text.count(chr(10), 0, block.start()) + 1}"
        fails = any(line.startswith("error: ") for line in lines)
        yield place, [line[2:] for line in lines if line.startswith("$ ")], fails


def need(command):
    """What a command needs that is not here; None where it runs."""
    for what, pattern in NEEDS.items():
        if re.search(pattern, command) and not (what == "jq" and shutil.which("jq")):
            return what
    return None


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """Runs a script in a folder, with the server's address."""
    demo = pathlib.Path(os.environ.get("LATENTDB_DEMO") or CACHE / "demo")
    if not (demo / "catalog.redb").is_file():
        pytest.skip(f"no demo in {demo}: `latentdb demo` makes it")
    folder = tmp_path_factory.mktemp("guide")
    shutil.copytree(demo, folder / "served")
    (folder / "bin").mkdir()
    wrapper = folder / "bin/latentdb"
    wrapper.write_text(f'#!/bin/sh\n"{BINARY}" "$@" || exit\ncase "$*" in *"--corpus demo.jsonl") {SHORTEN} ;; esac\n')
    wrapper.chmod(0o755)
    with latentdb.open(folder / "served") as client:
        environment = {
            **os.environ,
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "LATENTDB_SERVER": client.address,
        }

        def run(script):
            return subprocess.run(
                ["bash", "-e", "-c", script],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=600,
            )

        assert run("latentdb inputs --corpus demo.jsonl").returncode == 0
        write_examples(folder)
        yield run


def write_examples(folder):
    """The files that pages ask of their reader: reviews.jsonl (README) and papers.jsonl (ingest)."""
    records = [json.loads(line) for line in (folder / "demo.jsonl").read_text().splitlines()]
    with (folder / "reviews.jsonl").open("w") as out:
        for at, record in enumerate(records[:1500]):
            review = {
                "id": f"r{at}",
                "title": record["text"].split(".")[0][:60],
                "body": record["text"],
                "stars": 1 + round(record["sentiment"] + 4) // 2,
                "day": f"2026-{1 + at % 9:02}-{1 + at % 28:02}",
                "price": at % 190,
                "author": f"a{at % 300}",
                "source": record["source"],
            }
            out.write(json.dumps(review) + "\n")
    with (folder / "papers.jsonl").open("w") as out:
        for at in range(3):
            body = " ".join(record["text"] for record in records[at * 60 : at * 60 + 60])
            out.write(json.dumps({"id": f"p{at}", "body": body, "year": 2020 + at}) + "\n")


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run(shell, page):
    ran = 0
    shell("rm -rf backup")
    for place, commands, fails in blocks(page):
        runs = [command for command in commands if not need(command)]
        done = shell("set -x\n" + "\n".join(runs))
        assert (done.returncode != 0) == fails, f"{place}\n{done.stdout}\n{done.stderr}"
        ran += len(runs)
    assert ran, f"no command of {page} runs"


def test_what_is_not_here_is_asked_for_by_a_command():
    pages = [*PAGES, *(path.stem for path in (REPOSITORY / "src/guide").glob("*.md"))]
    every = [command for page in pages for _, commands, _ in blocks(page) for command in commands]
    for what, pattern in NEEDS.items():
        assert any(re.search(pattern, command) for command in every), f"no command needs {what}"
