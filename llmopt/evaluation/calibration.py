"""A judge held against people: how far its figures can be trusted, and what they are when corrected."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .._stats import Estimate, share, t_quantile
from ..errors import SampleError, UsageError
from ..types import Sample, Verdict
from .agreement import Confusion, roc_auc
from .report import Report

__all__ = ["Calibration", "human_labels"]

# Labels that nobody gave, half of them yes, counted in the spread of a correction's errors: few labels among which the
# judge never errs do not say that it never does. Agresti and Coull (1998) take four and shift the figure as well.
_PSEUDO_LABELS = 8

_SAID: Mapping[str, bool] = {
    **dict.fromkeys(("1", "1.0", "y", "yes", "true", "是"), True),
    **dict.fromkeys(("0", "0.0", "n", "no", "false", "否"), False),
}


def human_labels(samples: Iterable[Sample], column: str) -> dict[str, bool]:
    """Return people's yes and no by the samples' ids, from a column that the samples' file had beside the fields.

    Yes and no may be written yes, true, y, 1 or 是, and no, false, n, 0 or 否; an empty cell is no label.

    Raises:
        SampleError: When a cell holds something else, a sample has no id, or there is no label at all.

    Example:
        >>> samples = [Sample(question="?", id=id, metadata={"right": said}) for id, said in zip("abc", ("yes", 0, ""))]
        >>> human_labels(samples, "right")
        {'a': True, 'b': False}
    """
    labels: dict[str, bool] = {}
    for number, sample in enumerate(samples, 1):
        said = str(sample.metadata.get(column, "")).strip().casefold()
        if not said or said == "none":
            continue
        if said not in _SAID or not sample.id:
            lacking = f"has {sample.metadata[column]!r} in the column {column!r}, expected yes or no"
            raise SampleError(f"sample {sample.id or number} " + (lacking if sample.id else "has a label and no id"))
        labels[sample.id] = _SAID[said]
    if not labels:
        raise SampleError(f"no sample has a label in the column {column!r}: is its name spelt like this in the file?")
    return labels


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a judge's scores agree with human labels on the same items.

    Made by `of`, `of_verdicts` or `of_report`. Yes means what people's True means ("supported", "correct").

    Attributes:
        scores: The judge's, of the items that it judged.
        labels: People's, of the same items.
        threshold: Score from which the judge says yes.
        unjudged: Items with a label and without a score.
        others: The judge's scores of the items of the same report that nobody labelled.

    Example:
        >>> found = Calibration.of([0.9, 0.8, 0.4, 0.1], [True, True, True, False])
        >>> found.confusion.agreement, found.auc
        (0.75, 1.0)
    """

    scores: tuple[float, ...]
    labels: tuple[bool, ...]
    threshold: float = 0.5
    unjudged: int = 0
    others: tuple[float, ...] = ()

    @classmethod
    def of(
        cls, scores: Sequence[float | None], labels: Sequence[bool | None], *, threshold: float = 0.5
    ) -> Calibration:
        """Compare scores and labels item by item; items without a label do not count.

        Args:
            scores: The judge's, higher for yes; None where it gave none.
            labels: People's; None where nobody said.
            threshold: Score from which the judge says yes.

        Raises:
            UsageError: When there are not as many of the one as of the other, a score is not finite, or
                nothing has both.
        """
        if len(scores) != len(labels):
            raise UsageError(f"there must be one label for each score, got {len(scores)} and {len(labels)}")
        labelled = [(score, label) for score, label in zip(scores, labels, strict=True) if label is not None]
        judged = [(float(score), label) for score, label in labelled if score is not None]
        if not judged:
            raise UsageError(f"nothing to compare: of {len(scores)} items none has both a score and a label")
        if not all(math.isfinite(score) for score, _ in judged):
            raise UsageError("a score is not finite: give None where the judge gave none")
        return cls(
            tuple(score for score, _ in judged),
            tuple(bool(label) for _, label in judged),
            threshold,
            len(labelled) - len(judged),
        )

    @classmethod
    def of_verdicts(cls, verdicts: Sequence[Verdict], labels: Sequence[bool | None]) -> Calibration:
        """Compare verdicts, by their probability where all have one, else by yes and no."""
        if all(verdict.probability is not None for verdict in verdicts if verdict.holds is not None):
            return cls.of([v.probability if v.holds is not None else None for v in verdicts], labels)
        return cls.of([None if v.holds is None else float(v.holds) for v in verdicts], labels)

    @classmethod
    def of_report(
        cls, report: Report, metric: str, labels: Mapping[str, bool], *, threshold: float = 0.5
    ) -> Calibration:
        """Compare a metric's scores with labels by the samples' ids.

        Raises:
            UsageError: When the report has no such metric, or a label belongs to no sample of it.
        """
        if metric not in report.metrics:
            raise UsageError(f"the report has no metric {metric!r}; it has {', '.join(report.metrics) or 'none'}")
        scores = {row.sample.id: row.scores[metric].value for row in report}
        unknown = sorted(set(labels) - set(scores))
        if unknown:
            raise UsageError(f"{len(unknown)} labels belong to no sample of the report, the first is {unknown[0]!r}")
        found = cls.of([scores[id] for id in labels], list(labels.values()), threshold=threshold)
        others = tuple(score for id, score in scores.items() if id not in labels and score is not None)
        return replace(found, others=others)

    @property
    def n(self) -> int:
        """How many items have a score and a label."""
        return len(self.scores)

    @property
    def confusion(self) -> Confusion:
        """The judge's yes and no against people's."""
        return Confusion.of([score >= self.threshold for score in self.scores], self.labels)

    @property
    def auc(self) -> float | None:
        """The chance that people's yes scores higher than their no; None when they say only one of them."""
        return roc_auc(self.scores, self.labels)

    @property
    def agreement(self) -> Estimate:
        """The share of items on which both agree, with Wilson's interval."""
        found = self.confusion
        return share(found.yes_yes + found.no_no, self.n)

    @property
    def sensitivity(self) -> Estimate:
        """The share of people's yes that the judge finds, with Wilson's interval."""
        found = self.confusion
        return share(found.yes_yes, found.yes_yes + found.no_yes)

    @property
    def specificity(self) -> Estimate:
        """The share of people's no that the judge finds, with Wilson's interval."""
        found = self.confusion
        return share(found.no_no, found.no_no + found.yes_no)

    @property
    def best_threshold(self) -> float:
        """The score from which yes gives the best balanced accuracy on these labels; flattering on them."""
        candidates = sorted(set(self.scores))
        yes = np.array(self.labels)
        scores = np.array(self.scores)

        def gain(threshold: float) -> float:
            said = scores >= threshold
            return float((said & yes).sum() / max(1, yes.sum()) + (~said & ~yes).sum() / max(1, (~yes).sum()))

        return max(candidates, key=gain)

    @property
    def corrected_mean(self) -> Estimate | None:
        """What people's mean would be over the report's samples, by `corrected`; None when too few are left to tell."""
        return self.corrected(self.others) if self.n > 1 and self.others else None

    def corrected(self, scores: Iterable[float | None], *, level: float = 0.95) -> Estimate:
        """Return what people's mean would be on many items of which the judge has seen all.

        The judge's mean over all items, corrected by its mean error on the labelled ones; the interval holds
        whatever the judge's errors are, provided that the labelled items are a random draw of the same kind.
        A judge that is of no use is weighed down, so that the interval is never much wider than that of the
        labels alone. It is never of no width: the errors' spread counts eight labels more, half of them yes.

        Args:
            scores: The judge's scores of the items without a label (those with one add little).
            level: Confidence level.

        Raises:
            UsageError: With fewer than two labelled items or no score.

        Source: prediction-powered inference with power tuning, PPI++ (Angelopoulos, Duchi and Zrnic 2023).
        """
        seen = np.array([score for score in scores if score is not None], np.float64)
        if self.n < 2 or not len(seen):
            raise UsageError(f"a correction needs two labelled items and a score, got {self.n} and {len(seen)}")
        judged, truth = np.array(self.scores), np.array(self.labels, np.float64)
        spread = float(judged.var(ddof=1))
        together = float(((judged - judged.mean()) * (truth - truth.mean())).sum()) / (self.n - 1)
        weight = together / ((1 + self.n / len(seen)) * spread) if spread else 0.0
        weight = min(1.0, max(0.0, weight))
        errors = truth - weight * judged
        value = weight * float(seen.mean()) + float(errors.mean())
        apart = float(seen.var(ddof=1)) if len(seen) > 1 else 0.0
        squares = float(np.square(errors - errors.mean()).sum()) + _PSEUDO_LABELS / 4
        deviation = math.sqrt(weight**2 * apart / len(seen) + squares / self.n**2)
        half = t_quantile((1 + level) / 2, self.n - 1) * deviation
        low, high = max(0.0, value - half), min(1.0, value + half)
        return Estimate(min(1.0, max(0.0, value)), low, high, self.n + len(seen), "ppi++", level)

    def __str__(self) -> str:
        """Write the figures in a few lines."""
        found = self.confusion
        kappa, auc = ("-" if value is None else f"{value:.3f}" for value in (found.kappa, self.auc))
        corrected = self.corrected_mean
        return "\n".join(
            [
                f"{self.n} items judged and labelled, {self.unjudged} labelled and not judged",
                f"agreement {self.agreement}, kappa {kappa}, ROC-AUC {auc}",
                f"people yes: judge yes {found.yes_yes}, no {found.no_yes} (sensitivity {self.sensitivity})",
                f"people no:  judge no {found.no_no}, yes {found.yes_no} (specificity {self.specificity})",
                *([f"mean corrected by the labels {corrected}"] if corrected else []),
            ]
        )
