"""The report as people read it: one table of the metrics, what is missing and why, and the categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .row import Row, Spent
from .summary import Latency, Summary
from .table import Table, shortened

__all__ = ["Overview", "duration", "money", "overview_html", "overview_text"]

_MOST_REASONS = 5
_REASON_WIDTH = 100
_HEADINGS = ("metric", "mean", "95 % interval", "scored", "undefined", "failed")


class Overview(Protocol):
    """What is drawn."""

    @property
    def rows(self) -> Sequence[Row]:
        """The rows."""
        ...

    @property
    def metrics(self) -> Sequence[str]:
        """The metrics' names."""
        ...

    @property
    def title(self) -> str:
        """The title."""
        ...

    def summaries(self) -> list[Summary]:
        """Every metric's figures."""
        ...

    def by_category(self, metric: str) -> dict[str, Summary]:
        """One metric's figures per category."""
        ...

    def latency(self) -> Latency:
        """How long the runs took."""
        ...

    def spent(self) -> Spent:
        """What the runs took."""
        ...

    def judging(self) -> Spent:
        """What the metrics took."""
        ...


def overview_text(report: Overview) -> str:
    """Return the tables for a terminal."""
    return "\n\n".join(str(table) for table in _tables(report))


def overview_html(report: Overview) -> str:
    """Return the tables for a notebook."""
    return "".join(table.html() for table in _tables(report))


def duration(seconds: float) -> str:
    """Write seconds so that short ones stay readable."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def money(cost: float | None) -> str:
    """Write US dollars; an unknown price is said to be one."""
    if cost is None:
        return "price unknown"
    return f"${cost:.2f}" if cost >= 1 or not cost else f"${cost:.4f}"


def _tables(report: Overview) -> list[Table]:
    summaries = report.summaries()
    rows = [_cells(summary) for summary in summaries]
    caption = f"{report.title or 'Evaluation'}: {len(report.rows)} samples"
    notes = [*_missing(summaries), *_took(report)]
    tables = [Table(_HEADINGS, rows, numbers=5, caption=caption, notes=notes)]
    categories = {metric: report.by_category(metric) for metric in report.metrics}
    first = categories[report.metrics[0]] if report.metrics else dict[str, Summary]()
    if len(first) > 1:
        cells = [
            [
                shortened(name or "(none)", 40),
                str(first[name].total),
                *(_mean(categories[metric][name]) for metric in report.metrics),
            ]
            for name in first
        ]
        tables.append(Table(["category", "samples", *report.metrics], cells, numbers=1 + len(report.metrics)))
    return tables


def _cells(summary: Summary) -> list[str]:
    estimate = summary.estimate
    interval = "-"
    if estimate.low is not None and estimate.high is not None:
        interval = f"[{estimate.low:.3f}, {estimate.high:.3f}]"
    counts = [f"{summary.scored}/{summary.total}", str(summary.undefined), str(summary.failed)]
    return [summary.metric, _mean(summary), interval, *counts]


def _mean(summary: Summary) -> str:
    return "-" if summary.mean is None else f"{summary.mean:.3f}"


def _missing(summaries: Sequence[Summary]) -> list[str]:
    lines: list[str] = []
    for summary in summaries:
        shown = list(summary.reasons.items())[:_MOST_REASONS]
        lines += [f"{summary.metric}: {count} x {shortened(reason, _REASON_WIDTH)}" for reason, count in shown]
        if more := len(summary.reasons) - len(shown):
            lines.append(f"{summary.metric}: and {more} more reasons in `summary({summary.metric!r}).reasons`")
    return lines


def _took(report: Overview) -> list[str]:
    lines: list[str] = []
    latency = report.latency()
    if latency.median is not None and latency.p95 is not None:
        lines.append(
            f"pipeline: median {duration(latency.median)}, 95 % within {duration(latency.p95)}; {_bill(report.spent())}"
        )
    judging = report.judging()
    if judging.usage.calls:
        lines.append(f"metrics: {_bill(judging)}")
    return lines


def _bill(spent: Spent) -> str:
    return f"{spent.usage.calls:,} calls, {spent.usage.total_tokens:,} tokens, {money(spent.cost)}"
