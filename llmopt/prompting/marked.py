"""Replies that reason and then give a marked final answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .quotes import without_open_quote, without_quotes
from .thoughts import split_thoughts

__all__ = ["Marked", "MarkedStream", "split_at_mark"]


@dataclass(frozen=True, slots=True)
class Marked:
    """A reply in two parts.

    Attributes:
        reasoning: What comes before the answer, thoughts between tags included.
        final: The answer.
        is_marked: Whether the answer was marked as asked; else it is what comes after the thoughts, or
            the last line.
    """

    reasoning: str
    final: str
    is_marked: bool


def split_at_mark(text: str, mark: str) -> Marked:
    """Return reasoning and final answer; the answer is what follows the last line that begins with the mark.

    Case, Markdown emphasis around the mark and a "final" before it do not count. What stands between
    fences is quoted data and holds no mark.
    """
    thoughts = split_thoughts(text)
    found = list(_pattern(mark).finditer(without_quotes(thoughts.rest)))
    if found:
        before, final = thoughts.rest[: found[-1].start()], thoughts.rest[found[-1].end() :]
        return Marked(_joined(thoughts.reasoning, before), _bare(final), True)
    if thoughts.reasoning:
        return Marked(thoughts.reasoning, thoughts.rest.strip(), False)
    before, _, last = thoughts.rest.strip().rpartition("\n")
    return Marked(before.strip(), last.strip(), False)


class MarkedStream:
    """Opens when a streamed reply comes to its final answer: a `Gate`.

    Args:
        mark: What the answer's line begins with.
        unless: What must not stand before it.

    Attributes:
        is_open: Whether the answer has begun.
    """

    def __init__(self, mark: str, unless: re.Pattern[str] | None = None) -> None:
        self._pattern = _pattern(mark)
        self._unless = unless
        self._held = ""
        self._marked = False
        self.is_open = False

    def take(self, piece: str) -> str:
        """Return what of the answer the piece brings."""
        if self.is_open:
            return piece
        self._held += piece
        if not self._marked and not _ENDS_MARK.search(piece):
            return ""  # looking at all that is held for every piece would take quadratic time
        shown = split_thoughts(without_open_quote(self._held)).rest
        found = self._pattern.search(shown)
        if found is None or (self._unless is not None and self._unless.search(shown, 0, found.start())):
            return ""
        self._marked = True
        answer = self._held[len(self._held) - len(shown) + found.end() :].lstrip(" *_\n")
        self.is_open = bool(answer)
        return answer


_ENDS_MARK = re.compile("[:\uff1a>]")


@lru_cache(maxsize=64)
def _pattern(mark: str) -> re.Pattern[str]:
    word = re.escape(mark.strip().rstrip(":\uff1a"))
    return re.compile(rf"^[ \t>*_#`-]*(?:the\s+)?(?:final\s+)?{word}[ \t*_`]*[:\uff1a]", re.IGNORECASE | re.MULTILINE)


def _bare(final: str) -> str:
    """Return the answer without the Markdown emphasis that the mark's line was in."""
    final = final.strip()
    for sign in ("**", "__", "`", "*"):
        if final.startswith(sign) and final.count(sign) == 1:
            final = final[len(sign) :].strip()
        elif final.endswith(sign) and final.count(sign) == 1:
            final = final[: -len(sign)].strip()
        elif len(final) > 2 * len(sign) and final.startswith(sign) and final.endswith(sign) and final.count(sign) == 2:
            final = final[len(sign) : -len(sign)].strip()
    return final


def _joined(*parts: str) -> str:
    return "\n\n".join(part.strip() for part in parts if part.strip())
