"""What a search came to: every trial, what each part of the winner brings, and what held-out samples say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..._stats import Estimate
from ...evaluation import Comparison
from ...evaluation.table import Table
from ...pipeline import Pipeline
from ..rung import Rung, chance_text, gain_text

__all__ = ["Part", "SearchResult", "Trial"]

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Trial:
    """How far one combination of changes came.

    Attributes:
        name: The changes in one line.
        pipeline: The candidate; None when it could not be made.
        samples: On how many samples it ran.
        gain: Of the target metric against the baseline, paired, on those samples: of those that came far too good to
            be true, because these samples chose them.
        missing: Samples without a figure.
        fate: "won", "left in round 2", or why it could not be made.
    """

    name: str
    pipeline: Pipeline | None
    samples: int
    gain: Estimate
    missing: int
    fate: str


@dataclass(frozen=True, slots=True)
class Part:
    """One change of the winner, and what is lost when it alone is set back to the baseline's value.

    Attributes:
        path: Where it is.
        value: What was put there, as text.
        comparison: Of the winner with it against the winner without it, on the samples of the race.
        kept: Whether the winner keeps it.
    """

    path: str
    value: str
    comparison: Comparison
    kept: bool


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search came to. Printing it draws the trials, the parts and the verdict.

    Attributes:
        best: The pipeline to use: the winner where it proved better on the held-out samples, else the baseline.
        winner: Name of what led the race, its useless parts taken out; empty when nothing led the baseline.
        confirmed: Of the winner against the baseline on the held-out samples: the figure to report. None without
            a winner.
        improved: Whether it proved better there, at the 5 % level.
        ablation: The parts of the winner, the most useful first, then those that were taken out.
        trials: Every combination that was tried, those that came furthest first.
        rungs: The way from the baseline to the winner, a part each, as in a ladder; on the samples of the race.
        target: The name of the metric that decides.
        possible: How many combinations the space has.
        runs: Pipeline runs that it took.
        stopped: Why it ended before its time; empty when it did not.
    """

    best: Pipeline
    winner: str
    confirmed: Comparison | None
    improved: bool
    ablation: Sequence[Part]
    trials: Sequence[Trial]
    rungs: Sequence[Rung]
    target: str
    possible: int
    runs: int
    stopped: str = ""

    def table(self) -> Table:
        """Return the trials as a table, those that came furthest first."""
        rows = [
            [trial.name, str(trial.samples), gain_text(trial.gain), str(trial.missing), trial.fate]
            for trial in self.trials[:_SHOWN]
        ]
        rest = len(self.trials) - len(rows)
        caption = f"{len(self.trials)} of {self.possible} combinations tried, {self.runs} pipeline runs"
        headings = ("tried", "samples", f"gain of {self.target} in the race", "missing", "what became of it")
        return Table(headings, rows, caption=caption, notes=[f"... and {rest} more"] if rest > 0 else [])

    def parts(self) -> Table:
        """Return what each part of the winner brings, as a table."""
        rows = [
            [
                f"{part.path}={part.value}",
                gain_text(part.comparison.difference),
                chance_text(part.comparison.p),
                "kept" if part.kept else "taken out",
            ]
            for part in self.ablation
        ]
        return Table(("part", "brings [95 % interval]", "p", ""), rows)

    def __str__(self) -> str:
        """Draw the trials, the parts and the verdict."""
        pieces = [str(self.table()), *([str(self.parts())] if self.ablation else []), self._verdict()]
        return "\n\n".join([*pieces, *([f"stopped early: {self.stopped}"] if self.stopped else [])])

    def _verdict(self) -> str:
        if self.confirmed is None:
            return "no combination led the baseline: it stays"
        said = "better: use it" if self.improved else "not better beyond chance: the baseline stays"
        return f"{self.winner} on held-out samples: {self.confirmed}; {said}"
