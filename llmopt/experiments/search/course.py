"""The course of a search: candidates that run on ever more samples, within a budget."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ...errors import UsageError
from ...evaluation import Comparison, Report
from ...models import Budget
from ...pipeline import Pipeline
from ...types import Sample
from ..bench import Bench
from ..verdict import loss_of
from .space import Choice, Workshop

__all__ = ["Course", "OutOfBudgetError", "Purse", "Runner", "race", "shuffled"]

_EMPTY = Report((), ())
_OUT = "BudgetError"


class OutOfBudgetError(Exception):
    """The budget does not allow what comes next; what is there stays."""


@dataclass(eq=False)
class Runner:
    """A candidate and how far it came.

    Attributes:
        choice: What it changes.
        name: That in one line.
        pipeline: It.
        report: Of the samples on which it ran, the course's first ones.
        left: The round in which it left; 0 while it runs.
    """

    choice: Choice
    name: str
    pipeline: Pipeline
    report: Report = field(default=_EMPTY)
    left: int = 0


class Purse:
    """What a search may spend: pipeline runs, or what models take.

    Args:
        budget: Pipeline runs, or calls, tokens and dollars; None: no limit.
        reserved: Runs to be left for the end.
    """

    def __init__(self, budget: int | Budget | None, reserved: int) -> None:
        self._budget = budget
        self.reserved = reserved
        self.runs = 0
        self._begun = budget.spent if isinstance(budget, Budget) else None

    def check(self, runs: int) -> None:
        """Refuse runs that would not leave enough for the end, judged by what runs took so far.

        Raises:
            OutOfBudgetError: When they are too many.
        """
        left = self._left()
        if runs + self.reserved > left:
            raise OutOfBudgetError(
                f"{runs} more pipeline runs were wanted and {self.reserved} are set aside for the held-out samples; "
                f"the budget allows about {left:g}"
            )

    def _left(self) -> float:
        """Return how many more runs the budget allows, as far as is known."""
        if isinstance(self._budget, int):
            return self._budget - self.runs
        if self._budget is None or self._begun is None or not self.runs:
            return math.inf
        spent, left = self._budget.spent, self._budget.remaining
        taken = (
            (spent.calls - self._begun.calls, left.calls),
            (spent.tokens - self._begun.tokens, left.tokens),
            (spent.dollars - self._begun.dollars, left.dollars),
        )
        bounds = [math.floor(rest * self.runs / used) for used, rest in taken if rest is not None and used]
        return min(bounds, default=math.inf)


class Course:
    """Runs candidates on the first so many samples, each sample once, and compares them pair by pair.

    Args:
        bench: Evaluates.
        workshop: Makes the pipelines.
        samples: All that the race may see, in a fixed order.
        target: The name of the metric that decides.
        purse: What may be spent.
    """

    def __init__(
        self, bench: Bench, workshop: Workshop, samples: Sequence[Sample], target: str, purse: Purse
    ) -> None:  # fmt: skip
        self._bench = bench
        self._workshop = workshop
        self._target = target
        self._runners: dict[Choice, Runner] = {}
        self.samples = samples
        self.purse = purse

    async def runner(self, choice: Choice) -> Runner:
        """Return the candidate of a choice, made once; the empty choice is the baseline.

        Raises:
            LlmoptError: When it cannot be made.
        """
        if choice not in self._runners:
            name = self._workshop.name(choice) or "baseline"
            self._runners[choice] = Runner(choice, name, await self._workshop.pipeline(choice))
        return self._runners[choice]

    async def run(self, runners: Sequence[Runner], upto: int | None = None) -> None:
        """Bring the candidates to that sample; None: to the last one.

        Raises:
            OutOfBudgetError: When the budget does not allow it; nothing was run then, or it ended underway.
        """
        upto = len(self.samples) if upto is None else min(upto, len(self.samples))
        self.purse.check(sum(max(0, upto - len(runner.report)) for runner in runners))
        for runner in runners:
            missing = self.samples[len(runner.report) : upto]
            if missing:
                report = await self.report(missing, runner.pipeline, runner.name)
                runner.report = replace(report, rows=(*runner.report.rows, *report.rows))

    async def report(self, samples: Sequence[Sample], pipeline: Pipeline, title: str) -> Report:
        """Return an evaluation, and count it.

        Raises:
            OutOfBudgetError: When a model's budget ended on the way.
        """
        report = await self._bench.report(samples, pipeline, title)
        self.purse.runs += len(samples)
        for row in report.rows:
            said = [row.run.failure if row.run else "", *(score.reason for score in row.scores.values())]
            if any(reason.startswith(_OUT) for reason in said):
                raise OutOfBudgetError(f"the models' budget is used up ({_OUT} in {title!r})")
        return report

    def compared(self, candidate: Runner, other: Runner) -> Comparison:
        """Return how much better a candidate is than another one, on the samples that both have seen."""
        after, before = self._common(candidate, other)
        return after.compare(before, self._target)

    def lead(self, candidate: Runner, other: Runner) -> float:
        """Return by how much a candidate leads; samples that it lost count as low as the lowest."""
        after, before = self._common(candidate, other)
        gain = after.compare(before, self._target).difference.value
        return -math.inf if gain is None else min(gain, loss_of(before, after, self._target).gain)

    def check_baseline(self, baseline: Runner) -> None:
        """Refuse to go on where the baseline has no figure to be compared with.

        Raises:
            UsageError: When there is none.
        """
        summary = baseline.report.summary(self._target)
        if not summary.scored:
            why = next(iter(summary.reasons), "no reason given")
            raise UsageError(
                f"the baseline has no figure of {self._target!r} on the first {summary.total} samples ({why}): mend "
                "that first, or take a larger `batch` where the metric is rarely defined"
            )

    def _common(self, candidate: Runner, other: Runner) -> tuple[Report, Report]:
        count = min(len(candidate.report), len(other.report))
        return (
            replace(candidate.report, rows=candidate.report.rows[:count]),
            replace(other.report, rows=other.report.rows[:count]),
        )


async def race(course: Course, baseline: Runner, entrants: Sequence[Runner], batch: int) -> list[Runner]:
    """Return who is left when one is, or the samples or the budget end; the best first.

    After each round the worse half leaves, and the next round has twice as many samples (successive halving:
    Jamieson and Talwalkar 2016, "Non-stochastic Best Arm Identification").

    Raises:
        OutOfBudgetError: When the budget does not allow the first round.
    """
    alive, upto, number = list(entrants), batch, 0
    while True:
        try:
            await course.run([baseline, *alive], upto)
        except OutOfBudgetError:
            if not number:
                raise
            return alive
        number += 1
        course.check_baseline(baseline)
        leads = {id(runner): course.lead(runner, baseline) for runner in alive}
        alive.sort(key=lambda runner: -leads[id(runner)])
        if len(alive) == 1 or upto >= len(course.samples):
            return alive
        kept = -(-len(alive) // 2)
        for runner in alive[kept:]:
            runner.left = number
        alive, upto = alive[:kept], upto + batch * 2**number


def shuffled(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """Return the samples in an order that the seed decides."""
    order = list(samples)
    random.Random(seed).shuffle(order)
    return order
