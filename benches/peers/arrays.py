"""NumPy and SciPy, as a notebook would use them: exact, in memory, nothing durable."""

import numpy as np
import scipy
from scipy.sparse import csr_matrix

from data import Data


class Scipy:
    name = f"SciPy {scipy.__version__}"

    def __init__(self, data: Data):
        self.data = data
        self.columns = data.matrix.tocsc()
        ones = csr_matrix((np.ones_like(data.matrix.data), data.matrix.indices,
                           data.matrix.indptr), shape=data.matrix.shape)
        self.active_transposed = ones.T
        self.transposed = data.matrix.T

    def ranking(self, work):
        queries, last = self.data.rankings[work], self.data.rows - self.data.limit

        def run(at):
            latents, weights = queries[at]
            scores = self.columns[:, latents] @ weights
            # A second pass over the scores is cheaper than numpy.argpartition.
            hits = np.flatnonzero(scores >= np.partition(scores, last)[last])
            return hits[np.argsort(-scores[hits], kind="stable")][:self.data.limit]

        return run

    def latent_facet(self):
        """Counts and sums, as LatentDB's facet gives counts and means."""
        def run(at):
            half = self.data.half(at).astype(np.float32)
            return self.active_transposed @ half, self.transposed @ half

        return run


class Numpy:
    name = f"NumPy {np.__version__}"

    def __init__(self, data: Data):
        self.data = data
        self.masks = None
        self.names, self.codes = np.unique(data.categories, return_inverse=True)

    def counts(self):
        """One Boolean per latent and row, 60 kB a latent."""
        if self.masks is None:
            self.masks = np.zeros((self.data.n_latents, self.data.rows), bool)
            rows = np.repeat(np.arange(self.data.rows), np.diff(self.data.matrix.indptr))
            self.masks[self.data.matrix.indices, rows] = True
        masks, queries = self.masks, self.data.counts

        def run(at):
            a, b, c, d = queries[at]
            return int(np.count_nonzero(masks[a] & (masks[b] | masks[c]) & ~masks[d]))

        return run

    def category_facet(self):
        def run(at):
            return np.bincount(self.codes[self.data.half(at)], minlength=len(self.names))

        return run

    def scan(self):
        vectors, queries = self.data.vectors, self.data.queries
        last = self.data.rows - self.data.limit

        def run(at):
            scores = vectors @ queries[at]
            hits = np.flatnonzero(scores >= np.partition(scores, last)[last])
            return hits[np.argsort(-scores[hits], kind="stable")][:self.data.limit]

        return run

    def filtered(self, percent):
        def run(at):
            rows = np.flatnonzero(self.data.filtered(percent, at))
            scores = self.data.vectors[rows] @ self.data.queries[at]
            hits = np.argpartition(-scores, self.data.limit)[:self.data.limit]
            return rows[hits[np.argsort(-scores[hits])]]

        return run
