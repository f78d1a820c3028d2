"""Summaries of a stream: the same figures as of a list, in memory that does not grow."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from .._stats import Estimate, share, t_quantile
from ..types import Score, ScoreStatus
from .row import Row
from .summary import Summary

__all__ = ["RunningSummary", "summarise_rows"]

_MOST_REASONS = 1000
_LEVEL = 0.95


class RunningSummary:
    """A metric's summary that takes one score at a time.

    The interval is that of independent samples: clustering by group would need all of them at once.

    Args:
        metric: The metric's name.

    Example:
        >>> running = RunningSummary("faithfulness")
        >>> for value in (1.0, 0.5, None):
        ...     running.add(value, reason="" if value is not None else "no claims")
        >>> found = running.summary()
        >>> found.mean, found.scored, found.total
        (0.75, 2, 3)
    """

    __slots__ = ("_counts", "_high", "_low", "_mean", "_n", "_reasons", "_spread", "_yes_or_no", "metric")

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self._n = 0
        self._mean = self._spread = 0.0
        self._low, self._high = math.inf, -math.inf
        self._yes_or_no = True
        self._counts = Counter[str]()
        self._reasons = Counter[str]()

    def add(self, value: float | None, *, reason: str = "", status: ScoreStatus = "undefined") -> None:
        """Take a score; without a figure, why there is none."""
        if value is None:
            self._counts[status] += 1
            said = f"{status}: {reason or 'no reason given'}"
            known = said in self._reasons or len(self._reasons) < _MOST_REASONS
            self._reasons[said if known else f"{status}: other reasons"] += 1
            return
        # Welford (1962): the sum of squares without the loss of digits of the naive formula.
        self._n += 1
        away = value - self._mean
        self._mean += away / self._n
        self._spread += away * (value - self._mean)
        self._low, self._high = min(self._low, value), max(self._high, value)
        self._yes_or_no = self._yes_or_no and value in {0.0, 1.0}

    def take(self, score: Score) -> None:
        """Take a metric's score."""
        self.add(score.value, reason=score.reason, status=score.status or "undefined")

    def summary(self) -> Summary:
        """Return the summary of what came so far."""
        missing = sum(self._counts.values())
        reasons = sorted(self._reasons.items(), key=lambda item: (-item[1], item[0]))
        return Summary(
            self.metric,
            self._estimate(),
            total=self._n + missing,
            scored=self._n,
            undefined=self._counts["undefined"],
            failed=self._counts["failed"],
            reasons=dict(reasons),
        )

    def _estimate(self) -> Estimate:
        n = self._n
        if n and self._yes_or_no:
            return share(round(self._mean * n), n, level=_LEVEL)
        if n < 2:
            return Estimate(self._mean if n else None, None, None, n)
        half = t_quantile((1 + _LEVEL) / 2, n - 1) * math.sqrt(self._spread / (n - 1) / n)
        low, high = self._mean - half, self._mean + half
        if self._low >= 0 and self._high <= 1:
            low, high = max(0.0, low), min(1.0, high)
        return Estimate(self._mean, low, high, n, "t", _LEVEL)


def summarise_rows(rows: Iterable[Row]) -> list[Summary]:
    """Return the summaries of the rows of a stream (`Evaluator.stream`), one per metric, in constant memory."""
    running: dict[str, RunningSummary] = {}
    for row in rows:
        for name, score in row.scores.items():
            known = running.get(name)
            if known is None:
                known = running[name] = RunningSummary(name)
            known.take(score)
    return [one.summary() for one in running.values()]
