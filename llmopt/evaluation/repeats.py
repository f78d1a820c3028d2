"""Measuring the same sample several times, and what that says of the judge."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, cast

from ..errors import UsageError
from ..interfaces import ChatModel, Metric
from ..types import Completion, Delta, Message, Options, Score, Usage
from .rewiring import Rewiring
from .row import Row

__all__ = ["Noise", "ReplicatedModel", "merged", "noise_of", "replicated"]

_APART = 1000
_DETAIL = "repeats"


@dataclass(frozen=True, repr=False)
class ReplicatedModel(ChatModel):
    """A model whose replies are samples of their own, so that no cache takes one repeat for another."""

    passes_through: ClassVar[bool] = True
    inner: ChatModel
    number: int

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Ask the inner model for this repeat's own reply."""
        return await self.inner.acomplete(messages, self._own(options))

    def stream(self, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
        """Stream this repeat's own reply."""
        return self.inner.stream(messages, self._own(options))

    def price(self, usage: Usage) -> float | None:
        """Return what the inner model costs."""
        return self.inner.price(usage)

    def _own(self, options: Options) -> Options:
        return replace(options, replicate=options.replicate + _APART * self.number)


def replicated(metrics: Sequence[Metric], number: int) -> list[Metric]:
    """Return the metrics as they measure for the given time, from 0; the first time they are the same ones."""
    if number == 0:
        return list(metrics)
    rewiring = Rewiring(lambda model: ReplicatedModel(model, number), lambda embedder: embedder)
    return [rewiring.apply(metric) for metric in metrics]


def merged(scores: Sequence[Score]) -> Score:
    """Return one score for several of the same sample: their mean, with all of them in `details["repeats"]`."""
    if len(scores) == 1:
        return scores[0]
    values = tuple(score.value for score in scores)
    scored = [score for score in scores if score.value is not None]
    if not scored:
        return replace(scores[0], details={**scores[0].details, _DETAIL: values})
    mean = math.fsum(score.value for score in scored if score.value is not None) / len(scored)
    shown = ", ".join("-" if value is None else f"{value:.3g}" for value in values)
    reason = f"mean of {len(scored)} of {len(scores)} repeats ({shown})"
    first = scored[0].reason
    return replace(
        scored[0],
        value=mean,
        reason=f"{reason}; the first: {first}" if first else reason,
        details={**scored[0].details, _DETAIL: values},
    )


@dataclass(frozen=True, slots=True)
class Noise:
    """How much of the spread of a metric is between samples, and how much is the judge's.

    Attributes:
        metric: The metric's name.
        samples: Samples with at least one figure.
        repeats: Figures per sample, on average.
        sample_variance: Between the samples' true figures.
        judge_variance: Between repeats of one sample.
        unstable: Share of the samples with several figures whose figures differ; None when there is none.
    """

    metric: str
    samples: int
    repeats: float
    sample_variance: float
    judge_variance: float
    unstable: float | None

    @property
    def judge_share(self) -> float | None:
        """Share of the variance of a single figure that is the judge's, 0 to 1; None when nothing varies."""
        total = self.sample_variance + self.judge_variance
        return self.judge_variance / total if total else None

    def standard_error(self, samples: int, repeats: int) -> float:
        """Return the standard error that the mean of so many samples, so many times each, would have.

        More repeats take away the judge's part only; more samples take away both.
        """
        if samples < 1 or repeats < 1:
            raise UsageError(f"a mean needs at least one sample and one repeat, got {samples} and {repeats}")
        return math.sqrt((self.sample_variance + self.judge_variance / repeats) / samples)

    def __str__(self) -> str:
        """Write it in two lines."""
        share = "-" if self.judge_share is None else f"{self.judge_share:.0%}"
        unstable = "-" if self.unstable is None else f"{self.unstable:.0%}"
        samples, repeats = self.samples, max(1, round(self.repeats))
        return (
            f"{self.metric}: the judge makes {share} of a figure's variance; {unstable} of the samples change\n"
            f"standard error {self.standard_error(samples, repeats):.4f} now, "
            f"{self.standard_error(samples, 2 * repeats):.4f} with twice the repeats, "
            f"{self.standard_error(2 * samples, repeats):.4f} with twice the samples"
        )


def noise_of(metric: str, rows: Sequence[Row]) -> Noise:
    """Return how the spread of a metric divides, from a report made with `Evaluator(repeats=...)`.

    One-way random-effects analysis of variance, also for unequal numbers of figures.

    Raises:
        UsageError: When no sample has two figures, or fewer than two samples have any.

    Source: Searle, Casella and McCulloch (1992), Variance Components, section 3.6.
    """
    found = [figures for row in rows if (figures := _figures(row.scores[metric]))]
    count, total = len(found), sum(len(figures) for figures in found)
    if count < 2 or total == count:
        raise UsageError(
            f"noise needs two samples, and samples that were measured twice: {metric} has {total} figures on {count} "
            "samples; evaluate with `Evaluator(metrics, repeats=3)`"
        )
    means = [math.fsum(figures) / len(figures) for figures in found]
    grand = math.fsum(value for figures in found for value in figures) / total
    within = math.fsum((v - m) ** 2 for figures, m in zip(found, means, strict=True) for v in figures) / (total - count)
    between = math.fsum(len(f) * (m - grand) ** 2 for f, m in zip(found, means, strict=True)) / (count - 1)
    usual = (total - sum(len(figures) ** 2 for figures in found) / total) / (count - 1)
    several = [figures for figures in found if len(figures) > 1]
    return Noise(
        metric,
        samples=count,
        repeats=total / count,
        sample_variance=max(0.0, (between - within) / usual),
        judge_variance=within,
        unstable=sum(len(set(figures)) > 1 for figures in several) / len(several),
    )


def _figures(score: Score) -> list[float]:
    values = score.details.get(_DETAIL)
    if isinstance(values, tuple | list):
        listed = cast("Sequence[object]", values)
        return [float(value) for value in listed if isinstance(value, int | float)]
    return [] if score.value is None else [score.value]
