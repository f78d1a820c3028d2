"""Student's t, the normal and the binomial distribution, without scipy."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

__all__ = ["binomial_tail", "normal_cdf", "normal_quantile", "t_cdf", "t_quantile"]

_TINY = 1e-300
_PRECISION = 1e-15
_MOST_TERMS = 10_000
_NEARLY_NORMAL = 1e7
_NORMAL = NormalDist()


def normal_quantile(share: float) -> float:
    """Return the value below which that share of a standard normal variable lies."""
    return _NORMAL.inv_cdf(share)


def normal_cdf(value: float) -> float:
    """Return the share of a standard normal variable below the value."""
    return _NORMAL.cdf(value)


def t_cdf(value: float, freedom: float) -> float:
    """Return the share of Student's t with that many degrees of freedom below the value."""
    if freedom > _NEARLY_NORMAL:
        return normal_cdf(value)
    square = value * value
    tail = 0.5 * _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + square), square / (freedom + square))
    return 1 - tail if value > 0 else tail


@lru_cache(maxsize=4096)
def t_quantile(share: float, freedom: float) -> float:
    """Return the value below which that share of Student's t lies, by bisection to the last digit."""
    if share < 0.5:
        return -t_quantile(1 - share, freedom)
    if freedom > _NEARLY_NORMAL:
        return normal_quantile(share)
    low, high = 0.0, 1.0
    while t_cdf(high, freedom) < share:
        low, high = high, high * 2
    while (middle := (low + high) / 2) not in {low, high}:
        low, high = (middle, high) if t_cdf(middle, freedom) < share else (low, middle)
    return middle


def binomial_tail(count: int, n: int) -> float:
    """Return the chance of at most `count` heads in `n` tosses of a fair coin."""
    if count >= n:
        return 1.0
    logs = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(count + 1)]
    return min(1.0, math.fsum(math.exp(log - n * math.log(2)) for log in logs))


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """The regularised incomplete beta function (Numerical Recipes, 6.4); `rest` is 1 - x without its rounding."""
    if x <= 0 or rest <= 0:
        return float(rest <= 0)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log1p(-rest) + b * math.log(rest)
    )  # fmt: skip
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, rest) / b


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function by Lentz's method."""
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MOST_TERMS):
        change = 1.0
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away_from_zero(1 + numerator * d)
            c = _away_from_zero(1 + numerator / c)
            change = c * d
            value *= change
        if abs(change - 1) < _PRECISION:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
