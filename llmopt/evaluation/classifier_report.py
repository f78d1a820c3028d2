"""Classifiers measured on their own: accuracy, macro F1, confusion, and what is out of scope."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._stats import Estimate, share
from .._sync import run_sync
from ..errors import SampleError
from ..interfaces import Classifier
from ..types import Classification
from .table import Table

__all__ = ["ClassifierReport", "LabelFigures", "evaluate_classifier"]

_MOST_CONFUSIONS = 8


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """How well one label is told apart; None where there is nothing to divide by."""

    label: str
    precision: float | None
    recall: float | None
    f1: float
    count: int


@dataclass(frozen=True)
class ClassifierReport:
    """What a classifier got right.

    Attributes:
        labels: The right labels; `None` for texts that belong to none (out of scope).
        found: What the classifier said.
        margin: Below this margin a classification counts as "unsure".
    """

    labels: Sequence[str | None]
    found: Sequence[Classification]
    margin: float = 0.0

    @property
    def accuracy(self) -> Estimate:
        """The share of right labels among texts that have one, with its Wilson interval; an unsure one is not right."""
        pairs = [(label, each) for label, each in zip(self.labels, self.found, strict=True) if label is not None]
        return share(sum(self._sure(each) and each.label == label for label, each in pairs), len(pairs))

    @property
    def out_of_scope_recall(self) -> Estimate:
        """The share of out-of-scope texts that were left unsure."""
        strangers = [each for label, each in zip(self.labels, self.found, strict=True) if label is None]
        return share(sum(not self._sure(each) for each in strangers), len(strangers))

    @property
    def unsure(self) -> Estimate:
        """The share of texts with a label that were left unsure."""
        known = [each for label, each in zip(self.labels, self.found, strict=True) if label is not None]
        return share(sum(not self._sure(each) for each in known), len(known))

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the labels that occur, every label counting alike."""
        figures = self.per_label()
        return sum(each.f1 for each in figures) / len(figures)

    def per_label(self) -> list[LabelFigures]:
        """Return precision, recall and F1 of every label that occurs, by name."""
        counts = Counter(label for label in self.labels if label is not None)
        said = Counter(each.label for each in self.found if self._sure(each))
        right = Counter(
            each.label
            for label, each in zip(self.labels, self.found, strict=True)
            if self._sure(each) and each.label == label
        )
        return [
            LabelFigures(
                label,
                right[label] / said[label] if said[label] else None,
                right[label] / count,
                2 * right[label] / (said[label] + count),
                count,
            )
            for label, count in sorted(counts.items())
        ]

    def confusion(self) -> Mapping[tuple[str | None, str | None], int]:
        """Return how often (right label, said label) came; None stands for out of scope and for unsure."""
        pairs = zip(self.labels, self.found, strict=True)
        return Counter((label, each.label if self._sure(each) else None) for label, each in pairs)

    def __str__(self) -> str:
        """Draw the figures and the most frequent mistakes."""
        mistakes = [(pair, count) for pair, count in self.confusion().items() if pair[0] != pair[1]]
        worst = sorted(mistakes, key=lambda item: (-item[1], str(item[0])))[:_MOST_CONFUSIONS]
        rows = [
            ["accuracy", str(self.accuracy)],
            ["macro F1", f"{self.macro_f1:.3f}"],
            ["left unsure", str(self.unsure)],
            ["out-of-scope recall", str(self.out_of_scope_recall)],
        ]
        notes = [f"{count} x {right or 'out of scope'} taken for {said or 'unsure'}" for (right, said), count in worst]
        return str(Table(("figure", "value"), rows, numbers=1, caption=f"{len(self.labels)} texts", notes=notes))

    def _sure(self, found: Classification) -> bool:
        return found.margin >= self.margin


def evaluate_classifier(
    classifier: Classifier, texts: Sequence[str], labels: Sequence[str | None], *, margin: float = 0.0
) -> ClassifierReport:
    """Classify the texts and return what was right.

    Args:
        classifier: Fitted, if it must be.
        texts: Texts that it has not learnt from.
        labels: Their right labels; None for a text that belongs to none.
        margin: As the pipeline's: a smaller margin counts as "unsure".

    Raises:
        SampleError: When lengths differ or there is nothing labelled.

    Example:
        >>> from llmopt.routing import Keyword
        >>> route = Keyword({"money": ["refund"], "access": ["password"]})
        >>> report = evaluate_classifier(route, ["refund please", "hello"], ["money", None], margin=0.5)
        >>> report.accuracy.value, report.out_of_scope_recall.value
        (1.0, 1.0)
    """
    if len(texts) != len(labels) or all(label is None for label in labels):
        raise SampleError(
            f"a classifier is measured on texts with their labels, got {len(texts)} texts, {len(labels)} labels, "
            f"{sum(label is not None for label in labels)} of them not None"
        )
    return ClassifierReport(tuple(labels), tuple(run_sync(classifier.aclassify_many, texts)), margin)
