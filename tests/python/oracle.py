"""Documents that are random but the same each time, and brute force over them in NumPy."""

import dataclasses
import datetime

import numpy as np

import wire

DIMENSION = 16
N_LATENTS = 64
SOURCES = ("tweets", "films", "products", "news")
VOCABULARY = (
    "battery screen camera lens film actor plot music river mountain city train market vote law "
    "health doctor virus cell galaxy star planet engine wheel road bridge stone garden bread salt "
    "winter summer storm rain paper letter"
).split()
EPOCH = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)


@dataclasses.dataclass
class Item:
    """One document as the oracle knows it."""

    key: str
    text: str | None
    vector: np.ndarray | None
    latents: dict[int, float]
    attributes: dict

    def document(self):
        return wire.document(
            self.key, text=self.text, vec=self.vector, latents=self.latents, **self.attributes
        )


def items(count: int, seed: int, prefix: str = "d") -> list[Item]:
    """Clustered vectors, latents of densities from half to nearly none, attributes of all kinds."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(12, DIMENSION))
    densities = np.geomspace(0.5, 0.002, N_LATENTS)
    made = []
    for at in range(count):
        # Lengths differ: only the direction counts.
        vector = centres[random.integers(12)] + 0.7 * random.normal(size=DIMENSION)
        active = np.flatnonzero(random.random(N_LATENTS) < densities)
        latents = {
            int(latent): float(np.float16(random.gamma(2.0, 0.4) + 0.01)) for latent in active
        }
        attributes = {
            "source": SOURCES[int(random.choice(4, p=[0.5, 0.3, 0.15, 0.05]))],
            "year": int(random.integers(2000, 2026)),
            "score": float(np.round(random.normal(), 3)) + 0.0,
            "day": EPOCH + datetime.timedelta(hours=int(random.integers(0, 10_000))),
            "tags": [str(tag) for tag in random.choice(VOCABULARY, 2, replace=False)],
            "a.b-c": int(random.integers(5)),
        }
        if random.random() < 0.6:
            attributes["flag"] = bool(random.random() < 0.5)
        text = " ".join(random.choice(VOCABULARY, int(random.integers(3, 12))))
        made.append(
            Item(
                key=f"{prefix}{at:05}",
                text=text if random.random() < 0.95 else None,
                vector=vector.astype(np.float32) if random.random() < 0.98 else None,
                latents=latents,
                attributes=attributes,
            )
        )
    return made


class Oracle:
    """Brute force over the living documents of a collection."""

    def __init__(self, living: list[Item]):
        self.items = {item.key: item for item in living}

    def __len__(self):
        return len(self.items)

    def keys(self, test=lambda item: True) -> set[str]:
        return {item.key for item in self.items.values() if test(item)}

    def nearest(self, query, allowed=None) -> dict[str, float]:
        """Cosines of all documents that have a vector."""
        query = np.asarray(query, dtype=np.float64)
        query = query / np.linalg.norm(query)
        scores = {}
        for item in self.among(allowed):
            if item.vector is not None:
                vector = item.vector.astype(np.float64)
                scores[item.key] = float(vector @ query / np.linalg.norm(vector))
        return scores

    def percentile90(self, latent: int) -> float:
        active = [i.latents[latent] for i in self.items.values() if latent in i.latents]
        return float(np.percentile(active, 90))

    def latents(self, weights: dict[int, float], allowed=None, p90=False) -> dict[str, float]:
        """Weighted sums, of documents with at least one of the latents."""
        scale = {at: self.percentile90(at) if p90 else 1.0 for at in weights}
        return {
            item.key: sum(
                weights[at] * item.latents[at] / scale[at] for at in weights if at in item.latents
            )
            for item in self.among(allowed)
            if any(at in item.latents for at in weights)
        }

    def holding(self, text: str, mode: str = "any", allowed=None) -> set[str]:
        """Keys of the documents that hold the words."""
        wanted = text.lower().split()

        def holds(item: Item) -> bool:
            found = (item.text or "").split()
            match mode:
                case "any":
                    return any(word in found for word in wanted)
                case "all":
                    return all(word in found for word in wanted)
                case "phrase":
                    spans = range(len(found) - len(wanted) + 1)
                    return any(found[at : at + len(wanted)] == wanted for at in spans)
            raise ValueError(mode)

        return {item.key for item in self.among(allowed) if holds(item)}

    def among(self, allowed) -> list[Item]:
        return [i for i in self.items.values() if allowed is None or i.key in allowed]


def best(scores: dict[str, float], count: int) -> list[str]:
    """Keys of the highest scores, best first."""
    return sorted(scores, key=lambda key: -scores[key])[:count]


def check_ranking(hits, scores: dict[str, float], limit: int, tolerance: float = 1e-5):
    """The hits are the `limit` best of `scores`, in order; documents of equal score may swap."""
    expected = sorted(scores.values(), reverse=True)[:limit]
    keys = wire.ids_of(hits)
    assert len(keys) == len(expected)
    assert len(set(keys)) == len(keys)
    assert set(keys) <= set(scores)
    found = [hit.score for hit in hits]
    np.testing.assert_allclose(found, [scores[key] for key in keys], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def reciprocal_ranks(rankings, k: float = 60.0) -> dict[str, float]:
    """Fused scores of (keys best first, weight)."""
    scores: dict[str, float] = {}
    for keys, weight in rankings:
        for rank, key in enumerate(keys, start=1):
            scores[key] = scores.get(key, 0.0) + weight / (k + rank)
    return scores


def min_max(ranking: dict[str, float]) -> dict[str, float]:
    low, high = min(ranking.values()), max(ranking.values())
    return {key: (score - low) / (high - low) for key, score in ranking.items()}


def distribution(ranking: dict[str, float]) -> dict[str, float]:
    scores = np.array(list(ranking.values()))
    low, width = scores.mean() - 3 * scores.std(), 6 * scores.std()
    return {key: float(np.clip((s - low) / width, 0, 1)) for key, s in ranking.items()}
