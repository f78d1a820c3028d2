"""An estimated figure with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import UsageError

__all__ = ["Estimate", "Floats", "as_floats", "check_level", "group_sums"]

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure computed from a sample, with the interval in which the true one lies.

    Attributes:
        value: The figure; None when there is nothing to compute it from.
        low: Lower end of the interval; None when there is no interval (one value says nothing of spread).
        high: Upper end.
        n: How many values it was computed from.
        method: How the interval was made ("t", "wilson", "clustered t", "bca" ...), or "none".
        level: Share of such intervals that hold the true figure, between 0 and 1.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str = "none"
    level: float = 0.95

    def __str__(self) -> str:
        """Write the figure with three decimals, and its interval in brackets."""
        if self.value is None:
            return "-"
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def as_floats(values: Iterable[float] | Floats, what: str = "values") -> Floats:
    """Return the values as a one-dimensional float array.

    Raises:
        UsageError: When one of them is NaN or infinite, or they are not a flat list.
    """
    array: Floats = np.asarray(values if isinstance(values, np.ndarray | Sequence) else list(values), dtype=np.float64)
    if array.ndim != 1:
        raise UsageError(f"`{what}` must be a flat list of numbers, its shape is {array.shape}")
    if not np.isfinite(array).all():
        place = int(np.flatnonzero(~np.isfinite(array))[0])
        raise UsageError(
            f"`{what}` must be finite numbers, number {place} is {array[place]}: leave it out and count it"
        )
    return array


def check_level(level: float) -> float:
    """Return the confidence level, or say that it is none."""
    if not 0 < level < 1:
        raise UsageError(f"`level` is a share of intervals and must lie between 0 and 1, got {level}")
    return level


def group_sums(values: Floats, groups: Sequence[str]) -> tuple[Floats, Floats]:
    """Return the sum and the number of values of each group, in the order in which the groups come.

    Raises:
        UsageError: When there is not one group for each value.
    """
    if len(groups) != len(values):
        raise UsageError(f"`groups` must name one group for each value, got {len(groups)} for {len(values)} values")
    numbers: dict[str, int] = {}
    member = [numbers.setdefault(group, len(numbers)) for group in groups]
    sums, counts = np.zeros(len(numbers)), np.zeros(len(numbers))
    np.add.at(sums, member, values)
    np.add.at(counts, member, 1.0)
    return sums, counts
