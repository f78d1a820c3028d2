"""The nearest of many unit vectors, exactly, without reading all their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..types import Matrix

__all__ = ["Neighbours", "Positions", "neighbours"]

Positions: TypeAlias = npt.NDArray[np.intp]

_WIDEST = 256
_MOST_LEFT = 0.5  # of a vector beside the axes: with more the bounds tell too little
_SLACK = 1e-4  # far above the rounding of a float32 product of unit vectors
_MOST_PICKED = 1 / 16  # of the rows: more are compared faster by one product with all


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Unit rows to be searched; make it with `neighbours`.

    With a and b what two vectors are along a few axes, and a' and b' what is left of them, the cosine is at
    most a b + |a'| |b'| (Cauchy-Schwarz). One product with short rows so bounds all cosines, and only rows
    whose bound reaches the worst of `count` cosines are compared in full: what is found is exact.

    Attributes:
        rows: Of length 1 or 0, float32.
        axes: A column per axis, orthonormal; no column where bounds would not save time.
        bounds: Per row what it is along the axes, then the length of what is left.
    """

    rows: Matrix
    axes: Matrix
    bounds: Matrix

    def nearest(self, vectors: Matrix, count: int) -> Iterator[tuple[Positions, Matrix]]:
        """Yield, for each unit vector, the positions of the `count` nearest rows and their cosines.

        They come best first, and by position where cosines are equal to the last bit; all rows where there are
        fewer. A cosine depends on the two vectors alone, not on the others searched for or in.
        """
        count = min(count, len(self.rows))
        if len(vectors) == 1:
            candidates = iter([self._bounded(vectors, count)])
        else:  # many vectors read the rows only once
            candidates = (_best(cosines, count) for cosines in vectors @ self.rows.T)
        for vector, found in zip(vectors, candidates, strict=True):
            cosines = (self.rows[found] * vector).sum(axis=1)
            order = np.argsort(-cosines, kind="stable")[:count]
            yield found[order], cosines[order]

    def _bounded(self, vectors: Matrix, count: int) -> Positions:
        vector, short = vectors[0], _along(self.axes, vectors)[0]
        if short[-1] <= _MOST_LEFT:
            bounds = self.bounds @ short
            likely = np.argpartition(bounds, -count)[-count:]
            found = np.flatnonzero(bounds >= (self.rows[likely] @ vector).min() - _SLACK)
            if len(found) <= _MOST_PICKED * len(self.rows):
                return found[_best(self.rows[found] @ vector, count)]
        return _best(self.rows @ vector, count)


def neighbours(rows: Matrix, *, fewest: int = 2000) -> Neighbours:
    """Return unit rows ready to be searched, with bounds along their principal axes where that saves time.

    The axes come from two rounds of subspace iteration (Halko, Martinsson and Tropp 2011, algorithm 4.4).

    Args:
        rows: Of length 1 or 0, float32.
        fewest: Fewer rows are all compared.
    """
    width = min(rows.shape[1] // 4, _WIDEST)
    if len(rows) >= fewest:
        axes = np.random.default_rng(0).standard_normal((rows.shape[1], width), np.float32)
        for _ in range(2):
            axes = np.linalg.qr(rows.T @ (rows @ axes))[0]
        bounds = _along(axes, rows)
        if np.mean(bounds[:, -1]) <= _MOST_LEFT:
            return Neighbours(rows, axes, bounds)
    none = np.zeros((rows.shape[1], 0), np.float32)
    return Neighbours(rows, none, _along(none, rows))


def _along(axes: Matrix, rows: Matrix) -> Matrix:
    """Return what rows are along the axes, and the length of what is left as the last column."""
    along = rows @ axes
    return np.hstack([along, np.linalg.norm(rows - along @ axes.T, axis=1, keepdims=True)])


def _best(cosines: Matrix, count: int) -> Positions:
    """Return the positions of all that may be among the best, but for rounding."""
    return np.flatnonzero(cosines >= np.partition(cosines, -count)[-count] - _SLACK)
