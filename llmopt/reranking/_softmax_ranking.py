"""Weights that rank better hits above worse ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Contest", "contests", "fit_ranking"]

Floats: TypeAlias = npt.NDArray[np.float64]

_NEWTON_STEPS = 100
_SMALLEST_STEP = 1e-4
_SMALLEST_GAIN = 1e-9
_WORSE_PER_HIT = 100


@dataclass(frozen=True, slots=True)
class Contest:
    """A hit that should win against others of its list.

    Attributes:
        share: How much it counts; the contests of a query add up to 1.
        lags: A row for each of the others: its features less those of the hit.
    """

    share: float
    lags: Floats


def contests(rows: Floats, grades: npt.NDArray[np.float64]) -> list[Contest]:
    """Return a contest for every hit of a list against the hits of lower grade, at most the first 100 of them."""
    pairs = [(place, np.flatnonzero(grades < grades[place])[:_WORSE_PER_HIT]) for place in range(len(rows))]
    won = [(place, worse) for place, worse in pairs if len(worse) and grades[place] > 0]
    return [Contest(1 / len(won), rows[worse] - rows[place]) for place, worse in won]


def fit_ranking(all_contests: Sequence[Contest], l2: float) -> Floats:
    """Return the weights of the least softmax cross-entropy of all contests plus `l2 / 2` times their squares.

    The loss of a contest is the negative logarithm of the chance that the hit wins, by softmax over the
    weighted sums (ListNet's top-one loss, Cao et al. 2007). It is convex: Newton's method with step halving.
    """
    lags = np.vstack([contest.lags for contest in all_contests])
    sizes = np.array([len(contest.lags) for contest in all_contests])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    shares = np.array([contest.share for contest in all_contests])

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = lags @ weights
        highest = np.maximum(np.maximum.reduceat(scores, starts), 0)
        powers = np.exp(scores - np.repeat(highest, sizes))
        totals = np.add.reduceat(powers, starts) + np.exp(-highest)
        value = float(shares @ (np.log(totals) + highest)) + l2 / 2 * float(weights @ weights)
        return value, powers / np.repeat(totals, sizes)

    weights: Floats = np.zeros((lags.shape[1],), np.float64)
    value, chances = loss(weights)
    for _ in range(_NEWTON_STEPS):
        weighted = lags * (chances * np.repeat(shares, sizes))[:, None]
        means = np.add.reduceat(lags * chances[:, None], starts)
        gradient = weighted.sum(axis=0) + l2 * weights
        curvature = weighted.T @ lags - (means * shares[:, None]).T @ means + l2 * np.eye(len(weights))
        move = np.asarray(np.linalg.solve(curvature, gradient), np.float64)
        length, (lower, moved) = 1.0, loss(weights - move)
        while lower > value and length > _SMALLEST_STEP:
            length /= 2
            lower, moved = loss(weights - length * move)
        if value - lower <= _SMALLEST_GAIN * max(1.0, value):
            break
        weights, value, chances = weights - length * move, lower, moved
    return weights
