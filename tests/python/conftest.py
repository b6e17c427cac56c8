"""Fixtures: a server for all tests, servers of their own for tests that end them."""

import itertools

import pytest

import harness
from corpus import corpus  # noqa: F401 (a fixture)

_numbers = itertools.count(1)


def pytest_configure(config):
    if not harness.BINARY.is_file():
        raise pytest.UsageError(
            f"{harness.BINARY} does not exist: build it with `cargo build`, or name one in "
            "LATENTDB_BINARY"
        )


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The server that most tests share, each with collections of its own."""
    running = harness.Server(tmp_path_factory.mktemp("server"))
    running.start()
    yield running
    running.close()


@pytest.fixture(scope="session")
def api(server):
    return server.api


@pytest.fixture
def own_server(tmp_path):
    """A running server that the test may stop, kill and start again."""
    running = harness.Server(tmp_path)
    running.start()
    yield running
    running.close()


@pytest.fixture
def name(request) -> str:
    """A name for a collection that no other test has."""
    return f"{request.node.originalname[:80]}-{next(_numbers)}"
