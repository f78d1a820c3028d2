"""Texts as weighted bags of the pieces of their words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import numpy.typing as npt

from ..._text import is_cjk, words
from ...types import Matrix
from ._sparse import Indices, SparseRows

__all__ = ["Subwords", "learn_subwords"]

_LENGTHS = (3, 4, 5)
_LONGEST_WORD = 40
# Bounds on what is remembered while learning: words of a very large corpus beyond it are the rarest ones.
_MOST_WORDS = 200_000


@dataclass(frozen=True, slots=True)
class Subwords:
    """The pieces that a corpus has, each with its weight.

    Attributes:
        numbers: The column of every piece.
        weights: Inverse document frequency by column: ln((1 + n) / (1 + df)) + 1.
    """

    numbers: Mapping[str, int]
    weights: npt.NDArray[np.float32]
    _known: dict[str, Indices] = field(default_factory=dict[str, Indices])

    def rows(self, texts: Iterable[str]) -> SparseRows:
        """Return a row per text, (1 + ln tf) * idf, of length 1; a text without a known piece is a zero row."""
        return SparseRows.of([self._row(text) for text in texts], len(self.weights))

    def _row(self, text: str) -> tuple[Indices, npt.NDArray[np.float32]]:
        counts = Counter(words(text))
        found = [(self._columns(word), count) for word, count in counts.items()]
        if not found:
            return np.zeros(0, np.int32), np.zeros(0, np.float32)
        every = np.concatenate([columns for columns, _ in found])
        times = np.repeat([count for _, count in found], [len(columns) for columns, _ in found])
        columns, places = np.unique(every, return_inverse=True)
        frequency = np.bincount(places, weights=times, minlength=len(columns))
        values = ((1 + np.log(frequency)) * self.weights[columns]).astype(np.float32)
        return columns, values / np.float32(max(float(np.linalg.norm(values)), 1e-9))

    def _columns(self, word: str) -> Indices:
        known = self._known.get(word)
        if known is None:
            found = [self.numbers[piece] for piece in _pieces(word) if piece in self.numbers]
            known = np.array(found, np.int32)
            if len(self._known) < _MOST_WORDS:
                self._known[word] = known
        return known


def learn_subwords(texts: Sequence[str], most: int) -> Subwords:
    """Return the pieces of the texts' words, at most `most`: those in most texts, ties by the alphabet."""
    in_texts = Counter(chain.from_iterable(set(words(text)) for text in texts))
    numbers: dict[str, int] = {}
    of_word: dict[str, Indices] = {}
    for word, _ in in_texts.most_common(_MOST_WORDS):
        of_word[word] = np.array([numbers.setdefault(piece, len(numbers)) for piece in _pieces(word)], np.int32)
    frequency = np.zeros(len(numbers), np.int64)
    for text in texts:
        pieces = [of_word[word] for word in set(words(text)) if word in of_word]
        if pieces:
            frequency[np.unique(np.concatenate(pieces))] += 1
    names = sorted(numbers, key=lambda piece: (-frequency[numbers[piece]], piece))[:most]
    kept = frequency[[numbers[piece] for piece in names]]
    weights: Matrix = (np.log((1 + len(texts)) / (1 + kept)) + 1).astype(np.float32)
    return Subwords({piece: number for number, piece in enumerate(names)}, weights)


def _pieces(word: str) -> list[str]:
    """Return the character n-grams of a word with its borders marked; CJK pairs stay whole."""
    if is_cjk(word):
        return [word]
    marked = f" {word[:_LONGEST_WORD]} "
    return list({marked[at : at + length] for length in _LENGTHS for at in range(len(marked) - length + 1)})
