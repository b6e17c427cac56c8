"""One task a row: the lines of code that it takes here, in qdrant-client and in LanceDB.

    pip install latentdb-client qdrant-client==1.20.0 lancedb==0.40.0 scipy statsmodels pandas
    LATENTDB_BINARY=target/release/latentdb python benches/peers/lines.py

Each function is run, and its statements are counted without its signature: what a user writes once the
data is at hand. Peers have no latents, so that their rows hold them as a sparse vector and a list.
"""

import inspect
import tempfile

import lancedb
import numpy as np
import pandas as pd
import pyarrow
from qdrant_client import QdrantClient, models
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

import latentdb
from latentdb import A, L, text

N, D, LATENTS = 2000, 32, 64
random = np.random.default_rng(1)
vectors = random.normal(size=(N, D)).astype(np.float32)
decoder = random.normal(size=(LATENTS, D)).astype(np.float32)
codes = np.where((a := vectors @ decoder.T) > 8, a, 0)
texts = [
    " ".join(random.choice(["late", "parcel", "film", "tea", "good", "bad"], 5)) for _ in range(N)
]
frame = pd.DataFrame(
    {
        "id": range(N),
        "text": texts,
        "stars": random.integers(1, 6, N),
        "model": random.choice(["a", "b"], N),
    }
)
frame["latents"] = [{int(n): float(row[n]) for n in np.flatnonzero(row)} for row in codes]
words = sorted({word for own in texts for word in own.split()})
query = vectors[7] + random.normal(size=D).astype(np.float32) / 4


class LatentDB:
    def create(self):
        self.db = latentdb.open(tempfile.mkdtemp())
        self.papers = self.db.create_collection("papers", dimension=D, n_latents=LATENTS)

    def ingest(self):
        self.papers.upsert(
            frame, text="text", latents="latents", attributes=["stars", "model"], vectors=vectors
        )

    def hybrid(self):
        return self.papers.query(latentdb.fuse(query, text("late parcel"))).limit(10).ids

    def filter(self):
        return self.papers.search(query, filter=L(12) & ~L(5, gt=9) & (A.stars >= 4)).limit(10).ids

    def facet(self):
        return self.papers.facet("stars", latentdb.facets.latents(limit=5), filter=A.model == "a")

    def steer(self):
        return self.papers.search(query, steer={12: 2.0}).limit(10).ids

    def diff(self):
        return self.papers.diff(A.model == "a", A.model == "b").to_pandas()


class Qdrant:
    def create(self):
        self.client = QdrantClient(":memory:")
        self.client.create_collection(
            "papers",
            vectors_config={"dense": models.VectorParams(size=D, distance=models.Distance.COSINE)},
            sparse_vectors_config={
                "words": models.SparseVectorParams(modifier=models.Modifier.IDF),
                "latents": models.SparseVectorParams(),
            },
        )

    def ingest(self):
        points = []
        for row, vector in zip(frame.itertuples(), vectors):
            counts = pd.Series(row.text.split()).value_counts()
            points.append(
                models.PointStruct(
                    id=row.id,
                    vector={
                        "dense": vector.tolist(),
                        "words": models.SparseVector(
                            indices=[words.index(word) for word in counts.index],
                            values=counts.tolist(),
                        ),
                        "latents": models.SparseVector(
                            indices=list(row.latents), values=list(row.latents.values())
                        ),
                    },
                    payload={
                        "text": row.text,
                        "stars": row.stars,
                        "model": row.model,
                        "active": list(row.latents),
                        "activation": {str(n): value for n, value in row.latents.items()},
                    },
                )
            )
        self.client.upload_points("papers", points)

    def hybrid(self):
        asked = models.SparseVector(
            indices=[words.index(word) for word in ("late", "parcel")], values=[1.0, 1.0]
        )
        found = self.client.query_points(
            "papers",
            prefetch=[
                models.Prefetch(query=query.tolist(), using="dense", limit=100),
                models.Prefetch(query=asked, using="words", limit=100),
            ],
            query=models.FusionQuery(fusion=models.Fusion.RRF),
            limit=10,
        )
        return [point.id for point in found.points]

    def filter(self):
        allowed = models.Filter(
            must=[
                models.FieldCondition(key="active", match=models.MatchValue(value=12)),
                models.FieldCondition(key="stars", range=models.Range(gte=4)),
            ],
            must_not=[models.FieldCondition(key="activation.5", range=models.Range(gt=9))],
        )
        found = self.client.query_points(
            "papers", query=query.tolist(), using="dense", query_filter=allowed, limit=10
        )
        return [point.id for point in found.points]

    def facet(self):
        only_a = models.Filter(
            must=[models.FieldCondition(key="model", match=models.MatchValue(value="a"))]
        )
        return [
            self.client.facet("papers", key=key, facet_filter=only_a, limit=5)
            for key in ("stars", "active")
        ]

    def steer(self):
        steered = query / np.linalg.norm(query) + 2.0 * decoder[12] / np.linalg.norm(decoder[12])
        found = self.client.query_points("papers", query=steered.tolist(), using="dense", limit=10)
        return [point.id for point in found.points]

    def diff(self):
        counts = {"a": np.zeros(LATENTS), "b": np.zeros(LATENTS)}
        sizes = {"a": 0, "b": 0}
        offset = None
        while True:
            points, offset = self.client.scroll(
                "papers", limit=1000, offset=offset, with_payload=["model", "active"]
            )
            for point in points:
                counts[point.payload["model"]][point.payload["active"]] += 1
                sizes[point.payload["model"]] += 1
            if offset is None:
                break
        return differences(counts, sizes)


