"""Queries: nodes of a tree that rank documents.

A query is made by these functions, narrowed by `where`, and named by `named`:

>>> query = fuse(nearest("late parcels", steer={812: 2.0}), text("delivery"), weights=[2, 1])
>>> query = query.where("stars >= 4")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Union

import numpy as np

from . import v1
from .errors import InvalidArgument
from .filters import Filter, FilterLike, Words, text, to_filter
from .values import latent_number, to_vector

__all__ = [
    "Concept",
    "Edit",
    "Examples",
    "FamilyEdit",
    "Query",
    "QueryLike",
    "Steer",
    "bm25",
    "excluding",
    "fuse",
    "latents",
    "matching",
    "nearest",
    "property",
    "text",
]


class Query:
    """A node of the query tree; see the functions of this module."""

    __slots__ = ("message",)

    def __init__(self, message: v1.Query) -> None:
        self.message = message

    def where(self, filter: FilterLike) -> Query:
        """The same query over the documents of a filter, which holds for all nodes below too."""
        copy = v1.Query()
        copy.CopyFrom(self.message)
        described = to_filter(filter)
        if self.message.HasField("filter"):
            described = (Filter(self.message.filter) & Filter(described)).message
        copy.filter.CopyFrom(described)
        return Query(copy)

    def named(self, name: str) -> Query:
        """The same query with a name for what it gives to hits (`Hit.why`)."""
        copy = v1.Query()
        copy.CopyFrom(self.message)
        copy.name = name
        return Query(copy)

    def __repr__(self) -> str:
        return f"<Query {self.message.WhichOneof('kind')}>"


# A query; words; a text to be near to; weights of latents; a vector.
QueryLike = Union[Query, Words, str, v1.Query, Mapping[int, float], Sequence[float], np.ndarray]


def to_query(given: Any, field: str = "query") -> v1.Query:
    """The message of a query.

    A string is a text to be near to, a mapping weights of latents, an array a vector to be near to.
    """
    if isinstance(given, Query):
        return given.message
    if isinstance(given, v1.Query):
        return given
    if isinstance(given, Words):
        return bm25(given).message
    if isinstance(given, (str, np.ndarray)):
        return nearest(given).message
    if isinstance(given, Filter):
        return matching().where(given).message
    if isinstance(given, Mapping):
        return latents(given).message
    if isinstance(given, Sequence):
        return nearest(given).message
    raise InvalidArgument(
        f"is {type(given).__name__}; a query, a text, a vector or weights of latents is accepted",
        field=field,
    )


class Edit:
    """One edit of a query in the space of concepts; the amounts exclude each other.

    Args:
        latent: the latent that is edited.
        add: adds so many times its unit decoder direction to the query's vector.
        boost: leaves the vector alone and adds so many times a / p90 to a document's score, in units
            of the spread of the query's own scores. Negative turns the concept down.
        scale: multiplies its activation and decodes again.
        set: sets its activation and decodes again.
        zero: sets it to zero.
        unit: what `add` and `set` count in: "raw", or "p90" of the latent's activations.
    """

    __slots__ = ("message",)

    def __init__(self, latent: int = 0, **edit: Any) -> None:
        self.message = _edit(v1.SteerEdit(latent=latent), **edit)


class Concept(Edit):
    """An edit of the latents that a text names, by their labels and centroids."""

    __slots__ = ()

    def __init__(self, name: str, *, latents: int = 3, **edit: Any) -> None:
        self.message = _edit(v1.SteerEdit(concept=name, concept_latents=latents), **edit)


class FamilyEdit(Edit):
    """An edit of a family of latents, by its root."""

    __slots__ = ()

    def __init__(self, root: int, **edit: Any) -> None:
        self.message = _edit(v1.SteerEdit(family=root), **edit)


class Examples(Edit):
    """An edit of the latents that are stronger in these documents than in the collection."""

    __slots__ = ()

    def __init__(self, ids: Sequence[str], **edit: Any) -> None:
        self.message = _edit(v1.SteerEdit(examples=list(ids)), **edit)


_UNITS = {"raw": v1.STEER_UNIT_RAW, "p90": v1.STEER_UNIT_P90}


def _edit(
    message: v1.SteerEdit,
    *,
    add: float | None = None,
    boost: float | None = None,
    scale: float | None = None,
    set: float | None = None,  # noqa: A002
    zero: bool = False,
    unit: str = "raw",
) -> v1.SteerEdit:
    amounts = {"add": add, "boost": boost, "scale": scale, "set": set}
    given = {name: amount for name, amount in amounts.items() if amount is not None}
    if len(given) + zero != 1:
        raise InvalidArgument(
            f"has {len(given) + zero} amounts; one of add, boost, scale, set and zero is accepted",
            field="steer",
        )
    message.unit = one_of(_UNITS, unit, "steer.unit")
    for name, amount in given.items():
        setattr(message, name, amount)
    if zero:
        message.zero.SetInParent()
    return message


# Latents or concepts and how far they are turned up; or edits.
Steer = Union[Mapping[Union[int, str], float], Edit, Sequence[Edit]]


def to_edits(steer: Steer | None) -> list[v1.SteerEdit]:
    """Edits: `{812: 2.0, "theory": -1}` boosts the latent and turns the concept down."""
    if steer is None:
        return []
    if isinstance(steer, Edit):
        return [steer.message]
    if isinstance(steer, Mapping):
        edits: list[Edit] = []
        for what, amount in steer.items():
            if isinstance(what, str):
                edits.append(Concept(what, boost=float(amount)))
            else:
                edits.append(Edit(latent_number(what, "steer"), boost=float(amount)))
        return [edit.message for edit in edits]
    for at, edit in enumerate(steer):
        if not isinstance(edit, Edit):
            raise InvalidArgument(
                f"is {type(edit).__name__}; a mapping of latents to amounts, or a list of Edit, "
                "Concept, FamilyEdit and Examples is accepted",
                field=f"steer[{at}]",
            )
    return [edit.message for edit in steer]


def one_of(known: Mapping[str, Any], name: str, field: str) -> Any:
    """The entry of a name, or an error that says which names there are."""
    if name not in known:
        names = ", ".join(map(repr, known))
        raise InvalidArgument(f"is {name!r}; one of {names} is accepted", field=field)
    return known[name]


def nearest(
    to: str | Sequence[float] | np.ndarray | None = None,
    *,
    document: str | None = None,
    steer: Steer | None = None,
    presets: Mapping[str, float] | None = None,
    exact: bool = False,
    ef: int = 0,
    consistent_steps: int = 0,
) -> Query:
    """Documents by the cosine of their vectors with that of a text, a vector or a document.

    Args:
        to: a text, which the collection's encoder turns into a vector, or a vector, shape (d,).
        document: instead, the id of a stored document.
        steer: edits in the space of concepts: `{812: 2.0}` turns a latent up, `{"theory": -1}` a
            concept down, both by boosts; `Edit(812, add=.5)` and its neighbours say more.
        presets: saved edits and how strongly they are used.
        exact: compare with every document instead of walking the graph.
        ef: beam of the graph search, 1 to 10,000; 100 when 0.
        consistent_steps: steps that make the steered vector's code agree with the edited one.
    """
    message = v1.NearestQuery(
        steer=to_edits(steer),
        exact=exact,
        ef=ef,
        consistent_steps=consistent_steps,
        presets=[v1.PresetUse(name=n, strength=s) for n, s in (presets or {}).items()],
    )
    if (to is None) == (document is None):
        raise InvalidArgument(
            "is given twice or not at all; a text or vector, or document=ID, is accepted",
            field="nearest",
        )
    if document is not None:
        message.document = document
    elif isinstance(to, str):
        message.text = to
    else:
        message.vector.CopyFrom(to_vector(to, "nearest"))
    return Query(v1.Query(nearest=message))


_SCALES = {"raw": v1.ACTIVATION_SCALE_RAW, "p90": v1.ACTIVATION_SCALE_P90}


def latents(
    weights: Mapping[int, float], *, scale: str = "raw", idf: bool = False, bm25: bool = False
) -> Query:
    """Documents by a weighted sum of activations; negative weights do not want a latent.

    Args:
        weights: `{812: 1.0, 91: -0.5}`, at most 4,096.
        scale: what activations are divided by: "raw", nothing, or "p90", their 90th percentile.
        idf: multiply weights by the latents' inverse document frequency, ln((N - df + .5) / (df + .5))
            and not below 0: rare latents tell more.
        bm25: score by BM25 with activations as frequencies instead.
    """
    found = [
        v1.LatentWeight(latent=latent_number(n, "latents"), weight=float(w))
        for n, w in weights.items()
    ]
    message = v1.LatentsQuery(weights=found, scale=one_of(_SCALES, scale, "scale"), idf=idf)
    if bm25:
        message.bm25.SetInParent()
    return Query(v1.Query(latents=message))


_MODES = {
    "any": v1.TEXT_MODE_ANY,
    "all": v1.TEXT_MODE_ALL,
    "phrase": v1.TEXT_MODE_PHRASE,
    "prefix": v1.TEXT_MODE_PREFIX,
    "fuzzy": v1.TEXT_MODE_FUZZY,
}


def bm25(words: str | Words, *, mode: str = "any") -> Query:
    """Documents by BM25 of their texts. Of words as filters make them, `text` ranks documents with
    any of its words, the others those that pass."""
    if isinstance(words, Words):
        kept = v1.TEXT_MODE_ANY if words.of.mode == v1.TEXT_MODE_ALL else words.of.mode
        return Query(v1.Query(text=v1.TextQuery(text=words.of.text, mode=kept)))
    return Query(v1.Query(text=v1.TextQuery(text=words, mode=one_of(_MODES, mode, "mode"))))


_SELECTIONS = {
    "centroids": v1.PROPERTY_SELECTION_CENTROIDS,
    "labels": v1.PROPERTY_SELECTION_LABELS,
    "both": v1.PROPERTY_SELECTION_BOTH,
}
_SCORERS = {
    "ranks": v1.PROPERTY_SCORER_RANKS,
    "bm25": v1.PROPERTY_SCORER_BM25,
    "dot": v1.PROPERTY_SCORER_DOT,
}


def property(  # noqa: A001
    text: str | None = None,
    *,
    own_latents_of: str | None = None,
    positive: Sequence[str] = (),
    negative: Sequence[str] = (),
    selection: str = "centroids",
    candidates: int = 0,
    kept: int = 0,
    temperature: float | None = None,
    scorer: str = "ranks",
) -> Query:
    """Documents with a property, through latents chosen for it (Jiang et al. 2025).

    Args:
        text: the property in words: "complains about delivery".
        own_latents_of: instead, a text whose own latents stand for it.
        positive, negative: instead, ids of documents that have it and have not.
        selection: what the text is compared with: latents' "centroids", "labels", or "both".
        candidates, kept: latents chosen (100), and the best of them that are kept (all; of examples 50).
        temperature: small values trust the first latents alone; .3.
        scorer: "ranks", "bm25" or "dot".
    """
    message = v1.PropertyQuery(
        selection=one_of(_SELECTIONS, selection, "selection"),
        candidates=candidates,
        kept=kept,
        scorer=one_of(_SCORERS, scorer, "scorer"),
    )
    if temperature is not None:
        message.temperature = temperature
    if (text is not None) + (own_latents_of is not None) + bool(positive) != 1:
        raise InvalidArgument("takes one of text, own_latents_of and positive", field="property")
    if text is not None:
        message.text = text
    elif own_latents_of is not None:
        message.own_latents_of = own_latents_of
    else:
        message.examples.positive.extend(positive)
        message.examples.negative.extend(negative)
    return Query(v1.Query(property=message))


_METHODS = {
    "rrf": v1.FUSION_METHOD_RECIPROCAL_RANK,
    "min_max": v1.FUSION_METHOD_MIN_MAX,
    "distribution": v1.FUSION_METHOD_DISTRIBUTION,
    "linear": v1.FUSION_METHOD_LINEAR,
    "standard": v1.FUSION_METHOD_STANDARD,
}


def fuse(
    *queries: QueryLike,
    weights: Sequence[float] | None = None,
    method: str = "rrf",
    rank_constant: float | None = None,
    depth: int = 0,
) -> Query:
    """Several rankings made one.

    Args:
        weights: one per query; 1 each when absent.
        method: "rrf" by ranks, "min_max" and "distribution" by scores of each ranking's hits,
            "linear" and "standard" by scores of every document on every query.
        rank_constant: k of "rrf"; 60.
        depth: hits taken from each; 1,000 when 0.
    """
    if weights is not None and len(weights) != len(queries):
        raise InvalidArgument(
            f"has {len(weights)} entries for {len(queries)} queries", field="weights"
        )
    children = []
    for at, query in enumerate(queries):
        child = v1.FusionChild(query=to_query(query, f"queries[{at}]"))
        if weights is not None:
            child.weight = weights[at]
        children.append(child)
    message = v1.FusionQuery(
        children=children, method=one_of(_METHODS, method, "method"), depth=depth
    )
    if rank_constant is not None:
        message.rank_constant = rank_constant
    return Query(v1.Query(fusion=message))


def excluding(query: QueryLike, minus: QueryLike, *, top: int = 0) -> Query:
    """The hits of one query that are not among the best `top` (100) of another."""
    message = v1.ExceptQuery(query=to_query(query), minus=to_query(minus, "minus"), top=top)
    return Query(v1.Query(excluding=message))


def matching(
    *order: str, sample_seed: int | None = None, filter: FilterLike | None = None
) -> Query:
    """Every document of a filter, in an order: `matching("-stars", "id")`.

    Args:
        order: attributes, or "id"; "-" before a name descends. Without, the order of writing.
        sample_seed: instead, at random; the first n hits are a sample without replacement.
    """
    keys = []
    for name in order:
        if not isinstance(name, str):
            raise InvalidArgument(
                f"is {type(name).__name__}; names of attributes are accepted, and filter= for which "
                "documents",
                field="matching",
            )
        descending, name = name.startswith("-"), name.lstrip("-")
        key = v1.OrderKey(descending=descending)
        if name == "id":
            key.id.SetInParent()
        else:
            key.attribute = name
        keys.append(key)
    message = v1.MatchingQuery(order=keys)
    if sample_seed is not None:
        message.sample_seed = sample_seed
    query = Query(v1.Query(matching=message))
    return query if filter is None else query.where(filter)
