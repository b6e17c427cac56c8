"""One server for all tests of the Python client, and the package out of this repository."""

import itertools
import os
import pathlib
import sys

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "src/python"
sys.path.insert(0, str(PACKAGE))
os.environ.setdefault("LATENTDB_BINARY", str(REPOSITORY / "target/debug/latentdb"))

import latentdb  # noqa: E402

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def db(tmp_path_factory):
    """A client of a server over a folder of its own."""
    with latentdb.open(tmp_path_factory.mktemp("server") / "data") as client:
        yield client


@pytest.fixture
def name(request):
    """A name for a collection that no other test has."""
    return f"{request.node.originalname[:60]}-{next(_numbers)}"
