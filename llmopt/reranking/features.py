"""What a learned reranker sees of a hit: named figures, comparable within one result list."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .._text import words
from ..types import Hit

__all__ = ["feature_names", "feature_rows"]

_WORDS = ("position", "coverage", "rare_coverage", "phrase", "length", "numbers")
_MISSING = 0.0


def feature_names(lists: Sequence[Sequence[Hit]]) -> list[str]:
    """Return the names of the features that the hits of these lists have: those of words, and every signal."""
    signals = {name for hits in lists for hit in hits for name in hit.signals}
    return [*_WORDS, "score", *(f"signal:{name}" for name in sorted(signals))]


def feature_rows(query: str, hits: Sequence[Hit], names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return a row per hit and a column per name.

    - `position`: 1 / rank in the list; `score`, `signal:<name>`: standardised within the list, a missing
      signal counts as the list's lowest;
    - `coverage`: share of the query's words in the text; `rare_coverage`: the same weighted by how rare a
      word is among the hits; `phrase`: share of the query's neighbouring word pairs in the text;
    - `length`: logarithm of the number of words, standardised; `numbers`: share of the query's numbers.
    """
    texts = [words(hit.document.text) for hit in hits]
    columns = {**_word_columns(words(query), texts), "score": _standard([hit.score for hit in hits])}
    columns["position"] = np.array([1 / rank for rank in range(1, len(hits) + 1)])
    for name in names:
        if name.startswith("signal:"):
            columns[name] = _signal(hits, name.removeprefix("signal:"))
    return np.stack([columns[name] for name in names], axis=1)


def _word_columns(query: Sequence[str], texts: Sequence[Sequence[str]]) -> dict[str, npt.NDArray[np.float64]]:
    asked = set(query)
    pairs = set(pairwise(query))
    numbers = {word for word in asked if word[0].isdigit()}
    sets = [set(text) for text in texts]
    rarity = {word: math.log(1 + len(sets) / (1 + sum(word in each for each in sets))) for word in asked}
    return {
        "coverage": np.array([_share(len(asked & each), len(asked)) for each in sets]),
        "rare_coverage": np.array(
            [_share(sum(rarity[word] for word in asked & each), sum(rarity.values())) for each in sets]
        ),
        "phrase": np.array([_share(len(pairs & set(pairwise(t))), len(pairs)) for t in texts]),
        "length": _standard([math.log(1 + len(text)) for text in texts]),
        "numbers": np.array([_share(len(numbers & each), len(numbers)) for each in sets]),
    }


def _signal(hits: Sequence[Hit], name: str) -> npt.NDArray[np.float64]:
    known = [hit.signals[name] for hit in hits if name in hit.signals]
    lowest = min(known, default=_MISSING)
    return _standard([hit.signals.get(name, lowest) for hit in hits])


def _standard(values: Sequence[float]) -> npt.NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    spread = float(array.std())
    return (array - array.mean()) / spread if spread > 0 else np.zeros(len(array))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
