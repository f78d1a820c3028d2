r"""Prompts and replies as templates, so that those of one kind become equal.

In a template `\x01<number>;` stands for a known text, `\x01n<number>;` for a nonce, and `\x01;` for a `\x01` of the
text itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .texts import MARK, Known

__all__ = ["Template", "Templates", "marked"]

_MARKED = re.compile(rf"{MARK}(n?)(\d*);")
_BETWEEN = f"{MARK}|"  # cannot come from a text: there every mark is followed by a semicolon
_HEAD = 24  # characters: long needles make a search slow, so that their heads are looked for
_REMEMBERED = 8  # templates of a kind: prompts differ by the number of contexts or of statements


@dataclass(frozen=True, slots=True)
class Template:
    """A template that can be tried on another row: to fill it in is many times faster than to search.

    Attributes:
        text: With marks.
        parts: The text around the marks, with room between for what fills them.
        places: Of what fills them, in the known values.
        needs: How many texts and how many nonces must be known.
    """

    text: str
    parts: Sequence[str]
    places: Sequence[int]
    needs: tuple[int, int]

    @classmethod
    def of(cls, text: str) -> Template:
        """Return the template of a text with marks."""
        pieces = _MARKED.split(text)  # each mark gives two of them: whether it is a nonce's, and its digits
        marks = [(bool(nonce), digits) for nonce, digits in zip(pieces[1::3], pieces[2::3], strict=True)]
        parts = [part for literal in pieces[::3] for part in (literal, "")][:-1]
        places = [(-1 - int(digits) if nonce else 1 + int(digits)) if digits else 0 for nonce, digits in marks]
        return cls(text, parts, places, (max([0, *places]), -min([0, *places])))

    def makes(self, text: str, known: Known) -> bool:
        """Return whether it becomes this text when it is filled with what is known."""
        if len(known.texts) < self.needs[0] or len(known.nonces) < self.needs[1]:
            return False
        filled = [*self.parts]
        filled[1::2] = [known.values[place] for place in self.places]
        return "".join(filled) == text


class Templates:
    """Makes templates, and remembers those that it made last."""

    def __init__(self) -> None:
        self._made: dict[str, list[Template]] = {}

    def of(self, kind: str, text: str, known: Known) -> str:
        """Return a template for a text: one of this kind that makes it, or a new one."""
        remembered = self._made.setdefault(kind, [])
        for place, template in enumerate(remembered):
            if template.makes(text, known):
                if place:  # what fitted last is tried first
                    remembered.insert(0, remembered.pop(place))
                return template.text
        (made,) = marked([text], known)
        remembered.insert(0, Template.of(made))
        del remembered[_REMEMBERED:]
        return made


def marked(texts: Sequence[str], known: Known) -> list[str]:
    """Return the texts with marks for what is known.

    What fills a text, a line or a pair of quotes is found first and fast, so that the search has little left to read.
    """
    if not texts:
        return []
    marks = known.marks
    whole = _BETWEEN.join([marks.get(text) or text.replace(MARK, f"{MARK};") for text in texts])
    for end in ("\n", '"'):
        whole = end.join([marks.get(piece, piece) for piece in whole.split(end)])
    for text, mark in marks.items():
        if text[:_HEAD] in whole:
            whole = whole.replace(text, mark)
    for number, nonce in enumerate(known.nonces):
        whole = whole.replace(nonce, f"{MARK}n{number};")
    return whole.split(_BETWEEN)
