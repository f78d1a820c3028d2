"""Words and sentences of running text, English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .types import Span

__all__ = ["is_cjk", "sentences", "words"]

_CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af\U00020000-\U0002fa1f"
_HAS_CJK = re.compile(f"[{_CJK}]")
_WORDS = re.compile(f"[{_CJK}]+|[^\\W{_CJK}]+(?:['\u2019][^\\W{_CJK}]+)*")
# A sentence ends at closing punctuation followed by white space, at CJK punctuation, or at a blank line.
_END = re.compile(
    r"(?:[.!?]+[\"'\u201d\u2019)\]]*(?=\s)|"
    r"[\u3002\uff01\uff1f\uff1b]+[\u201d\u2019\uff09\u300d\u300f\"')]*|\n[ \t]*\n)\s*"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|al|Mr|Mrs|Ms|Dr|Prof|St|Fig|Figs|Eq|No|Sec|approx|Inc|Ltd|Co|Jr|Sr)|\b[A-Z])\.\s*$"
)


def is_cjk(text: str) -> bool:
    """Return whether the text holds a Chinese, Japanese or Korean character."""
    return _HAS_CJK.search(text) is not None


def words(text: str) -> list[str]:
    """Return the lower-cased words; a run of CJK characters gives its overlapping pairs.

    Pairs (bigrams) are the usual unit of Chinese retrieval without a segmenter; a single character
    stands alone.
    """
    found: list[str] = []
    for match in _WORDS.finditer(text.casefold()):
        run = match.group()
        if _HAS_CJK.match(run) is None or len(run) == 1:
            found.append(run)
        else:
            found.extend(run[at : at + 2] for at in range(len(run) - 1))
    return found


def sentences(text: str) -> Iterator[Span]:
    """Yield the sentences as ranges without surrounding white space, in order.

    Abbreviations and initials do not end a sentence; a blank line does.
    """
    start = 0
    for match in _END.finditer(text):
        if _ABBREVIATION.search(text, start, match.end()) and "\n\n" not in match.group():
            continue
        yield from _trimmed(text, start, match.end())
        start = match.end()
    yield from _trimmed(text, start, len(text))


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        begin = start + piece.index(stripped[0])
        yield Span(begin, begin + len(stripped))
