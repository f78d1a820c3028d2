"""Replies of reasoning models: what they think aloud between `<think>` and `</think>`, and what they answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .quotes import without_quotes

__all__ = ["Thoughts", "split_thoughts", "without_thoughts"]

_OPENING = re.compile(r"\s*<(think|thinking|thought)>", re.IGNORECASE)
_CLOSING = re.compile(r"</(?:think|thinking|thought)>", re.IGNORECASE)
_CLOSING_ALONE = re.compile(rf"^[ \t]*{_CLOSING.pattern}|{_CLOSING.pattern}[ \t]*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Thoughts:
    """A reply in two parts: the reasoning, which may be empty, and the rest."""

    reasoning: str
    rest: str


def split_thoughts(text: str) -> Thoughts:
    """Return the reasoning that a reply begins with, and what comes after it.

    A reply may lack the opening tag, which some chat templates put into the prompt; the closing one must
    then begin or end a line, lest an answer about such tags be cut. A block that is never closed is
    reasoning to its end: nothing was answered. Tags further on are text.
    """
    shown = without_quotes(text)
    opening = _OPENING.match(shown)
    closing = (_CLOSING_ALONE if opening is None else _CLOSING).search(shown)
    if opening is None and (closing is None or _has_opening(shown, closing.start())):
        return Thoughts("", text)
    start = 0 if opening is None else opening.end()
    if closing is None:
        return Thoughts(text[start:].strip(), "")
    following = split_thoughts(text[closing.end() :]) if opening is not None else Thoughts("", text[closing.end() :])
    reasoning = "\n\n".join(part for part in (text[start : closing.start()].strip(), following.reasoning) if part)
    return Thoughts(reasoning, following.rest.lstrip())


def without_thoughts(text: str) -> str:
    """Return the reply without the reasoning that it begins with."""
    return split_thoughts(text).rest


def _has_opening(text: str, end: int) -> bool:
    return re.search(r"<(?:think|thinking|thought)>", text[:end], re.IGNORECASE) is not None
