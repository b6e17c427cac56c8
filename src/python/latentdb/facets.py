"""What documents are counted by.

>>> facet = histogram("date", calendar="month", then=statistics("stars"))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from . import v1
from .errors import InvalidArgument
from .queries import one_of

__all__ = ["FacetLike", "histogram", "latents", "statistics", "values"]

# A facet, or an attribute whose values are counted.
FacetLike = Union[v1.Facet, str]


def to_facet(given: FacetLike, field: str = "facets") -> v1.Facet:
    """The message of a facet or of an attribute's name."""
    if isinstance(given, v1.Facet):
        return given
    if isinstance(given, str):
        return values(given)
    raise InvalidArgument(
        f"is {type(given).__name__}; an attribute, or values, latents, histogram or statistics of "
        "latentdb.facets is accepted",
        field=field,
    )


def _with(facet: v1.Facet, then: FacetLike | None) -> v1.Facet:
    if then is not None:
        facet.then.CopyFrom(to_facet(then, "then"))
    return facet


def values(attribute: str, *, limit: int = 0, then: FacetLike | None = None) -> v1.Facet:
    """Values of an attribute, most frequent first; 20 when `limit` is 0."""
    return _with(v1.Facet(attribute=attribute, limit=limit), then)


def latents(*, limit: int = 0, then: FacetLike | None = None) -> v1.Facet:
    """Active latents, most frequent first; 20 when `limit` is 0."""
    return _with(v1.Facet(latents=v1.Everything(), limit=limit), then)


_UNITS = {
    "hour": v1.CALENDAR_UNIT_HOUR,
    "day": v1.CALENDAR_UNIT_DAY,
    "week": v1.CALENDAR_UNIT_WEEK,
    "month": v1.CALENDAR_UNIT_MONTH,
    "quarter": v1.CALENDAR_UNIT_QUARTER,
    "year": v1.CALENDAR_UNIT_YEAR,
}


def histogram(
    attribute: str,
    *,
    width: float | None = None,
    calendar: str | None = None,
    quantiles: int | None = None,
    then: FacetLike | None = None,
) -> v1.Facet:
    """Buckets of an attribute's numbers or times.

    Args:
        width: of this width; of times in seconds.
        calendar: by "hour", "day", "week", "month", "quarter" or "year", in UTC.
        quantiles: so many buckets of as many values each.
    """
    if (width is not None) + (calendar is not None) + (quantiles is not None) != 1:
        raise InvalidArgument("takes one of width, calendar and quantiles", field="histogram")
    message = v1.HistogramFacet(attribute=attribute)
    if width is not None:
        message.width = width
    elif calendar is not None:
        message.calendar = one_of(_UNITS, calendar, "calendar")
    elif quantiles is not None:
        message.quantiles = quantiles
    return _with(v1.Facet(histogram=message), then)


def statistics(attribute: str, *, quantiles: Sequence[float] = ()) -> v1.Facet:
    """Count, minimum, maximum, mean, sum, deviation and quantiles (quartiles) of an attribute."""
    message = v1.StatisticsFacet(attribute=attribute, quantiles=list(quantiles))
    return v1.Facet(statistics=message)
