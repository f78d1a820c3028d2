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

_WIDEST = 48


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
    """Return the climb as a table: what was tried, what it scored, whether it was kept, and why."""
    dear = any(rung.dollars != 0 for rung in rungs)
    costs = ["s/answer", "$/answer"] if dear else ["s/answer"]
    headings = ["step", "tried", target, "gain [95 % interval]", "p (Holm)", *costs, "verdict", "why"]
    return Table(headings, [_cells(rung, target, dear=dear) for rung in rungs], caption=caption, notes=notes)


def chance_text(p: float) -> str:
    """Return a p-value with two digits."""
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"


def _cells(rung: Rung, target: str, *, dear: bool) -> list[str]:
    compared = rung.comparison
    return [
        rung.name,
        "-" if rung.change is None else shortened(str(rung.change), _WIDEST),
        str(rung.score(target)),
        "-" if compared is None else gain_text(compared.difference),
        "-" if compared is None or not compared.difference.n else chance_text(compared.adjusted),
        "-" if rung.seconds is None else f"{rung.seconds:.3g}",
        *(["-" if rung.dollars is None else f"{rung.dollars:.5f}"] if dear else []),
        rung.verdict.decision,
        rung.verdict.reason,
    ]
