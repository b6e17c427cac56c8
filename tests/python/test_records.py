"""What people feed `ingest`: stray quotes, doubtful dates, bad records, misspelt columns, retries."""

import json
import os
import signal
import subprocess
import time

import pytest

from harness import BINARY, PATIENCE
from models import NEEDS_MINILM
from test_cli import cli  # noqa: F401


@pytest.fixture
def collection(cli, name):  # noqa: F811
    cli("collection", "create", name, "--encoder", "none", "--dim", 2)
    return name


def lines(path, records) -> str:
    text = (record if isinstance(record, str) else json.dumps(record) for record in records)
    path.write_text("".join(line + "\n" for line in text))
    return path


def test_an_unclosed_quote_is_an_error_that_names_its_line(cli, collection, tmp_path):  # noqa: F811
    file = tmp_path / "a.csv"
    rows = ["id,text", "1,a", '2,"it was 5 inch', *(f"{at},b" for at in range(3, 501))]
    file.write_text("\n".join(rows) + "\n")
    message = cli("ingest", collection, file, code=1)
    assert 'a.csv line 3: the quote that opens column "text" is never closed' in message
    assert cli("count", collection)["count"] == 0
    message = cli("ingest", collection, file, "--keep-going", code=1)
    assert "1 record set aside in" in message and "line 3" in message
    assert cli("count", collection)["count"] == 499

    # Mended in the file, it is ingested with the same flags.
    rejects = tmp_path / "a.csv.rejects.jsonl"
    (record,) = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert record["_rejected"]["number"] == 1 and record["text"] == '"it was 5 inch'
    lines(rejects, [record | {"text": 'it was 5"'}])
    assert cli("ingest", collection, rejects)["documents"] == 1
    (document,) = cli("get", collection, "2")["documents"]
    assert document["text"] == 'it was 5"' and "_rejected" not in document["attributes"]
    assert cli("ingest", collection, file, "--format", "csv-plain")["documents"] == 500


def test_a_bad_record_takes_no_other_with_it(cli, collection, tmp_path):  # noqa: F811
    records = [{"id": str(at), "text": "t", "v": [1, at], "n": at} for at in range(1000)]
    records[10] = "{broken"
    records[20]["n"] = "many"  # found by the reader
    records[30]["v"] = [1, 2, 3]  # found by the server
    records[40]["id"] = "with\nline feed"
    file = lines(tmp_path / "r.jsonl", records)
    rejects = tmp_path / "aside.jsonl"
    arguments = ("ingest", collection, file, "--vector", "v", "--attribute", "n:int")
    message = cli(*arguments, "--keep-going", "--rejects", rejects, code=1)
    assert "4 records set aside" in message and str(rejects) in message
    assert cli("count", collection)["count"] == 996
    aside = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert sorted(record["_rejected"]["number"] for record in aside) == [10, 20, 30, 40]
    reasons = {record["_rejected"]["number"]: record["_rejected"]["reason"] for record in aside}
    assert "r.jsonl line 11" in reasons[10] and 'field "n"' in reasons[20]
    assert "r.jsonl line 31" in reasons[30] and "vector" in reasons[30]
    # Once more adds no line twice.
    cli(*arguments, "--keep-going", "--rejects", rejects, code=1)
    assert len(rejects.read_text().splitlines()) == 4
    # Records without an id keep their number, which is their id.
    bare = lines(tmp_path / "bare.jsonl", [{"text": "a"}, "{", {"text": "c"}])
    cli("ingest", collection, bare, "--keep-going", code=1)
    aside = tmp_path / "bare.jsonl.rejects.jsonl"
    (record,) = [json.loads(line) for line in aside.read_text().splitlines()]
    assert record["_rejected"]["text"] == "{"
    assert "has no fields" in cli("ingest", collection, aside, code=1)
    cli("ingest", collection, lines(aside, [record | {"text": "mended"}]))
    assert cli("get", collection, "1")["documents"][0]["text"] == "mended"


