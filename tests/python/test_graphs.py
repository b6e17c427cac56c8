"""Graphs of vectors: built beside writes, shown while they grow, kept over a start and a merge."""

import time

import numpy as np
import pytest

import wire
from stubs import v1

ROWS, WIDTH = 22_000, 16


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(5).normal(size=(ROWS, WIDTH)).astype(np.float32)


def documents(vectors):
    return [wire.document(f"d{row}", vec=vector.tolist(), n=row) for row, vector in enumerate(vectors)]


def whole(api, name, at_least):
    """The collection's info once its graph is whole."""
    until = time.monotonic() + 120
    while True:
        info = api.info(name)
        assert info.graph_failure == ""
        assert 0 <= info.graph_progress <= 1
        if info.graph_progress == 1 and info.vectors_in_graph >= at_least:
            return info
        assert time.monotonic() < until, info
        time.sleep(0.05)


def found(api, name, vector, exact=False):
    answer = api.search(name, wire.near(vector, exact=exact), limit=10, explain=True)
    return answer.explanation.plan.access, [hit.document.id for hit in answer.hits]


def recall(api, name, queries, access):
    shared = 0
    for query in queries:
        assert (exact := found(api, name, query, exact=True))[0] == "scan"
        walked = found(api, name, query)
        assert walked[0] == access
        shared += len(set(exact[1]) & set(walked[1]))
    return shared / (10 * len(queries))


def test_a_graph_grows_beside_writes_and_outlives_starts_and_merges(own_server, vectors):
    own_server.stop()
    api = own_server.start("--graph-threads", "1")
    name = "graphs"
    api.create(name, dimension=WIDTH, n_latents=4)
    api.upsert(name, documents(vectors), batch=5000)
    # A write every now and then, as long as the graph takes.
    until = time.monotonic() + 120
    late = 0
    while api.info(name).vectors_in_graph < 20_000:
        api.upsert(name, [wire.document(f"late{late}", vec=[1.0] * WIDTH)])
        late += 1
        time.sleep(0.1)
        assert time.monotonic() < until
    queries = np.random.default_rng(6).normal(size=(30, WIDTH)).astype(np.float32)
    info = api.info(name)
    assert info.vectors == ROWS + late
    assert recall(api, name, queries, "graph+scan" if info.segments > 1 else "graph") > 0.95

    assert own_server.stop() == 0
    api = own_server.start()
    info = api.info(name)
    assert info.vectors_in_graph >= 20_000
    api.admin.Optimize(v1.OptimizeRequest(collection=name))
    info = whole(api, name, ROWS)
    assert (info.segments, info.vectors_in_graph) == (1, info.vectors)
    assert recall(api, name, queries, "graph") > 0.95
