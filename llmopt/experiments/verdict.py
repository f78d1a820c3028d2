"""What a paired comparison says about keeping a change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .._stats import required_n
from ..evaluation import Comparison

__all__ = ["Limits", "Verdict", "decide", "holm_threshold", "samples_needed"]

Decision: TypeAlias = Literal["keep", "drop", "undecided"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What an answer may take; None: no limit.

    Attributes:
        seconds: Median wall time of an answer.
        dollars: Mean cost of an answer, our cache disregarded.
    """

    seconds: float | None = None
    dollars: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to keep a change, and why.

    Attributes:
        decision: "keep", "drop" or "undecided".
        reason: In words.
        more: For "undecided": how many further samples would show the smallest gain worth having.
    """

    decision: Decision
    reason: str
    more: int = 0

    def __str__(self) -> str:
        """Write it as in the table."""
        return f"{self.decision}: {self.reason}" if self.reason else self.decision


def holm_threshold(level: float, planned: int, kept: int, tried: int) -> float:
    """Return the p-value below which the next change counts as better.

    Holm's step-down over the changes that are planned: the threshold is `level / m`, with m the planned
    changes not kept yet. So the chance of keeping any useless change of the whole ladder is at most
    `level`. A ladder that grows beyond its plan gets stricter.
    """
    return level / max(1, max(planned, tried) - kept)


def decide(
    comparison: Comparison,
    *,
    threshold: float,
    least: float,
    limits: Limits,
    seconds: float | None,
    dollars: float | None,
) -> Verdict:
    """Return the verdict on a change.

    Args:
        comparison: Of the target metric, candidate against what stands.
        threshold: Of its p-value, see `holm_threshold`.
        least: The smallest gain worth having.
        limits: What an answer may take.
        seconds: Median time of the candidate's answers; None when none was answered.
        dollars: Mean cost of the candidate's answers; None when a price is unknown.
    """
    gain = comparison.difference
    if gain.value is None or gain.n == 0:
        return Verdict("undecided", f"no sample has a figure of {comparison.metric} on both sides")
    over = _over(limits, seconds, dollars)
    if gain.value > 0 and comparison.p <= threshold:
        return Verdict("drop", over) if over else Verdict("keep", f"{gain.value:+.3f}, p = {comparison.p:.2g}")
    if comparison.better + comparison.worse == 0:
        return Verdict("drop", "changes nothing: every sample scores as before")
    if gain.high is not None and gain.high < least:
        return Verdict("drop", f"does not help: at most {gain.high:+.3f}")
    if over:
        return Verdict("drop", over)
    return _undecided(comparison, threshold, least)


def _over(limits: Limits, seconds: float | None, dollars: float | None) -> str:
    if limits.seconds is not None and seconds is not None and seconds > limits.seconds:
        return f"too slow: {seconds:.3g} s per answer, the limit is {limits.seconds:g} s"
    if limits.dollars is not None and dollars is None:
        return "too dear for all we know: the price is unknown and money is limited"
    if limits.dollars is not None and dollars is not None and dollars > limits.dollars:
        return f"too dear: ${dollars:.5f} per answer, the limit is ${limits.dollars:g}"
    return ""


def _undecided(comparison: Comparison, threshold: float, least: float) -> Verdict:
    gain = comparison.difference
    if gain.low is None or gain.high is None:
        return Verdict("undecided", "one sample says nothing of the spread: at least a few dozen are needed", 30)
    spread = (gain.high - gain.low) / (2 * 1.96)
    effect = max(least, abs(gain.value or 0.0))
    needed = samples_needed(effect, spread**2 * gain.n, threshold=threshold, exact=comparison.method == "mcnemar")
    more = max(1, needed - gain.n)
    return Verdict("undecided", f"needs {more} more samples to tell", more)


def samples_needed(effect: float, variance: float, *, threshold: float, exact: bool, power: float = 0.8) -> int:
    """Return how many samples show a gain of that size four times of five at this p-value.

    Args:
        effect: The gain, above 0.
        variance: Of the paired differences.
        threshold: Of the p-value.
        exact: Whether the test is McNemar's exact one, which is discrete and so needs a few more: the n
            at which the gain less half a step on either side is as many standard errors away.
        power: The chance to find it.
    """
    plain = required_n(effect, variance, power=power, level=1 - threshold)
    if not exact:
        return plain
    root = (effect * math.sqrt(plain) + math.sqrt(effect**2 * plain + 4 * effect)) / (2 * effect)
    return math.ceil(root**2)
