"""qdrant-edge: Qdrant's engine in process, with a dense and a sparse vector and a payload of the
latents, the category and the position of each row, all indexed."""

import importlib.metadata
import pathlib
import time

from qdrant_edge import (
    CountRequest, Distance, EdgeConfig, EdgeOptimizersConfig, EdgeShard, EdgeSparseVectorParams,
    EdgeVectorParams, FacetRequest, FieldCondition, Filter, HnswIndexConfig, MatchValue,
    PayloadSchemaType, Point, Query, QueryRequest, RangeFloat, SearchParams, SparseVector,
    UpdateOperation)

from data import Data
from graphs import CONNECTIVITY, CONSTRUCTION


class Qdrant:
    name = f"qdrant-edge {importlib.metadata.version('qdrant-edge-py')}"

    def __init__(self, data: Data, folder: pathlib.Path, batch: int):
        self.data = data
        self.path = str(folder)
        self.shard = EdgeShard.create(self.path, EdgeConfig(
            vectors={"dense": EdgeVectorParams(data.vectors.shape[1], Distance.Dot)},
            sparse_vectors={"latents": EdgeSparseVectorParams()},
            # Its own default of full_scan_threshold, in kilobytes.
            hnsw_config=HnswIndexConfig(CONNECTIVITY, CONSTRUCTION, 10_000),
            optimizers=EdgeOptimizersConfig(default_segment_number=1),
            max_search_threads=1))
        for field, kind in (("latents", PayloadSchemaType.Integer),
                            ("position", PayloadSchemaType.Integer),
                            ("category", PayloadSchemaType.Keyword)):
            self.shard.update(UpdateOperation.create_field_index(field, kind))
        self.write_seconds = sum(
            self._write(start, min(start + batch, data.rows))
            for start in range(0, data.rows, batch))
        started = time.perf_counter()
        self.shard.flush()
        self.shard.optimize()
        self.index_seconds = time.perf_counter() - started
        self.segments = self.shard.info().segments_count

    def _write(self, start, end):
        """Seconds of one batch; making its Python objects does not count."""
        data, matrix = self.data, self.data.matrix
        points = []
        for row in range(start, end):
            own = slice(matrix.indptr[row], matrix.indptr[row + 1])
            latents = matrix.indices[own].tolist()
            sparse = SparseVector(latents, matrix.data[own].tolist())
            points.append(Point(
                row, {"dense": data.vectors[row].tolist(), "latents": sparse},
                {"latents": latents, "position": int(data.positions[row]),
                 "category": data.categories[row]}))
        operation = UpdateOperation.upsert_points(points)
        started = time.perf_counter()
        self.shard.update(operation)
        return time.perf_counter() - started

    def reopen(self):
        """Seconds from a closed shard to one that answers."""
        self.shard.close()
        started = time.perf_counter()
        self.shard = EdgeShard.load(self.path)
        self.shard.count(CountRequest(exact=True))
        return time.perf_counter() - started

    def _queries(self, requests):
        return lambda at: [point.id for point in self.shard.query(requests[at])]

    def ranking(self, work):
        return self._queries([
            QueryRequest(self.data.limit, query=Query.Nearest(
                SparseVector(latents.tolist(), weights.tolist()), using="latents"))
            for latents, weights in self.data.rankings[work]])

    def dense(self, ef):
        return self._dense(SearchParams(hnsw_ef=ef), lambda at: None)

    def scan(self):
        return self._dense(SearchParams(exact=True), lambda at: None)

    def filtered(self, percent, ef):
        width, starts = self.data.windows[percent]
        return self._dense(SearchParams(hnsw_ef=ef), lambda at: window(starts[at], width))

    def _dense(self, params, filter_of):
        return self._queries([
            QueryRequest(self.data.limit, query=Query.Nearest(query.tolist(), using="dense"),
                         filter=filter_of(at), params=params)
            for at, query in enumerate(self.data.queries)])

    def counts(self):
        def condition(latent):
            return FieldCondition("latents", match=MatchValue(latent))

        requests = [
            CountRequest(True, Filter(must=[condition(a)], should=[condition(b), condition(c)],
                                      must_not=[condition(d)]))
            for a, b, c, d in self.data.counts]
        return lambda at: self.shard.count(requests[at])

    def latent_facet(self):
        return self._facet("latents", self.data.n_latents)

    def category_facet(self):
        return self._facet("category", 1000)

    def _facet(self, field, limit):
        requests = [FacetRequest(field, limit, True, window(start, self.data.rows // 2))
                    for start in self.data.halves]
        return lambda at: {hit.value: hit.count for hit in self.shard.facet(requests[at]).hits}

    def fetch(self):
        """Payloads of the documents of a page of hits; the latents are left out."""
        pages = [[start + step * 1009 for step in range(self.data.limit)]
                 for start in self.data.halves]
        return lambda at: self.shard.retrieve(pages[at], ["category", "position"], False)


def window(start, width):
    inside = RangeFloat(gte=float(start), lt=float(start + width))
    return Filter(must=[FieldCondition("position", range=inside)])
