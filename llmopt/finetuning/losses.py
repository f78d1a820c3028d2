"""Losses of a training run, as values and as lines of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable

__all__ = ["LossPoint", "TellsLosses", "draw_losses", "sparkline"]

_BARS = "▁▂▃▄▅▆▇█"
_WIDEST = 40


@dataclass(frozen=True, slots=True)
class LossPoint:
    """The losses after so many steps: of the training since the last point, and of the validation set.

    A loss tells whether the training works. Whether the model does its task better is told by a metric on
    samples alone.
    """

    step: int
    training: float
    validation: float | None


@runtime_checkable
class TellsLosses(Protocol):
    """A job that knows its losses."""

    def losses(self, job_id: str) -> list[LossPoint]:
        """Return the losses of a job, a point per epoch or per step, in order."""
        ...


def sparkline(values: Sequence[float]) -> str:
    """Return numbers as bars of one line, the lowest to the highest; what is not finite is a space.

    Example:
        >>> sparkline([3, 2, 1, 1])
        '█▅▁▁'
    """
    if len(values) > _WIDEST:  # means of neighbours, so that no part of the curve is left out
        cuts = [round(place * len(values) / _WIDEST) for place in range(_WIDEST + 1)]
        values = [math.fsum(values[a:b]) / (b - a) for a, b in pairwise(cuts)]
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return " " * len(values)
    low, high = min(finite), max(finite)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * scale)] if math.isfinite(value) else " " for value in values)


def draw_losses(points: Sequence[LossPoint]) -> str:
    """Return the losses as text: a line for the training, and one for the validation where there is one.

    Example:
        >>> print(draw_losses([LossPoint(10, 2.0, 2.1), LossPoint(20, 1.0, 1.5), LossPoint(30, 0.5, 1.6)]))
        training    █▃▁  2.000 -> 0.500
        validation  █▁▂  2.100 -> 1.600, lowest 1.500 at step 20
    """
    if not points:
        return "no losses"
    trained = [point.training for point in points]
    lines = [f"training    {sparkline(trained)}  {trained[0]:.3f} -> {trained[-1]:.3f}"]
    held = [(point.validation, point.step) for point in points if point.validation is not None]
    if held:
        values = [value for value, _ in held]
        lowest, step = min(held)
        ends = f"{values[0]:.3f} -> {values[-1]:.3f}, lowest {lowest:.3f} at step {step}"
        lines.append(f"validation  {sparkline(values)}  {ends}")
    return "\n".join(lines)
