"""Answers against references by their words: exact match and token F1."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

from .._text import is_cjk
from ..interfaces import Metric
from ..types import Need, Sample, Score

__all__ = ["ExactMatch", "TokenF1", "normalised", "token_f1", "tokens"]

_REFERENCE: frozenset[Need] = frozenset({"reference"})
_MARKS = re.compile(r"[^\w\s]|_")
_ARTICLES = re.compile(r"\b(a|an|the)\b")


@dataclass(repr=False, eq=False)
class ExactMatch(Metric):
    """Whether the answer is the reference, but for case, articles, punctuation and white space.

    Where the reference may be worded in several ways, put the others into the sample's metadata as
    `references`, a list.

    Source: the normalisation of SQuAD's evaluation (Rajpurkar et al. 2016); Chinese punctuation counts as
    punctuation.

    Example:
        >>> ExactMatch().score(Sample(question="Where?", answer="the Louvre.", reference="Louvre")).value
        1.0
    """

    needs: ClassVar[frozenset[Need]] = _REFERENCE
    immediate: ClassVar[bool] = True

    def measure(self, sample: Sample) -> Score:
        """Return 1 or 0; undefined for an empty answer."""
        if not sample.answer.strip():
            return Score(None, "the answer is empty")
        answer = normalised(sample.answer)
        return Score(float(any(answer == normalised(reference) for reference in _references(sample))))


@dataclass(repr=False, eq=False)
class TokenF1(Metric):
    """How far the answer's tokens are the reference's: the F-measure of precision and recall, 0 to 1.

    Tokens are words after SQuAD's normalisation; Chinese, Japanese and Korean text is compared character
    by character. Of several references (see `ExactMatch`) the best counts.

    Example:
        >>> TokenF1().score(Sample(question="Where?", answer="In Paris", reference="Paris, France")).value
        0.5
    """

    needs: ClassVar[frozenset[Need]] = _REFERENCE
    immediate: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """The name in reports."""
        return "token_f1"

    def measure(self, sample: Sample) -> Score:
        """Return the F-measure; undefined for an empty answer."""
        if not sample.answer.strip():
            return Score(None, "the answer is empty")
        return Score(max(token_f1(sample.answer, reference) for reference in _references(sample)))


def normalised(text: str) -> str:
    """Return the text in lower case without punctuation, English articles and extra white space."""
    folded = unicodedata.normalize("NFKC", text).lower()
    # Once more: an accent joins its letter only when the mark that stood between them has gone.
    bare = unicodedata.normalize("NFKC", _MARKS.sub(_without_punctuation, folded))
    return " ".join(_ARTICLES.sub(" ", bare).split())


def tokens(text: str) -> list[str]:
    """Return the normalised words; of a word with CJK characters its characters, Latin runs whole."""
    return [piece for word in normalised(text).split() for piece in _pieces(word)]


def token_f1(answer: str, reference: str) -> float:
    """Return the F-measure of the answer's tokens against the reference's; 1 when neither has any."""
    given, wanted = tokens(answer), tokens(reference)
    if not given or not wanted:
        return float(given == wanted)
    shared = sum((Counter(given) & Counter(wanted)).values())
    return 2 * shared / (len(given) + len(wanted))


def _without_punctuation(mark: re.Match[str]) -> str:
    character = mark.group()
    punctuation = character in string.punctuation or unicodedata.category(character).startswith("P")
    return "" if punctuation else character


def _pieces(word: str) -> list[str]:
    if not is_cjk(word):
        return [word]
    pieces: list[str] = []
    for character in word:
        joins = pieces and not is_cjk(character) and not is_cjk(pieces[-1])
        pieces[-1:] = [pieces[-1] + character] if joins else [*pieces[-1:], character]
    return pieces


def _references(sample: Sample) -> Sequence[str]:
    more = sample.metadata.get("references", ())
    listed = cast("Sequence[object]", more) if isinstance(more, list | tuple) else ()
    return [sample.reference or "", *(text for text in listed if isinstance(text, str))]
