"""A ruler by a vocabulary: every block of the text is tokenised once, memory is bounded."""

from __future__ import annotations

import bisect
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from .._tokens import block_end, encoded_length, last_safe, next_safe, safe_blocks, without_surrogates
from .ruler import Ruler

if TYPE_CHECKING:
    from tiktoken import Encoding

__all__ = ["Counted"]

_LONGEST_UTF8 = 4


class Counted(Ruler):
    """By a vocabulary. `_ends[k]` is the character at which token k of the window ends; `_ends[0]` is its start."""

    def __init__(self, text: str, encoding: Encoding) -> None:
        super().__init__(text)
        self._encoding = encoding
        self._ends: npt.NDArray[np.int64] = np.zeros(1, np.int64)
        self._loaded = 0
        self._breaks: list[int] = []

    def of(self, text: str) -> Ruler:
        """Return a ruler by the same vocabulary."""
        return Counted(text, self._encoding)

    def reach(self, start: int, budget: int) -> int:
        """Return how far `budget` tokens reach, by the tokens of the whole text."""
        first = self._index(start)
        while first + budget >= len(self._ends) and self._loaded < len(self.text):
            self._load(first)
            first = self._index(start)
        return self._ends.item(min(first + budget, len(self._ends) - 1))

    def back(self, end: int, budget: int) -> int:
        """Return how far `budget` tokens reach back, by the tokens of the whole text."""
        return self._ends.item(max(0, int(self._ends.searchsorted(end)) - budget))

    def count(self, start: int, end: int) -> int:
        """Return the tokens of text[start:end] taken by itself; only its two ends are tokenised again."""
        return self.excess(start, end, 0)

    def excess(self, start: int, end: int, budget: int) -> int:
        """Return by how many tokens text[start:end], taken by itself, exceeds the budget; a bound when it fits."""
        first = next_safe(self.text, start, end)
        last = last_safe(self.text, start, end)
        tokens = None if first is None or last is None else self._between(first, last)
        if first is None or last is None or tokens is None:
            slices = safe_blocks(self.text[start:end])
            return sum(self._encoded(start + a, start + b) for a, b in slices) - budget
        # A token is a byte at least, so often the ends need no look.
        most = tokens + _LONGEST_UTF8 * (first - start + end - last) - budget
        if most <= 0:
            return most
        return self._encoded(start, first) + tokens + self._encoded(last, end) - budget

    def _between(self, first: int, last: int) -> int | None:
        """Return the tokens between two places that no token crosses, where they are known to add up."""
        if first >= last or self._loaded < last:
            return None
        ends = self._ends
        here, there = cast("list[int]", ends.searchsorted((first, last)).tolist())
        if ends.item(here) != first or ends.item(there) != last or (self._breaks and self._broken(first, last)):
            return None
        return there - here

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
        # One thread: on two busy cores a second one that tokenised ahead made it slower, not faster.
        begin = self._loaded
        end, safe = block_end(self.text, begin)
        if not safe:  # tokens may lie across: the counts over this place do not add up
            self._breaks.append(end)
        kept = self._ends[forgotten:]
        self._breaks = self._breaks[bisect.bisect_left(self._breaks, int(kept[0])) :]
        self._ends = np.concatenate((kept, begin + _token_ends(self._encoding, self.text[begin:end])))
        self._loaded = end


def _token_ends(encoding: Encoding, text: str) -> npt.NDArray[np.int64]:
    """Return after how many characters each token ends; one that ends within a character ends before it."""
    tokens = _tokens(encoding, text)
    ends = np.cumsum(_tables(encoding).begun[tokens], dtype=np.int64)
    if not text.isascii():
        ends[:-1] -= _tables(encoding).within[tokens[1:]]
    return ends


def _tokens(encoding: Encoding, text: str) -> npt.NDArray[np.uint32]:
    if not hasattr(encoding, "encode_to_numpy"):  # tiktoken < 0.9
        return np.array(encoding.encode_ordinary(without_surrogates(text)), np.uint32)
    try:
        return encoding.encode_to_numpy(text, disallowed_special=())
    except UnicodeEncodeError:
        return encoding.encode_to_numpy(without_surrogates(text), disallowed_special=())


@dataclass(frozen=True, slots=True)
class _Tables:
    """By the number of a token: how many characters begin in it, and whether it begins within one."""

    begun: npt.NDArray[np.uint8]  # small, so that it stays in the processor's cache
    within: npt.NDArray[np.uint8]


@functools.lru_cache(maxsize=4)
def _tables(encoding: Encoding) -> _Tables:
    begun, within = np.zeros((2, encoding.n_vocab), np.uint8)
    for token in range(encoding.n_vocab):
        try:
            data = encoding.decode_single_token_bytes(token)
        except KeyError:  # there are gaps before the special tokens
            continue
        begun[token] = len(data) if data.isascii() else sum(byte & 0xC0 != 0x80 for byte in data)
        within[token] = data[0] & 0xC0 == 0x80
    return _Tables(begun, within)
