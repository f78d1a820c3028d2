"""Whether a tuned model can still do what it could before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .._sync import run_sync
from ..errors import UsageError
from ..evaluation import Comparison, Evaluator, Report
from ..pipeline import Pipeline
from ..types import Sample
from .rung import chance_text, gain_text
from .tuned import samples_that_would_tell

__all__ = ["Forgetting", "aforgetting", "forgetting"]

_LEVEL = 0.05


@dataclass(frozen=True)
class Forgetting:
    """A tuned model beside its base on a general set; `print(found)` says what was lost.

    Attributes:
        before: The base's evaluation.
        after: The tuned one's.
        comparison: Tuned less base, pair by pair.
        tolerance: The largest loss that does not matter.
    """

    before: Report
    after: Report
    comparison: Comparison
    tolerance: float

    @property
    def outcome(self) -> Literal["forgot", "kept", "unclear"]:
        """`forgot`: a loss beyond chance and tolerance; `kept`: any loss is within it; else `unclear`."""
        change = self.comparison.difference
        if change.value is None or change.n == 0:
            return "unclear"
        if change.value < -self.tolerance and self.comparison.p <= _LEVEL:
            return "forgot"
        if self.comparison.better + self.comparison.worse == 0 and change.n > 1:
            return "kept"
        return "kept" if change.low is not None and change.low > -self.tolerance else "unclear"

    def __str__(self) -> str:
        """Say it in a sentence."""
        found = self.comparison
        change = found.difference
        chance = chance_text(found.p)
        figures = (
            f"{found.metric} went from {found.baseline} to {found.candidate}, {gain_text(change)}, "
            f"p {chance if chance.startswith('<') else f'= {chance}'}, over {change.n} samples"
        )
        lost = f"; {found.left_out} samples have no figure on one side" if found.left_out else ""
        if self.outcome == "forgot":
            return f"the tuned model has forgotten: {figures}{lost}. Mix general examples into the training data"
        if self.outcome == "kept":
            return f"the tuned model can do what the base could, within {self.tolerance:g}: {figures}{lost}"
        needed = samples_that_would_tell(found, self.tolerance)
        more = "" if needed is None else f"; about {needed} samples would tell"
        return f"it cannot be said whether the tuned model has forgotten: {figures}{lost}{more}"


def forgetting(
    base: Pipeline,
    tuned: Pipeline,
    samples: Sequence[Sample],
    evaluator: Evaluator,
    target: str,
    *,
    tolerance: float = 0.02,
    seed: int = 0,
) -> Forgetting:
    """Return what a tuned model has lost of what its base could do (catastrophic forgetting).

    Args:
        base: With the untuned model.
        tuned: With the tuned one.
        samples: A general set: what the feature, or its other users, need beside the task that was trained.
        evaluator: How it is measured.
        target: The metric.
        tolerance: The largest loss that does not matter, above 0.
        seed: For the test.

    Raises:
        UsageError: When the evaluator has no such metric, or the tolerance is not above 0.
    """
    return run_sync(aforgetting, base, tuned, samples, evaluator, target, tolerance=tolerance, seed=seed)


async def aforgetting(
    base: Pipeline,
    tuned: Pipeline,
    samples: Sequence[Sample],
    evaluator: Evaluator,
    target: str,
    *,
    tolerance: float = 0.02,
    seed: int = 0,
) -> Forgetting:
    """Return what a tuned model has lost; the async twin of `forgetting`."""
    if not tolerance > 0:
        raise UsageError(f"`tolerance` is a loss that does not matter and must be above 0, got {tolerance}")
    before = await evaluator.arun(samples, pipeline=base, title="base, general samples")
    before.summary(target)
    after = await evaluator.arun(samples, pipeline=tuned, title="tuned, general samples")
    return Forgetting(before, after, after.compare(before, target, seed=seed), tolerance)
