"""What a paired comparison says about keeping a change."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .._stats import Estimate, paired_difference, required_n
from ..evaluation import Comparison, Report

__all__ = ["Limits", "Loss", "Verdict", "decide", "holm_factor", "holm_threshold", "loss_of", "samples_needed"]

Decision: TypeAlias = Literal["keep", "drop", "undecided"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What an answer may take; None: no limit.

    Attributes:
        seconds: Median wall time of an answer, answers from a cache left out.
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
        more: For "undecided": how many further samples would show, four times of five, a gain as large as the one
            seen, or as the smallest worth having where that is larger; 0 where samples are not what is missing.
    """

    decision: Decision
    reason: str
    more: int = 0

    def __str__(self) -> str:
        """Write it as in the table."""
        return f"{self.decision}: {self.reason}" if self.reason else self.decision


@dataclass(frozen=True, slots=True)
class Loss:
    """Samples that had a figure before a change and have none after it.

    Attributes:
        samples: How many.
        gain: The mean gain if each of them scored as low as the lowest sample; a bound from below.
        why: What is said most often of samples without a figure, or an empty string.
    """

    samples: int = 0
    gain: float = math.inf
    why: str = ""

    def __str__(self) -> str:
        """Write it in a few words."""
        return f"{self.samples} samples lost" + (f" ({self.why})" if self.why else "")


def loss_of(before: Report, after: Report, metric: str) -> Loss:
    """Return what a change lost: such samples are in no paired comparison, and must not pass unseen."""
    old = {row.sample.id: row.scores[metric].value for row in before.rows}
    new = {row.sample.id: row.scores[metric].value for row in after.rows}
    reasons = Counter(row.scores[metric].reason for row in after.rows if row.scores[metric].value is None)
    why = min(reasons, key=lambda reason: (-reasons[reason], reason), default="")
    known = [(first, new[id]) for id, first in old.items() if first is not None]
    figures = [value for pair in known for value in pair if value is not None]
    lost = sum(second is None for _, second in known)
    if not lost:
        return Loss(why=why)
    lowest = min(figures)
    gain = math.fsum((lowest if second is None else second) - first for first, second in known) / len(known)
    return Loss(lost, gain, why)


def holm_factor(planned: int, kept: int, tried: int) -> float:
    """Return by what the next p-value is multiplied for all changes that are planned.

    Holm's step-down over the changes that are planned: m, the planned changes not kept yet. A ladder that
    grows beyond its plan has nothing left to spend: every further change counts twice as much as the one before.

    Args:
        planned: Changes that are planned.
        kept: Of those before this one.
        tried: With this one.
    """
    return max(1, planned - kept) * 2.0 ** max(0, tried - planned)


def holm_threshold(level: float, planned: int, kept: int, tried: int) -> float:
    """Return the p-value below which the next change counts as better.

    Within the plan the chance of keeping any useless change of the whole ladder is at most `level`; however
    far a ladder grows beyond its plan, it is at most twice that.
    """
    return level / holm_factor(planned, kept, tried)


def decide(
    comparison: Comparison,
    *,
    threshold: float,
    least: float,
    limits: Limits,
    seconds: float | None,
    dollars: float | None,
    loss: Loss = Loss(),
) -> Verdict:
    """Return the verdict on a change.

    Args:
        comparison: Of the target metric, candidate against what stands.
        threshold: Of its p-value, see `holm_threshold`.
        least: The smallest gain worth having.
        limits: What an answer may take.
        seconds: Median time of the candidate's answers; None when it is not known.
        dollars: Mean cost of the candidate's answers; None when a price is unknown.
        loss: Samples that the change lost.
    """
    gain = comparison.difference
    if gain.value is None or gain.n == 0:
        said = f": {loss.why}" if loss.why else ""
        return Verdict("undecided", f"no sample has a figure of {comparison.metric} on both sides{said}")
    over = _over(limits, seconds, dollars)
    lost = f"; {loss}" if loss.samples else ""
    if gain.value > 0 and comparison.p <= threshold:
        return over or _kept(comparison, loss)
    gain = _gain(comparison)
    if gain.high is not None and gain.high < least:
        return Verdict("drop", f"does not help: at most {gain.high:+.3f}{lost}")
    if over is not None and over.decision == "drop":
        return over
    found = _undecided(comparison, gain, threshold, least)
    return Verdict("undecided", f"{found.reason}{lost}", found.more)


def _kept(comparison: Comparison, loss: Loss) -> Verdict:
    said = f"{comparison.difference.value:+.3f}, p = {comparison.adjusted:.2g}"
    if loss.gain <= 0:
        return Verdict("undecided", f"{said} where both have a figure, which {loss} may undo: mend that first")
    return Verdict("keep", f"{said}; {loss}" if loss.samples else said)


def _over(limits: Limits, seconds: float | None, dollars: float | None) -> Verdict | None:
    if limits.seconds is not None and seconds is not None and seconds > limits.seconds:
        return Verdict("drop", f"too slow: {seconds:.3g} s per answer, the limit is {limits.seconds:g} s")
    if limits.dollars is not None and dollars is None:
        return Verdict("drop", "too dear for all we know: the price is unknown and money is limited")
    if limits.dollars is not None and dollars is not None and dollars > limits.dollars:
        return Verdict("drop", f"too dear: ${dollars:.5f} per answer, the limit is ${limits.dollars:g}")
    if limits.seconds is not None and seconds is None:
        return Verdict("undecided", "its time is not known: no answer is there that came from no cache")
    return None


def _gain(comparison: Comparison) -> Estimate:
    """Return the gain with its interval.

    Where every sample scores as before the spread is not 0 but unknown; the interval is then that of as many
    pairs of 0/1, which may differ in the next sample.
    """
    ties = comparison.difference.n
    if comparison.better + comparison.worse:
        return comparison.difference
    return paired_difference([0.0] * ties, [0.0] * ties)


def _undecided(comparison: Comparison, gain: Estimate, threshold: float, least: float) -> Verdict:
    if gain.low is None or gain.high is None:
        return Verdict("undecided", "one sample says nothing of the spread: at least a few dozen are needed", 30)
    spread = (gain.high - gain.low) / (2 * 1.96)
    effect = max(least, abs(gain.value or 0.0))
    needed = samples_needed(effect, spread**2 * gain.n, threshold=threshold, exact=comparison.method == "mcnemar")
    more = max(1, needed - gain.n)
    tied = "no score changed; " if comparison.better + comparison.worse == 0 else ""
    return Verdict("undecided", f"{tied}needs {more} more samples to tell a gain of {effect:.2g}", more)


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
