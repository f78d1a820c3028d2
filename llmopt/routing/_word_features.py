"""Words and pairs of words as features of a text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .._text import words

__all__ = ["choose_vocabulary", "word_features"]


def choose_vocabulary(texts: Sequence[str], most: int) -> dict[str, float]:
    """Return the `most` frequent words and word pairs that stand in at least two texts, with their idf."""
    counts = Counter(term for text in texts for term in set(_terms(text)))
    shared = [(term, count) for term, count in counts.items() if count > 1]
    chosen = sorted(shared, key=lambda pair: (-pair[1], pair[0]))[:most]
    return {term: math.log((1 + len(texts)) / (1 + count)) + 1 for term, count in chosen}


def word_features(texts: Sequence[str], vocabulary: Mapping[str, float]) -> npt.NDArray[np.float32]:
    """Return unit TF-IDF rows over the vocabulary; a text without a known term has a zero row."""
    place = {term: number for number, term in enumerate(vocabulary)}
    rows = np.zeros((len(texts), len(vocabulary)), np.float32)
    for row, text in zip(rows, texts, strict=True):
        for term, count in Counter(_terms(text)).items():
            if term in place:
                row[place[term]] = (1 + math.log(count)) * vocabulary[term]
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms == 0, 1, norms), np.float32)


def _terms(text: str) -> list[str]:
    found = words(text)
    return [*found, *(f"{first} {second}" for first, second in pairwise(found))]
