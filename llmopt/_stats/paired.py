"""Two systems on the same samples: what changed, and whether it is more than chance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import UsageError
from .distributions import binomial_tail, normal_quantile
from .estimate import Estimate, Floats, as_floats, check_level
from .intervals import clustered_mean, t_mean

__all__ = ["holm", "mcnemar", "paired_difference"]


def paired_difference(
    before: Iterable[float] | Floats,
    after: Iterable[float] | Floats,
    *,
    groups: Sequence[str] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return the mean of `after - before` with its interval.

    Where all values are 0 or 1 the interval is Bonett and Price's, which stays honest when hardly any
    pair changed; else it is Student's t; with `groups` it is clustered.

    Args:
        before: One value per sample.
        after: The values of the same samples in the same order.
        groups: The group of each sample, where samples of one group are not independent.
        level: Confidence level.

    Raises:
        UsageError: When the two are not of one length.

    Source: Bonett and Price (2012), Adjusted Wald Confidence Interval for a Difference of Binomial
    Proportions Based on Paired Data, Journal of Educational and Behavioral Statistics 37.
    """
    first, second = as_floats(before, "before"), as_floats(after, "after")
    if len(first) != len(second):
        raise UsageError(f"paired values must be as many before as after, got {len(first)} and {len(second)}")
    differences = second - first
    if groups is not None:
        return clustered_mean(differences, groups, level=level)
    if len(first) and bool(np.isin(first, (0.0, 1.0)).all() and np.isin(second, (0.0, 1.0)).all()):
        return _bonett_price(int((differences > 0).sum()), int((differences < 0).sum()), len(first), level)
    return t_mean(differences, level=level)


def _bonett_price(up: int, down: int, n: int, level: float) -> Estimate:
    gain, loss = (up + 1) / (n + 2), (down + 1) / (n + 2)
    error = math.sqrt((gain + loss - (gain - loss) ** 2) / (n + 2))
    half = normal_quantile((1 + check_level(level)) / 2) * error
    value = (up - down) / n
    low, high = max(-1.0, gain - loss - half), min(1.0, gain - loss + half)
    return Estimate(value, min(value, low), max(value, high), n, "bonett-price", level)


def mcnemar(gained: int, lost: int) -> float:
    """Return the exact two-sided p-value for pairs of 0/1: so many went 0 to 1, so many 1 to 0.

    Source: McNemar (1947), Psychometrika 12; the exact form is the sign test.
    """
    if gained < 0 or lost < 0:
        raise UsageError(f"numbers of pairs cannot be negative, got {gained} and {lost}")
    return min(1.0, 2 * binomial_tail(min(gained, lost), gained + lost))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for having looked at all of them, in the same order.

    Rejecting where the adjusted value is at most 0.05 keeps the chance of any false alarm at 5 %.

    Source: Holm (1979), Scandinavian Journal of Statistics 6.
    """
    array = as_floats(p_values, "p_values")
    if len(array) and not (array.min() >= 0 and array.max() <= 1):
        raise UsageError(f"p-values must lie between 0 and 1, got {list(p_values)}")
    adjusted = np.empty(len(array))
    order = np.argsort(array, kind="stable")
    factors = np.arange(len(array), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(array[order] * factors))
    return [float(p) for p in adjusted]
