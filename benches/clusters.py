"""Targeted clustering of the arXiv abstracts of $LATENTDB_CORPORA against their categories, with
k-means on the dense vectors.

    latentdb serve --data DIR --listen 127.0.0.1:7713 &
    latentdb sae train --vectors $LATENTDB_CORPORA/arxiv-embeddings.safetensors --n 3072 --k 32 --out SAE
    ~/.cache/latentdb/test-venv/bin/python benches/clusters.py 127.0.0.1:7713 SAE

The first run makes the collection `arxiv-axes` of the abstracts whose primary category is one of
those in CHOICES. Each line restricts it to four categories. The axis is the four categories'
descriptions in properties.json ("game theory and mechanism design"), 100 latents each; nothing else
is told. Printed are the adjusted Rand index of the clusters against the
categories, texts compared with centroids and with keyphrase labels, with documents in no cluster
counted as one of their own; the number that the eigengap chooses; and scikit-learn's k-means (ten
starts, mean of five seeds) on the unit vectors of the same documents.
"""

import json
import os
import pathlib
import sys
import time

import grpc
import numpy as np
import zstandard
from safetensors.numpy import load_file
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests/python"))
import harness  # noqa: E402
import wire  # noqa: E402
from stubs import v1  # noqa: E402

DATA = pathlib.Path(os.environ.get("LATENTDB_CORPORA", REPOSITORY / "data"))
COLLECTION = "arxiv-axes"
CHOICES = [
    ("cs.GT", "cs.IT", "cs.GR", "eess.IV"),
    ("cs.GT", "cs.IT", "cs.RO", "cs.SD"),
    ("cs.RO", "cs.IR", "cs.HC", "cs.CR"),
    ("cs.IT", "cs.CE", "cs.RO", "eess.IV"),
]


def abstracts():
    with (DATA / "arxiv-abstracts.jsonl.zst").open("rb") as packed:
        text = zstandard.ZstdDecompressor().stream_reader(packed).read().decode()
    vectors = load_file(DATA / "arxiv-embeddings.safetensors")["embeddings"].astype(np.float32)
    return [json.loads(line) for line in text.splitlines()], vectors


def build(api, sae, records, vectors):
    api.create(COLLECTION, encoder="all-MiniLM-L6-v2", sae=str(pathlib.Path(sae).resolve()))
    wanted = {category for categories in CHOICES for category in categories}
    documents = (
        wire.document(
            record["id"],
            text=f"{record['title']}. {record['abstract']}",
            vec=vector,
            primary=record["categories"][0],
        )
        for record, vector in zip(records, vectors, strict=True)
        if record["categories"][0] in wanted
    )
    api.upsert(COLLECTION, documents, batch=1000)
    for _ in api.latents.LabelLatents(v1.LabelLatentsRequest(collection=COLLECTION)):
        pass


def cluster(api, categories, texts, source, clusters):
    """Cluster by id, the summary, and the seconds it took."""
    listed = ", ".join(f'"{category}"' for category in categories)
    request = v1.ClusterRequest(
        collection=COLLECTION,
        filter=wire.expr(f"primary in ({listed})"),
        axis=v1.Axis(texts=texts, source=source),
        clusters=clusters,
    )
    start, summary, found = time.perf_counter(), None, {}
    for message in api.analyses.Cluster(request):
        if message.HasField("summary"):
            summary = message.summary
        for member in message.members.members:
            found[member.id] = member.cluster if member.HasField("cluster") else -1
    return found, summary, time.perf_counter() - start


def main(address, sae):
    api = harness.Api(address)
    records, vectors = abstracts()
    try:
        api.info(COLLECTION)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.NOT_FOUND:
            raise
        build(api, sae, records, vectors)
    descriptions = json.loads((DATA / "properties.json").read_text())["arxiv"]
    print(
        f"{'categories':32}{'documents':>10}{'uncovered':>10}{'centroids':>10}{'labels':>8}"
        f"{'eigengap':>9}{'k-means, dense':>15}{'seconds':>9}"
    )
    for categories in CHOICES:
        texts = [descriptions.get(category, category) for category in categories]
        rows = [at for at, r in enumerate(records) if r["categories"][0] in categories]
        truth = [records[at]["categories"][0] for at in rows]
        ids = [records[at]["id"] for at in rows]

        def index(source, clusters):
            found, summary, seconds = cluster(api, categories, texts, source, clusters)
            return adjusted_rand_score(truth, [found[key] for key in ids]), summary, seconds

        centroids, summary, seconds = index(v1.AXIS_SOURCE_CENTROIDS, len(categories))
        labels, _, _ = index(v1.AXIS_SOURCE_LABELS, len(categories))
        _, chosen, _ = index(v1.AXIS_SOURCE_CENTROIDS, 0)
        unit = vectors[rows] / np.linalg.norm(vectors[rows], axis=1, keepdims=True)
        dense = np.mean(
            [
                adjusted_rand_score(
                    truth, KMeans(len(categories), n_init=10, random_state=seed).fit_predict(unit)
                )
                for seed in range(5)
            ]
        )
        print(
            f"{' '.join(categories):32}{len(rows):>10}{summary.uncovered:>10}{centroids:>10.3f}"
            f"{labels:>8.3f}{len(chosen.clusters):>9}{dense:>15.3f}{seconds:>9.2f}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
