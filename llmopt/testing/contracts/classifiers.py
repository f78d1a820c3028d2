"""What every classifier keeps to."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import ClassVar, TypeVar

import pytest

from ...interfaces import Classifier
from .components import ODD_TEXTS, ComponentContract

__all__ = ["ClassifierContract"]

C = TypeVar("C", bound=Classifier)


class ClassifierContract(ComponentContract[C]):
    """Subclass as `TestMine`, define `make` (fitted, if it must be), and pytest runs every check."""

    texts: ClassVar[Sequence[str]] = ("How much does it cost?", "My card was stolen.", "hello")

    def use(self, component: C) -> None:
        """Classify once."""
        component.classify(self.texts[0])

    def test_the_label_is_the_best_of_finite_scores(self) -> None:
        """With the margin to the second."""
        for text in self.texts:
            found = self.make().classify(text)
            assert all(map(math.isfinite, found.scores.values()))
            assert found.scores[found.label] == max(found.scores.values())
            assert found.margin >= 0

    def test_the_labels_are_always_the_same_set(self) -> None:
        """Scores of labels that do not fit are low, not missing."""
        classifier = self.make()
        assert len({frozenset(classifier.classify(text).scores) for text in self.texts}) == 1

    def test_many_texts_give_what_each_gives_alone(self) -> None:
        """And sync and async agree."""
        classifier = self.make()
        alone = [classifier.classify(text).label for text in self.texts]
        assert [found.label for found in classifier.classify_many(self.texts)] == alone
        assert [asyncio.run(classifier.aclassify(text)).label for text in self.texts] == alone

    @pytest.mark.parametrize("odd", ["", *ODD_TEXTS], ids=range(len(ODD_TEXTS) + 1))
    def test_odd_texts_are_survived(self, odd: str) -> None:
        """Any text has a label."""
        self.make().classify(odd)
