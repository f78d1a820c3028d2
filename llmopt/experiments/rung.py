"""One step of a climb, and the climb as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .._stats import Estimate
from ..evaluation import Comparison, Report
from ..evaluation.comparison import gain_text
from ..evaluation.table import Table, shortened
from ..pipeline import Pipeline
from .difference import Change
from .verdict import Verdict

__all__ = ["Rung", "chance_text", "gain_text", "rung_table"]

_NAME, _NAME_BESIDE_COSTS = 42, 32  # what a terminal of 120 columns leaves
_BEFORE, _AFTER = 14, 22


@dataclass(frozen=True)
class Rung:
    """One step of a ladder.

    Attributes:
        name: What was tried, in the user's words.
        change: The one thing that differs; None for the baseline.
        pipeline: The candidate.
        report: Its evaluation.
        comparison: Of the target metric against what stood, `adjusted` for all changes planned (Holm); None for the
            baseline.
        verdict: Whether it was kept, and why.
    """

    name: str
    change: Change | None
    pipeline: Pipeline
    report: Report
    comparison: Comparison | None
    verdict: Verdict

    def score(self, target: str) -> Estimate:
        """Return the mean of a metric with its interval."""
        return self.report.summary(target).estimate

    @property
    def seconds(self) -> float | None:
        """The median wall time of an answer, answers from a cache left out; None where none is left."""
        return self.report.latency().median

    @property
    def dollars(self) -> float | None:
        """The mean cost of an answer, caches disregarded; None when a price is not known."""
        cost = self.report.spent().cost
        return None if cost is None else cost / max(1, len(self.report))


def rung_table(rungs: Sequence[Rung], target: str, *, caption: str = "", notes: Sequence[str] = ()) -> Table:
    """Return the climb as a table: what was tried, what it scored, whether it was kept, and below it why."""
    dear = any(rung.dollars != 0 for rung in rungs)
    costs = ["s/answer", "$/answer"] if dear else ["s/answer"]
    headings = ["step", target, "gain [95 % interval]", "p (Holm)", *costs, "verdict"]
    cells = [_cells(number, rung, target, dear=dear) for number, rung in enumerate(rungs)]
    reasons = [_reason(number, rung) for number, rung in enumerate(rungs) if rung.change or rung.verdict.reason]
    return Table(headings, cells, caption=caption, notes=[*reasons, *notes])


def chance_text(p: float) -> str:
    """Return a p-value with two digits."""
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"


def _reason(number: int, rung: Rung) -> str:
    change, reason = rung.change, rung.verdict.reason
    if change is None:
        return f"{rung.name} | {reason}"
    tried = f"{number}. {change.path}: {shortened(change.before, _BEFORE)} -> {shortened(change.after, _AFTER)}"
    return f"{tried} | {reason}" if reason else tried


def _cells(number: int, rung: Rung, target: str, *, dear: bool) -> list[str]:
    compared = rung.comparison
    name = rung.name if rung.change is None else f"{number}. {rung.name}"
    return [
        shortened(name, _NAME_BESIDE_COSTS if dear else _NAME),
        str(rung.score(target)),
        "-" if compared is None else gain_text(compared.difference),
        "-" if compared is None or not compared.difference.n else chance_text(compared.adjusted),
        "-" if rung.seconds is None else f"{rung.seconds:.3g}",
        *(["-" if rung.dollars is None else f"{rung.dollars:.5f}"] if dear else []),
        "-" if compared is None else rung.verdict.decision,
    ]
