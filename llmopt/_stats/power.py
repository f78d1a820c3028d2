"""How many samples an effect needs, and which effect so many samples can show."""

from __future__ import annotations

import math

from ..errors import UsageError
from .distributions import normal_quantile
from .estimate import check_level

__all__ = ["minimum_detectable_effect", "required_n"]


def required_n(effect: float, variance: float, *, power: float = 0.8, level: float = 0.95) -> int:
    """Return how many pairs (or values) show an effect of that size with the given chance.

    `n = (z_a/2 + z_b)^2 * variance / effect^2`, rounded up: 969 for 0.03 at a variance of 1/9.

    Args:
        effect: The difference to be found; not 0.
        variance: Of the paired differences (or of the values).
        power: The chance to find it, between 0 and 1.
        level: One less the false-alarm rate, between 0 and 1.

    Source: Miller (2024), Adding Error Bars to Evals, section 5.
    """
    if effect == 0 or not math.isfinite(effect):
        raise UsageError(f"`effect` must be a finite number other than 0, got {effect}")
    exact = _quantiles(power, level) ** 2 * _variance(variance) / effect**2
    return max(2, math.ceil(exact - 1e-9))


def minimum_detectable_effect(n: int, variance: float, *, power: float = 0.8, level: float = 0.95) -> float:
    """Return the smallest effect that `n` pairs (or values) show with the given chance; see `required_n`."""
    if n < 1:
        raise UsageError(f"`n` is a number of samples and must be at least 1, got {n}")
    return _quantiles(power, level) * math.sqrt(_variance(variance) / n)


def _quantiles(power: float, level: float) -> float:
    if not 0 < power < 1:
        raise UsageError(f"`power` is a chance and must lie between 0 and 1, got {power}")
    return normal_quantile((1 + check_level(level)) / 2) + normal_quantile(power)


def _variance(variance: float) -> float:
    if not variance >= 0 or not math.isfinite(variance):
        raise UsageError(f"`variance` must be a finite number of at least 0, got {variance}")
    return variance
