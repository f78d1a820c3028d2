"""Means and rates with their 95 % intervals; nothing here divides by zero or warns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import UsageError
from .distributions import normal_quantile, t_quantile
from .estimate import Estimate, Floats, as_floats, check_level, group_sums

__all__ = ["clustered_mean", "mean", "share", "t_mean"]


def mean(
    values: Iterable[float] | Floats, *, groups: Sequence[str] | None = None, level: float = 0.95
) -> Estimate:  # fmt: skip
    """Return the mean with the interval that fits the values.

    Values that are all 0 or 1 get Wilson's interval, others Student's t; with `groups` the standard
    error is clustered. An interval of values that all lie in [0, 1] is cut to [0, 1]. No values: no
    figure. One value: no interval, unless it is 0 or 1.

    Args:
        values: Finite numbers.
        groups: The group of each value, where values of one group are not independent.
        level: Confidence level.
    """
    array = as_floats(values)
    yes_or_no = bool(np.isin(array, (0.0, 1.0)).all())
    if groups is not None and len(set(groups)) != len(array):
        found = clustered_mean(array, groups, level=level)
    elif yes_or_no and len(array):
        found = share(int(array.sum()), len(array), level=level)
    else:
        found = t_mean(array, level=level)
    return _cut(found) if len(array) and array.min() >= 0 and array.max() <= 1 else found


def share(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Return a rate with Wilson's score interval, which is honest at 0, at 1 and for few trials.

    Source: Wilson (1927), Journal of the American Statistical Association 22.
    """
    if not 0 <= successes <= n:
        raise UsageError(f"a rate needs 0 <= successes <= n, got {successes} of {n}")
    return _wilson(successes / n, n, n, "wilson", level) if n else Estimate(None, None, None, 0, level=level)


def t_mean(values: Iterable[float] | Floats, *, level: float = 0.95) -> Estimate:
    """Return the mean with Student's t interval; one value has no interval, equal values one of no width."""
    array = as_floats(values)
    check_level(level)
    n = len(array)
    if n < 2:
        return Estimate(float(array[0]) if n else None, None, None, n, level=level)
    middle = _exact_mean(array)
    error = math.sqrt(float(np.square(array - middle).sum()) / (n - 1) / n)
    half = t_quantile((1 + level) / 2, n - 1) * error
    return Estimate(middle, middle - half, middle + half, n, "t", level)


def clustered_mean(values: Iterable[float] | Floats, groups: Sequence[str], *, level: float = 0.95) -> Estimate:
    """Return the mean with an interval that takes the values of one group as dependent.

    The variance is the sandwich estimate with the correction G / (G - 1) for G groups, the quantile
    Student's t with G - 1 degrees of freedom; an error below the unclustered one is not believed. With
    one group there is no interval. Values that are all 0 or all 1 get Wilson's interval for as many
    trials as there are groups.

    Source: Miller (2024), Adding Error Bars to Evals, section 2.2; Cameron and Miller (2015).
    """
    array = as_floats(values)
    check_level(level)
    sums, counts = group_sums(array, groups)
    n, clusters = len(array), len(sums)
    if clusters < 2:
        return Estimate(_exact_mean(array) if n else None, None, None, n, level=level)
    middle = _exact_mean(array)
    if middle in {0.0, 1.0} and bool((array == middle).all()):
        return _wilson(middle, clusters, n, "clustered wilson", level)
    clustered = clusters / (clusters - 1) * float(np.square(sums - counts * middle).sum())
    naive = n / (n - 1) * float(np.square(array - middle).sum())
    error = math.sqrt(max(clustered, naive)) / n
    half = t_quantile((1 + level) / 2, clusters - 1) * error
    return Estimate(middle, middle - half, middle + half, n, "clustered t", level)


def _wilson(rate: float, trials: int, n: int, method: str, level: float) -> Estimate:
    z2 = normal_quantile((1 + check_level(level)) / 2) ** 2
    middle = (rate + z2 / (2 * trials)) / (1 + z2 / trials)
    half = math.sqrt(z2 * (rate * (1 - rate) / trials + z2 / (4 * trials * trials))) / (1 + z2 / trials)
    low, high = min(rate, max(0.0, middle - half)), max(rate, min(1.0, middle + half))
    return Estimate(rate, low, high, n, method, level)


def _exact_mean(array: Floats) -> float:
    """The mean without rounding error, so that equal values have exactly their own mean."""
    first = float(array[0])
    return first if bool((array == first).all()) else math.fsum(array.tolist()) / len(array)


def _cut(found: Estimate) -> Estimate:
    if found.low is None or found.high is None:
        return found
    return Estimate(found.value, max(0.0, found.low), min(1.0, found.high), found.n, found.method, found.level)
