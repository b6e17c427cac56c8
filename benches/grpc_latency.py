"""Latency of a running server over gRPC, on the arXiv abstracts of $LATENTDB_CORPORA.

    latentdb serve --data DIR --listen 127.0.0.1:7712 &
    latentdb sae train --vectors $LATENTDB_CORPORA/arxiv-embeddings.safetensors --n 3072 --k 32 --out SAE
    latentdb collection create arxiv --dim 384 --sae SAE --server 127.0.0.1:7712
    latentdb ingest arxiv $LATENTDB_CORPORA/arxiv-abstracts.jsonl.zst --id id --text "{title}. {abstract}" \
        --attribute date --attribute categories \
        --vectors $LATENTDB_CORPORA/arxiv-embeddings.safetensors --server 127.0.0.1:7712
    ~/.cache/latentdb/test-venv/bin/python benches/grpc_latency.py 127.0.0.1:7712 arxiv

Prints, per kind of query, p50 and p95 as the client sees them and the engine's own p50, then
recall@10 of the graph against the exact scan, and the exact scan against NumPy.
"""

import glob
import json
import os
import random
import struct
import sys
import tempfile
import time

import grpc
import grpc_tools
import numpy as np
from grpc_tools import protoc

HERE = os.path.dirname(os.path.abspath(__file__))
PROTO = os.path.join(HERE, "..", "proto")
DATA = os.environ.get("LATENTDB_CORPORA", os.path.join(HERE, "..", "data"))

stubs = tempfile.mkdtemp()
protoc.main(
    ["", f"-I{PROTO}", f"-I{os.path.join(os.path.dirname(grpc_tools.__file__), '_proto')}"]
    + [f"--python_out={stubs}", f"--grpc_python_out={stubs}"]
    + glob.glob(f"{PROTO}/latentdb/v1/*.proto")
)
sys.path.insert(0, stubs)
from latentdb.v1 import search_pb2 as s, search_pb2_grpc, types_pb2 as t  # noqa: E402


def embeddings():
    with open(os.path.join(DATA, "arxiv-embeddings.safetensors"), "rb") as file:
        raw = file.read()
    header = struct.unpack("<Q", raw[:8])[0]
    shape = json.loads(raw[8 : 8 + header])["embeddings"]["shape"]
    return np.frombuffer(raw, np.float16, offset=8 + header).reshape(shape).astype(np.float32)


def main(address, collection):
    service = search_pb2_grpc.SearchServiceStub(grpc.insecure_channel(address))
    vectors = embeddings()
    rng = random.Random(1)
    noise = np.random.default_rng(1)
    facet = s.FacetRequest(collection=collection, latents=t.Everything(), limit=3000)
    latents = [entry.latent for entry in service.Facet(facet).latents]

    def search(projection=t.Projection(), **query):
        request = s.SearchRequest(
            collection=collection, explain=True, projection=projection, query=s.Query(**query)
        )
        return service.Search(request)

    def count(expression):
        request = s.CountRequest(collection=collection, filter=t.Filter(expression=expression))
        return service.Count(request)

    def weighted(shift):
        drawn = rng.sample(latents, 20)
        weights = [s.LatentWeight(latent=one, weight=rng.random() - shift) for one in drawn]
        return search(latents=s.LatentsQuery(weights=weights))

    def near(exact=False, **rest):
        row = vectors[rng.randrange(len(vectors))] + 0.02 * noise.standard_normal(vectors.shape[1])
        return search(nearest=s.NearestQuery(vector=t.Vector(values=row), exact=exact), **rest)

    def boolean():
        return count("latent(%d) and (latent(%d) or latent(%d)) and not latent(%d)" % tuple(rng.sample(latents, 4)))

    filtered = t.Filter(expression='categories = "cs.CL"')
    works = {
        "20 weighted latents": (lambda: weighted(0.0), 200),
        "the same, a quarter negative": (lambda: weighted(0.25), 200),
        "count of four latents": (boolean, 200),
        "count with attributes": (
            lambda: count(f'latent({rng.choice(latents)}) and categories = "cs.LG" and date >= "2025-06-01"'),
            200,
        ),
        "nearest to a vector": (near, 200),
        "nearest, exact": (lambda: near(exact=True), 50),
        "nearest under a filter": (lambda: near(filter=filtered), 100),
        "BM25": (lambda: search(text=s.TextQuery(text="sparse autoencoder retrieval")), 100),
    }
    for name, (work, times) in works.items():
        client, engine = [], []
        for at in range(times + 10):
            started = time.perf_counter()
            answer = work()
            if at >= 10:
                client.append((time.perf_counter() - started) * 1e3)
                if hasattr(answer, "explanation"):
                    engine.append(answer.explanation.execute_us / 1e3)
        inside = f"{np.median(engine):.3f} ms" if engine else "-"
        print(f"{name:30} p50 {np.median(client):.3f} ms  p95 {np.percentile(client, 95):.3f} ms  engine p50 {inside}")

    found = 0
    for _ in range(100):
        row = vectors[rng.randrange(len(vectors))] + 0.02 * noise.standard_normal(vectors.shape[1])
        pair = [
            {hit.document.id for hit in search(nearest=s.NearestQuery(vector=t.Vector(values=row), exact=exact)).hits}
            for exact in (False, True)
        ]
        found += len(pair[0] & pair[1])
    print(f"recall@10 of the graph {found / 1000:.3f}")
    query = vectors[5]
    scores = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
    exact = search(nearest=s.NearestQuery(vector=t.Vector(values=query), exact=True))
    difference = np.abs(np.sort(scores)[::-1][:10] - [hit.score for hit in exact.hits]).max()
    print(f"exact scan against NumPy: largest difference of a score {difference:.1e}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
