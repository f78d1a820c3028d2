"""Quality against what an answer takes, with the line of those that nothing beats on both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...._stats import Estimate
from ..markup import Markup, element
from .scale import Scale, tick_text

__all__ = ["Trade", "trade_off_picture"]

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 460, 300, 52, 24, 26, 46
_SPREAD = 20.0


@dataclass(frozen=True, slots=True)
class Trade:
    """What a variant gives and takes.

    Attributes:
        number: Its place among the variants.
        name: Its name.
        decision: "keep", "drop", "undecided" or empty.
        price: What an answer takes.
        quality: The mean of the target metric.
    """

    number: int
    name: str
    decision: str
    price: float
    quality: Estimate


def trade_off_picture(trades: Sequence[Trade], across: str, upward: str) -> Markup:
    """Return the picture: each variant a numbered point.

    Args:
        trades: One or more; each quality has a value.
        across: What an answer takes, with its unit.
        upward: The target metric.
    """
    prices = [trade.price for trade in trades]
    logarithmic = min(prices) > 0 and max(prices) / min(prices) > _SPREAD
    x = Scale.around(prices, _LEFT + 14, _WIDTH - _RIGHT, logarithmic=logarithmic)
    y = Scale.around([t.quality.value or 0.0 for t in trades], _HEIGHT - _BOTTOM, _TOP)
    parts = [*_axes(x, y, across, upward), _frontier(trades, x, y), *(_point(trade, x, y) for trade in trades)]
    label = f"{upward} against {across}. The same figures are in the table of the variants."
    return element(
        "svg", {"viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "role": "img", "aria-label": label, "class": "trade"}, *parts
    )


def unbeaten(trades: Sequence[Trade]) -> list[Trade]:
    """Return those that no other one beats, cheapest first: each is better than all that take less."""
    found: list[Trade] = []
    for trade in sorted(trades, key=lambda t: (t.price, -(t.quality.value or 0.0), t.number)):
        if not found or (trade.quality.value or 0.0) > (found[-1].quality.value or 0.0):
            found.append(trade)
    return found


def _axes(x: Scale, y: Scale, across: str, upward: str) -> Iterator[Markup]:
    floor = _HEIGHT - _BOTTOM
    for value in y.ticks(5):
        yield element(
            "line", {"x1": _LEFT, "x2": _WIDTH - _RIGHT, "y1": y.at(value), "y2": y.at(value), "class": "grid"}
        )
        yield element("text", {"x": _LEFT - 8, "y": y.at(value) + 4, "class": "tick end"}, tick_text(value))
    for value in x.ticks(5):
        yield element("line", {"x1": x.at(value), "x2": x.at(value), "y1": floor, "y2": floor + 5, "class": "axis"})
        yield element("text", {"x": x.at(value), "y": floor + 19, "class": "tick middle"}, tick_text(value))
    yield element("line", {"x1": _LEFT, "x2": _WIDTH - _RIGHT, "y1": floor, "y2": floor, "class": "axis"})
    yield element("text", {"x": _WIDTH - _RIGHT, "y": _HEIGHT - 8, "class": "title end"}, f"{across} →")
    yield element("text", {"x": 4, "y": 14, "class": "title"}, f"↑ {upward}")


def _frontier(trades: Sequence[Trade], x: Scale, y: Scale) -> Markup:
    places = [f"{x.at(t.price):.1f} {y.at(t.quality.value or 0.0):.1f}" for t in unbeaten(trades)]
    return element("path", {"d": "M" + "L".join(places), "class": "frontier"})


def _point(trade: Trade, x: Scale, y: Scale) -> Markup:
    across, up = x.at(trade.price), y.at(trade.quality.value or 0.0)
    title = element("title", {}, f"{trade.name}: {trade.quality}, {trade.price:.4g}")
    circle = element("circle", {"cx": across, "cy": up, "r": 10, "class": "point"})
    number = element("text", {"x": across, "y": up + 4, "class": "number middle"}, str(trade.number))
    return element("g", {"class": f"numbered {trade.decision or 'plain'}"}, title, circle, number)
