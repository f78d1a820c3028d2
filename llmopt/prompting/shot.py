"""Examples of questions with their answers, and how alike two questions are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from .._text import words
from ..types import Hit

__all__ = ["Shot", "likeness"]


@dataclass(frozen=True, slots=True)
class Shot:
    """An example that is shown to the model before the question.

    Attributes:
        question: What was asked.
        answer: The right answer, in the form in which answers are wanted.
        contexts: What it was answered from; strategies that answer from contexts need them, lest the
            example teach to answer without.
    """

    question: str
    answer: str
    contexts: Sequence[Hit] = ()


def likeness(left: str, right: str) -> float:
    """Return how alike two questions are in their wording, 0 to 1; case and punctuation do not count.

    The Jaccard coefficient of their character trigrams.
    """
    one, other = _trigrams(left), _trigrams(right)
    return 1.0 if one == other else len(one & other) / len(one | other)


@lru_cache(maxsize=4096)
def _trigrams(text: str) -> frozenset[str]:
    padded = f" {' '.join(words(text)) or text.strip()} "
    return frozenset(padded[start : start + 3] for start in range(max(1, len(padded) - 2)))
