"""Analyses of a collection, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from .. import v1
from ..analyses import (
    Clusters,
    correlation_table,
    diff_tables,
    duplicates_table,
    explained_table,
    hypotheses_table,
    matches_table,
    trends_table,
    unexplained_table,
)
from ..errors import InvalidArgument, warn
from ..filters import Filter, FilterLike, to_filter
from ..progress import Progress, ProgressLike
from ..queries import one_of
from ..results import Table
from .latents import JUDGES, LABELLERS
from .transport import AsyncTransport

M = TypeVar("M", bound=Message)

_MEASURES = {
    "prevalence": v1.DIFF_MEASURE_PREVALENCE,
    "mean": v1.DIFF_MEASURE_MEAN_ACTIVATION,
}
_OVERLAPS = {
    "refuse": v1.DIFF_OVERLAP_REFUSE,
    "drop": v1.DIFF_OVERLAP_DROP,
    "keep": v1.DIFF_OVERLAP_KEEP,
}
_BUCKETS = {
    "values": v1.TREND_BUCKETS_VALUES,
    "hour": v1.TREND_BUCKETS_HOUR,
    "day": v1.TREND_BUCKETS_DAY,
    "week": v1.TREND_BUCKETS_WEEK,
    "month": v1.TREND_BUCKETS_MONTH,
    "quarter": v1.TREND_BUCKETS_QUARTER,
    "year": v1.TREND_BUCKETS_YEAR,
    "bins": v1.TREND_BUCKETS_BINS,
}


class Analysed:
    """The analyses that a collection has."""

    rpc: AsyncTransport
    name: str

    async def _read(
        self, method: str, request: Message, answer: type[M], progress: ProgressLike
    ) -> list[M]:
        """The parts of a stream, without how far it is."""
        bar, parts = Progress(progress, None, "steps"), []
        try:
            async for part in self.rpc.stream(f"AnalysisService/{method}", request, answer):
                how_far = part.progress  # type: ignore[attr-defined]
                if part.WhichOneof("part") == "progress":
                    bar.set(how_far.done, how_far.total)
                else:
                    parts.append(part)
        finally:
            bar.close()
        return parts

    async def diff(
        self,
        a: FilterLike,
        b: FilterLike | None = None,
        *,
        measure: str = "prevalence",
        pair_by: str = "",
        stratify_by: str = "",
        cluster_by: str = "",
        overlap: str = "refuse",
        confirm: float | None = None,
        min_support: int = 0,
        max_p_adjusted: float | None = None,
        min_delta: float | None = None,
        all: bool = False,  # noqa: A002
        limit: int = 0,
        documents: int = 0,
        min_recurrence: float | None = None,
        progress: ProgressLike = None,
    ) -> Table:
        """What sets A and B of documents apart, the largest differences first (Jiang et al. 2025).

        Args:
            a, b: the sets; all documents that are not in A without `b`.
            measure: "prevalence", shares of documents, or "mean", mean activations.
            pair_by: pairs documents with the same value of this attribute: McNemar's test.
            stratify_by: compares documents with the same value only; "length" for words of the text.
            cluster_by: documents with the same value are one cluster.
            overlap: documents of both sets: "refuse" the call, "drop" or "keep" them.
            confirm: finds on one part and tests on the other, of this share.
            all: rows that do not pass too.
            min_recurrence: only latents that come back in SAEs of other seeds at least so often, 0 to 1.

        Returns:
            A row per latent: `delta` with its interval `low` to `high`, `p_adjusted`. `about` has the
            sets' sizes and how many were tested.
        """
        sets = [] if b is None else [v1.NamedSet(filter=to_filter(b, "b"))]
        found = await self.diff_many(
            a,
            sets,
            measure=measure,
            pair_by=pair_by,
            stratify_by=stratify_by,
            cluster_by=cluster_by,
            overlap=overlap,
            confirm=confirm,
            min_support=min_support,
            max_p_adjusted=max_p_adjusted,
            min_delta=min_delta,
            all=all,
            limit=limit,
            documents=documents,
            min_recurrence=min_recurrence,
            progress=progress,
        )
        return found[0]

    async def diff_many(
        self,
        a: FilterLike,
        b: Sequence[v1.NamedSet] | Mapping[str, FilterLike],
        *,
        measure: str = "prevalence",
        pair_by: str = "",
        stratify_by: str = "",
        cluster_by: str = "",
        overlap: str = "refuse",
        confirm: float | None = None,
        min_support: int = 0,
        max_p_adjusted: float | None = None,
        min_delta: float | None = None,
        all: bool = False,  # noqa: A002
        limit: int = 0,
        documents: int = 0,
        min_recurrence: float | None = None,
        progress: ProgressLike = None,
    ) -> list[Table]:
        """A against several sets by their names, each on its own, and their union."""
        if isinstance(b, Mapping):
            b = [v1.NamedSet(name=name, filter=to_filter(own, name)) for name, own in b.items()]
        request = v1.DiffRequest(
            collection=self.name,
            a=to_filter(a, "a"),
            b=b,
            measure=one_of(_MEASURES, measure, "measure"),
            pair_by=pair_by,
            stratify_by=stratify_by,
            cluster_by=cluster_by,
            overlap=one_of(_OVERLAPS, overlap, "overlap"),
            confirm=confirm,
            min_support=min_support,
            min_recurrence=min_recurrence,
            max_p_adjusted=max_p_adjusted,
            min_delta=min_delta,
            all=all,
            limit=limit,
            documents=documents,
        )
        found = diff_tables(await self._read("Diff", request, v1.DiffResponse, progress))
        warn(doubt for table in found for doubt in table.warnings)
        return found

    async def correlate(
        self,
        filter: FilterLike | None = None,  # noqa: A002
        *,
        latents: Sequence[int] = (),
        others: Sequence[int] = (),
        attribute: str = "",
        min_support: int = 0,
        max_label_similarity: float | None = None,
        exclude_adjacent: bool = False,
        stratify_by: str = "",
        all: bool = False,  # noqa: A002
        limit: int = 100,
        min_recurrence: float | None = None,
        progress: ProgressLike = None,
    ) -> Table:
        """What occurs together: latents with latents, or with the values of an attribute.

        Args:
            min_recurrence: only latents that come back in SAEs of other seeds at least so often, 0 to 1.

        Returns:
            A row per pair, highest lower bound of NPMI first.
        """
        request = v1.CorrelateRequest(
            collection=self.name,
            filter=None if filter is None else to_filter(filter),
            latents=latents,
            others=others,
            attribute=attribute,
            min_support=min_support,
            min_recurrence=min_recurrence,
            max_label_similarity=max_label_similarity,
            exclude_adjacent=exclude_adjacent,
            stratify_by=stratify_by,
            all=all,
            limit=limit,
        )
        parts = await self._read("Correlate", request, v1.CorrelateResponse, progress)
        return correlation_table(parts)

    async def explain(
        self,
        target: str | Filter | v1.Filter,
        *,
        latents: int = 0,
        filter: FilterLike | None = None,  # noqa: A002
        held_out: float = 0.3,
        split_by: str = "",
        sample: int = 0,
        seed: int = 0,
        documents: int = 2,
        min_recurrence: float | None = None,
        progress: ProgressLike = None,
    ) -> Table:
        """The few latents that tell an attribute, and how well they do on documents held out.

        Args:
            target: the attribute: a number, a time (in days), or one of 2 to 50 values; or a filter
                (`A.stars > 3`), of which documents are or are not.
            latents: at most so many; 16 when 0.
            held_out: the share of the documents that nothing is fitted on.
            split_by: documents with one value of this attribute are held out together or not at all.
            sample: documents that the fit reads at most; 100,000 when 0.
            documents: how many of each latent come with it.
            min_recurrence: only latents that come back in SAEs of other seeds at least so often, 0 to 1.

        Returns:
            A row for each latent; `about` has the scores: `about["held_out"]`, those of a ridge on the
            vectors (`dense`) and of the length of texts alone (`length`), and the cross-validated
            `path` by number of latents.

        Raises:
            InvalidArgument: a target of several kinds, or of too many classes.
            PreconditionFailed: a target of one value, or of too few documents.
        """
        if not held_out > 0:
            raise InvalidArgument(f"is {held_out}; a share above 0 is accepted", field="held_out")
        request = v1.ExplainRequest(
            collection=self.name,
            filter=None if filter is None else to_filter(filter),
            target=target if isinstance(target, str) else "",
            target_filter=None if isinstance(target, str) else to_filter(target, "target"),
            latents=latents,
            held_out=held_out,
            split_by=split_by,
            sample=sample,
            seed=seed,
            documents=documents,
            min_recurrence=min_recurrence,
        )
        return explained_table(await self._read("Explain", request, v1.ExplainResponse, progress))

    async def hypothesise(
        self,
        a: FilterLike | None = None,
        b: FilterLike | None = None,
        *,
        names: tuple[str, str] = ("A", "B"),
        axis: Sequence[str] = (),
        clusters: int = 0,
        pairs: bool = False,
        with_latents: Sequence[int] = (),
        filter: FilterLike | None = None,  # noqa: A002
        latents: int = 0,
        max_p_adjusted: float = 0.05,
        confirm: float = 0.5,
        split_by: str = "",
        overlap: str = "refuse",
        labeller: str = "keyphrase",
        labeller_model: str = "",
        judge: str = "similarity",
        judge_model: str = "",
        judge_encoder: str = "",
        tokens: int = 0,
        judged: int = 0,
        seed: int = 0,
        documents: int = 2,
        min_recurrence: float | None = None,
        progress: ProgressLike = None,
    ) -> Table:
        """Says in words what sets documents apart, and tests that on documents held back.

        Of two sets (`a`, `b`), of the clusters along an `axis`, or of correlated latents (`pairs`): the latents
        that differ most on one half of the documents are labelled there (the labels they have where those
        tell the sets' texts apart, new ones otherwise), and a judge reads documents of the other half.

        Args:
            b: all documents that are not of `a` when None.
            names: what the two sets are called in the sentences.
            with_latents: only pairs with one of these.
            latents: hypotheses at most; of clusters, of each. 10, and 3 of each cluster, when 0.
            confirm: the share of the documents that is held back.
            labeller: "keyphrase", "chat" (the server's endpoint) or "local" (a model in the server).
            judge: "similarity", "chat" or "local".
            tokens: what the chat endpoint may count at most; where that runs out, what was not judged is None.
            judged: documents judged of each set; 1,000 where similarity judges and 50 where a model does,
                when 0.
            min_recurrence: only latents that come back in SAEs of other seeds at least so often, 0 to 1.

        Returns:
            A row for each hypothesis: its `sentence`, whether it `holds`, the shares of both sets that show
            it, their difference `delta` with an interval, `p_adjusted`, and the agreement `kappa` of judge
            and latent. `about` has the sets, the latents `left_out` with reasons, `tokens` and seconds.

        Raises:
            InvalidArgument: not exactly one of `a`, `axis` and `pairs`.
            PreconditionFailed: sets too small, no endpoint or no encoder for the judge.
        """
        if (a is not None) + bool(axis) + pairs != 1:
            raise InvalidArgument("takes exactly one of a, axis and pairs", field="hypothesise")
        request = v1.HypothesiseRequest(
            collection=self.name,
            latents=latents,
            max_p_adjusted=max_p_adjusted,
            confirm=confirm,
            split_by=split_by,
            labeller=one_of(LABELLERS, labeller, "labeller"),
            labeller_model=labeller_model,
            judge=one_of(JUDGES, judge, "judge"),
            judge_model=judge_model,
            judge_encoder=judge_encoder,
            chat=v1.ChatLimits(tokens=tokens),
            judged=judged,
            seed=seed,
            documents=documents,
            min_recurrence=min_recurrence,
        )
        own = None if filter is None else to_filter(filter)
        if a is not None:
            first = v1.NamedSet(name=names[0], filter=to_filter(a, "a"))
            second = None if b is None else v1.NamedSet(name=names[1], filter=to_filter(b, "b"))
            request.sets.CopyFrom(
                v1.ComparedSets(a=first, b=second, overlap=one_of(_OVERLAPS, overlap, "overlap"))
            )
        elif axis:
            request.clusters.CopyFrom(
                v1.ComparedClusters(
                    filter=own,
                    axis=v1.Axis(texts=axis, min_recurrence=min_recurrence),
                    clusters=clusters,
                )
            )
        else:
            request.pairs.CopyFrom(v1.ComparedPairs(filter=own, latents=with_latents))
        parts = await self._read("Hypothesise", request, v1.HypothesiseResponse, progress)
        return hypotheses_table(parts)

    async def match_latents(
        self,
        other: str,
        *,
        min_support: int = 0,
        min_phi: float = 0.5,
        move: Sequence[str] = (),
        replace: bool = False,
        progress: ProgressLike = None,
    ) -> Table:
        """Which latents are which of another SAE: those active in the same documents.

        Args:
            other: another SAE of the collection ("NAME:SAE"), or another collection that holds documents with
                the same ids, whatever its SAE or encoder.
            min_support: documents of both that a latent has to be in; 5 when 0.
            min_phi: correlation of two latents being active from which on they are the same to what moves.
            move: what the other side is given: "labels", "presets", "sets", each to what has counterparts for
                all its latents.
            replace: labels in place of those that it has, too.

        Returns:
            A row for each latent, with the latent that it is matched with one to one (`other`, `phi`), and the
            `nearest`; `about` has the counts, and what `moved` and `stayed`.

        Raises:
            PreconditionFailed: fewer than ten shared documents.
        """
        unknown = set(move) - {"labels", "presets", "sets"}
        if unknown:
            raise InvalidArgument(f"has {unknown}; labels, presets and sets are accepted", field="move")
        request = v1.MatchLatentsRequest(
            collection=self.name, other=other, min_support=min_support, min_phi=min_phi
        )
        if not move:
            parts = await self._read("MatchLatents", request, v1.MatchLatentsResponse, progress)
            return matches_table(parts)
        moving = v1.MoveLatentsRequest(
            matching=request,
            labels="labels" in move,
            replace=replace and "labels" in move,
            presets="presets" in move,
            sets="sets" in move,
        )
        return matches_table(
            await self._read("MoveLatents", moving, v1.MatchLatentsResponse, progress)
        )

    async def trends(
        self,
        attribute: str = "",
        *,
        buckets: str = "values",
        bins: int = 0,
        sets: Mapping[str, FilterLike] | None = None,
        filter: FilterLike | None = None,  # noqa: A002
        min_support: int = 0,
        all: bool = False,  # noqa: A002
        limit: int = 0,
        min_recurrence: float | None = None,
        progress: ProgressLike = None,
    ) -> Table:
        """What rises, falls or breaks along an attribute, or along sets in their order.

        Args:
            buckets: "values", "bins" (so many), or "hour", "day", "week", "month", "quarter", "year".
            sets: instead, sets by their names.
            min_recurrence: only latents that come back in SAEs of other seeds at least so often, 0 to 1.
        """
        if bool(attribute) == bool(sets):
            raise InvalidArgument("takes an attribute, or sets", field="trends")
        request = v1.TrendsRequest(
            collection=self.name,
            filter=None if filter is None else to_filter(filter),
            attribute=attribute,
            buckets=one_of(_BUCKETS, buckets, "buckets"),
            bins=bins,
            sets=[
                v1.NamedSet(name=name, filter=to_filter(own, name))
                for name, own in (sets or {}).items()
            ],
            min_support=min_support,
            min_recurrence=min_recurrence,
            all=all,
            limit=limit,
        )
        return trends_table(await self._read("Trends", request, v1.TrendsResponse, progress))

    async def near_duplicates(
        self,
        filter: FilterLike | None = None,  # noqa: A002
        *,
        threshold: float | None = None,
        min_latents: int = 0,
        limit: int = 0,
        progress: ProgressLike = None,
    ) -> Table:
        """Documents whose latents are nearly the same, by Jaccard similarity (.8)."""
        request = v1.NearDuplicatesRequest(
            collection=self.name,
            filter=None if filter is None else to_filter(filter),
            threshold=threshold,
            min_latents=min_latents,
            limit=limit,
        )
        parts = await self._read("NearDuplicates", request, v1.NearDuplicatesResponse, progress)
        return duplicates_table(parts)

    async def unexplained(
        self,
        filter: FilterLike | None = None,  # noqa: A002
        *,
        limit: int = 0,
        progress: ProgressLike = None,
    ) -> Table:
        """Documents that the collection's SAE explains worst."""
        request = v1.PoorlyExplainedRequest(
            collection=self.name,
            filter=None if filter is None else to_filter(filter),
            limit=limit,
        )
        parts = await self._read("PoorlyExplained", request, v1.PoorlyExplainedResponse, progress)
        return unexplained_table(parts)

    async def cluster(
        self,
        *texts: str,
        latents: Sequence[int] = (),
        families: Sequence[int] = (),
        filter: FilterLike | None = None,  # noqa: A002
        clusters: int = 0,
        seed: int = 0,
        min_recurrence: float | None = None,
        progress: ProgressLike = None,
    ) -> Clusters:
        """Groups documents along an axis: by latents that texts name, those listed, or families.

        `min_recurrence`: texts name only latents that come back in SAEs of other seeds at least so often.
        """
        if not texts and not latents and not families:
            raise InvalidArgument("takes texts, latents or families", field="cluster")
        request = v1.ClusterRequest(
            collection=self.name,
            filter=None if filter is None else to_filter(filter),
            axis=v1.Axis(
                texts=texts, latents=latents, families=families, min_recurrence=min_recurrence
            ),
            clusters=clusters,
            seed=seed,
        )
        parts: list[Any] = await self._read("Cluster", request, v1.ClusterResponse, progress)
        return Clusters(parts)
