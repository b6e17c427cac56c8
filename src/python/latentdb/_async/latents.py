"""The latents of a collection: what they mean, what shows them, what they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import v1
from ..errors import InvalidArgument
from ..progress import Progress, ProgressLike
from ..queries import one_of
from ..results import Record, Table, fields_of
from .transport import AsyncTransport

_MODES = {
    "default": v1.LABEL_SEARCH_MODE_DEFAULT,
    "meaning": v1.LABEL_SEARCH_MODE_MEANING,
    "words": v1.LABEL_SEARCH_MODE_WORDS,
}
LABELLERS = {
    "keyphrase": v1.LABELLER_KIND_KEYPHRASE,
    "chat": v1.LABELLER_KIND_CHAT,
    "local": v1.LABELLER_KIND_LOCAL,
}
JUDGES = {
    "similarity": v1.JUDGE_KIND_SIMILARITY,
    "chat": v1.JUDGE_KIND_CHAT,
    "local": v1.JUDGE_KIND_LOCAL,
}
_ORDERS = {"documents": v1.LATENT_ORDER_DOCUMENTS, "number": v1.LATENT_ORDER_NUMBER}


# Activations and the documents that have them, strongest first.
Examples = list[tuple[float, Record]]


class Latent:
    """A latent: how often and how strongly it fires, what it is called, and on what."""

    def __init__(self, message: v1.Latent) -> None:
        self.message = message

    @property
    def number(self) -> int:
        return self.message.summary.latent

    @property
    def label(self) -> str:
        """Its current label; empty where it has none."""
        return self.message.summary.label.text

    @property
    def documents(self) -> int:
        """Documents in which it is active."""
        return self.message.summary.documents

    @property
    def density(self) -> float:
        """The same as a share of the collection."""
        return self.message.summary.density

    @property
    def quantiles(self) -> dict[float, float]:
        """Quantiles of its non-zero activations."""
        at = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
        return dict(zip(at, self.message.quantiles))

    @property
    def examples(self) -> Examples:
        """Documents with the strongest activations, strongest first."""
        return [(own.activation, Record(own.document)) for own in self.message.documents]

    @property
    def nearest(self) -> Table:
        """Latents with the nearest decoder directions."""
        return _related(self.message.nearest)

    @property
    def co_occurring(self) -> Table:
        """Latents that fire in the same documents more often than chance, by NPMI."""
        return _related(self.message.co_occurring)

    @property
    def attributes(self) -> Table:
        """Attribute values that its documents have more often than all documents."""
        return Table([fields_of(own) for own in self.message.attributes])

    def __repr__(self) -> str:
        lines = [f"{self.number}: {self.label or 'no label'}, {self.documents} documents"]
        lines += [f"  {value:.3g}  {(own.text or own.id)[:80]}" for value, own in self.examples]
        return "\n".join(lines)


def _related(related: Sequence[v1.RelatedLatent]) -> Table:
    return Table([{**fields_of(own), "label": own.label.text} for own in related])


class AsyncLatents:
    """The latents of one SAE of a collection."""

    def __init__(self, rpc: AsyncTransport, collection: str) -> None:
        self._rpc = rpc
        self._collection = collection

    async def get(
        self, latent: int, *, documents: int = 5, random_documents: int = 0, related: int = 5
    ) -> Latent:
        """One latent, with documents that show it and what it goes with.

        Raises:
            NotFound, InvalidArgument: where there is no such latent.
        """
        request = v1.GetLatentRequest(
            collection=self._collection,
            latent=latent,
            documents=documents,
            random_documents=random_documents,
            related=related,
        )
        return Latent(await self._rpc.unary("LatentService/GetLatent", request, v1.Latent))

    # sync only: def __getitem__(self, latent: int) -> Latent:
    # sync only:     """As `get`."""
    # sync only:     return self.get(latent)

    async def find(self, text: str, *, limit: int = 0, mode: str = "default") -> Table:
        """Latents whose labels are about a text, best first; 10 without a limit.

        Args:
            mode: "meaning", by the collection's encoder, "words", or the former where there is one.
        """
        request = v1.SearchLabelsRequest(
            collection=self._collection, text=text, limit=limit, mode=one_of(_MODES, mode, "mode")
        )
        found = await self._rpc.unary(
            "LatentService/SearchLabels", request, v1.SearchLabelsResponse
        )
        rows = [
            {
                "latent": own.latent,
                "label": own.label.text,
                "score": own.score,
                "documents": own.documents,
            }
            for own in found.labels
        ]
        return Table(rows, warnings=found.warnings, bars=("label", "score"), title=text)

    async def labels(self) -> dict[int, str]:
        """The current labels by latent."""
        labels: dict[int, str] = {}
        request = v1.ListLabelsRequest(collection=self._collection)
        async for part in self._rpc.stream(
            "LatentService/ListLabels", request, v1.ListLabelsResponse
        ):
            labels.update((own.latent, own.label.text) for own in part.labels)
        return labels

    async def set_labels(self, labels: Mapping[int, str], *, source: str = "") -> int:
        """Names latents: all or none; the former labels are kept as versions."""
        entries = [
            v1.LabelEntry(latent=int(latent), text=text, source=source)
            for latent, text in labels.items()
        ]
        request = v1.SetLabelsRequest(collection=self._collection, labels=entries)
        found = await self._rpc.unary("LatentService/SetLabels", request, v1.SetLabelsResponse)
        return found.written

    async def label(
        self,
        *,
        labeller: str = "keyphrase",
        latents: Sequence[int] = (),
        limit: int = 0,
        model: str = "",
        replace: bool = False,
        again: bool = False,
        progress: ProgressLike = None,
    ) -> dict[int, str]:
        """Has latents named from their documents; gives the labels that were written.

        Args:
            labeller: "keyphrase", "chat" (the server's endpoint) or "local" (a model in the server).
            latents: only these; all when empty.
            limit: at most so many, those with most documents first.
            replace: labels of other sources too; again: those of this labeller too.
        """
        request = v1.LabelLatentsRequest(
            collection=self._collection,
            labeller=one_of(LABELLERS, labeller, "labeller"),
            latents=latents,
            limit=limit,
            model=model,
            replace=replace,
            again=again,
        )
        bar = Progress(progress, None, "latents")
        labels: dict[int, str] = {}
        try:
            async for part in self._rpc.stream(
                "LatentService/LabelLatents", request, v1.LabelLatentsProgress
            ):
                bar.set(part.done, part.total)
                labels.update((own.latent, own.label.text) for own in part.labels)
        finally:
            bar.close()
        return labels

    async def score(
        self,
        *,
        judge: str = "similarity",
        latents: Sequence[int] = (),
        sample: int = 0,
        documents: int = 0,
        judge_encoder: str = "",
        progress: ProgressLike = None,
    ) -> Table:
        """Scores labels on held-out documents; medians are in `about`.

        `documents` of each side are judged per latent: 50 where similarity judges and 10 where a
        language model does, when 0. `judge_encoder` names another encoder than the collection's for
        the judge by similarity.
        """
        request = v1.ScoreLabelsRequest(
            collection=self._collection,
            judge=one_of(JUDGES, judge, "judge"),
            latents=latents,
            sample=sample,
            documents=documents,
            judge_encoder=judge_encoder,
        )
        bar = Progress(progress, None, "labels")
        rows: list[dict[str, Any]] = []
        about: dict[str, Any] = {}
        try:
            async for part in self._rpc.stream(
                "LatentService/ScoreLabels", request, v1.ScoreLabelsProgress
            ):
                bar.set(part.done, part.total)
                rows += [
                    {"latent": own.latent, "label": own.text, **fields_of(own.score)}
                    for own in part.scores
                ]
                if part.HasField("summary"):
                    about = fields_of(part.summary)
        finally:
            bar.close()
        return Table(rows, about=about, bars=("label", "pearson"), title="Label scores")

    async def find_families(self) -> v1.FamiliesResponse:
        """Finds the families of the latents and keeps them in place of those before."""
        request = v1.FindFamiliesRequest(collection=self._collection)
        return await self._rpc.unary("LatentService/FindFamilies", request, v1.FamiliesResponse)

    async def families(self) -> v1.FamiliesResponse:
        """The families that were found last, largest first."""
        request = v1.ListFamiliesRequest(collection=self._collection)
        return await self._rpc.unary("LatentService/ListFamilies", request, v1.FamiliesResponse)

    async def top_documents(self, latent: int, *, limit: int = 10) -> Examples:
        """Documents in which a latent is strongest, at most 100."""
        if not 1 <= limit <= 100:
            raise InvalidArgument(f"is {limit}; 1 to 100 is accepted", field="limit")
        return (await self.get(latent, documents=limit, related=0)).examples

    async def list(
        self,
        *,
        label: str = "",
        min_recurrence: float | None = None,
        order: str = "documents",
        limit: int = 0,
        offset: int = 0,
    ) -> Table:
        """Latents with their statistics; 100 without a limit.

        Args:
            label: only those whose label holds all these words.
            min_recurrence: only those that come back in SAEs of other seeds at least so often, 0 to 1.
            order: "documents", most first, or "number".
        """
        request = v1.ListLatentsRequest(
            collection=self._collection,
            label_query=label,
            min_recurrence=min_recurrence,
            order=one_of(_ORDERS, order, "order"),
            limit=limit,
            offset=offset,
        )
        found = await self._rpc.unary("LatentService/ListLatents", request, v1.ListLatentsResponse)
        rows = [
            {**fields_of(own), "label": own.label.text, "source": own.label.source}
            for own in found.latents
        ]
        return Table(rows, about={"total": found.total}, bars=("label", "documents"))
