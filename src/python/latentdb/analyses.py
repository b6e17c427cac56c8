"""Answers of analyses as tables, out of the messages of their streams."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import v1
from .results import Table, fields_of


def diff_tables(parts: Iterable[v1.DiffResponse]) -> list[Table]:
    """One table per comparison."""
    heads: list[tuple[v1.DiffComparison, list[dict[str, Any]]]] = []
    for part in parts:
        kind = part.WhichOneof("part")
        if kind == "comparison":
            heads.append((part.comparison, []))
        elif kind == "rows":
            heads[-1][1].extend(_diff_row(row) for row in part.rows.rows)
    return [
        Table(
            rows,
            about=fields_of(head, leave=["warnings"]),
            warnings=head.warnings,
            bars=("label", "delta"),
            title=f"A against {head.name}",
        )
        for head, rows in heads
    ]


def _diff_row(row: v1.DiffRow) -> dict[str, Any]:
    out = fields_of(row)
    if row.documents:
        out["documents"] = [own.document.id for own in row.documents]
    return out


def correlation_table(parts: Iterable[v1.CorrelateResponse]) -> Table:
    """Pairs that occur together; `j` is a latent, or `value` a value of the attribute."""
    about: dict[str, Any] = {}
    warnings: list[str] = []
    rows = []
    for part in parts:
        kind = part.WhichOneof("part")
        if kind == "summary":
            about = fields_of(part.summary, leave=["warnings"])
            warnings = list(part.summary.warnings)
        elif kind == "pairs":
            for pair in part.pairs.pairs:
                row = fields_of(pair)
                row["pair"] = _pair(row)
                rows.append(row)
    return Table(rows, about=about, warnings=warnings, bars=("pair", "npmi"), title="Together")


def _pair(row: dict[str, Any]) -> str:
    left = row["i_label"] or row["i"]
    right = row["value"] if row.get("j") is None else row["j_label"] or row["j"]
    return f"{left} + {right}"


def explained_table(parts: Iterable[v1.ExplainResponse]) -> Table:
    """Latents that tell a target; `about` has the scores."""
    about: dict[str, Any] = {}
    warnings: list[str] = []
    rows = []
    for part in parts:
        kind = part.WhichOneof("part")
        if kind == "summary":
            own = part.summary
            about = fields_of(own, leave=["warnings"])
            for name in ("held_out", "dense", "length"):
                about[name] = _score(getattr(own, name)) if own.HasField(name) else None
            about["path"] = [
                {"latents": one.latents, "error": one.error} | _score(one.score) for one in own.path
            ]
            about["classes"] = [fields_of(one) for one in own.classes]
            about["pairs"] = [fields_of(one) for one in own.pairs]
            warnings = list(own.warnings)
        elif kind == "latents":
            for one in part.latents.latents:
                row = fields_of(one)
                row["documents"] = [document.id for document in one.documents]
                rows.append(row)
    return Table(rows, about=about, warnings=warnings, bars=("label", "effect"), title="Explained")


def hypotheses_table(parts: Iterable[v1.HypothesiseResponse]) -> Table:
    """Differences in words; `about` has the sets, what was left out, and the cost."""
    about: dict[str, Any] = {}
    warnings: list[str] = []
    rows = []
    for part in parts:
        kind = part.WhichOneof("part")
        if kind == "summary":
            about = fields_of(part.summary, leave=["warnings"])
            about["comparisons"] = [fields_of(one) for one in part.summary.comparisons]
            about["left_out"] = [fields_of(one) for one in part.summary.left_out]
            warnings = list(part.summary.warnings)
        elif kind == "hypotheses":
            for own in part.hypotheses.hypotheses:
                row = fields_of(own, leave=["judged"])
                judged = fields_of(own.judged, leave=["documents"])
                row |= judged if own.HasField("judged") else dict.fromkeys(judged)
                row["documents"] = [document.id for document in own.judged.documents]
                rows.append(row)
    return Table(rows, about=about, warnings=warnings, bars=("sentence", "delta"), title="Hypotheses")


def matches_table(parts: Iterable[v1.MatchLatentsResponse]) -> Table:
    """Latents with their counterparts; `about` has what moved."""
    about: dict[str, Any] = {}
    warnings: list[str] = []
    rows = []
    for part in parts:
        kind = part.WhichOneof("part")
        if kind == "summary":
            about = fields_of(part.summary, leave=["warnings"])
            warnings = list(part.summary.warnings)
            about["moved"] = [fields_of(own) for own in part.summary.moved]
            about["stayed"] = [fields_of(own) for own in part.summary.stayed]
        elif kind == "latents":
            for own in part.latents.latents:
                row = fields_of(own)
                found = own.HasField("other")
                row["other"] = own.other.latent if found else None
                row["other_label"] = own.other.label if found else None
                row["phi"] = own.other.phi if found else 0.0
                row["nearest"] = own.nearest.latent if own.HasField("nearest") else None
                rows.append(row)
    return Table(
        rows, about=about, warnings=warnings, bars=("label", "phi"), title="Counterparts"
    )


def _score(score: v1.TargetScore) -> dict[str, float]:
    return {field.name: value for field, value in score.ListFields()}


def trends_table(parts: Iterable[v1.TrendsResponse]) -> Table:
    """What rises and falls; `counts` are documents per bucket, which `about["buckets"]` names."""
    about: dict[str, Any] = {}
    warnings: list[str] = []
    rows = []
    for part in parts:
        kind = part.WhichOneof("part")
        if kind == "summary":
            about = fields_of(part.summary, leave=["warnings"])
            about["buckets"] = [fields_of(bucket) for bucket in part.summary.buckets]
            warnings = list(part.summary.warnings)
        elif kind == "rows":
            for own in part.rows.rows:
                row = fields_of(own)
                if own.HasField("change_point"):
                    row["change_point"] = fields_of(own.change_point)
                rows.append(row)
    return Table(rows, about=about, warnings=warnings, bars=("label", "change"), title="Trends")


def duplicates_table(parts: Iterable[v1.NearDuplicatesResponse]) -> Table:
    """Documents whose latents are nearly the same, one row per document with its group."""
    about: dict[str, Any] = {}
    warnings: list[str] = []
    rows = []
    group = 0
    for part in parts:
        kind = part.WhichOneof("part")
        if kind == "summary":
            about = fields_of(part.summary, leave=["warnings"])
            warnings = list(part.summary.warnings)
        elif kind == "groups":
            for found in part.groups.groups:
                group += 1
                for own in found.documents:
                    rows.append(
                        {
                            "group": group,
                            "size": found.size,
                            "id": own.document.id,
                            "similarity": own.similarity,
                            "text": own.document.text,
                        }
                    )
    return Table(rows, about=about, warnings=warnings, title="Near-duplicates")


def unexplained_table(parts: Iterable[v1.PoorlyExplainedResponse]) -> Table:
    """Documents that the SAE explains worst."""
    about: dict[str, Any] = {}
    warnings: list[str] = []
    rows = []
    for part in parts:
        if part.WhichOneof("part") != "result":
            continue
        if part.result.documents:
            about = fields_of(part.result, leave=["warnings"])
        warnings += part.result.warnings
        rows += [
            {
                "id": own.document.id,
                "residual_share": own.residual_share,
                "text": own.document.text,
            }
            for own in part.result.worst
        ]
    return Table(
        rows, about=about, warnings=warnings, bars=("id", "residual_share"), title="Unexplained"
    )


class Clusters(Table):
    """Groups along an axis: a row per cluster, and `members`, a table with a row per document."""

    def __init__(self, parts: Iterable[v1.ClusterResponse]) -> None:
        about: dict[str, Any] = {}
        warnings: list[str] = []
        rows, members = [], []
        for part in parts:
            kind = part.WhichOneof("part")
            if kind == "summary":
                about = fields_of(part.summary, leave=["warnings"])
                about["axis"] = [fields_of(own) for own in part.summary.axis]
                warnings = list(part.summary.warnings)
                for at, own in enumerate(part.summary.clusters):
                    row = {"cluster": at, **fields_of(own)}
                    row["over"] = [fields_of(latent) for latent in own.over]
                    row["under"] = [fields_of(latent) for latent in own.under]
                    row["documents"] = [document.id for document in own.documents]
                    rows.append(row)
            elif kind == "members":
                members += [fields_of(member) for member in part.members.members]
        super().__init__(
            rows, about=about, warnings=warnings, bars=("label", "size"), title="Clusters"
        )
        self.members = Table(members, about=about, title="Documents")
