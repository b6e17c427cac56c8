"""arXiv abstracts of LATENTDB_CORPORA with their ready vectors."""

import collections
import io
import json
import os
import pathlib

import numpy as np
import pytest
import zstandard
from safetensors import safe_open

import oracle
import test_sae
import wire
from stubs import REPOSITORY, v1
from test_ingest import Stream

DATA = pathlib.Path(os.environ.get("LATENTDB_CORPORA", REPOSITORY / "data"))
ROWS = 5000
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (DATA / "arxiv-embeddings.safetensors").is_file(),
        reason=f"{DATA} has no arXiv abstracts (LATENTDB_CORPORA names another place)",
    ),
]


@pytest.fixture(scope="module")
def abstracts():
    """The first rows: records and vectors."""
    with (DATA / "arxiv-abstracts.jsonl.zst").open("rb") as packed:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(packed), "utf-8")
        records = [json.loads(line) for line, _ in zip(lines, range(ROWS), strict=False)]
    with safe_open(DATA / "arxiv-embeddings.safetensors", "numpy") as tensors:
        vectors = tensors.get_slice("embeddings")[:ROWS].astype(np.float32)
    return records, vectors


def test_abstracts_are_ingested_coded_and_found(api, abstracts, tmp_path):
    records, vectors = abstracts
    name = "abstracts"
    api.create(name, dimension=vectors.shape[1])
    stream = Stream(api, name, "abstracts")
    for start in range(0, ROWS, 500):
        stream.send(
            [
                wire.document(
                    record["id"],
                    text=f"{record['title']}. {record['abstract']}",
                    vec=vector,
                    categories=record["categories"],
                    date=record["date"],
                )
                for record, vector in zip(
                    records[start : start + 500], vectors[start : start + 500], strict=True
                )
            ],
            batch=1 + start // 500,
        )
    answers = stream.finish()
    assert sum(answer.upserted for answer in answers) == ROWS == api.count(name)

    *_, last = test_sae.train(api, name, tmp_path / "sae", n_latents=256, k=16, epochs=2)
    print(f"FVU {last.quality.fvu:.3f} on {last.quality.rows} held-out vectors")
    assert last.quality.fvu < 0.9
    test_sae.attach(api, name, tmp_path / "sae")

    keys = [record["id"] for record in records]
    queries = [near_row for near_row in vectors[::1000]]
    for query in queries:
        scores = dict(zip(keys, (vectors @ query).tolist(), strict=True))
        found = api.search(name, wire.near(query, exact=True), limit=50)
        # The vectors were rounded to 16 bits, so their norms are not quite 1.
        oracle.check_ranking(found.hits, scores, 50, tolerance=2e-3)

    stored = {}
    for document in api.scroll(name, projection=v1.Projection(latents=True)):
        stored[document.id] = wire.row(document)
        assert 1 <= len(stored[document.id]) <= 16
    random = np.random.default_rng(0)
    for _ in range(5):
        chosen = random.choice(256, 20, replace=False)
        weights = {int(at): float(w) for at, w in zip(chosen, random.normal(size=20), strict=True)}
        scores = {
            key: sum(weights[at] * row[at] for at in set(weights) & set(row))
            for key, row in stored.items()
            if set(weights) & set(row)
        }
        found = api.search(name, wire.weighted(weights), limit=100)
        oracle.check_ranking(found.hits, scores, 100, tolerance=1e-4)
    counts = collections.Counter(name for record in records for name in record["categories"])
    (facet,) = api.facet(name, v1.Facet(attribute="categories", limit=1000))
    assert {entry.value.string: entry.count for entry in facet.values} == dict(counts)
    ((category, count),) = counts.most_common(1)
    assert api.count(name, wire.equals("categories", category)) == count
    both = [
        record["id"]
        for record in records
        if category in record["categories"] and 3 in stored[record["id"]]
    ]
    assert api.count(name, wire.expr(f'categories = "{category}" and latent(3)')) == len(both)
