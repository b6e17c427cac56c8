"""The collection that tests of reading share: several segments, replaced and deleted documents."""

import dataclasses

import pytest

import oracle
from harness import Api
from stubs import v1


@dataclasses.dataclass
class Corpus:
    """A collection and what must be in it."""

    api: Api
    name: str
    oracle: oracle.Oracle

    def search(self, query, **fields):
        return self.api.search(self.name, query, **fields)

    def keys(self, described) -> set[str]:
        return {found.id for found in self.api.scroll(self.name, described)}

    def count(self, described) -> int:
        return self.api.count(self.name, described)


def build(api: Api, name: str, count: int = 2000, seed: int = 11) -> Corpus:
    """Random documents, a twentieth of them replaced and a twentieth deleted."""
    api.create(name, dimension=oracle.DIMENSION, n_latents=oracle.N_LATENTS)
    made = oracle.items(count, seed)
    api.upsert(name, [item.document() for item in made], batch=450)
    changed = oracle.items(count, seed + 1)[::20]
    api.upsert(name, [item.document() for item in changed])
    deleted = [item.key for item in made[7::20]]
    request = v1.DeleteRequest(collection=name, ids=deleted)
    assert api.documents.Delete(request).deleted == len(deleted)
    living = {item.key: item for item in made} | {item.key: item for item in changed}
    for key in deleted:
        del living[key]
    return Corpus(api, name, oracle.Oracle(list(living.values())))


@pytest.fixture(scope="session")
def corpus(api) -> Corpus:
    """For reading only."""
    return build(api, "corpus")
