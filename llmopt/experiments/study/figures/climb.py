"""The climb as a picture: what was kept makes the stairs, what was dropped hangs off them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...._stats import Estimate
from ..content import StudyContent
from ..markup import Markup, element, joined, wrapped
from .scale import Scale, tick_text

__all__ = ["DECISIONS", "climb_picture"]

DECISIONS = {"keep": "✓ kept", "drop": "✗ dropped", "undecided": "? undecided", "": ""}
_LEFT, _RIGHT, _TOP, _HEIGHT, _LABELS, _PAGE = 48, 8, 34, 250, 112, 1160
_COLUMN, _NARROW, _MOST_LABELLED = 124, 30, 16


@dataclass(frozen=True, slots=True)
class _Step:
    number: int
    name: str
    decision: str
    reason: str
    estimate: Estimate
    x: float


def climb_picture(study: StudyContent) -> Markup:
    """Return the picture; without any figure of the target metric an empty text."""
    variants = study.variants
    labelled = len(variants) <= _MOST_LABELLED
    room = (_PAGE - _LEFT - _RIGHT) / len(variants)
    column = max(_COLUMN, min(240, room)) if labelled else max(_NARROW, room)
    steps = [
        _Step(
            n,
            v.name,
            "keep" if study.decided and n == 0 else v.decision,
            v.reason,
            study.estimate(v),
            _LEFT + column * (n + 0.5),
        )
        for n, v in enumerate(variants)
    ]
    ends = [
        end for step in steps for end in (step.estimate.low, step.estimate.value, step.estimate.high) if end is not None
    ]
    if not ends:
        return Markup("")
    scale = Scale.around(ends, _TOP + _HEIGHT, _TOP)
    width = _LEFT + column * len(variants) + _RIGHT
    parts = [
        element("text", {"x": 0, "y": 14, "class": "title"}, f"↑ {study.target}"),
        *_grid(scale, width),
        *(_stairs(steps, scale, width - _RIGHT) if study.decided else ()),
        *(mark for step in steps for mark in _mark(step, scale, big=labelled, under=_below(step, steps))),
        *(label for step in steps for label in _label(step, int(column / 6.6), labelled)),
    ]
    height = _TOP + _HEIGHT + (_LABELS if labelled else 30)
    described = "The same figures are in the table below."
    return element(
        "svg",
        {"viewBox": f"0 0 {width:.0f} {height}", "width": width, "height": height, "role": "img", "class": "climb",
         "aria-label": f"{study.target} of every step. {described}"},
        *parts,
    )  # fmt: skip


def _grid(scale: Scale, width: float) -> Iterator[Markup]:
    for value in scale.ticks(5):
        y = scale.at(value)
        yield element("line", {"x1": _LEFT - 6, "x2": width - _RIGHT, "y1": y, "y2": y, "class": "grid"})
        yield element("text", {"x": _LEFT - 12, "y": y + 4, "class": "tick end"}, tick_text(value))


def _stairs(steps: Sequence[_Step], scale: Scale, right: float) -> Iterator[Markup]:
    """Draw the level that stands, its risers, and a twig to each step that was not kept."""
    path, level = "", 0.0
    for step in steps:
        if step.estimate.value is None:
            continue
        y = scale.at(step.estimate.value)
        if step.decision == "keep":
            path += f"H{step.x:.1f}V{y:.1f}" if path else f"M{step.x:.1f} {y:.1f}"
            level = y
        elif path:
            yield element("line", {"x1": step.x, "x2": step.x, "y1": level, "y2": y, "class": "twig"})
    if path:
        first = path[1:].split(" ")[0]
        floor = _TOP + _HEIGHT
        yield element("path", {"d": f"{path}H{right:.1f}V{floor}H{first}Z", "class": "under"})
        yield element("path", {"d": f"{path}H{right:.1f}", "class": "stairs"})


def _mark(step: _Step, scale: Scale, *, big: bool, under: bool) -> Iterator[Markup]:
    """Draw the interval, the point in the form of its decision, and the figure beside it."""
    estimate, x = step.estimate, step.x
    if estimate.value is None:
        return
    y, radius = scale.at(estimate.value), 6 if big else 4
    state = step.decision or "plain"
    title = element(
        "title", {}, f"{step.name}: {estimate}{f', {step.decision}: {step.reason}' if step.decision else ''}"
    )
    inside: list[Markup] = [title]
    if estimate.low is not None and estimate.high is not None:
        low, high = scale.at(estimate.low), scale.at(estimate.high)
        inside.append(element("path", {"d": f"M{x - 4:.1f} {low:.1f}h8m-4 0V{high:.1f}m-4 0h8", "class": "whisker"}))
    if state in {"keep", "plain"}:
        inside.append(element("circle", {"cx": x, "cy": y, "r": radius, "class": "point"}))
    elif state == "drop":
        inside.append(element("circle", {"cx": x, "cy": y, "r": radius - 1, "class": "point"}))
    else:
        inside.append(
            element(
                "path",
                {
                    "d": f"M{x:.1f} {y - radius:.1f}l{radius} {radius}l-{radius} {radius}l-{radius} -{radius}z",
                    "class": "point",
                },
            )
        )
    if big:
        inside.append(
            element("text", {"x": x + 11, "y": y + (16 if under else -7), "class": "value"}, f"{estimate.value:.3f}")
        )
    yield element("g", {"class": state}, *inside)


def _below(step: _Step, steps: Sequence[_Step]) -> bool:
    """Return whether a step that was not kept lies under what stood when it was tried."""
    stood = [s.estimate.value for s in steps[: step.number] if s.decision == "keep" and s.estimate.value is not None]
    value = step.estimate.value
    return step.decision in {"drop", "undecided"} and bool(stood) and value is not None and value <= stood[-1]


def _label(step: _Step, columns: int, labelled: bool) -> Iterator[Markup]:
    top = _TOP + _HEIGHT + 24
    if not labelled:
        yield element("text", {"x": step.x, "y": top, "class": "tick middle"}, str(step.number))
        return
    decided = DECISIONS[step.decision] if step.number else ""
    why = "no figure" if step.estimate.value is None else step.reason
    name = wrapped(f"{step.number}. {step.name}" if step.number else step.name, columns - 2, 2)
    lines = [("name", line) for line in name]
    lines += [("decision", decided)] if decided else []
    lines += [("why", line) for line in wrapped(why, columns, 3)]
    spans = [
        element("tspan", {"x": step.x, "dy": 16 if n else 0, "class": kind}, line)
        for n, (kind, line) in enumerate(lines)
    ]
    yield element("text", {"x": step.x, "y": top, "class": f"middle {step.decision or 'plain'}"}, joined(spans))
