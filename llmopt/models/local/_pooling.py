"""From the vectors of a text's tokens to one vector of the text.

The names and definitions are those of sentence-transformers (`models.Pooling`), whose files say which
of them a model was trained with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from ...types import Matrix

__all__ = ["POOLINGS", "Pooling", "pooled", "unit_rows"]

Pooling: TypeAlias = Literal["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)

Tokens: TypeAlias = npt.NDArray[np.float32]
Mask: TypeAlias = npt.NDArray[np.int64]


def pooled(tokens: Tokens, mask: Mask, poolings: tuple[Pooling, ...]) -> Matrix:
    """Return one row per text; several poolings stand side by side in it.

    Args:
        tokens: Shape (texts, longest, dimensions).
        mask: Shape (texts, longest), 1 for a token and 0 for padding, which is on the right.
        poolings: At least one.
    """
    return np.concatenate([_POOLS[name](tokens, mask) for name in poolings], axis=1)


def unit_rows(rows: Matrix) -> Matrix:
    """Return the rows scaled to length 1; a zero row stays zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float32)
    unit: Matrix = rows / np.maximum(lengths, np.float32(1e-30))
    return unit


def _weighted(tokens: Tokens, weights: Matrix) -> Matrix:
    """Sum the tokens by weight: a product of matrices per text, far cheaper than a masked copy."""
    summed: Matrix = np.matmul(weights[:, np.newaxis, :], tokens)[:, 0, :]
    return summed


def _total(weights: Matrix) -> Matrix:
    total: Matrix = np.maximum(weights.sum(axis=1, keepdims=True), np.float32(1e-9))
    return total


def _mean(tokens: Tokens, mask: Mask) -> Matrix:
    weights = mask.astype(np.float32)
    return _weighted(tokens, weights) / _total(weights)


def _mean_of_root(tokens: Tokens, mask: Mask) -> Matrix:
    weights = mask.astype(np.float32)
    root: Matrix = np.sqrt(_total(weights)).astype(np.float32)
    return _weighted(tokens, weights) / root


def _mean_by_position(tokens: Tokens, mask: Mask) -> Matrix:
    weights = mask.astype(np.float32) * np.arange(1, mask.shape[1] + 1, dtype=np.float32)
    return _weighted(tokens, weights) / _total(weights)


def _first(tokens: Tokens, _: Mask) -> Matrix:
    return tokens[:, 0, :]


def _last(tokens: Tokens, mask: Mask) -> Matrix:
    last = np.maximum(mask.sum(axis=1) - 1, 0)
    return tokens[np.arange(len(tokens)), last, :]


def _largest(tokens: Tokens, mask: Mask) -> Matrix:
    shown = np.where(mask[:, :, np.newaxis] > 0, tokens, np.float32(-np.inf))
    largest: Matrix = shown.max(axis=1)
    return largest


_POOLS: Mapping[Pooling, Callable[[Tokens, Mask], Matrix]] = {
    "cls": _first,
    "max": _largest,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_of_root,
    "weightedmean": _mean_by_position,
    "lasttoken": _last,
}
