"""Texts kept once, and prompts as templates of texts that stand elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ...evaluation import Row

__all__ = ["SharedTexts", "TextPlace", "marked", "texts_of"]

_WORTH_SHARING = 24  # characters; shorter texts cost no more where they stand
_WORTH_A_MARK = 12
_MARK = "\x01"
_NONCE = re.compile(r"<<<[^\n<>]{1,80} ([0-9a-f]{8})>>>")


@dataclass(slots=True)
class TextPlace:
    """Stands for a text until all are known.

    Attributes:
        text: The text.
        uses: How often it occurs.
        number: Its place among the shared ones; -1: it is not shared.
    """

    text: str
    uses: int = 0
    number: int = -1


@dataclass(slots=True)
class SharedTexts:
    """Texts by what they say, each once."""

    known: dict[str, TextPlace] = field(default_factory=dict[str, TextPlace])

    def add(self, text: str) -> str | TextPlace:
        """Return what stands for the text: itself when it is short, else its place."""
        if len(text) < _WORTH_SHARING:
            return text
        place = self.known.get(text)
        if place is None:
            place = self.known[text] = TextPlace(text)
        place.uses += 1
        return place

    def number(self) -> list[str]:
        """Number the texts that occur more than once, the most frequent first, and return them."""
        shared = sorted((place for place in self.known.values() if place.uses > 1), key=lambda place: -place.uses)
        for number, place in enumerate(shared):
            place.number = number
        return [place.text for place in shared]


def texts_of(row: Row, metrics: Sequence[str]) -> list[str]:
    """Return the texts of a row that its prompts may repeat, in the order in which the page numbers them."""
    sample = row.sample
    found = [*sample.contexts, sample.answer, sample.reference or "", sample.question]
    for metric in metrics:
        if score := row.scores.get(metric):
            for verdict in score.verdicts:
                found += (verdict.statement, verdict.reason)
    return found


def marked(text: str, known: Sequence[str]) -> tuple[str, list[str]]:
    r"""Return the text with `\x01<number>;` for texts known, and `\x01n<number>;` for the nonces of its fences.

    A `\x01` of the text itself becomes `\x01;`. Prompts that differ in their sample alone so become equal.
    """
    if _MARK in text:
        text = text.replace(_MARK, f"{_MARK};")
    for number, each in enumerate(known):
        if len(each) >= _WORTH_A_MARK and each in text:
            text = text.replace(each, f"{_MARK}{number};")
    nonces = list(dict.fromkeys(_NONCE.findall(text)))
    for number, nonce in enumerate(nonces):
        text = text.replace(nonce, f"{_MARK}n{number};")
    return text, nonces
