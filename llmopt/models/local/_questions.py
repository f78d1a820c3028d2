"""What a question asks for: its parts, the words that matter in each, and the kind of answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from ..._text import is_cjk, words
from ._english import STOP_WORDS, stem, stems

__all__ = ["Part", "read_question"]

# Code-like words: in backquotes, dotted, with underscores, called, CamelCase, in capitals, with digits inside.
_CODE_WORD = re.compile(
    r"`[^`\n]+`|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|\b\w*_\w+\b|\b[a-zA-Z]\w*(?=\()|\b[A-Z][a-z0-9]+[A-Z]\w*"
    r"|\b[a-z]+[A-Z]\w*|\b[A-Z]{2,}\w*|\b\d+[A-Za-z]\w*|\b[A-Za-z]+\d\w*",
    re.ASCII,
)
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+\w*")
_ASCII_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SEAM = re.compile(
    r"\s*[,;]\s*(?:and|or|but)\s+"
    r"|\s+and\s+(?=(?:what|which|who|how|why|where|when|does|do|is|are|may|can|will|should|in which)\b)"
    r"|(?<=[?\uff1f\u3002])\s*|\s*[\uff0c\uff1b]\s*(?:\u5e76\u4e14|\u800c\u4e14|\u4ee5\u53ca|\u90a3\u4e48)?",
    re.IGNORECASE,
)
_FEWEST_WORDS = 2


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is asked.

    Attributes:
        terms: Stems of the words that matter, each once.
        identifiers: Those of them that are code-like or, in a Chinese question, Latin.
        names: Those of them that are written with a capital inside the sentence.
        pairs: Stems of neighbouring words, at least one of which matters.
        signs: What an answer of the wanted kind looks like; any of them will do.
        text: The words as they stand.
    """

    terms: tuple[str, ...]
    identifiers: frozenset[str]
    names: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    signs: tuple[re.Pattern[str], ...]
    text: str

    def within(self, latin: bool) -> Part:
        """Return the part as it can be found in contexts: without CJK terms where the contexts are all Latin."""
        kept = tuple(term for term in self.terms if term.isascii())
        if not latin or not kept or len(kept) == len(self.terms):
            return self
        pairs = frozenset(pair for pair in self.pairs if pair[0].isascii() and pair[1].isascii())
        known = frozenset(kept)
        return Part(kept, self.identifiers & known, self.names & known, pairs, self.signs, self.text)


def read_question(question: str) -> list[Part]:
    """Return the parts of a question, the whole of it when it asks one thing only."""
    question = " ".join(question.split())
    pieces = [piece for piece in _SEAM.split(question) if piece and piece.strip()]
    asked = [piece for piece in pieces if len(_terms(piece, question)) >= _FEWEST_WORDS]
    if len(asked) < 2:
        asked = [question]
    identifiers, names = _identifiers(question), _names(question)
    return [_part(piece, question, identifiers, names) for piece in asked]


def _part(piece: str, question: str, identifiers: frozenset[str], names: frozenset[str]) -> Part:
    terms = _terms(piece, question)
    run = list(stems(piece))
    pairs = frozenset((a, b) for a, b in pairwise(run) if a in terms or b in terms)
    signs = tuple(answer for asked, answer in _KINDS if asked.search(piece))
    return Part(terms, identifiers & set(terms), names & set(terms), pairs, signs, piece)


def _terms(piece: str, question: str) -> tuple[str, ...]:
    """Latin words of a Chinese question all matter: they are what it is about (`with`, `else`, `in`)."""
    foreign = is_cjk(question)
    quoted = {word for match in re.findall(r"`([^`\n]+)`", question) for word in words(match)}
    kept = (word for word in words(piece) if word not in STOP_WORDS or word in quoted or foreign)
    return tuple(dict.fromkeys(stem(word) for word in kept))


def _identifiers(question: str) -> frozenset[str]:
    found = [match.group() for match in _CODE_WORD.finditer(question)]
    if is_cjk(question):
        found += _ASCII_WORD.findall(question)
    return frozenset(stem(word) for text in found for word in words(text))


def _names(question: str) -> frozenset[str]:
    return frozenset(stem(word) for match in _NAME.finditer(question) for word in words(match.group()))


def _kind(asked: str, answer: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    return re.compile(asked, re.IGNORECASE), re.compile(answer)


# What is asked for, in English and Chinese, and what a sentence that says it tends to hold.
_KINDS = (
    _kind(
        r"\bhow (?:many|much|often|old|long|far|tall|high|large)\b|\bpercent|\u591a\u5c11|\u51e0[\u4e2a\u6b21\u5e74]",
        r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|once|twice|hundred|thousand|million|half|several)\b"
        r"|[\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d\u5341\u767e\u5343\u4e07]",
    ),
    _kind(
        r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|time|century|decade)\b|\u4f55\u65f6|\u4ec0\u4e48\u65f6\u5019"
        r"|\u54ea\u4e00?\u5e74|\u54ea[\u5929\u65e5\u6708]",
        r"\b1\d{3}\b|\b20\d\d\b|\b(?:January|February|March|April|May|June|July|August|September|October|November"
        r"|December|century|before|after|when|until|during)\b|[\u5e74\u6708\u65e5]",
    ),
    _kind(
        r"\bwhy\b|\breason\b|\bhow come\b|\bcauses?\b|\u4e3a\u4ec0\u4e48|\u4e3a\u4f55|\u539f\u56e0",
        r"\b(?:[Bb]ecause|[Ss]ince|[Ss]o|[Tt]hus|[Tt]herefore|[Hh]ence|[Dd]ue to|[Aa]s a result|[Aa]ccordingly"
        r"|in order|reason|means|[Tt]his is|causes?|consequence)\b"
        r"|\u56e0\u4e3a|\u7531\u4e8e|\u6240\u4ee5|\u56e0\u6b64|\u4e3a\u4e86",
    ),
    _kind(
        r"\b(?:which|what) (?:exception|error)\b|\u5f02\u5e38|\u62a5\u9519|\u9519\u8bef",
        r"\b\w*(?:Error|Exception|Warning|Iteration)\b",
    ),
    _kind(r"\bwho\b|\bwhose\b|\u8c01|\u54ea[\u4f4d\u4e2a]\u4eba", r"(?<=[a-z,] )[A-Z][a-z]+"),
    _kind(
        r"\bwhere\b|\b(?:what|which) (?:city|country|place|state|region|area)\b|\u54ea\u91cc|\u4f55\u5904|\u54ea\u513f"
        r"|\u4ec0\u4e48\u5730\u65b9",
        r"\b(?:in|at|from|near|on) [A-Z][a-z]+|[\u5e02\u7701\u56fd\u53bf\u5dde]",
    ),
    _kind(
        r"^\s*(?:how|what (?:do|can|should|must) (?:i|we|you))\b(?! (?:many|much|often|old|long|far))"
        r"|\u600e\u6837|\u5982\u4f55|\u600e\u4e48",
        r"\b(?:can|must|should|use|using|by|need|specify|specifying|call|calling|to|set|explicitly)\b"
        r"|\u53ef\u4ee5|\u4f7f\u7528|\u901a\u8fc7",
    ),
)
