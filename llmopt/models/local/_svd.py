"""The leading directions of a sparse matrix by a randomised singular value decomposition."""

from __future__ import annotations

import numpy as np

from ...types import Matrix
from ._sparse import SparseRows

__all__ = ["leading_directions"]

_OVERSAMPLING = 16
_POWER_ITERATIONS = 2
# Directions weaker than this part of the strongest are rounding noise of single precision.
_FLOOR = 1e-3


def leading_directions(rows: SparseRows, count: int, seed: int) -> Matrix:
    """Return the right singular vectors of the largest singular values, strongest first.

    Shape (columns, at most `count`): fewer where the matrix has a lower rank. Each is turned so that its
    entry of largest size is positive. Source: Halko, Martinsson and Tropp (2011), algorithms 4.4 and 5.1,
    with two power iterations; exact where `count` is within 16 of the number of rows.

    Args:
        rows: The matrix; not empty.
        count: How many directions, at least 1.
        seed: Of the random start.
    """
    columns = rows.transposed()
    size = min(count + _OVERSAMPLING, len(rows), rows.width)
    start = np.random.default_rng(seed).standard_normal((rows.width, size), dtype=np.float32)
    basis = _orthonormal(rows.times(start))
    for _ in range(_POWER_ITERATIONS):
        basis = _orthonormal(rows.times(columns.times(basis)))
    # The columns of `narrow` span the answer; the small product with itself holds its singular values, at
    # a tenth of the work of decomposing the tall matrix.
    narrow = columns.times(basis)
    squares, turns = np.linalg.eigh((narrow.T @ narrow).astype(np.float64))
    strengths = np.sqrt(np.maximum(squares[::-1], 0))
    kept = min(count, int(np.sum(strengths > _FLOOR * strengths[0])))
    scaled = (turns[:, ::-1][:, :kept] / strengths[:kept]).astype(np.float32)
    directions: Matrix = narrow @ scaled
    largest = np.abs(directions).argmax(axis=0)
    directions *= np.where(directions[largest, np.arange(kept)] < 0, np.float32(-1), np.float32(1))
    return directions


def _orthonormal(matrix: Matrix) -> Matrix:
    basis: Matrix = np.linalg.qr(matrix).Q
    return basis
