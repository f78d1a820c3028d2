"""A climb of controlled experiments: one change at a time, compared on the same samples, kept or dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from os import PathLike

from .._sync import run_sync
from ..errors import UsageError
from ..evaluation import Comparison, Evaluator, Report
from ..evaluation.table import Table
from ..pipeline import Pipeline
from ..types import Sample
from .bench import Bench
from .difference import Change, differences
from .holding_out import Parts, hold_out
from .rung import Rung, rung_table
from .variation import taken_over, varied
from .verdict import Limits, Verdict, decide, holm_factor, holm_threshold, loss_of

__all__ = ["Ladder", "Rung"]


@dataclass(repr=False, eq=False)
class Ladder:
    """Climbs from a baseline by single changes; each is compared with what stands, pair by pair, on the same samples.

    A change is kept when the target metric gains more than chance explains, all planned changes taken
    together (Holm), within the limits; dropped when it does not help, is too slow or too dear; and else
    undecided, with the number of samples that would tell. A part of the samples is held out: `confirm`
    compares the top with the baseline on samples that no decision has seen.

    Replies of models and vectors of embedders are kept while the ladder lives, for all rungs and metrics
    together: a request that a change does not touch is not made again. With a `folder` they are on disk, with
    every finished answer and score, and a ladder that was interrupted is taken up by running it again.

    Args:
        baseline: Where the climb begins.
        samples: Questions with what the metrics need.
        evaluator: How answers are measured.
        target: The name of the metric that decides.
        limits: What an answer may take.
        planned: How many changes you mean to try; more is allowed and makes the tests stricter.
        least: The smallest gain worth having.
        level: The chance of keeping any useless change of the whole ladder.
        held_out: Share of the samples (or groups) kept for `confirm`, 0 to below 1. A sample stays on its
            side when others are added.
        folder: Where to keep what was paid for; None: nowhere.

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
    folder: str | PathLike[str] | None = None
    rungs: list[Rung] = field(init=False, default_factory=list[Rung])
    confirmed: Comparison | None = field(init=False, default=None)
    _bench: Bench | None = field(init=False, default=None)

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
        return self._parts().unseen

    def begin(self) -> Rung:
        """Evaluate the baseline; `step` does it by itself when needed."""
        return run_sync(self.abegin)

    async def abegin(self) -> Rung:
        """Evaluate the baseline; the async twin of `begin`."""
        self._check()
        if not self.rungs:
            report = await self._report(self._parts().seen, self.baseline, "baseline")
            missing = loss_of(report, report, self.target).why if report.summary(self.target).scored == 0 else ""
            reason = f"no sample has a figure of {self.target}: {missing}" if missing else ""
            self.rungs.append(Rung("baseline", None, self.baseline, report, None, Verdict("keep", reason)))
        return self.rungs[0]

    def step(self, name: str, **changes: object) -> Rung:
        """Try one change on top of what stands, decide, and return the rung.

        Args:
            name: What is tried, in your words.
            changes: Slots of the pipeline, as for `Pipeline.but`, or parameters deep inside it by their path:
                `**{"retriever.k1": 1.2}`.

        Raises:
            UsageError: When nothing changes, or more than one thing; the message names them all.
        """
        return run_sync(self._astep, name, changes)

    async def astep(self, name: str, **changes: object) -> Rung:
        """Try one change on top of what stands; the async twin of `step`."""
        return await self._astep(name, changes)

    def climb(self, name: str, **changes: object) -> list[Rung]:
        """Try several changes one after the other, a rung each, each on top of what stands by then.

        Slots come in the order in which they are given; of a slot in which several things differ, each of them
        is tried by itself.

        Raises:
            UsageError: When nothing changes, or a part of the change cannot be made alone.
        """
        return run_sync(self._aclimb, name, changes)

    async def aclimb(self, name: str, **changes: object) -> list[Rung]:
        """Try several changes one after the other; the async twin of `climb`."""
        return await self._aclimb(name, changes)

    def confirm(self) -> Comparison:
        """Compare the top with the baseline on the held-out samples, which no decision has seen.

        Raises:
            UsageError: When nothing was held out, or nothing was kept.
        """
        return run_sync(self.aconfirm)

    async def aconfirm(self) -> Comparison:
        """Compare the top with the baseline on the held-out samples; the async twin of `confirm`."""
        unseen = self._parts().unseen
        if not unseen or self.top.change is None:
            why = "no samples were held out" if not unseen else "no change was kept"
            raise UsageError(f"there is nothing to confirm: {why}")
        before = await self._report(unseen, self.baseline, "baseline, held out")
        after = await self._report(unseen, self.top.pipeline, f"{self.top.name}, held out")
        self.confirmed = after.compare(before, self.target)
        return self.confirmed

    def table(self) -> Table:
        """Return the climb as a table: what was tried, what it scored, whether it was kept, and below it why."""
        parts = self._parts()
        caption = f"{len(parts.seen)} samples, {len(parts.unseen)} held out, {self.planned} changes planned"
        notes = [f"held out, top against baseline: {self.confirmed}"] if self.confirmed else []
        return rung_table(self.rungs, self.target, caption=caption, notes=notes)

    def __str__(self) -> str:
        """Draw the table."""
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table().html()

    async def _astep(self, name: str, changes: dict[str, object]) -> Rung:
        await self.abegin()
        return await self._try(name, await varied(self.top.pipeline, changes))

    async def _aclimb(self, name: str, changes: dict[str, object]) -> list[Rung]:
        await self.abegin()
        stood = self.top.pipeline
        goal = await varied(stood, changes)
        found = differences(stood, goal)
        if not found:
            _single(found, name)
        slots = [change.path.partition(".")[0] for change in found]
        rungs: list[Rung] = []
        for change, slot in zip(found, slots, strict=True):
            whole = change if slots.count(slot) > 1 else replace(change, path=slot)
            candidate = await taken_over(self.top.pipeline, goal, whole)
            rungs.append(await self._try(f"{name}: {whole.path}", candidate))
        return rungs

    async def _try(self, name: str, candidate: Pipeline) -> Rung:
        stands = self.top
        change = _single(differences(stands.pipeline, candidate), name)
        report = await self._report(self._parts().seen, candidate, name)
        compared = report.compare(stands.report, self.target)
        factor = holm_factor(self.planned, self._kept(), len(self.rungs))
        compared = replace(compared, adjusted=min(1.0, compared.p * factor))
        rung = Rung(name, change, candidate, report, compared, Verdict("undecided", ""))
        rung = replace(rung, verdict=self._verdict(rung, compared, stands.report))
        self.rungs.append(rung)
        if rung.verdict.decision == "keep":
            self.confirmed = None
        return rung

    def _verdict(self, rung: Rung, compared: Comparison, stood: Report) -> Verdict:
        if _answers(rung.report) == _answers(stood) and not all(row.run and row.run.failure for row in stood):
            return Verdict("drop", "no effect: every answer and its contexts are as before")
        return decide(
            compared,
            threshold=holm_threshold(self.level, self.planned, self._kept(), len(self.rungs)),
            least=self.least,
            limits=self.limits,
            seconds=rung.seconds,
            dollars=rung.dollars,
            loss=loss_of(stood, rung.report, self.target),
        )

    def _kept(self) -> int:
        return sum(rung.verdict.decision == "keep" for rung in self.rungs) - 1

    async def _report(self, samples: Sequence[Sample], pipeline: Pipeline, title: str) -> Report:
        if self._bench is None:
            self._bench = Bench(self.evaluator, self.folder)
        return await self._bench.report(samples, pipeline, title)

    def _check(self) -> None:
        names = [metric.name for metric in self.evaluator.metrics]
        if self.target not in names:
            raise UsageError(f"the ladder's target {self.target!r} is not measured; the evaluator has {names}")
        if not 0 <= self.held_out < 1 or self.planned < 1 or not 0 < self.level < 1:
            raise UsageError(
                f"a ladder needs `held_out` from 0 to below 1, `planned` of at least 1 and `level` between 0 and 1, "
                f"got {self.held_out}, {self.planned} and {self.level}"
            )
        if not self._parts().seen:
            raise UsageError("there are no samples to climb on: give some, or hold fewer out")

    def _parts(self) -> Parts:
        return hold_out(self.samples, self.held_out)


def _single(changes: Sequence[Change], name: str) -> Change:
    if not changes:
        raise UsageError(f"the step {name!r} changes nothing: the pipeline is the one that stands")
    if len(changes) > 1:
        listed = "; ".join(str(change) for change in changes)
        raise UsageError(
            f"the step {name!r} changes {len(changes)} things at once, so nobody could tell which helped: {listed}. "
            "Take one step each, or call `climb` with the same arguments to have them tried one after the other"
        )
    return changes[0]


def _answers(report: Report) -> list[tuple[object, ...]]:
    samples = [(row.sample, row.run.failure if row.run else "") for row in report]
    return [(sample.answer, sample.contexts, sample.context_ids, bool(failure)) for sample, failure in samples]
