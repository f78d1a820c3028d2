"""How the scores of a metric are spread, before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..markup import Markup, element
from .scale import tick_text

__all__ = ["histogram"]

_WIDTH, _HEIGHT, _FLOOR, _BINS = 260, 96, 78, 10


def histogram(after: Sequence[float], before: Sequence[float], label: str) -> Markup:
    """Return bars for the scores of what stands, and a stepped line for those of the baseline.

    Args:
        after: Scores, one or more.
        before: Scores of the baseline; may be none.
        label: What the picture shows, for those who do not see it.
    """
    values = [*after, *before]
    low, high = min(0.0, *values), max(1.0, *values)
    bars, line = _shares(after, low, high), _shares(before, low, high)
    most = max(*bars, *line, 0.01)
    parts = [*_bars(bars, most), *([_outline(line, most)] if before else []), *_axis(low, high)]
    return element(
        "svg", {"viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "role": "img", "aria-label": label, "class": "histogram"}, *parts
    )


def _shares(values: Sequence[float], low: float, high: float) -> list[float]:
    counts = [0] * _BINS
    for value in values:
        counts[min(_BINS - 1, int((value - low) / (high - low) * _BINS))] += 1
    return [count / max(1, len(values)) for count in counts]


def _bars(shares: Sequence[float], most: float) -> Iterator[Markup]:
    wide = _WIDTH / _BINS
    for number, share in enumerate(shares):
        tall = share / most * (_FLOOR - 8)
        yield element(
            "rect", {"x": number * wide + 1.5, "y": _FLOOR - tall, "width": wide - 3, "height": tall, "class": "bar"}
        )


def _outline(shares: Sequence[float], most: float) -> Markup:
    wide = _WIDTH / _BINS
    path = f"M0 {_FLOOR}" + "".join(
        f"V{_FLOOR - share / most * (_FLOOR - 8):.1f}H{(number + 1) * wide:.1f}" for number, share in enumerate(shares)
    )
    return element("path", {"d": f"{path}V{_FLOOR}", "class": "before"})


def _axis(low: float, high: float) -> Iterator[Markup]:
    yield element("line", {"x1": 0, "x2": _WIDTH, "y1": _FLOOR, "y2": _FLOOR, "class": "axis"})
    yield element("text", {"x": 0, "y": _HEIGHT - 3, "class": "tick"}, tick_text(round(low, 3)))
    yield element("text", {"x": _WIDTH, "y": _HEIGHT - 3, "class": "tick end"}, tick_text(round(high, 3)))
