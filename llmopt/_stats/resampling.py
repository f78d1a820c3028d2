"""The bootstrap and the permutation test: intervals and p-values without a formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, cast

import numpy as np

from ..errors import UsageError
from .distributions import normal_cdf, normal_quantile
from .estimate import Estimate, Floats, as_floats, check_level, group_sums

__all__ = ["bootstrap", "permutation_test"]

_BLOCK = 1 << 21
_MOST_EXACT = 14
_MOST_DRAWN = 50_000
_ROUNDING = 1e-12
_BITS_OF_BYTES: Floats = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float64)


def _mean(rows: Floats) -> Floats:
    return cast(Floats, rows.mean(axis=-1))


def bootstrap(
    values: Iterable[float] | Floats,
    *,
    statistic: Callable[[Floats], Floats] = _mean,
    method: Literal["bca", "percentile"] = "bca",
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Return a statistic with its bootstrap interval.

    Args:
        values: Finite numbers.
        statistic: Reduces the last axis of an array of any shape (by default the mean).
        method: `bca` (bias-corrected and accelerated) or the plain `percentile`.
        resamples: How many samples to draw.
        level: Confidence level.
        seed: The same seed gives the same interval.

    Source: Efron (1987), Better Bootstrap Confidence Intervals, JASA 82.
    """
    array = as_floats(values)
    if resamples < 1:
        raise UsageError(f"`resamples` must be at least 1, got {resamples}")
    n = len(array)
    if n < 2:
        value = float(statistic(array[None, :])[0]) if n else None
        return Estimate(value, None, None, n, level=check_level(level))
    value = float(statistic(array[None, :])[0])
    drawn = np.concatenate(list(_resampled(array, statistic, resamples, seed)))
    tail = (1 - check_level(level)) / 2
    shares = np.array([tail, 1 - tail])
    if method == "bca":
        shares = _accelerated(shares, value, drawn, array, statistic)
    low, high = (float(end) for end in np.quantile(drawn, shares))
    return Estimate(value, low, high, n, method, level)


def _resampled(array: Floats, statistic: Callable[[Floats], Floats], resamples: int, seed: int) -> Iterator[Floats]:
    generator = np.random.default_rng(seed)
    at_once = max(1, _BLOCK // len(array))
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        yield statistic(array[generator.integers(0, len(array), size=(rows, len(array)))])


def _accelerated(
    shares: Floats, value: float, drawn: Floats, array: Floats, statistic: Callable[[Floats], Floats]
) -> Floats:
    below = float((drawn < value).mean() + 0.5 * (drawn == value).mean())
    inside = 0.5 / len(drawn)
    bias = normal_quantile(min(max(below, inside), 1 - inside))
    away = np.concatenate([statistic(np.delete(array, place)[None, :]) for place in range(len(array))])
    away = away.mean() - away
    scale = float(np.square(away).sum()) ** 1.5
    skew = float((away**3).sum()) / (6 * scale) if scale > 0 else 0.0
    points = [bias + normal_quantile(float(share)) for share in shares]
    return np.array([normal_cdf(bias + point / (1 - skew * point)) for point in points])


def permutation_test(
    differences: Iterable[float] | Floats,
    *,
    groups: Sequence[str] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> float:
    """Return the two-sided p-value of "the two sides are interchangeable" from paired differences.

    The sign of every difference (with `groups`: of every group's) is flipped at random; p is the share
    of sign patterns whose sum is at least as far from 0 as the one seen. Up to 14 differences that are
    not 0 all patterns are counted, beyond that `resamples` drawn ones and the one seen; beyond 50,000 the
    normal distribution, which the sum of so many signs has, gives p.

    Source: Fisher (1935), The Design of Experiments, section 21; Phipson and Smyth (2010) on p > 0.
    """
    array = as_floats(differences, "differences")
    units = array if groups is None else group_sums(array, groups)[0]
    units = units[units != 0]
    if not len(units):
        return 1.0
    seen = abs(float(units.sum()))
    if len(units) > _MOST_DRAWN:
        return 2 * normal_cdf(-seen / math.sqrt(float(units @ units)))
    bound = seen - _ROUNDING * float(np.abs(units).sum())
    if len(units) <= _MOST_EXACT:
        patterns = (np.arange(1 << len(units))[:, None] >> np.arange(len(units))) & 1
        return float((np.abs((2 * patterns - 1) @ units) >= bound).mean())
    hits = sum(int((np.abs(sums) >= bound).sum()) for sums in _flipped(units, resamples, seed))
    return (hits + 1) / (resamples + 1)


def _flipped(units: Floats, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield the sums under random signs: a bit a unit, and for every byte of bits its sum from a table."""
    generator = np.random.default_rng(seed)
    at_once = max(1, 8 * _BLOCK // len(units))
    total = float(units.sum())
    width = -(-len(units) // 8)
    tables = np.pad(units, (0, 8 * width - len(units))).reshape(width, 8) @ _BITS_OF_BYTES.T
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        drawn = np.frombuffer(generator.bytes(rows * width), dtype=np.uint8).reshape(rows, width)
        kept = np.zeros(rows)
        for table, column in zip(tables, np.ascontiguousarray(drawn.T), strict=True):
            kept += table[column]
        yield total - 2 * kept
