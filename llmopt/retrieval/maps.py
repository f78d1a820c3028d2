"""Linear maps of queries towards their documents, each as a path from weak to strong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from ..types import Matrix
from ._labels import Floats
from ._pairs import Pairs
from ._top import Positions

__all__ = ["Contrast", "Learning", "Ridge", "Rotation"]

_LEAST_MINED_FROM = 2_048
_SCORES_TO_MINE = 200_000_000
_QUERIES_PER_BLOCK = 256
_ROWS_PER_STEP = 2_048


@dataclass(frozen=True, slots=True)
class Ridge:
    """Least squares from queries to documents with a pull towards the identity, in closed form.

    Minimises |QW - D|^2 + strength |W - I|^2; the path goes from a strong pull to a weak one.
    """

    points: int = 12

    def __post_init__(self) -> None:
        """Refuse an empty path."""
        _check_points(self.points)

    def path(self, pairs: Pairs, train: Positions, points: int) -> Iterator[Matrix]:
        """Yield the maps of the first `points` points."""
        places, documents = pairs.labels(train)
        queries = pairs.queries[train][places].astype(np.float64)
        identity = np.eye(queries.shape[1])
        square, cross = queries.T @ queries, queries.T @ pairs.documents[documents].astype(np.float64)
        for strength in (len(places) * np.logspace(0.5, -4, self.points)).tolist()[:points]:
            left, right = square + strength * identity, cross + strength * identity
            yield cast(Floats, np.linalg.solve(left, right)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Rotation:
    """The rotation that brings queries nearest to their documents (orthogonal Procrustes), in closed form.

    The path mixes it with the identity, from a little to all of it (Schönemann 1966).
    """

    points: int = 10

    def __post_init__(self) -> None:
        """Refuse an empty path."""
        _check_points(self.points)

    def path(self, pairs: Pairs, train: Positions, points: int) -> Iterator[Matrix]:
        """Yield the maps of the first `points` points."""
        places, documents = pairs.labels(train)
        cross = pairs.queries[train][places].T @ pairs.documents[documents]
        left, _, right = np.linalg.svd(cross.astype(np.float64))
        yield from islice(_from_identity(cast(Floats, left @ right), self.points), points)


@dataclass(frozen=True, slots=True)
class Contrast:
    """A map trained on the contrastive loss InfoNCE; the path mixes it with the identity, from a little to all of it.

    The loss is the cross-entropy of picking a query's document by cosine times `scale` among the documents
    of its batch and mined hard negatives; other positives of a query never count as negatives. Optimiser:
    Adam (Kingma and Ba 2015), its rate falling to 0. Mixed with the identity, a map that is trained to the
    end remembers more at the same harm to unseen documents than one whose training is stopped (WiSE-FT,
    Wortsman et al. 2022).

    Attributes:
        points: Maps on the path.
        steps: Gradient steps of the training.
        rate: Learning rate of the first step.
        scale: Inverse temperature.
        negatives: Hard negatives mined per query.
        seed: For the order of the pairs and the documents to mine in.
    """

    points: int = 24
    steps: int = 240
    rate: float = 1e-3
    scale: float = 20.0
    negatives: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse numbers that make no path."""
        _check_points(self.points)
        if self.steps < 1 or self.negatives < 1 or not (self.rate > 0 and self.scale > 0):
            raise UsageError(f"steps, rate, scale and negatives must be above 0, got {self!r}")

    def path(self, pairs: Pairs, train: Positions, points: int) -> Iterator[Matrix]:
        """Yield the maps of the first `points` points."""
        yield from islice(_from_identity(self._trained(pairs, train).astype(np.float64), self.points), points)

    def _trained(self, pairs: Pairs, train: Positions) -> Matrix:
        random = np.random.default_rng(self.seed)
        hard = self._mined(pairs, train, random)
        places, documents = pairs.labels(train)
        size = int(np.clip(len(places) // 7, 32, 512))
        adam = _Adam(np.eye(pairs.queries.shape[1], dtype=np.float32))
        taken = max(1, min(self.negatives, _ROWS_PER_STEP // size))
        for step, batch in enumerate(islice(_batches(len(places), size, random), self.steps)):
            columns = random.permutation(hard.shape[1])[:taken]
            candidates = np.union1d(documents[batch], hard[places[batch]][:, columns])
            gradient = self._gradient(adam.map, pairs, train[places[batch]], documents[batch], candidates)
            adam.step(gradient, self.rate * (1 - step / self.steps))
        return adam.map

    def _gradient(
        self, map: Matrix, pairs: Pairs, queries: Positions, targets: Positions, candidates: Positions
    ) -> Matrix:
        rows, documents = pairs.queries[queries], pairs.documents[candidates]
        mapped = rows @ map
        lengths = np.maximum(np.linalg.norm(mapped, axis=1, keepdims=True), 1e-12)
        units = mapped / lengths
        logits = self.scale * (units @ documents.T)
        places = np.arange(len(rows)), np.searchsorted(candidates, targets)
        logits[_other_positives(pairs, queries, targets, candidates)] = -np.inf
        logits -= logits.max(axis=1, keepdims=True)
        errors = np.exp(logits)
        errors /= errors.sum(axis=1, keepdims=True)
        errors[places] -= 1
        towards = (self.scale / len(rows)) * (errors @ documents)
        along = (towards * units).sum(axis=1, keepdims=True) * units
        gradient: Matrix = rows.T @ ((towards - along) / lengths)
        return gradient

    def _mined(self, pairs: Pairs, train: Positions, random: np.random.Generator) -> Positions:
        """Return per query the documents that are nearest to it and do not answer it."""
        count = len(pairs.documents)
        size = min(count, max(_LEAST_MINED_FROM, _SCORES_TO_MINE // len(train)))
        pool = np.sort(random.choice(count, size, replace=False))
        most = int(pairs.counts(train).max())
        wanted = min(self.negatives + most, len(pool))
        mined = np.empty((len(train), max(1, wanted - most)), np.intp)
        for start in range(0, len(train), _QUERIES_PER_BLOCK):
            part = train[start : start + _QUERIES_PER_BLOCK]
            scores = pairs.queries[part] @ pairs.documents[pool].T
            places, documents = pairs.labels(part)
            inside = np.searchsorted(pool, documents)
            inside[inside == len(pool)] = 0
            there = pool[inside] == documents
            scores[places[there], inside[there]] = -np.inf
            best = np.argpartition(-scores, mined.shape[1] - 1, axis=1)[:, : mined.shape[1]]
            mined[start : start + len(part)] = pool[best]
        return mined


Learning: TypeAlias = Contrast | Ridge | Rotation
"""How a map is learnt."""


def _check_points(points: int) -> None:
    if points < 1:
        raise UsageError(f"`points` is a number of maps and must be at least 1, got {points}")


class _Adam:
    def __init__(self, map: Matrix) -> None:
        self.map: Matrix = map
        self._mean: Matrix = np.zeros_like(map)
        self._square: Matrix = np.zeros_like(map)
        self._steps = 0

    def step(self, gradient: Matrix, rate: float) -> None:
        self._steps += 1
        self._mean += 0.1 * (gradient - self._mean)
        self._square += 0.001 * (gradient * gradient - self._square)
        mean = self._mean / (1 - 0.9**self._steps)
        square = self._square / (1 - 0.999**self._steps)
        self.map -= rate * mean / (np.sqrt(square) + 1e-8)


def _from_identity(map: Floats, points: int) -> Iterator[Matrix]:
    """Yield mixtures of the identity with a map, from a little of it to all of it."""
    identity = np.eye(len(map))
    for share in np.linspace(0, 1, points + 1)[1:].tolist():
        yield (identity + share * (map - identity)).astype(np.float32)


def _batches(count: int, size: int, random: np.random.Generator) -> Iterator[Positions]:
    """Yield places of pairs without end, in a new order each time round, in batches as large as each other.

    Adam would follow a remainder of a few pairs as far as a whole batch.
    """
    while True:
        yield from np.array_split(random.permutation(count), max(1, count // size))


def _other_positives(
    pairs: Pairs, queries: Positions, targets: Positions, candidates: Positions
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the places (row, candidate) of positives that are not the row's target."""
    places, documents = pairs.labels(queries)
    inside = np.minimum(np.searchsorted(candidates, documents), len(candidates) - 1)
    other = (candidates[inside] == documents) & (documents != targets[places])
    return places[other], inside[other]
