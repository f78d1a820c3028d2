"""What a learned reranker sees of a hit: named figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from .._text import words
from ..errors import UsageError
from ..types import Hit

__all__ = ["feature_names", "feature_rows"]

Floats: TypeAlias = npt.NDArray[np.float64]

_SIGNAL = "signal:"


def feature_names(lists: Sequence[Sequence[Hit]]) -> list[str]:
    """Return the names of the features that the hits of these lists have: those of words, and every signal.

    Where there are signals they stand for `score` and `position`, which are made of them.
    """
    signals = sorted({name for hits in lists for hit in hits for name in hit.signals})
    return [*_WORDS, *(_SIGNAL + name for name in signals)] if signals else [*_WORDS, *_PLACE]


def feature_rows(
    query: str, hits: Sequence[Hit], names: Sequence[str], read: Callable[[str], Sequence[str]] = words
) -> Floats:
    """Return a row per hit and a column per name; a figure that a hit lacks, or that is not finite, is NaN.

    - `position`: 1 / rank in the list; `score`, `signal:<name>`: as the retriever gave it;
    - `coverage`: share of the query's words in the text; `rare_coverage`: the same weighted by how rare a
      word is among the hits; `phrase`: share of the query's neighbouring word pairs in the text;
    - `length`: logarithm of the number of words; `numbers`: share of the query's numbers.

    Args:
        query: The question.
        hits: What was found, best first.
        names: Of the features.
        read: Gives the words of a text; a caller with many lists of the same documents remembers them here.

    Raises:
        UsageError: When a name is none of these.
    """
    unknown = [name for name in names if name not in (*_WORDS, *_PLACE) and not name.startswith(_SIGNAL)]
    if unknown:
        raise UsageError(f"unknown features {unknown}; there are {[*_WORDS, *_PLACE]} and `signal:<name>`")
    columns = _word_columns(query, hits, read) if any(name in _WORDS for name in names) else {}
    return np.stack([columns[name] if name in columns else _figure(hits, name) for name in names], axis=1)


def _figure(hits: Sequence[Hit], name: str) -> Floats:
    signal = name.removeprefix(_SIGNAL)
    given = _PLACE[name](hits) if name in _PLACE else [hit.signals.get(signal, math.nan) for hit in hits]
    found = np.array(given, np.float64)
    return np.where(np.isfinite(found), found, math.nan)


_PLACE: Mapping[str, Callable[[Sequence[Hit]], list[float]]] = {
    "position": lambda hits: [1 / rank for rank in range(1, len(hits) + 1)],
    "score": lambda hits: [hit.score for hit in hits],
}


def _word_columns(query: str, hits: Sequence[Hit], read: Callable[[str], Sequence[str]]) -> dict[str, Floats]:
    asked_words = read(query)
    asked, pairs = set(asked_words), set(pairwise(asked_words))
    numbers = {word for word in asked if word[0].isdigit()}
    texts = [read(hit.document.text) for hit in hits]
    sets = [set(text) for text in texts]
    rarity = {word: math.log(1 + len(sets) / (1 + sum(word in each for each in sets))) for word in asked}
    whole = sum(rarity.values())
    return {
        "coverage": np.array([_share(len(asked & each), len(asked)) for each in sets]),
        "rare_coverage": np.array([_share(sum(rarity[word] for word in sorted(asked & each)), whole) for each in sets]),
        "phrase": np.array([_phrases(pairs, text, own) for text, own in zip(texts, sets, strict=True)]),
        "length": np.array([math.log(1 + len(text)) for text in texts]),
        "numbers": np.array([_share(len(numbers & each), len(numbers)) for each in sets]),
    }


def _phrases(pairs: Collection[tuple[str, str]], text: Sequence[str], own: Collection[str]) -> float:
    possible = {pair for pair in pairs if pair[0] in own and pair[1] in own}
    return _share(len(possible.intersection(pairwise(text))) if possible else 0, len(pairs))


_WORDS = ("coverage", "rare_coverage", "phrase", "length", "numbers")


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
