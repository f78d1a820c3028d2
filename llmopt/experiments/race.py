"""Many candidates for one place: raced on small batches, and believed only on samples that the race has not seen."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from .._sync import run_sync
from ..errors import UsageError
from ..evaluation import Comparison, Evaluator, Report
from ..evaluation.table import Table
from ..pipeline import Pipeline
from ..types import Sample

__all__ = ["BASELINE", "Entrant", "Race", "RaceResult", "runs_of"]

BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class Entrant:
    """How far one candidate came.

    Attributes:
        name: Its name; the baseline's is "baseline".
        pipeline: It.
        points: Sum of its scores; a sample on which it has none brings nothing.
        samples: On which it ran.
    """

    name: str
    pipeline: Pipeline
    points: float = 0.0
    samples: int = 0

    @property
    def mean(self) -> float:
        """Points per sample; 0 before the first one."""
        return self.points / self.samples if self.samples else 0.0

    def plus(self, report: Report, target: str) -> Entrant:
        """Return the entrant with the scores of a further report."""
        points = sum(row.scores[target].value or 0.0 for row in report.rows)
        return replace(self, points=self.points + points, samples=self.samples + len(report.rows))


@dataclass(frozen=True, slots=True)
class RaceResult:
    """What a race came to.

    Attributes:
        pipeline: The winner where it proved better on the held-out samples, else the baseline.
        winner: Name of the one that led the race; empty when none led the baseline.
        comparison: Of the winner with the baseline on the held-out samples; None without a winner.
        entrants: All, those that came furthest first.
        runs: Pipeline runs that it took.
    """

    pipeline: Pipeline
    winner: str
    comparison: Comparison | None
    entrants: Sequence[Entrant]
    runs: int

    @property
    def improved(self) -> bool:
        """Whether the winner is better than the baseline beyond its error bar."""
        return _is_better(self.comparison)

    def __str__(self) -> str:
        """Draw the race as a table, with what came of it below."""
        rows = [[entrant.name, str(entrant.samples), f"{entrant.mean:.3f}"] for entrant in self.entrants]
        table = Table(("candidate", "samples", "mean in the race"), rows, caption=f"{self.runs} pipeline runs")
        if self.comparison is None:
            return f"{table}\nno candidate led the baseline: it stays"
        said = "better beyond its error bar" if self.improved else "not better beyond its error bar: the baseline stays"
        return f"{table}\n{self.winner} on held-out samples: {self.comparison}; {said}"


@dataclass(repr=False, eq=False)
class Race:
    """Races candidates on batches of growing size; after each the worse half leaves (successive halving).

    The baseline runs along and never leaves. Who leads at the end is compared with the baseline on
    samples that were held out, once, so that the many candidates cannot win by luck: the best of many
    looks better than it is on the samples that chose it.

    Source: Jamieson and Talwalkar 2016, "Non-stochastic Best Arm Identification" (successive halving).

    Args:
        evaluator: How answers are measured.
        target: The name of the metric that decides.
        batch: Samples of the first round; each round has twice as many.
        budget: Pipeline runs, at most, those on the held-out samples included; None: no limit.
        held_out: Share of the samples (or groups) that the race does not see, above 0 and below 1.
        seed: Of the order of the samples.

    Raises:
        UsageError: When the budget does not allow one round and the comparison, or a part is empty.

    Example:
        >>> from llmopt.evaluation import ExactMatch
        >>> from llmopt.prompting import Direct
        >>> from llmopt.testing import FakeModel
        >>> samples = [Sample(question=f"q{n}?", reference="yes") for n in range(60)]
        >>> base = Pipeline(model=FakeModel("no"), prompt=Direct())
        >>> others = {"yes": base.but(model=FakeModel("yes")), "maybe": base.but(model=FakeModel("maybe"))}
        >>> result = Race(Evaluator([ExactMatch()]), "exact_match").run(base, others, samples)
        >>> result.winner, result.improved
        ('yes', True)
    """

    evaluator: Evaluator
    target: str
    batch: int = 8
    budget: int | None = None
    held_out: float = 0.4
    seed: int = 0

    def run(self, baseline: Pipeline, candidates: Mapping[str, Pipeline], samples: Sequence[Sample]) -> RaceResult:
        """Race the candidates against each other and the baseline."""
        return run_sync(self.arun, baseline, candidates, samples)

    async def arun(
        self, baseline: Pipeline, candidates: Mapping[str, Pipeline], samples: Sequence[Sample]
    ) -> RaceResult:
        """Race the candidates against each other and the baseline; the async twin of `run`."""
        racing, unseen = self.parts(samples)
        self.check(candidates, racing, unseen)
        others = [Entrant(name, each) for name, each in candidates.items()]
        allowed = None if self.budget is None else self.budget - 2 * len(unseen)
        ranked = await self.aheats(Entrant(BASELINE, baseline), others, racing, runs=allowed)
        leader = max(ranked[-1], ranked[0], key=lambda entrant: entrant.mean)  # the baseline wins a tie
        return await self.aproved(baseline, leader, ranked, unseen)

    async def aheats(
        self, first: Entrant, others: Sequence[Entrant], samples: Sequence[Sample], *, runs: int | None = None
    ) -> list[Entrant]:
        """Run the rounds and return all entrants as far as they came: the best first, `first` last.

        Args:
            first: Runs along to the end.
            others: The worse half of them leaves after each round; at least one.
            samples: Run on in their order.
            runs: Pipeline runs, at most; None: no limit.
        """
        left, alive, at, size = list[Entrant](), [first, *others], 0, self.batch
        while len(alive) > 2 or at == 0:
            chunk = samples[at : at + size]
            if not chunk or (runs is not None and runs_of([*left, *alive]) + len(chunk) * len(alive) > runs):
                break
            alive = [await self._run_on(chunk, entrant) for entrant in alive]
            first, *ahead = alive
            ahead.sort(key=lambda entrant: -entrant.mean)
            kept = -(-len(ahead) // 2)
            left, alive, at, size = [*ahead[kept:], *left], [first, *ahead[:kept]], at + size, size * 2
        return [*alive[1:], *left, alive[0]]

    async def aproved(
        self, baseline: Pipeline, leader: Entrant, entrants: Sequence[Entrant], unseen: Sequence[Sample]
    ) -> RaceResult:
        """Compare who led with the baseline on samples that no round has seen, and return what came of the race.

        Args:
            baseline: What stays unless the leader proves better.
            leader: The baseline's own entrant when nobody led it.
            entrants: All, for the result.
            unseen: The samples held out.
        """
        spent = runs_of(entrants)
        if leader.name == BASELINE:
            return RaceResult(baseline, "", None, entrants, spent)
        before = await self.evaluator.arun(unseen, pipeline=baseline, title=f"{BASELINE}, held out")
        after = await self.evaluator.arun(unseen, pipeline=leader.pipeline, title=f"{leader.name}, held out")
        comparison = after.compare(before, self.target, seed=self.seed)
        chosen = leader.pipeline if _is_better(comparison) else baseline
        return RaceResult(chosen, leader.name, comparison, entrants, spent + 2 * len(unseen))

    def parts(self, samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
        """Return the samples to race on, shuffled by the seed, and those held out; a group stays on one side."""
        racing: list[Sample] = []
        unseen: list[Sample] = []
        for sample in samples:
            key = sample.group or sample.id or sample.question
            place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
            (unseen if place < self.held_out else racing).append(sample)
        random.Random(self.seed).shuffle(racing)
        return racing, unseen

    async def _run_on(self, chunk: Sequence[Sample], entrant: Entrant) -> Entrant:
        report = await self.evaluator.arun(chunk, pipeline=entrant.pipeline, title=entrant.name)
        return entrant.plus(report, self.target)

    def check(
        self, names: Collection[str], racing: Sequence[Sample], unseen: Sequence[Sample], *, before: int = 0
    ) -> None:
        """Refuse a race that cannot be run, before anything is paid.

        Args:
            names: Of the candidates.
            racing: The samples to race on.
            unseen: The samples held out.
            before: Pipeline runs that are needed before the first round.

        Raises:
            UsageError: What is wrong with it.
        """
        known = [metric.name for metric in self.evaluator.metrics]
        if self.target not in known:
            raise UsageError(f"the race's target {self.target!r} is not measured; the evaluator has {known}")
        if not names or BASELINE in names:
            raise UsageError(f"a race needs candidates, none of them named {BASELINE!r}, got {list(names)}")
        if self.batch < 1 or not 0 < self.held_out < 1 or not racing or not unseen:
            raise UsageError(
                f"a race needs a batch of at least 1, samples to race on and samples held out; got batch={self.batch}, "
                f"held_out={self.held_out}, {len(racing)} samples to race on and {len(unseen)} held out"
            )
        least = before + min(self.batch, len(racing)) * (len(names) + 1) + 2 * len(unseen)
        if self.budget is not None and self.budget < least:
            raise UsageError(
                f"a budget of {self.budget} pipeline runs does not allow a round of {len(names) + 1} on "
                f"{self.batch} samples and the comparison on {len(unseen)}: it takes {least}"
            )


def runs_of(entrants: Iterable[Entrant]) -> int:
    """Return the pipeline runs that the entrants took."""
    return sum(entrant.samples for entrant in entrants)


def _is_better(comparison: Comparison | None) -> bool:
    low = None if comparison is None else comparison.difference.low
    return low is not None and low > 0
