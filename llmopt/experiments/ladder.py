"""A climb of controlled experiments: one change at a time, compared on the same samples, kept or dropped."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .._stats import Estimate
from .._sync import run_sync
from ..errors import UsageError
from ..evaluation import Comparison, Evaluator, Report
from ..evaluation.table import Table
from ..pipeline import Pipeline
from ..types import Sample
from .difference import Change, differences
from .verdict import Limits, Verdict, decide, holm_threshold

__all__ = ["Ladder", "Rung"]


@dataclass(frozen=True)
class Rung:
    """One step of a ladder.

    Attributes:
        name: What was tried, in the user's words.
        change: The one thing that differs; None for the baseline.
        pipeline: The candidate.
        report: Its evaluation.
        comparison: Of the target metric against what stood; None for the baseline.
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


@dataclass(repr=False, eq=False)
class Ladder:
    """Climbs from a baseline by single changes; each is compared with what stands, pair by pair, on the same samples.

    A change is kept when the target metric gains more than chance explains, all planned changes taken
    together (Holm), within the limits; dropped when it does not help, is too slow or too dear; and else
    undecided, with the number of samples that would tell. A part of the samples is held out: `confirm`
    compares the top with the baseline on samples that no decision has seen.

    Calls that a change does not touch cost nothing when the models and the judge come from
    `llmopt.chat_model(..., cache=...)`.

    Args:
        baseline: Where the climb begins.
        samples: Questions with what the metrics need.
        evaluator: How answers are measured.
        target: The name of the metric that decides.
        limits: What an answer may take.
        planned: How many changes you mean to try; more is allowed and makes the tests stricter.
        least: The smallest gain worth having.
        level: The chance of keeping any useless change of the whole ladder.
        held_out: Share of the samples (or groups) kept for `confirm`, 0 to below 1.

    Attributes:
        rungs: The baseline and every step, in the order in which they were tried.
        confirmed: What `confirm` found; None before, and again when another change was kept since.

    Raises:
        UsageError: When the evaluator has no such metric, or there is nothing to climb on.

    Example:
        >>> from llmopt import BM25, Document, ExactMatch
        >>> from llmopt.prompting import Direct
        >>> from llmopt.testing import FakeModel
        >>> samples = [Sample(question=f"q{n}?", reference="yes") for n in range(40)]
        >>> base = Pipeline(model=FakeModel("no"), prompt=Direct())
        >>> ladder = Ladder(base, samples, Evaluator([ExactMatch()]), "exact_match", held_out=0.25)
        >>> ladder.step("a better model", model=FakeModel("yes")).verdict.decision
        'keep'
    """

    baseline: Pipeline
    samples: Sequence[Sample]
    evaluator: Evaluator
    target: str
    limits: Limits = Limits()
    planned: int = 8
    least: float = 0.02
    level: float = 0.05
    held_out: float = 0.3
    rungs: list[Rung] = field(init=False, default_factory=list[Rung])
    confirmed: Comparison | None = field(init=False, default=None)

    @property
    def top(self) -> Rung:
        """The last rung that was kept; before the first step the baseline.

        Raises:
            UsageError: When the ladder was not begun.
        """
        kept = [rung for rung in self.rungs if rung.verdict.decision == "keep"]
        if not kept:
            raise UsageError("the ladder has not been begun: call `step`, or `begin` for the baseline alone")
        return kept[-1]

    @property
    def unseen(self) -> Sequence[Sample]:
        """The samples that are held out for `confirm`."""
        return self._parts()[1]

    def begin(self) -> Rung:
        """Evaluate the baseline; `step` does it by itself when needed."""
        return run_sync(self.abegin)

    async def abegin(self) -> Rung:
        """Evaluate the baseline; the async twin of `begin`."""
        self._check()
        if not self.rungs:
            climbing, _ = self._parts()
            report = await self.evaluator.arun(climbing, pipeline=self.baseline, title="baseline")
            self.rungs.append(Rung("baseline", None, self.baseline, report, None, Verdict("keep", "")))
        return self.rungs[0]

    def step(self, name: str, **changes: object) -> Rung:
        """Try one change on top of what stands, decide, and return the rung.

        Args:
            name: What is tried, in your words.
            changes: Slots of the pipeline, as for `Pipeline.but`.

        Raises:
            UsageError: When nothing changes, or more than one thing; the message names them all.
        """
        return run_sync(self._astep, name, changes)

    async def astep(self, name: str, **changes: object) -> Rung:
        """Try one change on top of what stands; the async twin of `step`."""
        return await self._astep(name, changes)

    def climb(self, name: str, **changes: object) -> list[Rung]:
        """Try several slots one after the other, a rung each, in the order in which they are given."""
        return [self.step(f"{name}: {slot}", **{slot: value}) for slot, value in changes.items()]

    def confirm(self) -> Comparison:
        """Compare the top with the baseline on the held-out samples, which no decision has seen.

        Raises:
            UsageError: When nothing was held out, or nothing was kept.
        """
        return run_sync(self.aconfirm)

    async def aconfirm(self) -> Comparison:
        """Compare the top with the baseline on the held-out samples; the async twin of `confirm`."""
        _, unseen = self._parts()
        if not unseen or self.top.change is None:
            why = "no samples were held out" if not unseen else "no change was kept"
            raise UsageError(f"there is nothing to confirm: {why}")
        before = await self.evaluator.arun(unseen, pipeline=self.baseline, title="baseline, held out")
        after = await self.evaluator.arun(unseen, pipeline=self.top.pipeline, title=f"{self.top.name}, held out")
        self.confirmed = after.compare(before, self.target)
        return self.confirmed

    def table(self) -> Table:
        """Return the climb as a table: what was tried, what it scored, whether it was kept, and why."""
        rows = [
            [
                rung.name,
                str(rung.score(self.target)),
                "-" if rung.comparison is None else _signed(rung.comparison.difference),
                _seconds(rung.report),
                rung.verdict.decision,
                rung.verdict.reason,
            ]
            for rung in self.rungs
        ]
        headings = ("step", self.target, "gain [95 % interval]", "s/answer", "decision", "why")
        return Table(headings, rows, caption=f"{len(self._parts()[0])} samples, {self.planned} changes planned")

    def __str__(self) -> str:
        """Draw the table."""
        return str(self.table())

    async def _astep(self, name: str, changes: dict[str, object]) -> Rung:
        await self.abegin()
        stands = self.top
        candidate = stands.pipeline.but(**changes)
        change = _single(differences(stands.pipeline, candidate), name)
        climbing, _ = self._parts()
        report = await self.evaluator.arun(climbing, pipeline=candidate, title=name)
        comparison = report.compare(stands.report, self.target)
        rung = Rung(name, change, candidate, report, comparison, Verdict("undecided", ""))
        rung = replace(rung, verdict=self._verdict(rung, comparison))
        self.rungs.append(rung)
        if rung.verdict.decision == "keep":
            self.confirmed = None
        return rung

    def _verdict(self, rung: Rung, comparison: Comparison) -> Verdict:
        tried = len(self.rungs)
        kept = sum(each.verdict.decision == "keep" for each in self.rungs) - 1
        cost = rung.report.spent().cost
        return decide(
            comparison,
            threshold=holm_threshold(self.level, self.planned, kept, tried),
            least=self.least,
            limits=self.limits,
            seconds=rung.report.latency().median,
            dollars=None if cost is None else cost / max(1, len(rung.report)),
        )

    def _check(self) -> None:
        names = [metric.name for metric in self.evaluator.metrics]
        if self.target not in names:
            raise UsageError(f"the ladder's target {self.target!r} is not measured; the evaluator has {names}")
        if not 0 <= self.held_out < 1 or self.planned < 1 or not 0 < self.level < 1:
            raise UsageError(
                f"a ladder needs `held_out` from 0 to below 1, `planned` of at least 1 and `level` between 0 and 1, "
                f"got {self.held_out}, {self.planned} and {self.level}"
            )
        if not self._parts()[0]:
            raise UsageError("there are no samples to climb on: give some, or hold fewer out")

    def _parts(self) -> tuple[list[Sample], list[Sample]]:
        """Return the samples to climb on and those held out; a group stays on one side, whatever the order."""
        climbing: list[Sample] = []
        unseen: list[Sample] = []
        for sample in self.samples:
            key = sample.group or sample.id or sample.question
            place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
            (unseen if place < self.held_out else climbing).append(sample)
        return climbing, unseen


def _single(changes: Sequence[Change], name: str) -> Change:
    if not changes:
        raise UsageError(f"the step {name!r} changes nothing: the pipeline is the one that stands")
    if len(changes) > 1:
        listed = "; ".join(str(change) for change in changes)
        raise UsageError(
            f"the step {name!r} changes {len(changes)} things at once, so nobody could tell which helped: {listed}. "
            "Take one step each, or `climb` to try slot by slot"
        )
    return changes[0]


def _signed(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:+.3f}"
    return f"{estimate.value:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"


def _seconds(report: Report) -> str:
    median = report.latency().median
    return "-" if median is None else f"{median:.3g}"
