"""What an evaluation will take, before anything is spent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from ..interfaces import Metric
from ..interfaces.planning import stand_in_hits
from ..types import Planned, Sample, Usage
from .keeping import Keeping
from .measuring import Answering
from .needs import excused
from .overview import money
from .table import Table

__all__ = ["Plan", "PlanningPipeline", "add_planned", "plan_evaluation"]

_ANSWER = "The answer is not known before the pipeline ran, so a text of usual length stands for it. " * 3
_USUAL_CONTEXTS = 5


@runtime_checkable
class PlanningPipeline(Protocol):
    """A pipeline that can say itself what a question will take."""

    def plan(self, question: str) -> Sequence[Planned]:
        """Return the calls, tokens and money at most."""
        ...


@runtime_checkable
class _Counted(Protocol):
    """A pipeline that says how many contexts it takes, as a `Pipeline` does."""

    @property
    def k(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """Calls, tokens and money at most; repairs and retries are not counted. Printing it draws a table.

    Attributes:
        items: What is going to be asked, added up by purpose ("faithfulness: claims").
        samples: How many samples there are.
        notes: What the figures rest on, where answers are not known yet.
    """

    items: Sequence[Planned]
    samples: int
    notes: Sequence[str] = ()

    @property
    def usage(self) -> Usage:
        """Calls and tokens, all together."""
        return sum((item.usage for item in self.items), Usage())

    @property
    def calls(self) -> int:
        """Requests, all together."""
        return self.usage.calls

    @property
    def cost(self) -> float | None:
        """US dollars, all together; None when a price is not known."""
        costs = [item.cost for item in self.items]
        return None if None in costs else sum(cost for cost in costs if cost is not None)

    def __str__(self) -> str:
        """Draw the table."""
        total = Planned("all together", self.usage, self.cost)
        rows = [
            [
                item.what,
                f"{item.usage.calls:,}",
                f"{item.usage.input_tokens:,}",
                f"{item.usage.output_tokens:,}",
                money(item.cost),
            ]
            for item in [*self.items, total]
        ]
        headings = ("what", "calls", "tokens read", "tokens written", "cost")
        caption = f"Plan for {self.samples} samples, at most; repairs and retries not counted"
        return str(Table(headings, rows, numbers=4, caption=caption, notes=self.notes))


def plan_evaluation(
    samples: Iterable[Sample],
    metrics: Sequence[Metric],
    pipeline: Answering | None,
    keeping: Keeping | None,
    *,
    repeats: int,
    partial: bool,
) -> Plan:
    """Return what measuring the samples will take.

    Where a pipeline is to answer first, its answers and contexts are not known: texts of usual length
    stand for them, and the notes say so.
    """
    sums: dict[str, Planned] = {}
    count = known = 0
    for sample in samples:
        count += 1
        kept = keeping.run_of(sample) if keeping is not None and pipeline is not None else None
        known += kept is not None
        if kept is None and pipeline is not None:
            add_planned(sums, _answering(pipeline, sample.question))
        answered = _stand_in(sample, pipeline) if kept is None else kept.into(sample)
        for metric in _missing(metrics, answered, keeping, repeats=repeats, partial=partial):
            add_planned(sums, metric.plan(answered))
    return Plan(tuple(sums.values()), count, _notes(pipeline) if known < count else ())


def _missing(
    metrics: Sequence[Metric], sample: Sample, keeping: Keeping | None, *, repeats: int, partial: bool
) -> Iterator[Metric]:
    for metric in metrics:
        if excused(metric, sample, partial=partial) is None:
            for repeat in range(1 if metric.immediate else repeats):
                if keeping is None or keeping.score_of(sample, metric.name, repeat) is None:
                    yield metric


def add_planned(sums: dict[str, Planned], planned: Iterable[Planned]) -> None:
    """Add what is planned to the sums by purpose, in place; an unknown price makes the sum unknown."""
    for item in planned:
        so_far = sums.get(item.what)
        if so_far is None:
            sums[item.what] = item
        else:
            cost = None if so_far.cost is None or item.cost is None else so_far.cost + item.cost
            sums[item.what] = Planned(item.what, so_far.usage + item.usage, cost)


def _answering(pipeline: Answering, question: str) -> Sequence[Planned]:
    if isinstance(pipeline, PlanningPipeline) and question.strip():
        return pipeline.plan(question)
    return ()


def _stand_in(sample: Sample, pipeline: Answering | None) -> Sample:
    if pipeline is None:
        return sample
    count = pipeline.k if isinstance(pipeline, _Counted) else _USUAL_CONTEXTS
    contexts = tuple(hit.document.text for hit in stand_in_hits(count))
    return replace(sample, answer=sample.reference or _ANSWER, contexts=contexts)


def _notes(pipeline: Answering | None) -> tuple[str, ...]:
    if pipeline is None:
        return ()
    notes = ["Answers and contexts are not known yet: texts of usual length stand for them."]
    if isinstance(pipeline, PlanningPipeline):
        return tuple(notes)
    return (*notes, "What the pipeline itself takes is not known and not counted.")
