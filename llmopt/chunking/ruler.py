"""Measures a text in tokens while a chunker walks along it: every block is tokenised once, memory is bounded."""

from __future__ import annotations

import bisect
import functools
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from .._tokens import (
    block_end,
    encoded_length,
    encoding_name,
    estimate_weights,
    last_safe,
    next_safe,
    safe_blocks,
    vocabulary,
    without_surrogates,
)

if TYPE_CHECKING:
    from tiktoken import Encoding

__all__ = ["Ruler", "ruler_for"]

_BLOCK = 1 << 18
_LONGEST_UTF8 = 4
_LAST_CONTINUATION = -65  # 0xBF as a signed byte: above it, and from 0 on, a character begins


def ruler_for(text: str, model: str | None) -> Ruler:
    """Return a ruler by the model's vocabulary where it is on disk, else by the estimate."""
    encoding = vocabulary(model)
    return _Estimated(text, encoding_name(model)[0]) if encoding is None else _Counted(text, encoding)


class Ruler(ABC):
    """Positions against tokens, along one text.

    What lies before a `start` that `reach` was asked for is forgotten: ask for starts in order.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @abstractmethod
    def of(self, text: str) -> Ruler:
        """Return a ruler of the same kind for another text."""

    @abstractmethod
    def reach(self, start: int, budget: int) -> int:
        """Return how far `budget` tokens reach from `start`; near, since a slice may have other tokens."""

    @abstractmethod
    def back(self, end: int, budget: int) -> int:
        """Return how far `budget` tokens reach back from `end`; near, like `reach`."""

    @abstractmethod
    def count(self, start: int, end: int) -> int:
        """Return the tokens of text[start:end] taken by itself, as `count_tokens` counts them."""

    def excess(self, start: int, end: int, budget: int) -> int:
        """Return by how many tokens text[start:end], taken by itself, exceeds the budget; 0 or less when it fits."""
        return self.count(start, end) - budget


class _Counted(Ruler):
    """By a vocabulary. `_ends[k]` is the character at which token k of the window ends; `_ends[0]` is its start."""

    def __init__(self, text: str, encoding: Encoding) -> None:
        super().__init__(text)
        self._encoding = encoding
        self._ends: npt.NDArray[np.int64] = np.zeros(1, np.int64)
        self._loaded = 0
        self._breaks: list[int] = []

    def of(self, text: str) -> Ruler:
        return _Counted(text, self._encoding)

    def reach(self, start: int, budget: int) -> int:
        first = self._index(start)
        while first + budget >= len(self._ends) and self._loaded < len(self.text):
            self._load(first)
            first = self._index(start)
        return self._ends.item(min(first + budget, len(self._ends) - 1))

    def back(self, end: int, budget: int) -> int:
        return self._ends.item(max(0, int(self._ends.searchsorted(end)) - budget))

    def count(self, start: int, end: int) -> int:
        return self.excess(start, end, 0)

    def excess(self, start: int, end: int, budget: int) -> int:
        safe = self._between_safe(start, end)
        if safe is None:
            slices = safe_blocks(self.text[start:end])
            return sum(self._encoded(start + a, start + b) for a, b in slices) - budget
        first, last, tokens = safe
        # A token is a byte at least, so often the rests need no look.
        most = tokens + _LONGEST_UTF8 * (first - start + end - last)
        if most <= budget:
            return most - budget
        return self._encoded(start, first) + tokens + self._encoded(last, end) - budget

    def _between_safe(self, start: int, end: int) -> tuple[int, int, int] | None:
        """Return (first, last, tokens between) of the outermost places that no token crosses."""
        first = next_safe(self.text, start, end)
        last = last_safe(self.text, start, end)
        if first is None or last is None or first >= last or self._loaded < last:
            return None
        ends = self._ends
        here, there = cast("list[int]", ends.searchsorted((first, last)).tolist())
        if ends.item(here) != first or ends.item(there) != last or (self._breaks and self._broken(first, last)):
            return None
        return first, last, there - here

    def _encoded(self, start: int, end: int) -> int:
        return encoded_length(self._encoding, self.text[start:end]) if start < end else 0

    def _index(self, start: int) -> int:
        if start > self._loaded:  # nothing visible lies between
            self._ends, self._loaded = np.array([start], np.int64), start
        return int(self._ends.searchsorted(start, "right")) - 1

    def _broken(self, start: int, end: int) -> bool:
        at = bisect.bisect_right(self._breaks, start)
        return at < len(self._breaks) and self._breaks[at] < end

    def _load(self, forgotten: int) -> None:
        begin = self._loaded
        end, safe = block_end(self.text, begin)
        if not safe:  # tokens may lie across: the counts over this place do not add up
            self._breaks.append(end)
        kept = self._ends[forgotten:]
        self._breaks = self._breaks[bisect.bisect_left(self._breaks, int(kept[0])) :]
        self._ends = np.concatenate((kept, begin + _token_ends(self._encoding, self.text[begin:end])))
        self._loaded = end


class _Estimated(Ruler):
    """By the estimate, which adds up over characters. `_sums[i]` is the weight before character `_begin` + i."""

    def __init__(self, text: str, encoding: str) -> None:
        super().__init__(text)
        self._encoding = encoding
        self._weights = estimate_weights(encoding)
        self._sums: npt.NDArray[np.int64] = np.zeros(1, np.int64)
        self._begin = 0

    def of(self, text: str) -> Ruler:
        return _Estimated(text, self._encoding)

    def reach(self, start: int, budget: int) -> int:
        if start > self._loaded:  # nothing visible lies between
            self._begin, self._sums = start, np.zeros(1, np.int64)
        self._cover(start, start)
        limit = self._sum(start) + 100 * budget
        while self._sums[-1] <= limit and self._loaded < len(self.text):
            self._load(start)
        return self._begin + int(self._sums.searchsorted(limit, "right")) - 1

    def back(self, end: int, budget: int) -> int:
        return self._begin + int(self._sums.searchsorted(self._sum(end) - 100 * budget))

    def count(self, start: int, end: int) -> int:
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
        weights = weights if data.isascii() else weights[_first_bytes(data)]
        kept = self._sums[keep - self._begin :]
        self._begin = keep
        self._sums = np.concatenate((kept, kept[-1] + np.cumsum(weights, dtype=np.int64)))


def _first_bytes(data: bytes) -> npt.NDArray[np.bool_]:
    return np.frombuffer(data, np.int8) > _LAST_CONTINUATION


def _token_ends(encoding: Encoding, text: str) -> npt.NDArray[np.int64]:
    """Return after how many characters each token ends; one that ends within a character ends before it."""
    if text.isascii():
        return np.cumsum(_lengths(encoding)[_tokens(encoding, text)], dtype=np.int64)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        text = without_surrogates(text)
        data = text.encode()
    ends = np.cumsum(_lengths(encoding)[_tokens(encoding, text)], dtype=np.int64)
    first = _first_bytes(data + b".")
    return (np.cumsum(first, dtype=np.int32)[ends - 1] - ~first[ends]).astype(np.int64)


def _tokens(encoding: Encoding, text: str) -> npt.NDArray[np.uint32]:
    if hasattr(encoding, "encode_to_numpy"):  # tiktoken >= 0.9: saves a list of Python numbers
        return encoding.encode_to_numpy(text, disallowed_special=())
    return np.array(encoding.encode_ordinary(text), np.uint32)


@functools.lru_cache(maxsize=4)
def _lengths(encoding: Encoding) -> npt.NDArray[np.uint8]:
    """Return the length in bytes of every token by its number."""
    table = np.zeros(encoding.n_vocab, np.uint8)  # small, so that it stays in the processor's cache
    for token in range(encoding.max_token_value + 1):
        try:
            table[token] = len(encoding.decode_single_token_bytes(token))
        except KeyError:  # there are gaps before the special tokens
            continue
    return table
