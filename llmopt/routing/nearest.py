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

__all__ = ["Nearest"]


@dataclass(repr=False)
class Nearest(TrainableClassifier):
    """Labels a text like the labelled texts nearest to it by cosine; works from a handful of examples on.

    By `neighbours` a label's score is the sum of the cosines of its texts among the `count` nearest,
    divided by `count`; by `centroid` it is the cosine to the mean vector of the label. Both are at most
    1; a text unlike everything scores low everywhere, which tells what is out of scope.

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
    _rows: Matrix | None = field(init=False, default=None)
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
        self._rows, self._label_of_row, self._labels = rows, numbers, names

    async def predict(self, text: str) -> dict[str, float]:
        """Return a score per label."""
        return (await self.predict_many([text]))[0]

    async def predict_many(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Return the scores of every text by one matrix product."""
        if self._rows is None:
            raise NotReadyError("`Nearest` has no labelled texts yet: call `fit(texts, labels)` first")
        cosines = await self.embedder.aencode(texts, kind="query") @ self._rows.T
        return [self._scores(row) for row in cosines]

    def write_state(self, folder: Path) -> None:
        """Write the vectors and their labels; nothing before `fit`."""
        if self._rows is not None:
            np.save(folder / "rows.npy", self._rows, allow_pickle=False)
            labels = {"labels": self._labels, "label_of_row": self._label_of_row.tolist()}
            (folder / "labels.json").write_text(json.dumps(labels, ensure_ascii=False), encoding="utf-8")

    def read_state(self, folder: Path) -> None:
        """Take up the vectors and their labels."""
        self._rows = np.load(folder / "rows.npy", allow_pickle=False)
        read = json.loads((folder / "labels.json").read_text("utf-8"))
        self._labels, self._label_of_row = read["labels"], np.array(read["label_of_row"], np.int64)

    def _scores(self, cosines: Matrix) -> dict[str, float]:
        if self.method == "centroid":
            return dict(zip(self._labels, map(float, cosines), strict=True))
        count = min(self.count, len(cosines))
        nearest = np.argpartition(-cosines, count - 1)[:count]
        sums = np.bincount(self._label_of_row[nearest], cosines[nearest], minlength=len(self._labels)) / count
        return dict(zip(self._labels, map(float, sums), strict=True))


def _centroids(rows: Matrix, numbers: npt.NDArray[np.int64], count: int) -> Matrix:
    sums = np.zeros((count, rows.shape[1]), np.float32)
    np.add.at(sums, numbers, rows)
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.where(norms == 0, 1, norms), np.float32)
