"""Summaries of a stream: the same figures as of a list, in memory that grows with the number of groups only."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from .._stats import Estimate, share, t_quantile
from ..types import Score, ScoreStatus
from .row import Row
from .summary import Summary

__all__ = ["RunningSummary", "summarise_rows"]

_MOST_REASONS = 1000
_LEVEL = 0.95


class _Spread:
    """Count, mean and sum of squared distances from it, by Welford (1962): no digits are lost as by the naive sums."""

    __slots__ = ("mean", "n", "squares")

    def __init__(self) -> None:
        self.n = 0
        self.mean = self.squares = 0.0

    def add(self, value: float) -> None:
        self.n += 1
        away = value - self.mean
        self.mean += away / self.n
        self.squares += away * (value - self.mean)


class RunningSummary:
    """A metric's summary that takes one score at a time.

    The interval is clustered by the groups that come along, as that of a list is. Each group is kept with its
    sum; what has no group takes no memory.

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

    __slots__ = ("_counts", "_groups", "_high", "_low", "_reasons", "_spread", "_within", "_yes_or_no", "metric")

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self._spread = _Spread()
        self._within = _Spread()  # of the values that have a group
        self._groups: dict[str, list[float]] = {}  # count and sum of each
        self._low, self._high = math.inf, -math.inf
        self._yes_or_no = True
        self._counts = Counter[str]()
        self._reasons = Counter[str]()

    def add(self, value: float | None, *, reason: str = "", status: ScoreStatus = "undefined", group: str = "") -> None:
        """Take a score, with its sample's group if it has one; without a figure, why there is none."""
        if value is None:
            self._counts[status] += 1
            said = f"{status}: {reason or 'no reason given'}"
            known = said in self._reasons or len(self._reasons) < _MOST_REASONS
            self._reasons[said if known else f"{status}: other reasons"] += 1
            return
        self._spread.add(value)
        if group:
            self._within.add(value)
            sums = self._groups.setdefault(group, [0.0, 0.0])
            sums[0] += 1
            sums[1] += value
        self._low, self._high = min(self._low, value), max(self._high, value)
        self._yes_or_no = self._yes_or_no and value in {0.0, 1.0}

    def take(self, score: Score, group: str = "") -> None:
        """Take a metric's score, with its sample's group if it has one."""
        self.add(score.value, reason=score.reason, status=score.status or "undefined", group=group)

    def summary(self) -> Summary:
        """Return the summary of what came so far."""
        missing = sum(self._counts.values())
        reasons = sorted(self._reasons.items(), key=lambda item: (-item[1], item[0]))
        return Summary(
            self.metric,
            self._estimate(),
            total=self._spread.n + missing,
            scored=self._spread.n,
            undefined=self._counts["undefined"],
            failed=self._counts["failed"],
            reasons=dict(reasons),
        )

    def _estimate(self) -> Estimate:
        n, mean = self._spread.n, self._spread.mean
        clusters = n - self._within.n + len(self._groups)
        if n < 2 or clusters < 2:
            alone = n == 1 and self._yes_or_no
            return share(round(mean), 1, level=_LEVEL) if alone else Estimate(mean if n else None, None, None, n)
        if self._yes_or_no and (clusters == n or mean in {0.0, 1.0}):
            found = share(round(mean * clusters), clusters, level=_LEVEL)
            return replace(found, n=n, method=found.method if clusters == n else "clustered wilson")
        error, method = math.sqrt(self._spread.squares / (n - 1) / n), "t"
        if clusters < n:
            error, method = max(error, self._clustered_error(clusters)), "clustered t"
        half = t_quantile((1 + _LEVEL) / 2, clusters - 1) * error
        low, high = mean - half, mean + half
        if self._low >= 0 and self._high <= 1:
            low, high = max(0.0, low), min(1.0, high)
        return Estimate(mean, low, high, n, method, _LEVEL)

    def _clustered_error(self, clusters: int) -> float:
        """The standard error of `clustered_mean`; a value without a group is a cluster of its own."""
        mean, within = self._spread.mean, self._within
        alone = self._spread.squares - within.squares - within.n * (within.mean - mean) ** 2
        grouped = math.fsum((total - count * mean) ** 2 for count, total in self._groups.values())
        return math.sqrt(clusters / (clusters - 1) * (max(0.0, alone) + grouped)) / self._spread.n


def summarise_rows(rows: Iterable[Row]) -> list[Summary]:
    """Return the summaries of the rows of a stream (`Evaluator.stream`), one per metric, clustered by group.

    Memory grows with the number of groups, not of rows.
    """
    running: dict[str, RunningSummary] = {}
    for row in rows:
        for name, score in row.scores.items():
            known = running.get(name)
            if known is None:
                known = running[name] = RunningSummary(name)
            known.take(score, row.sample.group)
    return [one.summary() for one in running.values()]
