"""Routes by the labelled texts that a text is most like."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..errors import NotReadyError, UsageError
from ..interfaces import Embedder, TrainableClassifier
from ..types import Matrix
from ._neighbours import Neighbours, neighbours

__all__ = ["Nearest"]


@dataclass(repr=False)
class Nearest(TrainableClassifier):
    """Labels a text like the labelled texts nearest to it by cosine; works from a handful of examples on.

    By `neighbours` a label's score is the sum of the cosines of its texts among the `count` nearest,
    divided by `count`; by `centroid` it is the cosine to the mean vector of the label. Both are at most
    1; a text unlike everything scores low everywhere, which tells what is out of scope. The neighbours are
    exact; of equally near ones those earlier in `fit` count.

    Args:
        embedder: Turns texts into vectors.
        method: "neighbours" (kNN) or "centroid" (nearest mean).
        count: How many neighbours vote.

    Raises:
        NotReadyError: Before `fit`.
        UsageError: When `count` is below 1, or there is no such method.

    Example:
        >>> from llmopt.testing import FakeEmbedder
        >>> texts, labels = ["reset my password", "a wrong invoice"], ["login", "billing"]
        >>> Nearest(FakeEmbedder(), count=1).fit(texts, labels).classify("my password is lost").label
        'login'
    """

    embedder: Embedder
    method: Literal["neighbours", "centroid"] = "neighbours"
    count: int = 5
    _examples: Neighbours | None = field(init=False, default=None)
    _label_of_row: npt.NDArray[np.int64] = field(init=False, default_factory=lambda: np.zeros(0, np.int64))
    _labels: list[str] = field(init=False, default_factory=list[str])

    async def train(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        """Embed the texts and keep them, or the mean of every label."""
        if self.count < 1:
            raise UsageError(f"`Nearest` needs `count` of at least 1 neighbour, got {self.count}")
        if self.method not in {"neighbours", "centroid"}:
            raise UsageError(f"`Nearest` has the methods 'neighbours' and 'centroid', got {self.method!r}")
        rows = await self.embedder.aencode(texts, kind="query")
        names = sorted(set(labels))
        numbers = np.array([names.index(label) for label in labels], np.int64)
        if self.method == "centroid":
            rows, numbers = _centroids(rows, numbers, len(names)), np.arange(len(names))
        self._examples, self._label_of_row, self._labels = neighbours(rows), numbers, names

    async def predict(self, text: str) -> dict[str, float]:
        """Return a score per label."""
        return (await self.predict_many([text]))[0]

    async def predict_many(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Return the scores of every text by one matrix product."""
        if self._examples is None:
            raise NotReadyError("`Nearest` has no labelled texts yet: call `fit(texts, labels)` first")
        vectors = await self.embedder.aencode(texts, kind="query")
        if self.method == "centroid":
            return [self._by_label(cosines) for cosines in vectors @ self._examples.rows.T]
        return [
            self._by_label(np.bincount(self._label_of_row[found], cosines, len(self._labels)) / len(found))
            for found, cosines in self._examples.nearest(vectors, self.count)
        ]

    def write_state(self, folder: Path) -> None:
        """Write the vectors and their labels; nothing before `fit`."""
        if self._examples is not None:
            np.save(folder / "rows.npy", self._examples.rows, allow_pickle=False)
            labels = {"labels": self._labels, "label_of_row": self._label_of_row.tolist()}
            (folder / "labels.json").write_text(json.dumps(labels, ensure_ascii=False), encoding="utf-8")

    def read_state(self, folder: Path) -> None:
        """Take up the vectors and their labels."""
        self._examples = neighbours(np.load(folder / "rows.npy", allow_pickle=False))
        read = json.loads((folder / "labels.json").read_text("utf-8"))
        self._labels, self._label_of_row = read["labels"], np.array(read["label_of_row"], np.int64)

    def _by_label(self, scores: npt.NDArray[np.floating]) -> dict[str, float]:
        return dict(zip(self._labels, scores.tolist(), strict=True))


def _centroids(rows: Matrix, numbers: npt.NDArray[np.int64], count: int) -> Matrix:
    sums = np.zeros((count, rows.shape[1]), np.float32)
    np.add.at(sums, numbers, rows)
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.where(norms == 0, 1, norms), np.float32)
