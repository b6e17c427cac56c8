"""The files that LatentDB's side writes, and the right answers to its queries."""

import json
import pathlib

import numpy as np
import scipy.sparse


class Data:
    def __init__(self, folder: pathlib.Path):
        def array(name):
            return np.load(folder / f"{name}.npy")

        workload = json.loads((folder / "workload.json").read_text())
        self.limit = workload["limit"]
        self.rankings = {
            work: [(np.array(query["latents"]), np.array(query["weights"], np.float32))
                   for query in workload[work]]
            for work in ("latents", "signed")
        }
        self.counts = workload["counts"]
        self.halves = workload["halves"]
        self.windows = {w["percent"]: (w["width"], w["starts"]) for w in workload["filters"]}
        self.vectors = array("vectors")
        self.queries = array("queries")
        self.positions = array("positions")
        self.categories = json.loads((folder / "categories.json").read_text())
        indptr, indices = array("indptr"), array("indices")
        self.rows = len(indptr) - 1
        self.n_latents = int(indices.max()) + 1
        self.matrix = scipy.sparse.csr_matrix(
            (array("activations"), indices.astype(np.int32), indptr.astype(np.int32)),
            shape=(self.rows, self.n_latents))
        self._nearest = {}

    def half(self, at):
        """The mask of the at-th half."""
        return self.within(self.halves[at], self.rows // 2)

    def filtered(self, percent, at):
        """The mask of the at-th window that allows this share of the rows."""
        width, starts = self.windows[percent]
        return self.within(starts[at], width)

    def within(self, start, width):
        return (self.positions >= start) & (self.positions < start + width)

    def recall(self, work, percent, rows):
        """The share of the right rows among those found: all whose score, in float64, is not below
        that of the last right one, so that ties are right either way."""
        found = 0
        for at, hits in enumerate(rows):
            if work in self.rankings:
                latents, weights = self.rankings[work][at]
                scores = self.matrix[:, latents].astype(np.float64) @ weights.astype(np.float64)
            else:
                scores = self._cosines(at)
            if percent is not None:
                scores = np.where(self.filtered(percent, at), scores, -np.inf)
            least = np.partition(scores, self.rows - self.limit)[self.rows - self.limit]
            found += sum(scores[row] >= least - 1e-5 for row in set(hits))
        return found / (self.limit * len(rows))

    def _cosines(self, at):
        # Computed once: the sweep over beams asks again and again.
        if at not in self._nearest:
            self._nearest[at] = self.vectors @ self.queries[at]
        return self._nearest[at]

    def right_counts(self, count):
        """The first right answers to the boolean counts."""
        columns = self.matrix.tocsc()

        def documents(latent):
            return set(columns.indices[columns.indptr[latent]:columns.indptr[latent + 1]])

        quadruples = (map(documents, latents) for latents in self.counts[:count])
        return [len((a & (b | c)) - d) for a, b, c, d in quadruples]

    def right_latent_facet(self):
        """Of the first half: how many rows activate each latent."""
        return np.bincount(self.matrix[self.half(0)].indices, minlength=self.n_latents)

    def right_category_facet(self):
        """Of the first half: how many rows are of each category."""
        counts = {}
        for row in np.flatnonzero(self.half(0)):
            counts[self.categories[row]] = counts.get(self.categories[row], 0) + 1
        return counts
