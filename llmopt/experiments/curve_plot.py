"""The picture of a learning curve, by matplotlib where it is installed."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._stats import Estimate
from ..errors import MissingExtraError, StorageError, UsageError

__all__ = ["Bar", "Line", "plot_curves"]


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure with its interval at a number of examples."""

    examples: int
    score: Estimate


@dataclass(frozen=True, slots=True)
class Line:
    """Losses over steps."""

    name: str
    steps: Sequence[int]
    losses: Sequence[float]


def plot_curves(path: Path, target: str, bars: Sequence[Bar], lines: Sequence[Line]) -> None:
    """Draw a metric over the examples beside the losses over the steps, to a file.

    Raises:
        MissingExtraError: Without matplotlib.
        UsageError: When matplotlib writes no such kind of picture.
        StorageError: When the file cannot be written.
    """
    try:
        figures: Any = importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise MissingExtraError("the picture needs matplotlib: pip install matplotlib; or print the curve") from error
    figure = figures.Figure(figsize=(10, 4), layout="constrained")  # no global state of pyplot, no window
    metric, loss = figure.subplots(1, 2)
    known = [(bar.examples, bar.score.value, bar.score) for bar in bars if bar.score.value is not None]
    below = [max(0.0, value - (value if score.low is None else score.low)) for _, value, score in known]
    above = [max(0.0, (value if score.high is None else score.high) - value) for _, value, score in known]
    places = [place for place, _, _ in known]
    metric.errorbar(places, [value for _, value, _ in known], yerr=[below, above], marker="o", capsize=4)
    metric.set(xlabel="training examples", ylabel=target, title="What decides: the metric on samples")
    for line in lines:
        loss.plot(line.steps, line.losses, marker=".", label=line.name)
    loss.set(xlabel="step", ylabel="loss per token", title="Whether the training works: the loss")
    if lines:
        loss.legend()
    try:
        figure.savefig(path)
    except ValueError as error:
        raise UsageError(f"cannot draw {path}: {error}") from error
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error}") from error
