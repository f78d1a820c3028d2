"""Figures and sentences as the page writes them."""

from __future__ import annotations

from ..._stats import Estimate
from ...evaluation import Comparison
from ...evaluation.overview import duration
from ..rung import gain_text
from .content import StudyContent
from .variant import Variant

__all__ = ["chance", "dollars", "figure", "interval", "lead", "percent", "seconds", "signed"]


def figure(value: float | None) -> str:
    """Write a mean with three decimals."""
    return "–" if value is None else f"{value:.3f}"


def interval(estimate: Estimate) -> str:
    """Write an interval, or nothing where there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"[{estimate.low:.3f}, {estimate.high:.3f}]"


def signed(estimate: Estimate) -> str:
    """Write a difference with its sign and its interval."""
    return "–" if estimate.value is None else gain_text(estimate).replace("-", "−")


def percent(estimate: Estimate) -> str:
    """Write a share with its interval."""
    if estimate.value is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.1%}"
    return f"{estimate.value:.1%} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def chance(p: float) -> str:
    """Write a p-value."""
    return "< 0.001" if p < 0.0005 else f"{p:.3f}"


def seconds(value: float | None) -> str:
    """Write how long an answer takes."""
    return "–" if value is None else duration(value)


def dollars(value: float | None) -> str:
    """Write what a thousand answers cost."""
    if value is None:
        return "–"
    return f"${1000 * value:,.2f}" if value >= 1e-5 or value == 0 else f"${1000 * value:.1g}"


def lead(study: StudyContent) -> str:
    """Return what came of the study, in a sentence or two."""
    first, top = study.variants[0], study.variants[study.top]
    if not study.decided:
        return f"{_led(study, top)} {_fails(study)}".strip()
    tried = len(study.variants) - 1
    kept = sum(variant.decision == "keep" for variant in study.variants[1:])
    before, after = figure(study.estimate(first).value), figure(study.estimate(top).value)
    said = f"{kept} of {tried} changes {'was' if kept == 1 else 'were'} kept" if tried else "The baseline was measured"
    went = f": {study.target} went from {before} to {after}." if kept else f"; {study.target} stands at {before}."
    return " ".join(filter(None, [said + went, _confirmed(study.confirmation), _fails(study)]))


def _led(study: StudyContent, top: Variant) -> str:
    estimate = study.estimate(top)
    if estimate.value is None:
        return f"No sample has a figure of {study.target}."
    if len(study.variants) == 1:
        return f"{study.target} is {estimate}."
    return f"“{top.name}” has the highest {study.target}: {estimate}."


def _confirmed(comparison: Comparison | None) -> str:
    if comparison is None:
        return ""
    difference = comparison.difference
    n = f"{difference.n} held-out samples"
    if difference.low is not None and difference.low > 0:
        return f"On {n} the gain holds: {signed(difference)}."
    return f"On {n} the gain is not proved: {signed(difference)}."


def _fails(study: StudyContent) -> str:
    found = study.diagnosis
    if found is None:
        return ""
    if not found.failed or not found.shares:
        return (
            f"Of {found.total} samples looked into {found.failed or 'none'} {'fail' if found.failed > 1 else 'fails'}."
        )
    return f"{found.failed} of {found.total} samples still fail on {found.target}, most often: {found.shares[0].cause}."
