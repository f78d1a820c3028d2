"""A ruler by the estimate, for when there is no vocabulary."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .._tokens import estimate_weights
from .ruler import Ruler

__all__ = ["Estimated"]

_BLOCK = 1 << 18
_LAST_CONTINUATION = -65  # 0xBF as a signed byte: above it, and from 0 on, a character begins


class Estimated(Ruler):
    """By the estimate, which adds up over characters. `_sums[i]` is the weight before character `_begin` + i."""

    def __init__(self, text: str, encoding: str) -> None:
        super().__init__(text)
        self._encoding = encoding
        self._weights = estimate_weights(encoding)
        self._sums: npt.NDArray[np.int64] = np.zeros(1, np.int64)
        self._begin = 0

    def of(self, text: str) -> Ruler:
        """Return a ruler by the same estimate."""
        return Estimated(text, self._encoding)

    def reach(self, start: int, budget: int) -> int:
        """Return how far `budget` tokens reach."""
        if start > self._loaded:  # nothing visible lies between
            self._begin, self._sums = start, np.zeros(1, np.int64)
        self._cover(start, start)
        limit = self._sum(start) + 100 * budget
        while self._sums[-1] <= limit and self._loaded < len(self.text):
            self._load(start)
        return self._begin + int(self._sums.searchsorted(limit, "right")) - 1

    def back(self, end: int, budget: int) -> int:
        """Return how far `budget` tokens reach back."""
        return self._begin + int(self._sums.searchsorted(self._sum(end) - 100 * budget))

    def count(self, start: int, end: int) -> int:
        """Return the estimate of text[start:end], rounded up."""
        self._cover(end, self._begin)
        return -(-(self._sum(end) - self._sum(start)) // 100)

    @property
    def _loaded(self) -> int:
        return self._begin + len(self._sums) - 1

    def _sum(self, position: int) -> int:
        return int(self._sums[position - self._begin])

    def _cover(self, position: int, keep: int) -> None:
        while self._loaded < position:
            self._load(keep)

    def _load(self, keep: int) -> None:
        loaded = self._loaded
        data = self.text[loaded : loaded + _BLOCK].encode("utf-8", "surrogatepass")
        weights = np.frombuffer(data.translate(self._weights), np.uint8)
        if not data.isascii():
            weights = weights[np.frombuffer(data, np.int8) > _LAST_CONTINUATION]
        kept = self._sums[keep - self._begin :]
        self._begin = keep
        self._sums = np.concatenate((kept, kept[-1] + np.cumsum(weights, dtype=np.int64)))
