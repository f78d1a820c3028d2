"""How well each sentence answers a question: a linear score of a dozen plain features."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..._text import is_cjk
from ._english import STOP_STEMS, stems
from ._passages import Sentence
from ._questions import Part

__all__ = ["Reading"]

# Fitted by a softmax over the sentences of a question on half of the demo's questions, of XQuAD (English and
# Chinese) and of CMRC 2018, then rounded by hand. The features lie between 0 and 1.
_OWN = 3.0  # part of the question's weight that the sentence itself holds
_SOFT = 0.6  # ... that it holds but for the ending
_LABEL = 0.6  # ... that only the heading above it holds
_BEFORE = 1.0  # ... that only the sentence before it holds
_AFTER = -0.5  # ... that only the sentence after it holds: the answer rather stands there
_IDENTIFIERS = 1.8  # part of the identifiers' weight that the sentence holds
_CONTEXT = 1.8  # part of the question's weight that the whole context holds, the best context counting 1
_RANK = 0.8  # 1 / number of the context
_PAIRS = 2.1  # part of the question's pairs of neighbouring words that it holds
_PRECISION = 1.5  # part of the sentence's own weight that the question holds
_SIGN = 1.0  # whether it looks like the wanted kind of answer
_CODE = -0.5
_TABLE = -0.2
_ASIDE = -0.4  # "Changed in version", "See also"
_SCRAP = -0.4  # fewer than four words, or the cut-off end of a sentence at the start of a passage
_MISSING_NAMES = -2.0  # part of the question's names that no context holds
_SIMILARITY = 5.0  # cosine to the question, less that of the nearest sentence

_IDENTIFIER_WEIGHT, _NAME_WEIGHT = 2.0, 1.5
_PREFIX = 5
_FEWEST_WORDS = 4
_ASIDES = re.compile(
    r"(?:Changed in version|New in version|Added in version|Deprecated|See also|Source code|Note:|See the"
    r"|For (?:full|more) )",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of a sentence: in order, each once, and those of the heading above it."""

    run: tuple[str, ...]
    own: frozenset[str]
    label: frozenset[str]


class Reading:
    """Sentences ready to be scored: their words, and how rare each word is among them."""

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        self.sentences = sentences
        self._words = [_words(sentence) for sentence in sentences]
        found = Counter[str]()
        self._contexts: dict[int, set[str]] = {}
        for sentence, words in zip(sentences, self._words, strict=True):
            found.update(words.own)
            self._contexts.setdefault(sentence.context, set()).update(words.own, words.label)
        self._rarity = {word: self._rare(count) for word, count in found.items()}
        self._masses = [sum(map(self._rarity.__getitem__, words.own - STOP_STEMS)) for words in self._words]
        self._latin = not any(is_cjk(sentence.text) for sentence in sentences)

    def scores(self, part: Part, similarities: Sequence[float] | None = None) -> list[float]:
        """Return a score per sentence; the larger, the surer that it answers this part of the question.

        Args:
            part: What is asked.
            similarities: Cosines of the sentences to the question, where an embedder gave them.
        """
        part = part.within(self._latin)
        weights = {term: self._weight(term, part) for term in part.terms}
        total = sum(weights.values())
        if not total:
            return [0.0] * len(self.sentences)
        held = {number: _share(words, weights, total) for number, words in self._contexts.items()}
        best = max(held.values(), default=0.0) or 1.0
        base = _MISSING_NAMES * self._missing(part.names)
        nearest = max(similarities, default=0.0) if similarities else 0.0
        kin = {term: self._kin(term) for term in part.terms}
        scores: list[float] = []
        for number, sentence in enumerate(self.sentences):
            score = base + _CONTEXT * held[sentence.context] / best + _RANK / sentence.context
            score += self._overlap(number, part, weights, kin, total) + self._form(number, part)
            scores.append(score + (_SIMILARITY * (similarities[number] - nearest) if similarities else 0.0))
        return scores

    def overlap(self, first: int, second: int) -> float:
        """Return the part of the shorter sentence's words that the other one holds, too."""
        one, other = self._words[first].own, self._words[second].own
        return len(one & other) / max(min(len(one), len(other)), 1)

    def _overlap(
        self, number: int, part: Part, weights: Mapping[str, float], kin: Mapping[str, Collection[str]], total: float
    ) -> float:
        words = self._words[number]
        own = words.own & weights.keys()
        held = sum(weights[term] for term in own)
        score = _OWN * held
        if len(own) < len(weights):
            before, after = self._neighbour(number, -1), self._neighbour(number, 1)
            for term in weights.keys() - own:
                factor = _LABEL if term in words.label else _BEFORE if term in before else _AFTER * (term in after)
                score += weights[term] * (factor + (_SOFT if not words.own.isdisjoint(kin[term]) else 0.0))
        asked = sum(weights[term] for term in part.identifiers)
        shown = sum(weights[term] for term in part.identifiers & own) / asked if asked else held / total
        precision = sum(self._rarity[term] for term in own) / max(self._masses[number], 1e-9)
        return score / total + _IDENTIFIERS * shown + _PRECISION * min(precision, 1.0)

    def _form(self, number: int, part: Part) -> float:
        sentence, words = self.sentences[number], self._words[number]
        pairs = [pair for pair in part.pairs if pair[0] in words.own and pair[1] in words.own]
        together = len(set(pairwise(words.run)).intersection(pairs)) if pairs else 0
        score = _PAIRS * together / max(len(part.pairs), 1)
        if part.signs and any(sign.search(sentence.text) for sign in part.signs):
            score += _SIGN
        if sentence.kind != "prose":
            score += _CODE if sentence.kind == "code" else _TABLE
        elif _ASIDES.match(sentence.text):
            score += _ASIDE
        cut = sentence.place == 0 and sentence.text[:1].islower()
        return score + _SCRAP * ((len(words.run) < _FEWEST_WORDS) + cut)

    def _neighbour(self, number: int, step: int) -> frozenset[str]:
        there = number + step
        if not 0 <= there < len(self.sentences) or self.sentences[there].context != self.sentences[number].context:
            return frozenset()
        return self._words[there].own

    def _kin(self, term: str) -> frozenset[str]:
        """Return the other words here that begin like the term."""
        if len(term) < _PREFIX:
            return frozenset()
        start = term[:_PREFIX]
        return frozenset(word for word in self._rarity if word.startswith(start) and word != term)

    def _weight(self, term: str, part: Part) -> float:
        factor = _IDENTIFIER_WEIGHT if term in part.identifiers else _NAME_WEIGHT if term in part.names else 1.0
        return factor * self._rarity.get(term, self._rare(0))

    def _rare(self, count: int) -> float:
        return math.log(1 + (len(self.sentences) + 1) / (count + 0.5))

    def _missing(self, names: Collection[str]) -> float:
        known = set[str]().union(*self._contexts.values())
        return sum(name not in known for name in names) / max(len(names), 1)


def _words(sentence: Sentence) -> _Words:
    run = tuple(stems(sentence.text))
    return _Words(run, frozenset(run), frozenset(stems(sentence.label)) if sentence.label else frozenset())


def _share(words: Collection[str], weights: Mapping[str, float], total: float) -> float:
    return sum(weight for term, weight in weights.items() if term in words) / total
