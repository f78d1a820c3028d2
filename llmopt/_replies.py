"""Reading replies: numbers of cited contexts, and whether an answer says that it does not know."""

from __future__ import annotations

import re

__all__ = ["cited_numbers", "is_noncommittal"]

_CITATION = re.compile(r"[\[\u3010](\d{1,3}(?:\s*[,\uff0c\u3001;-]\s*\d{1,3})*)[\]\u3011]")
_NUMBER_OR_RANGE = re.compile(r"(\d{1,3})(?:\s*-\s*(\d{1,3}))?")
_MOST_IN_RANGE = 20
# What people and models say when they do not know, at the beginning of a short answer.
_NONCOMMITTAL = re.compile(
    r"(?:(?:sorry|unfortunately|based on [^.]{0,60}|from [^.]{0,60})[,.]?\s*)*"
    r"(?:i\s*(?:do\s*not|don['\u2019]t|cannot|can['\u2019]t|can not|could\s*n(?:o|['\u2019])t)\s+"
    r"(?:know|tell|say|answer|find|determine|be\s+sure|have\s+(?:enough|that|any)\b)"
    r"|i(?:\s+am|['\u2019]m)\s+(?:unable\s+to|not\s+(?:sure|able\s+to|certain))"
    r"|(?:it|this|that)\s+is\s+(?:unclear|unknown|not\s+(?:clear|known|mentioned|stated|specified|possible\s+to))"
    r"|(?:the|these|this)\s+(?:given\s+|provided\s+|above\s+)?(?:contexts?|documents?|passages?|texts?|information|references?|manual)"
    r"\s+(?:do(?:es)?\s*(?:not|n['\u2019]t)|cannot|lacks?|is\s+silent)"
    r"|(?:there\s+is\s+)?no\s+(?:information|answer|mention)\b|not\s+(?:enough\s+information|mentioned|specified|stated|answerable)"
    r"|unanswerable|unknown\b|n/a\b"
    r"|(?:\u62b1\u6b49|\u5bf9\u4e0d\u8d77|\u5f88\u9057\u61be)?[\uff0c,]?\s*(?:\u6211)?"
    r"(?:\u4e0d\u77e5\u9053|\u4e0d\u6e05\u695a|\u65e0\u6cd5(?:\u56de\u7b54|\u786e\u5b9a|\u5f97\u77e5|\u5224\u65ad)|\u4e0d\u786e\u5b9a|\u4e0d\u80fd\u786e\u5b9a)"
    r"|(?:\u6839\u636e)?[^\u3002]{0,12}(?:\u4e0a\u4e0b\u6587|\u6587\u6863|\u8d44\u6599|\u6750\u6599)[^\u3002]{0,8}(?:\u6ca1\u6709|\u672a)(?:\u63d0|\u8bf4|\u7ed9|\u5305\u542b)?)",
    re.IGNORECASE,
)
_LONGEST_NONCOMMITTAL = 400


def cited_numbers(text: str) -> list[int]:
    """Return the numbers in square brackets, `[2]`, `[1, 3]`, `[2-4]`, in order of first mention, each once."""
    found: dict[int, None] = {}
    for match in _CITATION.finditer(text):
        for first, last in _NUMBER_OR_RANGE.findall(match.group(1)):
            end = int(last) if last else int(first)
            if 0 <= end - int(first) <= _MOST_IN_RANGE:
                found.update(dict.fromkeys(range(int(first), end + 1)))
    return list(found)


def is_noncommittal(text: str) -> bool:
    """Return whether an answer says that it does not know, in English or Chinese.

    A rule for what is said plainly at the beginning of a short answer; a longer answer that hedges and
    then answers counts as an answer.
    """
    plain = _CITATION.sub("", text).strip().strip("\"'\u201c\u201d*").strip()
    return bool(plain) and len(plain) <= _LONGEST_NONCOMMITTAL and _NONCOMMITTAL.match(plain) is not None
