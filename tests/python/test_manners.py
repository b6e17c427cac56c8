"""How the command line behaves: errors for scripts, refused flags, help, pages."""

import json
import os
import subprocess

import pytest

import wire
from harness import BINARY, PATIENCE
from stubs import v1


@pytest.fixture
def run(server):
    """Runs a command; gives the exit code, standard output and standard error."""

    def run(*arguments, address: str | None = None):
        done = subprocess.run(
            [str(BINARY), *map(str, arguments)],
            capture_output=True,
            timeout=PATIENCE,
            env=os.environ | {"LATENTDB_SERVER": address or server.api.address},
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    return run


def failure(run, *arguments, code: int = 1, **options) -> dict:
    """The object that a failed command prints under --json."""
    found, out, err = run(*arguments, "--json", **options)
    assert (found, out) == (code, ""), err
    (line,) = err.splitlines()
    return json.loads(line)["error"]


def test_errors_are_objects_under_json(api, run, name, tmp_path):
    api.create(name)
    told = failure(run, "search", name, "--filter", "all", "--limit", 100_000)
    assert told == {
        "code": "INVALID_ARGUMENT",
        "field": "limit",
        "message": "limit is 100000; 1 to 1000 is accepted",
    }
    told = failure(run, "count", "none")
    assert told["code"] == "NOT_FOUND" and "field" not in told
    told = failure(run, "count", name, "--filter", "a >")
    assert told["field"] == "filter.expression"
    assert told["message"].startswith("filter.expression: column ")
    told = failure(run, "count", name, address="127.0.0.1:1")
    assert told["code"] == "UNAVAILABLE" and "latentdb serve" in told["message"]
    assert failure(run, "repair", tmp_path / "none")["message"]

    # Of the parser, and of flags that the parser cannot know not to go together.
    told = failure(run, "search", name, "--filtre", "all", code=2)
    assert (told["code"], told["field"]) == ("INVALID_ARGUMENT", "--filtre")
    assert "--filter" in told["hint"]
    told = failure(run, "search", name, code=2)
    assert "nothing to search for" in told["message"] and "--help" in told["hint"]
    told = failure(run, "facet", name, code=2)
    assert told["message"].endswith("--by <FACET>") and told["hint"].startswith("Usage: ")


def test_errors_for_people_name_the_field_and_the_value(api, run, name):
    api.create(name)
    code, out, err = run("search", name, "--filter", "all", "--limit", 100_000)
    assert (code, out, err) == (1, "", "error: limit is 100000; 1 to 1000 is accepted\n")
    code, _, err = run("count", name, address="localhost")
    assert code == 1 and '"localhost" has no port' in err and "localhost:7700" in err


@pytest.mark.parametrize(
    "arguments",
    [
        "search c words --limit 0",
        "search c words --ef 0",
        "search c words --except x --except-top 0",
        "search c --property x --candidates 0",
        "facet c --by n --limit 0",
        "latents list c --limit 0",
        "latents find c words --limit 0",
        "duplicates c --limit 0",
        "unexplained c --limit 0",
        "trends c --by n --limit 0",
        "correlate c --min-support 0",
        "diff c --a a=1 --b a=2 --min-support 0",
        "steer c words --sweep 1 --limit 0",
        "cluster c --latent 1 --k 0",
        "sae train --collection c --out d --epochs 0",
    ],
)
def test_zero_is_not_taken_for_a_default(run, arguments):
    code, _, err = run(*arguments.split())
    assert code == 2 and "invalid value '0'" in err and "at least 1" in err


def test_pages_go_on_where_they_ended(api, run, name):
    api.create(name)
    api.upsert(name, [wire.document(f"d{at}", n=at) for at in range(5)])
    _, out, _ = run("search", name, "--filter", "all", "--limit", 2)
    token = out.split("--page-token ")[1].split()[0]
    code, out, _ = run("search", name, "--page-token", token)
    assert code == 0 and [line.split(".")[0].strip() for line in out.splitlines()[:2]] == ["3", "4"]
    request = v1.SearchRequest(page_token=token)
    assert api.searches.Search(request).offset == 2
    for other in (["words"], ["--filter", "n = 1"], ["--limit", "3"], ["--facet", "n"]):
        code, _, err = run("search", name, *other, "--page-token", token)
        assert code == 2 and "cannot be used with" in err, other


def test_help_ends_with_examples_and_the_flags_of_all_commands(run):
    for command in (["search"], ["facet"], ["collection", "create"], ["latents", "labels", "use"]):
        code, out, _ = run(*command, "--help")
        places = [out.index(part) for part in ("Options:", "Connection:", "Output:", "Examples:")]
        assert code == 0 and places == sorted(places), out
        assert f"latentdb {' '.join(command)} " in out[places[-1] :]
        assert "--server" not in out[places[0] : places[1]]


def test_latents_are_named_and_empty_answers_explained(api, run, name):
    api.create(name, n_latents=8)
    api.upsert(name, [wire.document("a", latents={1: 1.0, 2: 0.5})])
    code, out, err = run("latents", "find", name, "battery")
    assert (code, out) == (0, "no label found\n")
    assert "no latent" in err and f"latentdb latents label {name}" in err
    label = v1.LabelEntry(latent=1, text="Battery life")
    api.latents.SetLabels(v1.SetLabelsRequest(collection=name, labels=[label]))
    _, out, _ = run("get", name, "a")
    assert out.splitlines()[-1] == '  latents 1 "Battery life" 1.00 · 2 0.50'
    _, out, err = run("latents", "find", name, "screen")
    assert out == "no label found\n" and "no encoder" in err
    _, out, err = run("latents", "find", name, "battery")
    assert "Battery life" in out and err == ""


def test_numbers_of_things_are_in_their_number(own_server, run):
    api = own_server.api
    api.create("c")
    api.upsert("c", [wire.document("a")])
    code, out, _ = run("collection", "optimize", "c", address=api.address)
    assert (code, out) == (0, "1 segment\n")
    assert own_server.stop() == 0
    code, out, _ = run("verify", own_server.data)
    assert code == 0 and f"{own_server.data}: 1 collection, " in out
