"""Whether more training data would help: the same job on a quarter, half and all of the examples."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from .._stats import Estimate
from .._sync import call, run_sync
from ..errors import UsageError
from ..evaluation import Comparison, Evaluator, Report
from ..evaluation.table import Table
from ..finetuning.losses import LossPoint, TellsLosses, draw_losses
from ..pipeline import Pipeline
from ..types import Example, Sample
from .curve_plot import Bar, Line, plot_curves
from .rung import gain_text
from .tuned import refuse_leaks, samples_that_would_tell, tuning_of

__all__ = ["CurvePoint", "LearningCurve", "alearning_curve", "learning_curve"]

_LEVEL = 0.05


@dataclass(frozen=True)
class CurvePoint:
    """A model trained on a part of the examples.

    Attributes:
        share: The part, above 0 to 1; 0 for the model before any training.
        examples: How many examples that is.
        pipeline: With the tuned model in its `model` slot.
        report: Its evaluation.
        losses: Of its training; empty where the job does not tell.
    """

    share: float
    examples: int
    pipeline: Pipeline
    report: Report
    losses: Sequence[LossPoint] = ()

    def score(self, target: str) -> Estimate:
        """Return the mean of a metric with its interval."""
        return self.report.summary(target).estimate


@dataclass(frozen=True)
class LearningCurve:
    """What the same training brings with more and more of the examples; `print(curve)` shows it.

    Attributes:
        target: The metric.
        points: Untuned first, then by growing share.
        gain: All examples against the untuned model, pair by pair.
        last: All examples against the share before, pair by pair: what the last data brought.
        least: The smallest gain worth having.
    """

    target: str
    points: Sequence[CurvePoint]
    gain: Comparison
    last: Comparison
    least: float

    @property
    def more_data_helps(self) -> bool | None:
        """Whether more data is likely to help, as the last data did; None where the samples do not tell.

        A metric from 0 to 1 that is within `least` of 1 has nothing left to gain.
        """
        gained = self.last.difference
        if self._is_at_its_limit:
            return False
        if gained.value is not None and gained.value > 0 and self.last.p <= _LEVEL:
            return True
        if self.last.better + self.last.worse == 0 or (gained.high is not None and gained.high < self.least):
            return False
        return None

    @property
    def _is_at_its_limit(self) -> bool:
        """Whether a metric from 0 to 1 is so near 1 that no gain worth having is left."""
        scores = [row.scores[self.target].value for row in self.points[-1].report.rows]
        mean = self.points[-1].score(self.target).value
        return mean is not None and mean > 1 - self.least and all(score is None or score <= 1 for score in scores)

    @property
    def verdict(self) -> str:
        """What the curve says, in a sentence."""
        before, whole = self.points[-2], self.points[-1]
        gained = gain_text(self.last.difference)
        grown = f"from {before.examples} to {whole.examples} examples {self.target} changed by {gained}"
        if self._is_at_its_limit:
            return f"more data will hardly help, next to nothing is left to gain: {grown}"
        if self.more_data_helps:
            return f"more data is likely to help: {grown}"
        if self.more_data_helps is False:
            return f"more data will hardly help: {grown}"
        needed = samples_that_would_tell(self.last, max(self.least, abs(self.last.difference.value or 0.0)))
        more = "" if needed is None else f"; about {needed} samples would tell"
        return f"it cannot be said whether more data helps: {grown}{more}"

    def table(self) -> Table:
        """Return the curve as a table, a line per share of the data."""
        untuned = self.points[0].report
        rows = [
            [
                f"{point.share:.0%}",
                str(point.examples),
                str(point.score(self.target)),
                gain_text(point.report.compare(untuned, self.target).difference) if point.examples else "-",
                _last_loss(point.losses),
            ]
            for point in self.points
        ]
        headings = ("data", "examples", self.target, "over untuned [95 % interval]", "loss training/validation")
        return Table(headings, rows, caption=f"{len(untuned)} samples", notes=[self.verdict])

    def __str__(self) -> str:
        """Draw the table, with the losses of the training on all examples below it."""
        losses = self.points[-1].losses
        return f"{self.table()}\n{draw_losses(losses)}" if losses else str(self.table())

    def plot(self, path: str | PathLike[str]) -> None:
        """Draw the metric over the examples, with its intervals, beside the losses over the steps, to a file.

        Args:
            path: Of the picture; its ending says which kind: .png, .svg, .pdf.

        Raises:
            MissingExtraError: Without matplotlib; `print(curve)` draws without it.
            UsageError: When the ending is of no such kind.
            StorageError: When the file cannot be written.
        """
        bars = [Bar(point.examples, point.score(self.target)) for point in self.points]
        lines = [
            Line(f"{point.share:.0%} {part}", [at for at, _ in found], [value for _, value in found])
            for point in self.points
            for part, found in _parts(point.losses).items()
            if found
        ]
        plot_curves(Path(path), self.target, bars, lines)


def learning_curve(
    pipeline: Pipeline,
    training: Sequence[Example],
    samples: Sequence[Sample],
    evaluator: Evaluator,
    target: str,
    *,
    validation: Sequence[Example] = (),
    shares: Sequence[float] = (0.25, 0.5, 1.0),
    least: float = 0.02,
    seed: int = 0,
) -> LearningCurve:
    """Return what the job in the `tuning` slot brings with growing parts of the examples.

    Each part holds the one before it, so that what changes is the amount. The last doubling says what the next
    is likely to bring, which is usually less.

    Args:
        pipeline: With the untuned model, and the job in its `tuning` slot.
        training: All examples.
        samples: What is measured; none may be in the training data.
        evaluator: How.
        target: The metric.
        validation: For the job; the same for every part.
        shares: The parts, growing, the last one 1.
        least: The smallest gain worth having.
        seed: Of the order in which examples are taken.

    Raises:
        SampleError: When samples are in the training data.
        UsageError: When there is no job, or the shares do not grow to 1, or hold too few examples.
        TuningError: When the job fails.
    """
    return run_sync(
        alearning_curve, pipeline, training, samples, evaluator, target,
        validation=validation, shares=shares, least=least, seed=seed,
    )  # fmt: skip


async def alearning_curve(
    pipeline: Pipeline,
    training: Sequence[Example],
    samples: Sequence[Sample],
    evaluator: Evaluator,
    target: str,
    *,
    validation: Sequence[Example] = (),
    shares: Sequence[float] = (0.25, 0.5, 1.0),
    least: float = 0.02,
    seed: int = 0,
) -> LearningCurve:
    """Return what growing parts of the examples bring; the async twin of `learning_curve`."""
    counts = _counts(shares, len(training))
    tuning_of(pipeline)
    refuse_leaks([*training, *validation], samples)
    order = list(training)
    random.Random(seed).shuffle(order)
    report = await evaluator.arun(samples, pipeline=pipeline, title="untuned")
    report.summary(target)  # an unknown metric is refused before anything is trained
    points = [CurvePoint(0.0, 0, pipeline, report)]
    for share, count in zip(shares, counts, strict=True):
        tuned, losses = await _tuned(pipeline, order[:count], validation)
        report = await evaluator.arun(samples, pipeline=tuned, title=f"tuned on {count} examples")
        points.append(CurvePoint(share, count, tuned, report, losses))
    before, whole = points[-2].report, points[-1].report
    gain = whole.compare(points[0].report, target, seed=seed)
    return LearningCurve(target, tuple(points), gain, whole.compare(before, target, seed=seed), least)


async def _tuned(
    pipeline: Pipeline, training: Sequence[Example], validation: Sequence[Example]
) -> tuple[Pipeline, Sequence[LossPoint]]:
    job = tuning_of(pipeline)
    job_id = await call(job.submit, training, validation)
    model = await job.aattach(job_id)
    losses = await call(job.losses, job_id) if isinstance(job, TellsLosses) else ()
    return pipeline.but(model=model), losses


def _counts(shares: Sequence[float], examples: int) -> list[int]:
    counts = [round(share * examples) for share in shares]
    growing = all(a < b for a, b in zip([0, *counts], counts, strict=False))
    if not growing or not shares or shares[-1] != 1 or min(shares) <= 0:
        raise UsageError(
            f"a learning curve needs shares that grow to 1, each with more examples than the one before; "
            f"got {list(shares)} of {examples} examples"
        )
    return counts


def _parts(losses: Sequence[LossPoint]) -> dict[str, list[tuple[int, float]]]:
    held = [(point.step, point.validation) for point in losses]
    return {
        "training": [(point.step, point.training) for point in losses],
        "validation": [(step, value) for step, value in held if value is not None],
    }


def _last_loss(losses: Sequence[LossPoint]) -> str:
    if not losses:
        return "-"
    last = losses[-1]
    return f"{last.training:.3f}/{'-' if last.validation is None else f'{last.validation:.3f}'}"
