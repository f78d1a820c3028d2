"""Weights for the scores of several retrievers, fitted on labelled queries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .._stats import Estimate, paired_difference
from ..types import Hit
from ._labels import DEPTH, Floats, discounts, ideal_gains
from .fusion import Scales, normalised

__all__ = ["FittedWeights", "fit_weights"]

Found: TypeAlias = Sequence[Sequence[Hit]]
"""The hits of every part for one query."""

_FOLDS = 5
_RATIOS = (0.0, *(2.0**exponent for exponent in np.arange(-5, 5.25, 0.25).tolist()))
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class FittedWeights:
    """Weights of a hybrid's parts with what they are worth.

    Attributes:
        weights: One per part, adding up to 1.
        scales: What makes the parts' scores comparable.
        kept: Whether the weighted scores beat reciprocal ranks on queries that they were not fitted on;
            if not, the hybrid goes on with ranks.
        ndcg_by_ranks: Mean nDCG@10 of the labelled queries by reciprocal ranks.
        ndcg_by_scores: The same by weighted scores, each query by weights fitted on others.
        gain: The difference, with its interval.
    """

    weights: tuple[float, ...]
    scales: Scales
    kept: bool
    ndcg_by_ranks: float
    ndcg_by_scores: float
    gain: Estimate


def fit_weights(
    found: Sequence[Found], labels: Sequence[Sequence[str]], scales: Scales, by_rank: Callable[[Found], Sequence[Hit]]
) -> FittedWeights:
    """Return the weights of best mean nDCG@10, judged by five-fold cross-validation against rank fusion.

    Args:
        found: Per query, the hits of every part.
        labels: Per query, the ids of the relevant documents.
        scales: How scores are normalised.
        by_rank: Fuses hits by rank.
    """
    candidates = _Candidates.of(found, labels, scales)
    parts = len(scales.floors)
    ranks = np.array([_gain(by_rank(lists), ids) for lists, ids in zip(found, labels, strict=True)])
    held_out = np.zeros(len(found))
    order = np.random.default_rng(0).permutation(len(found))
    for fold in np.array_split(order, min(_FOLDS, len(found))):
        rest = candidates.chosen(np.setdiff1d(order, fold)) if len(fold) < len(order) else candidates
        held_out[fold] = candidates.chosen(fold).gains(_best_weights(rest.gains, parts))
    gain = paired_difference(ranks, held_out)
    return FittedWeights(
        weights=_best_weights(candidates.gains, parts),
        scales=scales,
        kept=(gain.value or 0.0) > 0,
        ndcg_by_ranks=float(ranks.mean()),
        ndcg_by_scores=float(held_out.mean()),
        gain=gain,
    )


def _gain(ranking: Sequence[Hit], ids: Sequence[str]) -> float:
    hits = np.array([hit.document.id in ids for hit in ranking[:DEPTH]], np.float64)
    return float(hits @ discounts()[: len(hits)] / ideal_gains(np.array([len(ids)]))[0])


@dataclass(frozen=True, slots=True)
class _Candidates:
    """What the parts found for every query, as arrays padded to the longest list.

    Attributes:
        features: Normalised scores, of shape (queries, candidates, parts); padding is minus infinity.
        relevant: Which candidates are relevant, of shape (queries, candidates).
        ideal: The gain of the best ranking of every query.
    """

    features: Floats
    relevant: npt.NDArray[np.bool_]
    ideal: Floats

    @classmethod
    def of(cls, found: Sequence[Found], labels: Sequence[Sequence[str]], scales: Scales) -> _Candidates:
        """Arrange the hits."""
        tables = [normalised(lists, scales) for lists in found]
        widest = max(1, max((len(table) for table in tables), default=1))
        features = np.full((len(found), widest, len(scales.floors)), -np.inf)
        relevant = np.zeros((len(found), widest), np.bool_)
        for query, (table, ids) in enumerate(zip(tables, labels, strict=True)):
            for place, (id, scores) in enumerate(sorted(table.items())):
                features[query, place] = scores
                relevant[query, place] = id in ids
        return cls(features, relevant, ideal_gains(np.array([len(ids) for ids in labels])))

    def chosen(self, queries: npt.NDArray[np.intp]) -> _Candidates:
        """Return those of some queries."""
        return _Candidates(self.features[queries], self.relevant[queries], self.ideal[queries])

    def gains(self, weights: Sequence[float]) -> Floats:
        """Return nDCG of every query when the candidates are ranked by the weighted sum."""
        with np.errstate(invalid="ignore"):
            scores = np.nan_to_num(self.features @ np.array(weights), nan=-np.inf, neginf=-np.inf)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]
        hits = np.take_along_axis(self.relevant, order, axis=1)
        gained: Floats = hits @ discounts()[: hits.shape[1]] / self.ideal
        return gained


def _best_weights(gains: Callable[[Sequence[float]], Floats], parts: int) -> tuple[float, ...]:
    """Return weights, which add up to 1, of the best mean gain: one at a time on a grid of ratios, a few rounds.

    Of equally good ones those nearest to equal weights win.
    """
    weights = [1.0] * parts
    for _ in range(_ROUNDS if parts > 2 else 1):
        for part in range(parts if parts > 2 else 1):
            tried = [(*weights[:part], ratio, *weights[part + 1 :]) for ratio in _RATIOS]
            usable = [candidate for candidate in tried if sum(candidate) > 0]
            values = [(round(float(gains(candidate).mean()), 9), -_skew(candidate)) for candidate in usable]
            weights = list(usable[values.index(max(values))])
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def _skew(weights: Sequence[float]) -> float:
    return max(weights) / (min(weights) + 1e-3)
