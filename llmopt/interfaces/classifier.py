"""Classifiers: give a text a label, to route or to filter."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Self, final

from .._sync import call, call_sync, gather_bounded, run_sync
from .._trace import step
from ..errors import ContractError, UsageError
from ..types import Classification, MaybeAwaitable, Planned
from .component import Component
from .model import Embedder
from .planning import parts_of, planned_embedding

__all__ = ["Classifier", "TrainableClassifier"]

_TEXTS_IN_FLIGHT = 16


class Classifier(Component, ABC):
    """Gives a text a label. Write `predict`.

    Example:
        >>> class Kind(Classifier):
        ...     def predict(self, text: str) -> dict[str, float]:
        ...         return {"question": float("?" in text), "statement": float("?" not in text)}
        >>> Kind().classify("Who?").label
        'question'
    """

    @abstractmethod
    def predict(self, text: str) -> MaybeAwaitable[Mapping[str, float]]:
        """Return a score per label, higher is better. May be `def` or `async def`."""

    def predict_many(self, texts: Sequence[str]) -> MaybeAwaitable[Sequence[Mapping[str, float]]]:
        """Return the scores of each text; by default one `predict` each, side by side."""
        return gather_bounded(lambda text: call(self.predict, text), texts, limit=_TEXTS_IN_FLIGHT)

    def plan(self, text: str) -> Sequence[Planned]:
        """Return what classifying a text will take at most; by default what the embedders inside take.

        Override it when the classifier itself asks a model.
        """
        embedders = [part for part in parts_of(self) if isinstance(part, Embedder)]
        return [planned_embedding(part, "embeddings", [text]) for part in embedders]

    @final
    def classify(self, text: str) -> Classification:
        """Return the best label with all scores and the margin to the second best; ties go by label.

        Raises:
            ContractError: When `predict` gives no label or a score that is not finite.
        """
        with step("classify", self, text) as recorder:
            recorder.output = found = self._classification(call_sync(self.predict, text))
        return found

    @final
    async def aclassify(self, text: str) -> Classification:
        """Return the best label; the async twin of `classify`."""
        with step("classify", self, text) as recorder:
            recorder.output = found = self._classification(await call(self.predict, text))
        return found

    @final
    def classify_many(self, texts: Sequence[str]) -> list[Classification]:
        """Return the classification of every text, in order."""
        return run_sync(self.aclassify_many, texts)

    @final
    async def aclassify_many(self, texts: Sequence[str]) -> list[Classification]:
        """Return the classification of every text; the async twin of `classify_many`."""
        with step("classify", self, texts) as recorder:
            found = await call(self.predict_many, texts)
            if len(found) != len(texts):
                raise ContractError(
                    f"`{type(self).__name__}.predict_many` gave {len(found)} results for {len(texts)} texts"
                )
            recorder.output = labels = [self._classification(scores) for scores in found]
        return labels

    def _classification(self, scores: Mapping[str, float]) -> Classification:
        name = type(self).__name__
        if not scores:
            raise ContractError(f"`{name}.predict` returned no label")
        for label, score in scores.items():
            if not math.isfinite(score):
                raise ContractError(f"`{name}.predict` scored the label {label!r} with {score}; scores must be finite")
        ranked = sorted(scores, key=lambda label: (-scores[label], label))
        margin = scores[ranked[0]] - scores[ranked[1]] if len(ranked) > 1 else math.inf
        return Classification(ranked[0], dict(scores), margin)


class TrainableClassifier(Classifier, ABC):
    """A classifier that learns from labelled texts. Write `train` and `predict`."""

    @abstractmethod
    def train(self, texts: Sequence[str], labels: Sequence[str]) -> MaybeAwaitable[None]:
        """Learn from these texts and forget earlier ones."""

    @final
    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> Self:
        """Learn from labelled texts, forget earlier ones, and return the classifier itself.

        Raises:
            UsageError: When lengths differ or there are fewer than two labels.
        """
        call_sync(self.train, texts, self._valid(texts, labels))
        return self

    @final
    async def afit(self, texts: Sequence[str], labels: Sequence[str]) -> Self:
        """Learn from labelled texts; the async twin of `fit`."""
        await call(self.train, texts, self._valid(texts, labels))
        return self

    def _valid(self, texts: Sequence[str], labels: Sequence[str]) -> Sequence[str]:
        name = type(self).__name__
        if len(texts) != len(labels):
            raise UsageError(f"`{name}.fit` needs a label per text, got {len(texts)} texts and {len(labels)} labels")
        if len(set(labels)) < 2:
            raise UsageError(f"`{name}.fit` needs at least two different labels, got {sorted(set(labels))}")
        return labels
