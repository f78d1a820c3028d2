"""From figures to places in a picture, with round numbers on the axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Scale", "tick_text"]


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps figures to places.

    Attributes:
        low: The figure at `start`.
        high: The figure at `end`.
        start: A place.
        end: Another.
        logarithmic: Whether equal factors take equal room; then `low` is above 0.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    @classmethod
    def around(cls, values: Sequence[float], start: float, end: float, *, logarithmic: bool = False) -> Scale:
        """Return a scale with a little room around the values."""
        low, high = min(values), max(values)
        if logarithmic:
            return cls(low / 1.3, high * 1.3, start, end, logarithmic=True)
        room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
        return cls(low - room if low < 0 or low - room > 0 else 0.0, high + room, start, end)

    def at(self, value: float) -> float:
        """Return the place of a figure."""
        if self.logarithmic:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, count: int) -> list[float]:
        """Return about so many round figures within the scale."""
        if self.logarithmic:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            found = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
        else:
            rough = (self.high - self.low) / count
            power = 10.0 ** math.floor(math.log10(rough))
            step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
            first = math.ceil(self.low / step - 1e-9)
            found = [number * step for number in range(first, math.floor(self.high / step + 1e-9) + 1)]
        return [value for value in found if self.low * (1 - 1e-9) <= value <= self.high * (1 + 1e-9) or value == 0]


def tick_text(value: float) -> str:
    """Write a figure of an axis as short as it goes."""
    return f"{value:.10g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.0e}"
