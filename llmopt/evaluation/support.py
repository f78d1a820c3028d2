"""How far a claim is covered by texts: words, names, numbers and negation, and a linear model over them.

No language understanding: a claim that is made of the texts' own words and says something else passes.
The weights are fitted by `benchmarks/fit_heuristic_judge.py`, which also says on what; the figures
against human labels are in `docs/judges.md`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .._text import is_cjk, sentences, words

__all__ = [
    "FEATURES",
    "Evidence",
    "Sentence",
    "Support",
    "Weights",
    "content_stems",
    "evidence_of",
    "probability",
    "support_of",
]

FEATURES = (
    "unsupported", "uncovered", "names", "numbers", "negation", "denial", "claim_length", "evidence_length",
)  # fmt: skip
"""What the linear model sees, in this order; see `Support`. With an embedder the distance comes last."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A linear model over the features: what speaks against a claim, in log odds."""

    slopes: tuple[float, ...]
    intercept: float


_LEXICAL = Weights((1.4666, 2.6721, 1.3046, 1.2705, 0.8120, 0.6363, -0.0915, 0.1182), -2.8465)
# Fitted with all-MiniLM-L6-v2; the cosines of another embedder may lie otherwise.
_EMBEDDED = Weights((0.7035, 2.1030, 1.2832, 1.3280, 0.6997, 0.5989, 0.1024, 0.0179, 3.1265), -3.3296)

_FUNCTION_WORDS = """
a about above after again against all also am an and any are as at be because been before being below between both but
by can could did do does doing done down during each few for from further had has have having he her here hers him his
how i if in into is it its just may me might mine more most must my no nor not of off on once onto only or other our
ours out over own per same shall she should so some such t than that the their theirs them then there these they this
those through to too under until up us very was we were what when where which while who whom whose why will with within
without would yet you your yours
"""
_DENIALS = """
no not never none nobody nothing neither nor without cannot unable lack lacks lacked fail fails failed refuse refused
refuses deny denied denies hardly barely false
"""
_UP_TO_TWENTY = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty
"""
_STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
_NEGATIONS = frozenset(_DENIALS.split())
_CJK_NEGATION = re.compile("[\u6ca1\u672a\u65e0\u975e]|\u4e0d(?!\u540c|\u4ec5|\u65ad|\u8fc7|\u5c11|\u4e45)")
_NUMBER_WORDS: Mapping[str, str] = {word: str(number) for number, word in enumerate(_UP_TO_TWENTY.split())}
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_INNER_NAME = re.compile(r"(?<=[\w,;:)] )[A-Z][\w\u2019'-]+")
_SUFFIXES = (
    "ational", "ization", "ingly", "edly", "ings", "ies", "ing", "ed", "es", "ly", "s", "er", "ion", "al",
)  # fmt: skip
_SHORTEST_STEM = 3


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the evidence as sets."""

    stems: frozenset[str]
    negated: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """Texts, prepared once to judge many claims by.

    Attributes:
        words: All words.
        texts: The sentences' texts in order.
        sentences: The sentences in the same order; one empty one where there is none.
        rarity: Per stem, the logarithm of how rare it is among the sentences.
        unseen: The rarity of a stem that is in none of them.
        size: Number of words.
    """

    words: frozenset[str]
    texts: tuple[str, ...]
    sentences: tuple[Sentence, ...]
    rarity: Mapping[str, float]
    unseen: float
    size: int

    def weight(self, stems: Iterable[str]) -> float:
        """Return the summed rarity of stems; one that occurs nowhere is the rarest."""
        return math.fsum(self.rarity.get(stem, self.unseen) for stem in stems)

    def coverage(self, stems: Sequence[str], sentence: Sentence) -> float:
        """Return the share of the stems, weighted by rarity, that a sentence has, 0 to 1."""
        total = self.weight(stems)
        return self.weight(stem for stem in stems if stem in sentence.stems) / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Support:
    """How far a claim is covered; every share is 0 to 1, 0 meaning covered.

    Attributes:
        unsupported: Share of the distinct words that stand nowhere in the evidence.
        uncovered: Share of the content words, weighted by rarity, that the best sentence does not have.
        names: Whether a name is nowhere in the evidence, 0 or 1.
        numbers: Whether a number is nowhere in the evidence, 0 or 1.
        negation: Whether claim and best sentence differ in being negated, 0 or 1.
        denial: Whether the claim is negated, 0 or 1.
        claim_length: Logarithm of the claim's number of words.
        evidence_length: Logarithm of the evidence's number of words.
        missing: The words that stand nowhere, for the reason; names and numbers first.
    """

    unsupported: float
    uncovered: float
    names: float
    numbers: float
    negation: float
    denial: float
    claim_length: float
    evidence_length: float
    missing: tuple[str, ...]

    def features(self) -> tuple[float, ...]:
        """Return the figures in the order of `FEATURES`."""
        return (
            self.unsupported,
            self.uncovered,
            self.names,
            self.numbers,
            self.negation,
            self.denial,
            self.claim_length,
            self.evidence_length,
        )


