"""The map of the two axes: how far the corner is where everything is right, and which way is longer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...._stats import Estimate
from ...diagnosis import Axis, CauseShare, Diagnosis
from ..markup import Markup, element
from .scale import Scale, tick_text

__all__ = ["cause_bars", "cause_map"]

_SIZE, _LEFT, _TOP, _WIDTH, _HEIGHT = 300, 54, 42, 430, 400
_ROUND = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
_BAR, _ROW = 240, 14


def cause_map(diagnosis: Diagnosis) -> Markup:
    """Return the map: the point is the pipeline, the gaps to the corner are what each axis loses."""
    context, behaviour = (_share(diagnosis, axis) for axis in ("context", "behaviour"))
    lost = 1.15 * max(context, behaviour, 0.02)
    room = next((each for each in _ROUND if each >= lost), 1.0)
    x = Scale(1 - room, 1.0, _LEFT, _LEFT + _SIZE)
    y = Scale(1 - room, 1.0, _TOP + _SIZE, _TOP)
    parts = [*_frame(x, y, room), *_techniques(), *_ways(x.at(1 - behaviour), y.at(1 - context), context, behaviour)]
    label = f"Context loses {context:.0%} of all samples, behaviour {behaviour:.0%}."
    return element(
        "svg", {"viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "role": "img", "aria-label": label, "class": "map"}, *parts
    )


def cause_bars(shares: Sequence[CauseShare], share: CauseShare) -> Markup:
    """Return one cause's share as a bar with its interval, on the scale of all of them."""
    most = max(each.share.high or each.share.value or 0.0 for each in shares) or 1.0
    scale = Scale(0.0, most, 1, _BAR - 6)
    value = share.share.value or 0.0
    parts = [element("rect", {"x": 1, "y": 2, "width": scale.at(value) - 1, "height": _ROW - 4, "class": "bar"})]
    if share.share.low is not None and share.share.high is not None:
        low, high = scale.at(share.share.low), scale.at(share.share.high)
        parts.append(element("path", {"d": f"M{low:.1f} 3v8m0 -4H{high:.1f}m0 -4v8", "class": "whisker"}))
    return element("svg", {"viewBox": f"0 0 {_BAR} {_ROW}", "aria-hidden": "true", "class": "cause-bar"}, *parts)


def _share(diagnosis: Diagnosis, axis: Axis) -> float:
    return diagnosis.axes.get(axis, Estimate(0.0, None, None, 0)).value or 0.0


def _frame(x: Scale, y: Scale, room: float) -> Iterator[Markup]:
    floor, right = _TOP + _SIZE, _LEFT + _SIZE
    yield element("rect", {"x": _LEFT, "y": _TOP, "width": _SIZE, "height": _SIZE, "class": "area"})
    for value in (1 - room, 1 - room / 2, 1.0):
        text = f"{tick_text(round(100 * value, 1))} %"
        yield element("text", {"x": x.at(value), "y": floor + 20, "class": "tick middle"}, text)
        yield element("text", {"x": _LEFT - 8, "y": y.at(value) + 4, "class": "tick end"}, text)
        yield element("line", {"x1": x.at(value), "x2": x.at(value), "y1": _TOP, "y2": floor, "class": "grid"})
        yield element("line", {"x1": _LEFT, "x2": right, "y1": y.at(value), "y2": y.at(value), "class": "grid"})
    yield element("text", {"x": 0, "y": 16, "class": "title"}, "↑ context: what the model knows")
    yield element("text", {"x": right, "y": floor + 44, "class": "title end"}, "behaviour: how the model acts →")


def _techniques() -> Iterator[Markup]:
    floor, right = _TOP + _SIZE, _LEFT + _SIZE
    places = (
        ("RAG", _LEFT + 12, _TOP + 24, ""),
        ("RAG + fine-tuning", right, _TOP - 12, " end"),
        ("prompt, few-shot", _LEFT + 12, floor - 14, ""),
        ("fine-tuning", right - 12, floor - 14, " end"),
    )
    for text, x, y, anchor in places:
        yield element("text", {"x": x, "y": y, "class": f"technique{anchor}"}, text)


def _ways(x: float, y: float, context: float, behaviour: float) -> Iterator[Markup]:
    """Draw the way up, the way to the right, the point and the goal."""
    right, beside = _LEFT + _SIZE, 10 if x > _LEFT + 110 else -10
    for share, path, across, up, anchor in (
        (context, f"M{x:.1f} {y:.1f}V{_TOP}", x - beside, (y + _TOP) / 2 + 4, "end" if beside > 0 else ""),
        (behaviour, f"M{x:.1f} {y:.1f}H{right}", (x + right) / 2, y + 20, "middle"),
    ):
        if share > 0:
            yield element("path", {"d": path, "class": "way"})
            yield element("text", {"x": across, "y": up, "class": f"lost {anchor}"}, f"{share:.0%}")
    yield element("circle", {"cx": right, "cy": _TOP, "r": 5, "class": "goal"})
    yield element("circle", {"cx": x, "cy": y, "r": 8, "class": "here"})
