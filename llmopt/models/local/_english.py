"""Words of a text by their stems, and the English words that say nothing by themselves."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from ..._text import words

__all__ = ["STOP_STEMS", "STOP_WORDS", "stem", "stems"]

_STOP = """
a about after again all also although always am among an and another any anybody anyone anything are as at be
because been before being both but by can can't cannot could couldn't did didn't do does doesn't doing don't
done each either else ever every few first for from further get gets getting give gives go goes going got had
has hasn't have haven't having he her here hers him his how however i i'd i'm i've if in into is isn't it it's
its itself just know let let's like made make makes many may me might mine more most much must my myself need
needs neither never no nor not now of off often on once one only onto or other others our ours out over own per
please put same second several shall she should so some somebody something still such take takes than that
that's the their theirs them then there there's these they thing things this those though three through to too
two under until up upon us use used using very want was wasn't we we'd we're were what what's whatever when
where whether which while who whole whom whose why will with within without won't would yes yet you your yours
"""
STOP_WORDS = frozenset(_STOP.split())
# The ending and what takes its place; the first that fits, and leaves three letters, is taken.
_ENDINGS = (
    ("'s", ""),
    ("\u2019s", ""),
    ("iness", "y"),
    ("ies", "y"),
    ("ied", "y"),
    ("ings", ""),
    ("ing", ""),
    ("edly", ""),
    ("ed", ""),
    ("ly", ""),
    ("sses", "ss"),
    ("xes", "x"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("ss", "ss"),
    ("us", "us"),
    ("is", "is"),
    ("s", ""),
)
_SHORTEST = 3
_DOUBLED = frozenset("bdgmnprt")


@functools.lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Return a lower-case word without its English ending; other words come back as they are."""
    if len(word) <= _SHORTEST or not word[0].isascii():
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) + len(instead) >= _SHORTEST:
            word = word[: -len(ending)] + instead
            break
    if len(word) > _SHORTEST and word[-1] == word[-2] and word[-1] in _DOUBLED:
        word = word[:-1]  # stopped, stopping: stop
    return word[:-1] if len(word) > _SHORTEST + 1 and word.endswith("e") else word


def stems(text: str) -> Iterator[str]:
    """Yield the stem of every word, stop words included, in order."""
    return map(stem, words(text))


STOP_STEMS = frozenset(map(stem, STOP_WORDS))
