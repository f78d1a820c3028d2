r"""Prompts and replies as templates, so that those of one kind become equal.

In a template `\x01<number>;` stands for a known text, `\x01n<number>;` for a nonce, and `\x01;` for a `\x01` of the
text itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .texts import Known

__all__ = ["Template", "Templates", "marked"]

_MARK = "\x01"
_MARKED = re.compile(rf"{_MARK}(n?)(\d*);")
_BETWEEN = f"\n{_MARK}|\n"  # cannot come from a text: there every mark is followed by a semicolon
_WORTH_A_MARK = 12  # characters
_REST = 8  # characters of a mark at most: a text with a semicolon in so many first ones could be found inside marks
_HEAD = 24  # characters: long needles make a search slow, so that their heads are looked for
_REMEMBERED = 8  # templates of a kind: prompts differ by the number of contexts or of statements


@dataclass(frozen=True, slots=True)
class Template:
    """A template that can be tried on another row: to fill it in is many times faster than to search.

    Attributes:
        text: With marks.
        parts: Its text in parts: literal ones, and places in the known values.
        needs: How many texts and how many nonces must be known.
    """

    text: str
    parts: Sequence[str | int]
    needs: tuple[int, int]

    @classmethod
    def of(cls, text: str) -> Template:
        """Return the template of a text with marks."""
        pieces = iter(_MARKED.split(text))
        parts: list[str | int] = [next(pieces)]
        needs = [0, 0]
        for nonce, digits, literal in zip(pieces, pieces, pieces, strict=True):
            if digits:
                needs[bool(nonce)] = max(needs[bool(nonce)], int(digits) + 1)
            parts += (-1 - int(digits) if nonce else int(digits)) if digits else _MARK, literal
        return cls(text, parts, (needs[0], needs[1]))

    def makes(self, text: str, known: Known) -> bool:
        """Return whether it becomes this text when it is filled with what is known."""
        if len(known.texts) < self.needs[0] or len(known.nonces) < self.needs[1]:
            return False
        values = known.values
        return "".join([part if isinstance(part, str) else values[part] for part in self.parts]) == text


class Templates:
    """Makes templates, and remembers those that it made last."""

    def __init__(self) -> None:
        self._made: dict[str, list[Template]] = {}

    def of(self, texts: Sequence[tuple[str, str]], known: Known) -> list[str]:
        """Return a template for each text.

        Args:
            texts: Each with its kind, for which templates are remembered; none is worth remembering without a kind.
            known: What stands elsewhere.
        """
        found = [self._remembered(kind, text, known) if kind else None for kind, text in texts]
        others = [each for each, template in zip(texts, found, strict=True) if template is None]
        made = marked([text for _, text in others], known)
        for (kind, _), template in zip(others, made, strict=True):
            if kind:
                remembered = self._made.setdefault(kind, [])
                remembered.insert(0, Template.of(template))
                del remembered[_REMEMBERED:]
        rest = iter(made)
        return [next(rest) if template is None else template for template in found]

    def _remembered(self, kind: str, text: str, known: Known) -> str | None:
        """Return the template that makes a text, which comes to be the one that is tried first."""
        remembered = self._made.get(kind, [])
        for place, template in enumerate(remembered):
            if template.makes(text, known):
                if place:
                    remembered.insert(0, remembered.pop(place))
                return template.text
        return None


def marked(texts: Sequence[str], known: Known) -> list[str]:
    """Return the texts with marks for what is known.

    What fills a whole line is found first and fast, so that the search within lines has little left to read.
    """
    if not texts:
        return []
    marks = _marks(known.texts)
    whole = _BETWEEN.join([text.replace(_MARK, f"{_MARK};") for text in texts])
    whole = "\n".join([marks.get(line, line) for line in whole.split("\n")])
    for text, mark in marks.items():
        if text[:_HEAD] in whole:
            whole = whole.replace(text, mark)
    for number, nonce in enumerate(known.nonces):
        whole = whole.replace(nonce, f"{_MARK}n{number};")
    return whole.split(_BETWEEN)


def _marks(texts: Sequence[str]) -> Mapping[str, str]:
    """Return a mark for each text that is worth one, the longest first: an answer before the statements in it."""
    numbers = {text: n for n, text in reversed(list(enumerate(texts))) if len(text) >= _WORTH_A_MARK}
    longest_first = sorted(numbers, key=len, reverse=True)
    return {text: f"{_MARK}{numbers[text]};" for text in longest_first if _MARK not in text and ";" not in text[:_REST]}
