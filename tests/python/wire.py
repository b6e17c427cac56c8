"""Short ways to write wire messages."""

import datetime

import numpy as np

from stubs import v1


def value(content) -> "v1.Value":
    """An attribute's value of the kind of a Python value."""
    match content:
        case bool():
            return v1.Value(boolean=content)
        case int():
            return v1.Value(integer=content)
        case float():
            return v1.Value(float=content)
        case str():
            return v1.Value(string=content)
        case datetime.datetime():
            made = v1.Value()
            made.timestamp.FromDatetime(content)
            return made
        case list():
            return v1.Value(list=v1.ValueList(values=[value(entry) for entry in content]))
    raise TypeError(f"{content!r} is no attribute")


def plain(wire: "v1.Value"):
    """The Python value of an attribute's value."""
    match wire.WhichOneof("kind"):
        case "timestamp":
            return wire.timestamp.ToDatetime(tzinfo=datetime.UTC)
        case "list":
            return [plain(entry) for entry in wire.list.values]
        case kind:
            return getattr(wire, kind)


def attributes(document) -> dict:
    return {name: plain(wire) for name, wire in document.attributes.items()}


def vector(values) -> "v1.Vector":
    return v1.Vector(values=np.asarray(values, dtype=np.float32))


def activations(pairs) -> "v1.Activations":
    """Latents from a dict or pairs of latent and activation."""
    pairs = pairs.items() if isinstance(pairs, dict) else pairs
    return v1.Activations(
        values=[v1.Activation(latent=int(at), activation=float(a)) for at, a in pairs]
    )


def document(key: str, *, text=None, vec=None, latents=None, **named) -> "v1.Document":
    return v1.Document(
        id=key,
        text=text,
        vector=None if vec is None else vector(vec),
        latents=None if latents is None else activations(latents),
        attributes={name: value(content) for name, content in named.items()},
    )


def row(document) -> dict[int, float]:
    """A document's latents as a dict."""
    return {entry.latent: entry.activation for entry in document.latents.values}


EVERYTHING = v1.Everything()
EVERYTHING_FILTER = v1.Filter(all=EVERYTHING)
ALL_PARTS = v1.Projection(text=True, attributes=True, vector=True, latents=True)
IDS_ONLY = v1.Projection()
BY_LATENTS = v1.Facet(latents=EVERYTHING)


# Filters.


def expr(text: str) -> "v1.Filter":
    return v1.Filter(expression=text)


def every(*filters) -> "v1.Filter":
    made = v1.Filter()
    made.all_of.SetInParent()
    made.all_of.filters.extend(filters)
    return made


def either(*filters) -> "v1.Filter":
    made = v1.Filter()
    made.any_of.SetInParent()
    made.any_of.filters.extend(filters)
    return made


def neither(described) -> "v1.Filter":
    made = v1.Filter()
    made.negated.CopyFrom(described)
    return made


def has_latent(number: int, **bounds) -> "v1.Filter":
    return v1.Filter(latent=v1.LatentFilter(latent=number, **bounds))


def equals(name: str, content) -> "v1.Filter":
    return v1.Filter(attribute=v1.AttributeFilter(name=name, equals=value(content)))


def one_of(name: str, contents) -> "v1.Filter":
    test = v1.AttributeFilter(name=name)
    test.one_of.values.extend(value(content) for content in contents)
    return v1.Filter(attribute=test)


def between(name: str, **bounds) -> "v1.Filter":
    limits = v1.Range(**{bound: value(content) for bound, content in bounds.items()})
    return v1.Filter(attribute=v1.AttributeFilter(name=name, range=limits))


def exists(name: str) -> "v1.Filter":
    return v1.Filter(attribute=v1.AttributeFilter(name=name, exists=EVERYTHING))


def with_ids(*ids: str) -> "v1.Filter":
    return v1.Filter(ids=v1.IdFilter(ids=ids))


def like(name: str, pattern: str, ignore_case=False) -> "v1.Filter":
    """Of an attribute, or of the ids where `name` is `id`."""
    test = v1.Pattern(pattern=pattern, ignore_case=ignore_case)
    if name == "id":
        return v1.Filter(ids=v1.IdFilter(like=test))
    return v1.Filter(attribute=v1.AttributeFilter(name=name, like=test))


def ids_between(**bounds) -> "v1.Filter":
    limits = v1.Range(**{bound: value(content) for bound, content in bounds.items()})
    return v1.Filter(ids=v1.IdFilter(range=limits))


def words(text: str, mode=v1.TEXT_MODE_ANY) -> "v1.Filter":
    return v1.Filter(text=v1.TextFilter(text=text, mode=mode))


def saved(name: str) -> "v1.Filter":
    return v1.Filter(saved_set=name)


# Facets.


def histogram(name: str, *, then=None, limit=0, **buckets) -> "v1.Facet":
    """With `width`, `calendar` or `quantiles`."""
    asked = v1.HistogramFacet(attribute=name, **buckets)
    return v1.Facet(histogram=asked, then=then, limit=limit)


def statistics(name: str, quantiles=(), **fields) -> "v1.Facet":
    asked = v1.StatisticsFacet(attribute=name, quantiles=quantiles)
    return v1.Facet(statistics=asked, **fields)


# Queries. `node` holds what every node can have: filter and name.


def near(target, *, steer=(), exact=False, ef=0, **node) -> "v1.Query":
    """Near to a vector (array), or to a stored document (its id)."""
    to = {"document": target} if isinstance(target, str) else {"vector": vector(target)}
    return v1.Query(nearest=v1.NearestQuery(steer=steer, exact=exact, ef=ef, **to), **node)


def near_text(text: str, *, steer=(), **node) -> "v1.Query":
    return v1.Query(nearest=v1.NearestQuery(text=text, steer=steer), **node)


def weighted(weights: dict, scale=v1.ACTIVATION_SCALE_RAW, **node) -> "v1.Query":
    entries = [v1.LatentWeight(latent=int(at), weight=float(w)) for at, w in weights.items()]
    return v1.Query(latents=v1.LatentsQuery(weights=entries, scale=scale), **node)


def bm25(text: str, mode=v1.TEXT_MODE_ANY, **node) -> "v1.Query":
    return v1.Query(text=v1.TextQuery(text=text, mode=mode), **node)


def fused(*children, method=v1.FUSION_METHOD_RECIPROCAL_RANK, depth=0, k=None, **node):
    """Children are queries, or pairs of query and weight."""
    pairs = [child if isinstance(child, tuple) else (child, None) for child in children]
    entries = [v1.FusionChild(query=query, weight=weight) for query, weight in pairs]
    fusion = v1.FusionQuery(children=entries, method=method, depth=depth, rank_constant=k)
    return v1.Query(fusion=fusion, **node)


def without(query, minus, top=0, **node) -> "v1.Query":
    made = v1.Query(**node)
    made.excluding.CopyFrom(v1.ExceptQuery(query=query, minus=minus, top=top))
    return made


def matching(described=None, *, order=(), seed=None, **node) -> "v1.Query":
    """Keys of the order are names of attributes or `id`, with a minus where they descend."""
    keys = []
    for key in order:
        by = key.removeprefix("-")
        what = {"id": EVERYTHING} if by == "id" else {"attribute": by}
        keys.append(v1.OrderKey(descending=key.startswith("-"), **what))
    query = v1.MatchingQuery(order=keys, sample_seed=seed)
    return v1.Query(matching=query, filter=described, **node)


def ids_of(hits) -> list[str]:
    return [hit.document.id for hit in hits]
