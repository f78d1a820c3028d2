"""Questions that must not be in the training data, found as they are and inside long prompts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .._text import words

__all__ = ["Asked", "Known", "Questions"]

_GRAM = 4
"""Words of the shortest question that is looked for inside a prompt: fewer come together by chance."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that a prompt asks, or holds.

    Attributes:
        name: Of the set that the question is in.
        question: The question.
        place: `whole`: the prompt is the question; `end`: the prompt ends with it, as one with instructions
            or contexts before it does, or begins with it; `inside`: it stands in the middle, so it may be
            asked, or may be part of a text that is only read.
    """

    name: str
    question: str
    place: str


@dataclass(frozen=True, slots=True)
class Known:
    """A question of a set, with its words."""

    name: str
    question: str
    words: Sequence[str]


class Questions:
    """Sets of questions, and whether a prompt asks one of them; case and punctuation do not count.

    The time for a prompt grows with its words and not with the number of questions.

    Args:
        sets: Names of the sets (validation, evaluation) and the questions in them.
        inside: The sets whose questions are looked for inside longer prompts, too.

    Example:
        >>> questions = Questions({"evaluation": ["Who built the tower of London?"]}, inside=["evaluation"])
        >>> found = questions.asked_in("Answer from the text: it is old. Who built the Tower of London")
        >>> found.place if found else None
        'end'
    """

    def __init__(self, sets: Mapping[str, Iterable[str]], inside: Iterable[str] = ()) -> None:
        self.known = [Known(name, text, words(text)) for name, texts in sets.items() for text in texts]
        searched = frozenset(inside)
        self._whole = {tuple(known.words): known for known in reversed(self.known)}
        self._grams: defaultdict[tuple[str, ...], list[Known]] = defaultdict(list)
        for known in self._whole.values():
            if known.name in searched and len(known.words) >= _GRAM:
                self._grams[tuple(known.words[:_GRAM])].append(known)

    def asked_in(self, prompt: str) -> Asked | None:
        """Return the question that a prompt is, ends with, begins with or holds, the clearest case first."""
        said = words(prompt)
        known = self._whole.get(tuple(said))
        if known is not None:
            return Asked(known.name, known.question, "whole")
        if not self._grams:
            return None
        held: Asked | None = None
        for at, gram in enumerate(zip(*(said[shift:] for shift in range(_GRAM)), strict=False)):
            for known in self._grams.get(gram, ()):
                end = at + len(known.words)
                if said[at:end] == known.words:
                    if at == 0 or end == len(said):
                        return Asked(known.name, known.question, "end")
                    held = held or Asked(known.name, known.question, "inside")
        return held