def test_a_column_that_no_record_has_is_refused_first(cli, collection, tmp_path):  # noqa: F811
    records = [{"id": str(at), "text": "t", "stars": 5} for at in range(3000)]
    records[2999]["rare"] = 1
    file = lines(tmp_path / "r.jsonl", records)
    cli("ingest", collection, file, "--attribute", "stars", "--attribute", "rare")
    for flags in (["--attribute", "strs"], ["--text", "{body}"], ["--id", "key"]):
        message = cli("ingest", collection, file, *flags, code=1)
        assert f'the field "{flags[1].strip("{}")}"; there are' in message, message
    piped = ("ingest", collection, "-", "--format", "jsonl", "--attribute", "strs")
    stdin = file.read_bytes()
    done = subprocess.run(
        [BINARY, *piped], input=stdin, capture_output=True, timeout=PATIENCE, env=of(cli)
    )
    assert done.returncode == 1 and b'the field "strs"' in done.stderr
    # Nothing of it was written: the attributes are there.
    assert cli("count", collection, "--filter", "stars = 5")["count"] == 3000


def of(cli):  # noqa: F811
    server = next(cell.cell_contents for cell in cli.__closure__ if hasattr(cell.cell_contents, "api"))
    return os.environ | {"LATENTDB_SERVER": server.api.address}


def test_digits_are_a_date_in_a_stated_unit_only(cli, collection, tmp_path):  # noqa: F811
    file = lines(tmp_path / "d.jsonl", [{"id": "a", "d": 20240102, "iso": "20240102T101500Z"}])
    kinds = ("ingest", collection, file, "--no-text", "--attribute")
    message = cli(*kinds, "d:timestamp", code=1)
    assert 'd.jsonl line 1, field "d": 20240102 is not of kind timestamp' in message
    assert "timestamp(ms)" in message and cli("count", collection)["count"] == 0
    for kind, expected in [
        ("d:timestamp(%Y%m%d)", "2024-01-02T00:00:00Z"),
        ("d:timestamp(s)", "1970-08-23T06:15:02Z"),
        ("d=iso:timestamp", "2024-01-02T10:15:00Z"),
    ]:
        cli(*kinds, kind)
        assert cli("get", collection, "a")["documents"][0]["attributes"]["d"] == expected
    csv = tmp_path / "d.csv"
    csv.write_text("id,d\na,20240102\n")
    cli("ingest", collection, csv, "--no-text", "--attribute", "d:timestamp")
    assert cli("count", collection, "--filter", 'd = timestamp("2024-01-02")')["count"] == 1


def test_dates_as_strings_are_told(cli, collection, tmp_path):  # noqa: F811
    file = lines(tmp_path / "d.jsonl", [{"id": "a", "day": "2024-01-02", "n": 1}])
    command = ["ingest", collection, file, "--no-text", "--attribute", "*"]
    done = subprocess.run([BINARY, *command], capture_output=True, timeout=PATIENCE, env=of(cli))
    assert done.returncode == 0 and done.stderr.count(b"note:") == 1
    assert b"--attribute day:timestamp" in done.stderr
    cli("ingest", collection, file, "--no-text", "--attribute", "*", "--attribute", "day:timestamp")
    assert cli("count", collection, "--filter", 'day = timestamp("2024-01-02")')["count"] == 1


def test_nan_is_refused_by_name(cli, collection, tmp_path):  # noqa: F811
    for word in ("NaN", "-Infinity"):
        file = lines(tmp_path / "n.jsonl", [f'{{"id": "a", "text": "t", "x": {word}}}'])
        message = cli("ingest", collection, file, code=1)
        assert "line 1" in message and f"{word.strip('-')} is no value of JSON" in message


def test_a_retry_encodes_nothing_again_and_stops_at_once(cli, name, tmp_path):  # noqa: F811
    cli("collection", "create", name, "--encoder", "all-MiniLM-L6-v2")
    records = [{"id": str(at), "text": f"parcel {at} came late"} for at in range(40)]
    file = lines(tmp_path / "r.jsonl", records)
    arguments = ("ingest", name, file, "--stream-id", "s", "--batch", 10)
    began = time.monotonic()
    cli(*arguments)
    first = time.monotonic() - began
    began = time.monotonic()
    again = cli(*arguments)
    second = time.monotonic() - began
    print(f"first {first:.2f} s, retried {second:.2f} s")
    assert (again["documents"], again["recognised"]) == (40, 40)

    long = "came late " * 200
    lines(file, [{"id": f"more-{at}", "text": f"{long} {at}"} for at in range(2000)])
    command = [str(part) for part in (BINARY, *arguments)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, env=of(cli))
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130 and b"may still be written" in told, told


test_a_retry_encodes_nothing_again_and_stops_at_once.pytestmark = NEEDS_MINILM
