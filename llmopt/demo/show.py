"""The demo's output: the pipelines side by side, what differs beyond chance, and answered examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..evaluation import Comparison, Report, Row, with_holm
from ..evaluation.table import Table, shortened

__all__ = ["comparison_lines", "example_lines", "side_by_side"]

_QUOTED = 300
_COMPARED = ("answer_correctness", "hit_rate@8", "evidence_recall")


def side_by_side(reports: Mapping[str, Report]) -> Table:
    """Return a table with a line per metric and a column per pipeline: the mean, its interval, how many were scored."""
    some = next(iter(reports.values()))
    lines: list[list[str]] = []
    for metric in some.metrics:
        summaries = [report.summary(metric) for report in reports.values()]
        counts = sorted({f"{summary.scored}/{summary.total}" for summary in summaries})
        lines.append([metric, *(str(summary.estimate) for summary in summaries), " ".join(counts)])
    latencies = [report.latency() for report in reports.values()]
    lines.append(["seconds per answer, median", *(f"{latency.median or 0:.4f}" for latency in latencies), ""])
    costs = [report.spent().cost for report in reports.values()]
    if any(cost != 0 for cost in costs):
        lines.append(["dollars, answers", *("unknown" if cost is None else f"{cost:.4f}" for cost in costs), ""])
    return Table(
        ["metric", *reports, "scored"],
        lines,
        numbers=len(reports) + 1,
        caption=f"{len(some)} questions; means with 95 % intervals",
    )


def comparison_lines(reports: Mapping[str, Report]) -> list[str]:
    """Return what the other pipelines gain over the first, sample by sample, Holm-corrected."""
    (baseline, first), *others = reports.items()
    names: list[str] = []
    comparisons: list[Comparison] = []
    for name, report in others:
        for metric in _COMPARED:
            names.append(name)
            comparisons.append(report.compare(first, metric))
    return [
        f"{name} against {baseline}, {comparison}: {'more than chance' if comparison.significant else 'may be chance'}"
        for name, comparison in zip(names, with_holm(comparisons), strict=True)
    ]


def example_lines(report: Report, ids: Sequence[str]) -> list[str]:
    """Return answered examples with the passages that they cite."""
    rows = {row.sample.id: row for row in report.rows}
    return [line for id in ids if id in rows for line in _example(rows[id])]


def _example(row: Row) -> list[str]:
    sample = row.sample
    lines = [f"Q  {sample.question}", f"A  {shortened(sample.answer, _QUOTED)}"]
    citations = row.run.citations if row.run else ()
    for citation in citations:
        passage = shortened(sample.contexts[citation.number - 1], 100)
        lines.append(f"   [{citation.number}] {citation.document_id}: {passage}")
    scores = ", ".join(f"{name} {score.value:.2f}" for name, score in row.scores.items() if score.value is not None)
    return [*lines, f"   {scores}", ""]
