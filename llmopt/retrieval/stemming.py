"""Word forms and stop words for retrieval by words."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["STOP_WORDS", "EnglishPlurals"]


@dataclass(frozen=True, slots=True)
class EnglishPlurals:
    """Takes the plural and the possessive s off English words; other words stay as they are.

    The S-stemmer of Harman (1991, "How effective is suffixing?"), which unlike stronger stemmers never
    makes two unrelated words one.

    Example:
        >>> [EnglishPlurals()(word) for word in ("queries", "databases", "glass", "user's", "检索")]
        ['query', 'database', 'glass', 'user', '检索']
    """

    def __call__(self, word: str) -> str:
        """Return the singular."""
        if word.endswith("'s"):
            return word[:-2]
        if len(word) < 4 or not word.endswith("s"):
            return word
        if word.endswith("ies"):
            return word if word.endswith(("eies", "aies")) else f"{word[:-3]}y"
        if word.endswith("es"):
            return word if word.endswith(("aes", "ees", "oes")) else word[:-1]
        return word if word.endswith(("us", "ss")) else word[:-1]


STOP_WORDS: frozenset[str] = frozenset(
    """
    a about an and any are as at be been but by can could did do does for from had has have he how i if in into
    is it its me my no not of on or our she should so such than that the their then there these they this to was
    we were what when where which who whom whose why will with would you your
    aren't can't didn't doesn't don't how's i'm isn't it's there's wasn't what's where's who's won't
    什么 什麼 怎么 怎麼 怎样 怎樣 如何 为什 為什 哪些 哪个 哪個 哪里 哪裡 多少 是否 请问 請問
    """.split()  # noqa: SIM905 - a paragraph reads better than a list
)
"""Words of questions, English and Chinese (as pairs of characters), that say nothing of their subject."""
