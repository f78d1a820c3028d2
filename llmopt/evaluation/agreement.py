"""How well a judge's word agrees with people's: counts, kappa, and the area under the ROC curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import UsageError

__all__ = ["Confusion", "roc_auc"]


@dataclass(frozen=True, slots=True)
class Confusion:
    """A judge's yes and no against people's, counted.

    Attributes:
        yes_yes: Both say yes.
        yes_no: The judge says yes, people say no.
        no_yes: The judge says no, people say yes.
        no_no: Both say no.

    Example:
        >>> Confusion.of([True, True, False], [True, False, False])
        Confusion(yes_yes=1, yes_no=1, no_yes=0, no_no=1)
    """

    yes_yes: int
    yes_no: int
    no_yes: int
    no_no: int

    @classmethod
    def of(cls, judged: Sequence[bool], labels: Sequence[bool]) -> Confusion:
        """Count pairs of a judge's and people's words.

        Raises:
            UsageError: When there are not as many of the one as of the other.
        """
        _same_length(len(judged), len(labels))
        pairs = list(zip(judged, labels, strict=True))
        return cls(
            sum(judge and label for judge, label in pairs),
            sum(judge and not label for judge, label in pairs),
            sum(label and not judge for judge, label in pairs),
            sum(not judge and not label for judge, label in pairs),
        )

    @property
    def n(self) -> int:
        """How many were compared."""
        return self.yes_yes + self.yes_no + self.no_yes + self.no_no

    @property
    def agreement(self) -> float | None:
        """The share on which both agree, 0 to 1; None when nothing was compared."""
        return (self.yes_yes + self.no_no) / self.n if self.n else None

    @property
    def sensitivity(self) -> float | None:
        """The share of people's yes that the judge finds, 0 to 1; None when people never say yes."""
        yes = self.yes_yes + self.no_yes
        return self.yes_yes / yes if yes else None

    @property
    def specificity(self) -> float | None:
        """The share of people's no that the judge finds, 0 to 1; None when people never say no."""
        no = self.no_no + self.yes_no
        return self.no_no / no if no else None

    @property
    def balanced_accuracy(self) -> float | None:
        """The mean of sensitivity and specificity, 0.5 for guessing; None when one of them is."""
        both = (self.sensitivity, self.specificity)
        return None if both[0] is None or both[1] is None else (both[0] + both[1]) / 2

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa: agreement beyond chance, 1 for perfect, 0 for chance (Cohen 1960).

        None when nothing was compared, or when both say the same about everything, so that chance explains
        all.
        """
        if not self.n:
            return None
        judge_yes, people_yes = (self.yes_yes + self.yes_no) / self.n, (self.yes_yes + self.no_yes) / self.n
        chance = judge_yes * people_yes + (1 - judge_yes) * (1 - people_yes)
        agreement = (self.yes_yes + self.no_no) / self.n
        return None if chance == 1.0 else (agreement - chance) / (1 - chance)


def roc_auc(scores: Sequence[float], labels: Sequence[bool]) -> float | None:
    """Return the chance that a yes scores higher than a no, ties counting half; 0.5 is guessing.

    The area under the ROC curve by ranks (Mann and Whitney 1947). None when people say only yes or only no.

    Raises:
        UsageError: When there are not as many scores as labels, or a score is NaN.

    Example:
        >>> roc_auc([0.1, 0.4, 0.35, 0.8], [False, False, True, True])
        0.75
    """
    _same_length(len(scores), len(labels))
    given, yes = np.asarray(scores, np.float64), np.asarray(labels, np.bool_)
    if np.isnan(given).any():
        raise UsageError("a score is NaN: leave out what has no score")
    positives = int(yes.sum())
    negatives = len(yes) - positives
    if not positives or not negatives:
        return None
    _, places, counts = np.unique(given, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return float((ranks[yes].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _same_length(scores: int, labels: int) -> None:
    if scores != labels:
        raise UsageError(f"there must be one label for each score, got {scores} scores and {labels} labels")
