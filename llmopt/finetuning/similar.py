"""Texts that are nearly the same, found without comparing all pairs (MinHash with banding).

Source: Broder 1997, "On the resemblance and containment of documents"; Leskovec, Rajaraman and Ullman,
"Mining of Massive Datasets", chapter 3.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .._text import words

__all__ = ["Near", "near_pairs", "shingles"]

Shingles: TypeAlias = npt.NDArray[np.uint32]

_LONGEST = 3_000  # characters of a text that are looked at
_BANDS, _ROWS = 16, 3
_COMPARED = 16  # earlier members of a bucket that a text is compared with
_FEWEST = 6  # shingles: two texts of a few words are near by chance
_COMMON, _ENOUGH = 0.1, 30


@dataclass(frozen=True, slots=True)
class Near:
    """Two texts by their places, the earlier one first, and how like they are (Jaccard, 0 to 1)."""

    first: int
    second: int
    likeness: float


def shingles(text: str) -> Shingles:
    """Return the hashes of a text's words and pairs of neighbouring words, sorted, each once."""
    found = words(text[:_LONGEST])
    pairs = (f"{one} {two}" for one, two in pairwise(found))
    hashes = [zlib.crc32(shingle.encode("utf-8", "replace")) for shingle in (*found, *pairs)]
    return np.unique(np.array(hashes, dtype=np.uint32))


def near_pairs(texts: Sequence[Shingles], threshold: float) -> Iterator[Near]:
    """Yield for each text the first earlier one that is at least so like it, in order.

    What a tenth of the texts share (a template, instructions) does not count, else all would be alike.
    Near pairs at the threshold are found with a chance of above 95 % for thresholds from 0.6 up.
    """
    rare = _without_common(texts)
    signatures = _signatures(rare)
    buckets: defaultdict[tuple[int, bytes], list[int]] = defaultdict(list)
    for place, own in enumerate(rare):
        if len(own) < _FEWEST:
            continue
        keys = [(band, signatures[place, band * _ROWS : (band + 1) * _ROWS].tobytes()) for band in range(_BANDS)]
        candidates = sorted({other for key in keys for other in buckets[key][:_COMPARED]})
        for other in candidates:
            likeness = _jaccard(own, rare[other])
            if likeness >= threshold:
                yield Near(other, place, likeness)
                break
        for key in keys:
            buckets[key].append(place)


def _without_common(texts: Sequence[Shingles]) -> list[Shingles]:
    if len(texts) < _ENOUGH:
        return list(texts)
    values, counts = np.unique(np.concatenate(texts), return_counts=True)
    common = values[counts > max(3.0, _COMMON * len(texts))]
    return [np.setdiff1d(text, common, assume_unique=True) for text in texts]


def _signatures(texts: Sequence[Shingles]) -> npt.NDArray[np.uint64]:
    random = np.random.default_rng(0)
    factors = random.integers(1, 1 << 63, size=_BANDS * _ROWS, dtype=np.uint64) | np.uint64(1)
    offsets = random.integers(0, 1 << 63, size=_BANDS * _ROWS, dtype=np.uint64)
    signatures = np.zeros((len(texts), _BANDS * _ROWS), dtype=np.uint64)
    for place, text in enumerate(texts):
        if len(text) >= _FEWEST:
            mixed = text.astype(np.uint64)[:, None] * factors + offsets
            signatures[place] = (mixed >> np.uint64(16)).min(axis=0)
    return signatures


def _jaccard(one: Shingles, two: Shingles) -> float:
    shared = len(np.intersect1d(one, two, assume_unique=True))
    return shared / (len(one) + len(two) - shared)
