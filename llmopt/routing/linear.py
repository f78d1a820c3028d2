"""Routes by logistic regression on the meaning of a text, its words, or both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import NotReadyError, UsageError
from ..interfaces import Embedder, TrainableClassifier
from ._softmax import fit_softmax, fit_temperature, softmax
from ._word_features import choose_vocabulary, word_features

__all__ = ["Linear"]

Rows: TypeAlias = npt.NDArray[np.float32]

_HELD_OUT = 0.15
_FEWEST_TO_CALIBRATE = 40


@dataclass(repr=False)
class Linear(TrainableClassifier):
    """Multinomial logistic regression with L2, in numpy; its scores are calibrated probabilities.

    Features are the embedding, the words and word pairs (TF-IDF), or both side by side: the embedding
    knows what is meant, the words know how it is asked ("who", "how many"). Probabilities are calibrated
    by a temperature fitted on a held-out part (Guo et al. 2017); the final fit uses all texts.

    Args:
        embedder: Turns texts into vectors; None: words only.
        vocabulary: Words and word pairs used as features, at most; 0: the embedding only.
        l2: Strength of the regularisation (scikit-learn's 1 / C).
        word_weight: How much words count beside the embedding.
        iterations: Of L-BFGS, at most.
        seed: For the held-out part.

    Raises:
        NotReadyError: Before `fit`.
        UsageError: When there is neither an embedder nor a vocabulary, or `l2` is not positive.

    Example:
        >>> texts = ["who wrote it", "how many are there", "who is that", "how many cost more"]
        >>> Linear(l2=0.1).fit(texts, ["person", "number"] * 2).classify("who did it").label
        'person'
    """

    embedder: Embedder | None = None
    vocabulary: int = 2000
    l2: float = 0.05
    word_weight: float = 0.5
    iterations: int = 200
    seed: int = 0
    _weights: Rows | None = field(init=False, default=None)
    _labels: list[str] = field(init=False, default_factory=list[str])
    _words: Mapping[str, float] = field(init=False, default_factory=dict[str, float])
    _temperature: float = field(init=False, default=1.0)

    async def train(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        """Fit the weights on all texts, and the temperature on texts that an earlier fit had not seen."""
        self._check()
        self._words = choose_vocabulary(texts, self.vocabulary)
        self._labels = sorted(set(labels))
        numbers = np.array([self._labels.index(label) for label in labels], np.int64)
        features = await self._features(texts)
        earlier = self._calibrate(features, numbers)
        self._weights = self._fitted(features, numbers, earlier)

    async def predict(self, text: str) -> dict[str, float]:
        """Return a probability per label."""
        return (await self.predict_many([text]))[0]

    async def predict_many(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Return the probabilities of every text by one matrix product."""
        if self._weights is None:
            raise NotReadyError("`Linear` has not learnt anything yet: call `fit(texts, labels)` first")
        features = await self._features(texts)
        chances = softmax((features @ self._weights[:-1] + self._weights[-1]) / self._temperature)
        return [dict(zip(self._labels, map(float, row), strict=True)) for row in chances]

    def write_state(self, folder: Path) -> None:
        """Write weights, labels and words; nothing before `fit`."""
        if self._weights is not None:
            np.save(folder / "weights.npy", self._weights, allow_pickle=False)
            learnt = {"labels": self._labels, "words": dict(self._words), "temperature": self._temperature}
            (folder / "learnt.json").write_text(json.dumps(learnt, ensure_ascii=False), encoding="utf-8")

    def read_state(self, folder: Path) -> None:
        """Take up weights, labels and words."""
        self._weights = np.load(folder / "weights.npy", allow_pickle=False)
        learnt = json.loads((folder / "learnt.json").read_text("utf-8"))
        self._labels, self._words, self._temperature = learnt["labels"], learnt["words"], learnt["temperature"]

    def _check(self) -> None:
        if self.embedder is None and self.vocabulary < 1:
            raise UsageError("`Linear` has nothing to learn from: give an embedder, a vocabulary, or both")
        if self.l2 <= 0:
            raise UsageError(f"`Linear` needs a positive `l2`, got {self.l2}")

    async def _features(self, texts: Sequence[str]) -> Rows:
        parts: list[Rows] = []
        if self.embedder is not None:
            parts.append(await self.embedder.aencode(texts, kind="query"))
        if self.vocabulary:
            parts.append(word_features(texts, self._words) * np.float32(self.word_weight if parts else 1.0))
        return np.hstack(parts)

    def _fitted(self, features: Rows, numbers: npt.NDArray[np.int64], start: Rows | None = None) -> Rows:
        return fit_softmax(features, numbers, len(self._labels), l2=self.l2, iterations=self.iterations, start=start)

    def _calibrate(self, features: Rows, numbers: npt.NDArray[np.int64]) -> Rows | None:
        """Fit the temperature on a held-out part, and return the weights of the others: the final fit's start."""
        order = np.random.default_rng(self.seed).permutation(len(numbers))
        held_out, kept = np.split(order, [int(_HELD_OUT * len(order))])
        self._temperature = 1.0
        if len(order) < _FEWEST_TO_CALIBRATE:
            return None
        weights = self._fitted(features[kept], numbers[kept])
        self._temperature = fit_temperature(features[held_out] @ weights[:-1] + weights[-1], numbers[held_out])
        return weights
