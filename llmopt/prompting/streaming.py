"""Streams of answers without what the model thinks aloud."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Protocol

from ..types import AnswerDelta
from .thoughts import split_thoughts

__all__ = ["LONGEST_PREAMBLE", "Gate", "PastPreamble", "PastThoughts", "stream_without_thoughts"]

LONGEST_PREAMBLE = 200
"""Characters that a model may say before it calls a tool; what is longer is taken for its answer."""

_TAGS = ("<think>", "<thinking>", "<thought>")


async def stream_without_thoughts(deltas: AsyncIterator[AnswerDelta]) -> AsyncIterator[AnswerDelta]:
    """Yield the pieces that come after the thoughts between tags with which a reply may begin.

    Reasoning whose opening tag is missing cannot be told from an answer before it ends; it is in the
    pieces, but not in the whole answer of the last one.
    """
    gate = PastThoughts()
    async for delta in deltas:
        text = gate.take(delta.text)
        if delta.answer is not None:
            yield replace(delta, text=text if gate.is_open else delta.answer.text)
        elif text:
            yield AnswerDelta(text)


class Gate(Protocol):
    """Lets of a streamed reply only its answer through.

    Attributes:
        is_open: Whether the answer has begun.
    """

    is_open: bool

    def take(self, piece: str) -> str:
        """Return what of the answer a piece of the reply brings."""
        ...


class PastThoughts:
    """Opens when a reply is past the thoughts between tags with which it may begin.

    Attributes:
        is_open: Whether it is.
    """

    def __init__(self) -> None:
        self._held = ""
        self._thinking = False
        self.is_open = False

    def take(self, piece: str) -> str:
        """Return what of the answer the piece brings."""
        if self.is_open:
            return piece
        self._held += piece
        if self._thinking and ">" not in piece:
            return ""  # looking at all that is held for every piece would take quadratic time
        begun = self._held.lstrip().lower()
        if any(tag.startswith(begun) for tag in _TAGS):
            return ""
        self._thinking = begun.startswith(_TAGS)
        rest = split_thoughts(self._held).rest if self._thinking else self._held.lstrip()
        if self._thinking and not rest:
            return ""
        self.is_open = True
        return rest


class PastPreamble:
    """Opens when a reply, thoughts left out, is longer than what a model says before it calls a tool.

    Args:
        call: How a call begins that is written in the text; a reply that begins with it is held to its end.

    Attributes:
        is_open: Whether it is.
    """

    def __init__(self, call: re.Pattern[str]) -> None:
        self._call = call
        self._past_thoughts = PastThoughts()
        self._held = ""
        self.is_open = False

    def take(self, piece: str) -> str:
        """Return what of the answer the piece brings."""
        text = self._past_thoughts.take(piece)
        if self.is_open:
            return text
        self._held += text
        self.is_open = len(self._held) > LONGEST_PREAMBLE and self._call.match(self._held) is None
        return self._held if self.is_open else ""
