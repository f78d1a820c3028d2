"""What a metric says over many samples: a mean with its interval, and what is missing from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .._stats import Estimate, mean
from ..types import Score
from .row import Row

__all__ = ["Latency", "Summary", "by_category", "latency_of", "summarise"]


@dataclass(frozen=True, slots=True)
class Summary:
    """A metric over a set of samples.

    Attributes:
        metric: The metric's name.
        estimate: The mean of the scores with its 95 % interval, clustered where samples have groups.
        total: How many samples there are; `scored + undefined + failed`.
        scored: How many have a figure.
        undefined: How many have none by the definition of the metric.
        failed: How many could not be measured.
        reasons: Why figures are missing, `status: reason` with how often, the most frequent first.
    """

    metric: str
    estimate: Estimate
    total: int
    scored: int
    undefined: int
    failed: int
    reasons: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def mean(self) -> float | None:
        """The mean of the scores; None when there is none."""
        return self.estimate.value

    def __str__(self) -> str:
        """Write it in one line, with what is missing."""
        line = f"{self.metric} {self.estimate} ({self.scored} of {self.total} scored"
        missing = [
            f"{count} {word}" for count, word in ((self.undefined, "undefined"), (self.failed, "failed")) if count
        ]
        return ", ".join([line, *missing]) + ")"


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds that the pipeline's runs took.

    Attributes:
        mean: With its 95 % interval.
        median: Half of the runs were faster.
        p95: 95 % of the runs were faster.
    """

    mean: Estimate
    median: float | None
    p95: float | None


def summarise(metric: str, rows: Sequence[Row]) -> Summary:
    """Return what a metric says over the rows."""
    scores = [row.scores[metric] for row in rows]
    statuses = Counter(score.status for score in scores)
    reasons = Counter(_missing(score) for score in scores if score.value is None)
    groups = [row.sample.group or f"\0{number}" for number, row in enumerate(rows)]
    values = [score.value for score in scores if score.value is not None]
    clusters = [group for group, score in zip(groups, scores, strict=True) if score.value is not None]
    return Summary(
        metric,
        mean(values, groups=clusters),
        total=len(scores),
        scored=statuses["scored"],
        undefined=statuses["undefined"],
        failed=statuses["failed"],
        reasons=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
    )


def by_category(metric: str, rows: Sequence[Row]) -> dict[str, Summary]:
    """Return what a metric says within each category, in the order of their names."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.sample.category, []).append(row)
    return {category: summarise(metric, found[category]) for category in sorted(found)}


def latency_of(seconds: Iterable[float]) -> Latency:
    """Return how long runs took."""
    taken = list(seconds)
    if not taken:
        return Latency(mean([]), None, None)
    median, p95 = (float(value) for value in np.quantile(taken, [0.5, 0.95]))
    return Latency(mean(taken), median, p95)


def _missing(score: Score) -> str:
    return f"{score.status}: {score.reason or 'no reason given'}"