def evidence_of(texts: Sequence[str]) -> Evidence:
    """Return the texts prepared; the last few are remembered."""
    return _prepared(tuple(texts))


def support_of(claim: str, evidence: Evidence) -> Support:
    """Return how far the evidence covers a claim."""
    said = [_normal(word) for word in words(claim)]
    distinct = list(dict.fromkeys(said))
    absent = [word for word in distinct if word not in evidence.words]
    numbers = [_normal(number) for number in _NUMBER.findall(claim)] + [
        _NUMBER_WORDS[word] for word in words(claim) if word in _NUMBER_WORDS
    ]
    missing_numbers = [number for number in dict.fromkeys(numbers) if number not in evidence.words]
    missing_names = [name for name in _names(claim) if _normal(name.casefold()) not in evidence.words]
    stems = content_stems(claim)
    best = max(evidence.sentences, key=lambda sentence: evidence.coverage(stems, sentence))
    shown = dict.fromkeys([*missing_names, *missing_numbers])
    shown.update(dict.fromkeys(word for word in absent if word not in {key.casefold() for key in shown}))
    denied = _negated(claim, said)
    return Support(
        unsupported=len(absent) / max(1, len(distinct)),
        uncovered=1.0 - evidence.coverage(stems, best),
        names=float(bool(missing_names)),
        numbers=float(bool(missing_numbers)),
        negation=float(denied != best.negated),
        denial=float(denied),
        claim_length=math.log(max(1, len(said))),
        evidence_length=math.log(1 + evidence.size),
        missing=tuple(shown),
    )


def probability(support: Support, distance: float | None = None) -> float:
    """Return how likely a claim so covered is supported, 0 to 1, for as many supported claims as others.

    Args:
        support: How the words cover it.
        distance: 1 less the cosine to the closest sentence, where embeddings are at hand.
    """
    weights = _LEXICAL if distance is None else _EMBEDDED
    seen = support.features() if distance is None else (*support.features(), distance)
    against = weights.intercept + math.fsum(slope * value for slope, value in zip(weights.slopes, seen, strict=True))
    return 1.0 / (1.0 + math.exp(max(-60.0, min(60.0, against))))


def content_stems(text: str) -> list[str]:
    """Return the stems of the words that carry meaning, each once, in order."""
    kept = (word for word in map(_normal, words(text)) if word not in _STOP_WORDS)
    return list(dict.fromkeys(map(_stem, kept)))


@lru_cache(maxsize=64)
def _prepared(texts: tuple[str, ...]) -> Evidence:
    pieces = [text[span.start : span.end] for text in texts for span in sentences(text)]
    found = [[_normal(word) for word in words(piece)] for piece in pieces]
    prepared = tuple(
        Sentence(frozenset(map(_stem, said)), _negated(piece, said)) for piece, said in zip(pieces, found, strict=True)
    )
    counts = Counter(stem for sentence in prepared for stem in sentence.stems)
    many = max(1, len(prepared))
    return Evidence(
        words=frozenset(word for said in found for word in said),
        texts=tuple(pieces),
        sentences=prepared or (Sentence(frozenset(), negated=False),),
        rarity={stem: math.log(1 + many / (count + 0.5)) for stem, count in counts.items()},
        unseen=math.log(1 + many / 0.5),
        size=sum(map(len, found)),
    )


def _normal(word: str) -> str:
    """Return a word without possessive and thousands commas, number words as digits."""
    word = word.removesuffix("'s").removesuffix("\u2019s")
    if word[:1].isdigit():
        return word.replace(",", "")
    return _NUMBER_WORDS.get(word, word)


def _stem(word: str) -> str:
    if word.isascii():
        for suffix in _SUFFIXES:
            if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST_STEM:
                return word[: -len(suffix)]
    return word


def _names(text: str) -> list[str]:
    """Return capitalised words that do not begin a sentence."""
    found = (name for match in _INNER_NAME.finditer(text) if (name := match.group().rstrip("-'\u2019")))
    return [name for name in dict.fromkeys(found) if name.casefold() not in _STOP_WORDS]


def _negated(text: str, said: Sequence[str]) -> bool:
    if any(word in _NEGATIONS or word.endswith(("n't", "n\u2019t")) for word in said):
        return True
    return is_cjk(text) and _CJK_NEGATION.search(text) is not None