class Lance:
    def create(self):
        self.db = lancedb.connect(tempfile.mkdtemp())
        schema = pyarrow.schema(
            [
                pyarrow.field("id", pyarrow.int64()),
                pyarrow.field("text", pyarrow.string()),
                pyarrow.field("stars", pyarrow.int64()),
                pyarrow.field("model", pyarrow.string()),
                pyarrow.field("active", pyarrow.list_(pyarrow.int64())),
                pyarrow.field("a5", pyarrow.float32()),
                pyarrow.field("vector", pyarrow.list_(pyarrow.float32(), D)),
            ]
        )
        self.table = self.db.create_table("papers", schema=schema)

    def ingest(self):
        rows = frame[["id", "text", "stars", "model"]].copy()
        rows["active"] = frame["latents"].map(list)
        rows["a5"] = frame["latents"].map(lambda own: own.get(5, 0.0))
        rows["vector"] = list(vectors)
        self.table.add(rows)
        self.table.create_index("text", config=lancedb.index.FTS())

    def hybrid(self):
        search = self.table.search(query_type="hybrid").vector(query).text("late parcel")
        return search.limit(10).to_pandas()["id"].tolist()

    def filter(self):
        search = self.table.search(query).distance_type("cosine")
        search = search.where("array_has(active, 12) and a5 <= 9 and stars >= 4", prefilter=True)
        return search.limit(10).to_pandas()["id"].tolist()

    def facet(self):
        rows = (
            self.table.search()
            .where("model = 'a'")
            .select(["stars", "active"])
            .limit(N)
            .to_pandas()
        )
        return rows["stars"].value_counts(), rows["active"].explode().value_counts().head(5)

    def steer(self):
        steered = query / np.linalg.norm(query) + 2.0 * decoder[12] / np.linalg.norm(decoder[12])
        return (
            self.table.search(steered).distance_type("cosine").limit(10).to_pandas()["id"].tolist()
        )

    def diff(self):
        rows = self.table.search().select(["model", "active"]).limit(N).to_pandas()
        counts = {"a": np.zeros(LATENTS), "b": np.zeros(LATENTS)}
        for row in rows.itertuples():
            counts[row.model][row.active] += 1
        return differences(counts, rows["model"].value_counts())


def differences(counts, sizes):
    a, b = counts["a"] / sizes["a"], counts["b"] / sizes["b"]
    pooled = (counts["a"] + counts["b"]) / (sizes["a"] + sizes["b"])
    error = np.sqrt(pooled * (1 - pooled) * (1 / sizes["a"] + 1 / sizes["b"]))
    p = 2 * norm.sf(np.abs(a - b) / error)
    return pd.DataFrame({"a": a, "b": b, "delta": a - b, "p": multipletests(p, method="fdr_bh")[1]})


def lines(function):
    """Lines of a function's body that are neither empty nor comments."""
    body = inspect.getsource(function).splitlines()[1:]
    return sum(1 for line in body if line.strip() and not line.strip().startswith("#"))


def main():
    peers = {"LatentDB": LatentDB(), "qdrant-client": Qdrant(), "LanceDB": Lance()}
    tasks = ["create", "ingest", "hybrid", "filter", "facet", "steer", "diff"]
    print("| task |", " | ".join(peers), "|")
    print("|---|" + "---:|" * len(peers))
    sums = dict.fromkeys(peers, 0)
    for task in tasks:
        row = []
        for name, peer in peers.items():
            function = getattr(peer, task)
            function()
            count = lines(function)
            if task == "diff" and name != "LatentDB":
                count += lines(differences)
            sums[name] += count
            row.append(str(count))
        print(f"| {task} | {' | '.join(row)} |")
    print(f"| all | {' | '.join(map(str, sums.values()))} |")
    peers["LatentDB"].db.close()


if __name__ == "__main__":
    main()
