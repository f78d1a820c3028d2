"""Fences around text that is data: they cannot be forged from inside, and can be read back.

A fence carries a nonce that is a hash of everything between the fences of one prompt, so that a text
that contains a fence would have to contain its own hash. Texts go in verbatim: nothing is escaped.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Fenced", "fence_all", "read_fences"]

_NONCE_LENGTH = 8
_FENCE = re.compile(
    r"<<<(?P<label>[^\n<>]{1,80}) (?P<nonce>[0-9a-f]{8})>>>\n(?P<text>.*?)\n<<<end (?P=label) (?P=nonce)>>>", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Fenced:
    """A text with the label that its fence shows, for example `context 3`."""

    label: str
    text: str


def fence_all(items: Sequence[Fenced]) -> str:
    """Return the texts, each verbatim between an opening and a closing line, separated by blank lines.

    The same items give the same fences, so that equal prompts stay equal for a cache.
    """
    nonce = _nonce(items)
    return "\n\n".join(f"<<<{item.label} {nonce}>>>\n{item.text}\n<<<end {item.label} {nonce}>>>" for item in items)


def read_fences(prompt: str) -> list[Fenced]:
    """Return what stands between the fences of a prompt, in order; fences inside a fence are its text."""
    return [Fenced(match["label"], match["text"]) for match in _FENCE.finditer(prompt)]


def _nonce(items: Sequence[Fenced]) -> str:
    seed = "\x00".join(f"{item.label}\x00{item.text}" for item in items)
    everything = "".join(item.text for item in items)
    round_number = 0
    while True:
        nonce = hashlib.sha256(f"{round_number}\x00{seed}".encode("utf-8", "surrogatepass")).hexdigest()[:_NONCE_LENGTH]
        if nonce not in everything:
            return nonce
        round_number += 1
