"""How well a judge's word agrees with people's: counts, kappa, and the area under the ROC curve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import UsageError

__all__ = ["Confusion", "cohen_kappa", "roc_auc"]


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
        judge_yes, people_yes = self.yes_yes + self.yes_no, self.yes_yes + self.no_yes
        by_chance = judge_yes * people_yes + (self.n - judge_yes) * (self.n - people_yes)
        return _beyond_chance(self.yes_yes + self.no_no, by_chance, self.n)


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Return Cohen's kappa of two who named the same items, with any labels: 1 for perfect, 0 for chance.

    None when nothing was named, or when both name everything the same, so that chance explains all.

    Raises:
        UsageError: When there are not as many of the one as of the other.

    Source: Cohen (1960), A Coefficient of Agreement for Nominal Scales.

    Example:
        >>> cohen_kappa(["a", "b", "tie", "a"], ["a", "b", "a", "a"])
        0.5555555555555556
    """
    _same_length(len(first), len(second))
    ours, theirs = Counter(first), Counter(second)
    same = sum(one == other for one, other in zip(first, second, strict=True))
    return _beyond_chance(same, sum(count * theirs[label] for label, count in ours.items()), len(first))


def _beyond_chance(same: int, by_chance: int, n: int) -> float | None:
    """Return kappa from whole numbers: `same` of n agree, `by_chance` of n * n pairs would."""
    return None if by_chance == n * n else (same * n - by_chance) / (n * n - by_chance)


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
