"""Multinomial logistic regression by L-BFGS, in numpy."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["fit_softmax", "fit_temperature", "softmax"]

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Objective: TypeAlias = Callable[[Floats], "tuple[float, Floats]"]

_MEMORY = 10
_STEPS_BACK = 25
_SUFFICIENT_DECREASE = 1e-4
_TEMPERATURES = np.geomspace(0.2, 5.0, 49)


def softmax(scores: npt.NDArray[np.floating]) -> Floats:
    """Return the rows as probabilities."""
    shifted = np.asarray(scores, np.float64) - np.max(scores, axis=1, keepdims=True)
    powers = np.exp(shifted)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)


def fit_softmax(
    features: npt.NDArray[np.float32],
    labels: Integers,
    count: int,
    *,
    l2: float,
    iterations: int,
    start: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Return the weights, (features + 1) x labels, of the regularised maximum-likelihood fit.

    Minimises the mean cross-entropy plus `l2 / (2 n)` times the squared weights (the bias, the last row,
    is free), which is scikit-learn's `LogisticRegression(C=1 / l2)`. L-BFGS after Nocedal and Wright 2006,
    algorithm 7.5, with backtracking, from the weights `start` or from 0.
    """
    n, width = features.shape
    places: Integers = np.arange(n, dtype=np.int64)

    def objective(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(width + 1, count).astype(np.float32)
        scores = features @ weights[:-1] + weights[-1]
        scores -= scores.max(axis=1, keepdims=True)
        own = scores[places, labels]
        error = np.exp(scores, out=scores)
        totals = error.sum(axis=1, keepdims=True)
        loss = float(np.mean(np.log(totals[:, 0]) - own, dtype=np.float64))
        error /= totals
        error[places, labels] -= 1
        gradient = np.vstack([features.T @ error, error.sum(axis=0)]).astype(np.float64) / n
        gradient[:-1] += l2 / n * weights[:-1]
        return loss + l2 / (2 * n) * float(np.sum(weights[:-1] ** 2, dtype=np.float64)), gradient.ravel()

    first: Floats = np.zeros(((width + 1) * count,), np.float64) if start is None else start.ravel().astype(np.float64)
    found = _minimise(objective, first, iterations)
    return found.reshape(width + 1, count).astype(np.float32)


def fit_temperature(scores: npt.NDArray[np.floating], labels: Integers) -> float:
    """Return the divisor of the scores that makes their probabilities fit held-out labels best (Guo et al. 2017)."""

    def loss(temperature: float) -> float:
        chances = softmax(np.asarray(scores) / temperature)[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(chances, 1e-300)).mean())

    return float(min(_TEMPERATURES, key=loss))


def _minimise(objective: Objective, start: npt.NDArray[np.float64], iterations: int, tolerance: float = 3e-5) -> Floats:
    place = start
    value, gradient = objective(place)
    steps: deque[tuple[Floats, Floats]] = deque(maxlen=_MEMORY)
    for _ in range(iterations):
        if np.abs(gradient).max() < tolerance:
            break
        direction = -_two_loops(gradient, steps)
        found = _line_search(objective, place, value, gradient, direction)
        if found is None:
            break
        new_place, value, new_gradient = found
        moved, turned = new_place - place, new_gradient - gradient
        if moved @ turned > 1e-12:
            steps.append((moved, turned))
        place, gradient = new_place, new_gradient
    return place


def _two_loops(gradient: Floats, steps: deque[tuple[Floats, Floats]]) -> Floats:
    """Return the inverse Hessian's product with the gradient, as far as the last steps tell."""
    rest = gradient.copy()
    shares: list[float] = []
    for moved, turned in reversed(steps):
        shares.append(float(moved @ rest / (moved @ turned)))
        rest -= shares[-1] * turned
    if steps:
        moved, turned = steps[-1]
        rest *= float(moved @ turned / (turned @ turned))
    for (moved, turned), share in zip(steps, reversed(shares), strict=True):
        rest += (share - float(turned @ rest / (moved @ turned))) * moved
    return rest


def _line_search(
    objective: Objective, place: Floats, value: float, gradient: Floats, direction: Floats
) -> tuple[Floats, float, Floats] | None:
    slope = float(gradient @ direction)
    length = 1.0 if slope > -1e3 else 1e3 / -slope
    for _ in range(_STEPS_BACK):
        candidate = place + length * direction
        reached, new_gradient = objective(candidate)
        if reached <= value + _SUFFICIENT_DECREASE * length * slope:
            return candidate, reached, new_gradient
        length /= 2
    return None
