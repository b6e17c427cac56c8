"""The HNSW libraries: vectors only, M = 16, ef_construction = 200 as LatentDB's graph."""

import importlib.metadata
import os
import time

import hnswlib
import numpy as np
from usearch.index import Index

from data import Data

CONNECTIVITY, CONSTRUCTION = 16, 200


class Hnswlib:
    name = f"hnswlib {importlib.metadata.version('hnswlib')}"

    def __init__(self, data: Data):
        self.data = data
        started = time.perf_counter()
        self.index = hnswlib.Index("ip", data.vectors.shape[1])
        self.index.init_index(data.rows, M=CONNECTIVITY, ef_construction=CONSTRUCTION,
                              random_seed=1)
        self.index.add_items(data.vectors, num_threads=os.cpu_count())
        self.build_seconds = time.perf_counter() - started
        self.index.set_num_threads(1)

    def dense(self, ef):
        self.index.set_ef(ef)
        return lambda at: self.index.knn_query(self.data.queries[at], self.data.limit)[0][0]


class Usearch:
    name = f"usearch {importlib.metadata.version('usearch')}"

    def __init__(self, data: Data):
        self.data = data
        started = time.perf_counter()
        self.index = Index(ndim=data.vectors.shape[1], metric="ip", dtype="f32",
                           connectivity=CONNECTIVITY, expansion_add=CONSTRUCTION)
        self.index.add(np.arange(data.rows), data.vectors, threads=os.cpu_count())
        self.build_seconds = time.perf_counter() - started

    def dense(self, ef):
        self.index.expansion_search = ef
        return lambda at: self.index.search(
            self.data.queries[at], self.data.limit, threads=1).keys
