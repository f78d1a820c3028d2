"""Routes by the words that a question contains."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .._text import is_cjk
from ..errors import UsageError
from ..interfaces import Classifier

__all__ = ["Keyword"]


@dataclass(repr=False)
class Keyword(Classifier):
    """Counts the keywords of every label in the text; the rule that everybody can read.

    A keyword is a word or a phrase, matched at word boundaries without regard to case; a Chinese one is
    matched anywhere. A label's score is its share of the matches, so scores add up to 1; a text without
    any match goes to `default`, or, without one, scores 0 everywhere and has no margin.

    Args:
        keywords: Per label, its keywords.
        default: The label of texts without a match; it need not have keywords.

    Raises:
        UsageError: On first use, when there is no label, or a label has no keywords and is not the default.

    Example:
        >>> route = Keyword({"billing": ["invoice", "refund"], "login": ["password", "log in"]}, default="other")
        >>> route.classify("I forgot my password").label, route.classify("hello").label
        ('login', 'other')
    """

    keywords: Mapping[str, Sequence[str]]
    default: str | None = None

    def predict(self, text: str) -> dict[str, float]:
        """Return every label's share of the matches."""
        self._check()
        counts = {label: _matches(text, words) for label, words in self.keywords.items()}
        if self.default is not None:
            counts.setdefault(self.default, 0)
        total = sum(counts.values())
        if total:
            return {label: count / total for label, count in counts.items()}
        return {label: float(label == self.default) for label in counts}

    def _check(self) -> None:
        for label, words in self.keywords.items():
            if isinstance(words, str) or (not any(word.strip() for word in words) and label != self.default):
                raise UsageError(f"`Keyword` needs a list of keywords for the label {label!r}, got {words!r}")
        if not self.keywords:
            raise UsageError("`Keyword` needs at least one label with keywords, got none")


def _matches(text: str, keywords: Sequence[str]) -> int:
    return sum(len(_pattern(word).findall(text)) for word in keywords if word.strip())


@lru_cache(maxsize=4096)
def _pattern(keyword: str) -> re.Pattern[str]:
    plain = r"\s+".join(re.escape(part) for part in keyword.split())
    return re.compile(plain if is_cjk(keyword) else rf"(?<!\w){plain}(?!\w)", re.IGNORECASE)
