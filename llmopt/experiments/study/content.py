"""What a study holds, apart from how it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..._stats import Estimate
from ...evaluation import Comparison
from ..diagnosis import Diagnosis
from .variant import Variant

__all__ = ["StudyContent"]


@dataclass(frozen=True)
class StudyContent:
    """The figures and texts of a study; see `Study`.

    Attributes:
        title: What was studied.
        target: The name of the metric that decides.
        variants: In the order in which they were tried, the baseline first.
        confirmation: The top against the baseline on samples that no decision has seen, where that was done.
        diagnosis: Why samples fail, where that was looked into. Its report has no rows, those of the
            variants are at hand, and its suggestions have the code to write in place of the changes.
    """

    title: str
    target: str
    variants: Sequence[Variant]
    confirmation: Comparison | None = None
    diagnosis: Diagnosis | None = None

    @property
    def decided(self) -> bool:
        """Whether it is a climb: changes were kept or dropped."""
        return any(variant.decision for variant in self.variants)

    @property
    def top(self) -> int:
        """The place of the variant that stands: kept last; where nobody decided: best mean, ties to the first."""
        if self.decided:
            return max((n for n, variant in enumerate(self.variants) if variant.decision == "keep"), default=0)
        means = [self.estimate(variant).value for variant in self.variants]
        known = [mean for mean in means if mean is not None]
        return means.index(max(known)) if known else 0

    @property
    def metrics(self) -> list[str]:
        """The names of all metrics, the target first."""
        names = dict.fromkeys(metric for variant in self.variants for metric in variant.report.metrics)
        return [self.target, *(name for name in names if name != self.target)]

    def estimate(self, variant: Variant) -> Estimate:
        """Return a variant's mean of the target metric with its interval; no value where it was not measured."""
        summary = variant.summary(self.target)
        return Estimate(None, None, None, 0) if summary is None else summary.estimate
