"""A search through combinations of changes: raced, pruned, and believed on held-out samples only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike

from ..._stats import Estimate
from ..._sync import run_sync
from ...errors import UsageError
from ...evaluation import Comparison, Evaluator
from ...models import Budget
from ...pipeline import Pipeline
from ...types import Sample
from ..bench import Bench
from ..holding_out import Parts, hold_out
from ..rung import Rung
from ..verdict import Verdict, loss_of
from .ablation import Ablated, ablated, way
from .course import Course, OutOfBudgetError, Purse, Runner, race, shuffled
from .result import SearchResult, Trial
from .space import Drawn, Workshop, draw

__all__ = ["Search"]

_LEVEL = 0.05


@dataclass(repr=False, eq=False)
class Search:
    """Finds which combination of changes is best, and whether it is better than the baseline at all.

    1. Combinations of the space's values are raced against the baseline on batches of growing size, sample by
       sample; after each the worse half leaves (successive halving).
    2. Each change of the winner is set back alone; those that bring nothing are taken out.
    3. What is left is compared with the baseline once, on samples that were held out. Only that figure is to be
       believed: on the samples of the race the best of many looks better than it is.

    Replies and vectors are shared by all candidates, as in a `Ladder`; with a `folder` a search that was
    interrupted, or whose budget ended, is taken up by running it again.

    Args:
        evaluator: How answers are measured.
        target: The name of the metric that decides.
        batch: Samples of the first round; each round has twice as many as the one before.
        candidates: Combinations to race at most; of a larger space all single changes and others at random.
        budget: Pipeline runs at most; or a `Budget`, which then holds for all models, judges included. The
            comparison on the held-out samples is set aside first.
        held_out: Share of the samples (or groups) that the race does not see, above 0 and below 1.
        least: What all parts taken out may cost together.
        seed: Of the combinations and of the order of the samples.
        folder: Where to keep what was paid for; None: nowhere.

    Raises:
        UsageError: When the space has nothing new, the target is not measured, or a part of the samples is empty.

    Example:
        >>> from llmopt.evaluation import ExactMatch
        >>> from llmopt.prompting import Direct
        >>> from llmopt.testing import FakeModel
        >>> samples = [Sample(question=f"q{n}?", reference="yes") for n in range(60)]
        >>> base = Pipeline(model=FakeModel("no"), prompt=Direct())
        >>> space = {"model": [FakeModel("yes"), FakeModel("maybe")], "k": [3, 8]}
        >>> result = Search(Evaluator([ExactMatch()]), "exact_match").run(base, space, samples)
        >>> result.improved, [part.path for part in result.ablation if part.kept]
        (True, ['model'])
    """

    evaluator: Evaluator
    target: str
    batch: int = 16
    candidates: int = 64
    budget: int | Budget | None = None
    held_out: float = 0.4
    least: float = 0.01
    seed: int = 0
    folder: str | PathLike[str] | None = None

    def run(
        self, baseline: Pipeline, space: Mapping[str, Sequence[object]], samples: Sequence[Sample]
    ) -> SearchResult:  # fmt: skip
        """Search the space.

        Args:
            baseline: What every candidate is compared with.
            space: By slot of the pipeline, or by path (`retriever.k1`), the values to try; the baseline's own
                counts always.
            samples: Questions with what the metrics need.
        """
        return run_sync(self.arun, baseline, space, samples)

    async def arun(
        self, baseline: Pipeline, space: Mapping[str, Sequence[object]], samples: Sequence[Sample]
    ) -> SearchResult:
        """Search the space; the async twin of `run`."""
        workshop = Workshop(baseline, space)
        drawn = draw(workshop.space, self.candidates, self.seed)
        parts = hold_out(samples, self.held_out)
        self._check(parts)
        bench = Bench(self.evaluator, self.folder, self.budget if isinstance(self.budget, Budget) else None)
        purse = Purse(self.budget, 2 * len(parts.unseen))
        course = Course(bench, workshop, shuffled(parts.seen, self.seed), self.target, purse)
        return await _Searching(self, course, workshop, parts.unseen).result(drawn)

    def _check(self, parts: Parts) -> None:
        names = [metric.name for metric in self.evaluator.metrics]
        if self.target not in names:
            raise UsageError(f"the search's target {self.target!r} is not measured; the evaluator has {names}")
        if self.batch < 1 or self.candidates < 1 or not 0 < self.held_out < 1 or not parts.seen or not parts.unseen:
            raise UsageError(
                f"a search needs `batch` and `candidates` of at least 1, samples to race on and samples held out; got "
                f"batch={self.batch}, candidates={self.candidates}, held_out={self.held_out}, {len(parts.seen)} "
                f"samples to race on and {len(parts.unseen)} held out"
            )


class _Searching:
    """One run of a search."""

    def __init__(self, search: Search, course: Course, workshop: Workshop, unseen: Sequence[Sample]) -> None:
        self._search = search
        self._course = course
        self._workshop = workshop
        self._unseen = unseen
        self._stopped: list[str] = []

    async def result(self, drawn: Drawn) -> SearchResult:
        baseline = await self._course.runner(())
        entrants, broken = await self._entrants(drawn)
        try:
            alive = await race(self._course, baseline, entrants, self._search.batch) if entrants else []
        except OutOfBudgetError as error:
            raise UsageError(f"the budget does not allow a round of {len(entrants)} candidates: {error}") from error
        if len(alive) > 1 and len(baseline.report) < len(self._course.samples):
            self._stopped.append(f"the race ended with {len(alive)} candidates left, for the budget")
        found = await self._pruned(baseline, alive)
        confirmed, improved = (None, False) if found is None else await self._confirmed(baseline, found.winner)
        rungs = await self._rungs(baseline, found, confirmed, improved=improved)
        return SearchResult(
            found.winner.pipeline if found is not None and improved else baseline.pipeline,
            winner="" if found is None else found.winner.name,
            confirmed=confirmed,
            improved=improved,
            ablation=() if found is None else found.parts,
            trials=(*self._trials(baseline, entrants, alive, found is not None), *broken),
            rungs=rungs,
            target=self._search.target,
            possible=drawn.possible,
            runs=self._course.purse.runs,
            stopped="; ".join(self._stopped),
        )

    async def _entrants(self, drawn: Drawn) -> tuple[list[Runner], list[Trial]]:
        """Return the candidates, and what became of those that could not be made."""
        made: list[Runner] = []
        broken: list[Trial] = []
        for choice in drawn.choices:
            try:
                made.append(await self._course.runner(choice))
            except Exception as error:  # noqa: BLE001 - a candidate that breaks is a line in the table
                why = f"could not be made: {type(error).__name__}: {error}"
                nothing = Estimate(None, None, None, 0)
                broken.append(Trial(self._workshop.name(choice), None, 0, nothing, 0, why))
        return made, broken

    async def _pruned(self, baseline: Runner, alive: Sequence[Runner]) -> Ablated | None:
        """Return the winner without useless parts; None where nothing leads the baseline."""
        if not alive or self._course.lead(alive[0], baseline) <= 0:
            return None
        found = await ablated(self._course, self._workshop, alive[0], self._search.least)
        if found.stopped:
            self._stopped.append(found.stopped)
        return found if self._course.lead(found.winner, baseline) > 0 else None

    async def _confirmed(self, baseline: Runner, winner: Runner) -> tuple[Comparison | None, bool]:
        """Return the comparison on the held-out samples, and whether the winner is better there."""
        try:
            before = await self._course.report(self._unseen, baseline.pipeline, "baseline, held out")
            after = await self._course.report(self._unseen, winner.pipeline, f"{winner.name}, held out")
        except OutOfBudgetError as error:
            self._stopped.append(f"the winner {winner.name} is not confirmed: {error}")
            return None, False
        self._course.purse.reserved = 0
        compared = after.compare(before, self._search.target)
        gain, loss = compared.difference.value, loss_of(before, after, self._search.target)
        return compared, gain is not None and gain > 0 and compared.p <= _LEVEL and loss.gain > 0

    async def _rungs(
        self, baseline: Runner, found: Ablated | None, confirmed: Comparison | None, *, improved: bool
    ) -> list[Rung]:
        if found is None:
            found = Ablated(baseline, ())
        if improved:
            verdict = Verdict("keep", f"with all parts, on held-out samples: {confirmed}")
        else:
            verdict = Verdict("undecided", f"led the race only; on held-out samples: {confirmed or 'not compared'}")
        return await way(self._course, self._workshop, baseline, found, verdict)

    def _trials(self, baseline: Runner, entrants: Sequence[Runner], alive: Sequence[Runner], won: bool) -> list[Trial]:
        leads = {runner.choice: self._course.lead(runner, baseline) for runner in entrants}
        gone = sorted((each for each in entrants if each.left), key=lambda each: (-each.left, -leads[each.choice]))
        fates = ["won" if won else "did not lead the baseline", *["was beaten at the end"] * (len(alive) - 1)]
        return [
            self._trial(baseline, runner, fate)
            for runner, fate in zip(
                (*alive, *gone), (*fates, *(f"left in round {each.left}" for each in gone)), strict=True
            )
        ]

    def _trial(self, baseline: Runner, runner: Runner, fate: str) -> Trial:
        compared = self._course.compared(runner, baseline)
        seen = runner.report.summary(self._search.target)
        return Trial(
            runner.name, runner.pipeline, seen.total, compared.difference, seen.total - seen.scored, fate
        )  # fmt: skip
