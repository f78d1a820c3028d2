"""What a reply quotes between fences: data, which holds no mark, no action and no tag."""

from __future__ import annotations

import re

__all__ = ["without_open_quote", "without_quotes"]

_QUOTED = re.compile(r"<<<([^\n<>]{1,90})>>>\n.*?\n<<<end \1>>>", re.DOTALL)
_OPEN = re.compile(r"<<<(?!end )[^\n<>]{1,90}>>>\n.*\Z", re.DOTALL)


def without_quotes(text: str) -> str:
    """Return the text with what stands between fences blanked out; every other place stays where it was."""
    return _QUOTED.sub(_blank, text) if "<<<" in text else text


def without_open_quote(text: str) -> str:
    """Return the beginning of a text without quotes, a fence that is not closed yet counted as one to the end."""
    text = without_quotes(text)
    return _OPEN.sub(_blank, text) if "<<<" in text else text


def _blank(match: re.Match[str]) -> str:
    return "\x00" * len(match.group())
