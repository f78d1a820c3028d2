"""A reranker that learns from labels how much each sign of relevance counts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .._trace import note
from ..errors import NotReadyError, UsageError
from ..interfaces import Reranker
from ..types import Hit
from .features import feature_names, feature_rows

__all__ = ["Learned"]

Floats: TypeAlias = npt.NDArray[np.float64]

_NEWTON_STEPS = 50
_NEGATIVES_PER_QUERY = 100


@dataclass(repr=False)
class Learned(Reranker):
    """A weighted sum of named features (see `reranking.features`), fitted on which hits were relevant.

    Pairwise logistic regression: within every query a relevant hit should score above an irrelevant one
    (Burges 2010, RankNet with a linear scorer). Few weights, so some fifty labelled queries are enough;
    the weights can be read (`weights()`), and are saved as JSON.

    Args:
        l2: Strength of the regularisation towards equal weights of 0.
        features: Names of the features to use; None: all that the training hits have.

    Raises:
        NotReadyError: Before `fit`.

    Example:
        >>> from llmopt.types import Document
        >>> hits = [Hit(Document("1", "dogs bark"), 2.0), Hit(Document("2", "cats sleep"), 1.0)]
        >>> ranker = Learned().fit(["cats", "how cats sleep"], [hits, hits], [{"2": 1}, {"2": 1}])
        >>> [hit.document.id for hit in ranker.rerank("do cats sleep", hits)]
        ['2', '1']
    """

    l2: float = 1.0
    features: Sequence[str] | None = None
    _weights: Mapping[str, float] = field(init=False, default_factory=dict[str, float])

    def fit(
        self, queries: Sequence[str], hits: Sequence[Sequence[Hit]], relevant: Sequence[Mapping[str, float]]
    ) -> Learned:
        """Learn from result lists with their labels, forget earlier ones, and return the reranker itself.

        Args:
            queries: The queries.
            hits: For each, the hits as the retriever gave them, best first.
            relevant: For each, the grade of every relevant document by id (passage or whole document);
                others count as irrelevant.

        Raises:
            UsageError: When lengths differ, or no list holds both a relevant and an irrelevant hit.
        """
        if not len(queries) == len(hits) == len(relevant):
            raise UsageError(
                f"`Learned.fit` needs hits and labels for every query, got {len(queries)} queries, {len(hits)} lists "
                f"of hits and {len(relevant)} of labels"
            )
        names = list(self.features) if self.features is not None else feature_names(hits)
        differences = [
            rows
            for query, listed, grades in zip(queries, hits, relevant, strict=True)
            if listed and (rows := _differences(feature_rows(query, listed, names), listed, grades)).size
        ]
        if not differences:
            raise UsageError(
                "`Learned.fit` found no list with both a relevant and an irrelevant hit: check that the labels' ids "
                "are those of the documents, and that enough hits were fetched"
            )
        fitted = _pairwise_fit(differences, self.l2)
        self._weights = dict(zip(names, map(float, fitted), strict=True))
        return self

    def weights(self) -> dict[str, float]:
        """Return the weight of every feature; the features are standardised or shares, so they compare."""
        return dict(self._weights)

    def score(self, query: str, hits: Sequence[Hit]) -> list[float]:
        """Return the weighted sums."""
        if not self._weights:
            raise NotReadyError("`Learned` has not learnt anything yet: call `fit(queries, hits, relevant)` first")
        rows = feature_rows(query, hits, list(self._weights))
        note("weights", {name: round(weight, 3) for name, weight in self._weights.items()})
        return [float(score) for score in rows @ np.array(list(self._weights.values()))]

    def write_state(self, folder: Path) -> None:
        """Write the weights as JSON; nothing before `fit`."""
        if self._weights:
            (folder / "weights.json").write_text(json.dumps(self._weights, indent=1), encoding="utf-8")

    def read_state(self, folder: Path) -> None:
        """Take up the weights."""
        self._weights = json.loads((folder / "weights.json").read_text("utf-8"))


def _differences(rows: Floats, hits: Sequence[Hit], grades: Mapping[str, float]) -> Floats:
    """Return relevant less irrelevant rows, for every pair of different grades."""
    grade = np.array([max(grades.get(hit.document.id, 0), grades.get(hit.document.source, 0)) for hit in hits])
    better, worse = np.nonzero(grade[:, None] > grade[None, :])
    near = worse < _NEGATIVES_PER_QUERY
    return np.asarray(rows[better[near]] - rows[worse[near]], np.float64)


def _pairwise_fit(differences: Sequence[Floats], l2: float) -> Floats:
    """Minimise the logistic loss of the differences, every query counting alike, by Newton's method."""
    rows = np.vstack(differences)
    share = np.concatenate([np.full(len(each), 1 / len(each)) for each in differences])
    weights: Floats = np.zeros((rows.shape[1],), np.float64)
    for _ in range(_NEWTON_STEPS):
        chance = 1 / (1 + np.exp(np.clip(rows @ weights, -30, 30)))
        gradient = -(rows.T @ (share * chance)) + l2 * weights
        curvature = (rows * (share * chance * (1 - chance))[:, None]).T @ rows + l2 * np.eye(len(weights))
        move: Floats = np.asarray(np.linalg.solve(curvature, gradient), np.float64)
        weights -= move
        if np.abs(move).max() < 1e-8:
            break
    return weights
