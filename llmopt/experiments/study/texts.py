"""Texts kept once, and prompts as templates of texts that stand elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...evaluation import Row

__all__ = ["Known", "SharedTexts", "marked", "without_nonces"]

_WORTH_SHARING = 24  # characters; shorter texts cost no more where they stand
_WORTH_A_MARK = 12
_MARK = "\x01"
_BETWEEN = f"{_MARK}|"  # cannot come from a text: there every mark is followed by a semicolon
_HEAD = 24  # characters: long needles make a search slow, so that their heads are looked for
_NONCE = re.compile(r"<<<[^\n<>]{1,80} ([0-9a-f]{8})>>>")


class SharedTexts:
    """Texts by number, each once: passages, ids and templates, which many rows repeat."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """Return the number of a text that is kept here."""
        return self.numbers.setdefault(text, len(self.numbers))

    def shared(self, text: str) -> str | int:
        """Return the number of a text that is kept here; a short one stands for itself."""
        return text if len(text) < _WORTH_SHARING else self.number(text)

    def number_or_text(self, text: str) -> str | int:
        """Return the number of a text that is known already, or the text."""
        return self.numbers.get(text, text)

    def has_template(self, text: str) -> bool:
        """Return whether a text is known that is a template without marks: itself."""
        return text in self.numbers and _MARK not in text


@dataclass(frozen=True, slots=True)
class Known:
    """The texts of a row that its prompts and replies may repeat.

    Attributes:
        texts: In the order in which the page numbers them.
        contexts: How many of them, the first ones, are contexts.
    """

    texts: Sequence[str]
    contexts: int

    @classmethod
    def of(cls, row: Row, metrics: Sequence[str]) -> Known:
        """Return the contexts, the answer, the reference, the question, and each statement with its reason."""
        sample = row.sample
        found = [*sample.contexts, sample.answer, sample.reference or "", sample.question]
        for metric in metrics:
            if score := row.scores.get(metric):
                for verdict in score.verdicts:
                    found += (verdict.statement, verdict.reason)
        return cls(found, len(sample.contexts))

    def in_prompts(self) -> dict[str, str]:
        """Return the marks of what prompts may hold: all but the reasons."""
        last = self.contexts + 3
        return self._marks([*range(last), *range(last, len(self.texts), 2)])

    def in_replies(self) -> dict[str, str]:
        """Return the marks of what replies may hold: all but the contexts."""
        return self._marks(range(self.contexts, len(self.texts)))

    def _marks(self, numbers: Sequence[int]) -> dict[str, str]:
        """Return a mark for each text that is long enough; the first number of equal ones."""
        worth = ((n, text) for n in reversed(numbers) if len(text := self.texts[n]) >= _WORTH_A_MARK)
        return {text: f"{_MARK}{n};" for n, text in worth if _MARK not in text}


def marked(texts: Sequence[str], marks: Mapping[str, str]) -> list[str]:
    r"""Return the texts with the marks of what is known, so that prompts of one kind become equal.

    A `\x01` of a text itself becomes `\x01;`. What fills a whole line is found first and fast, so that the
    search within lines has little left to read.
    """
    if not texts:
        return []
    whole = _BETWEEN.join(text.replace(_MARK, f"{_MARK};") if _MARK in text else text for text in texts)
    lines = whole.split("\n")
    whole = "\n".join([marks.get(line, line) for line in lines])
    for text, mark in marks.items():
        if text[:_HEAD] in whole:
            whole = whole.replace(text, mark)
    return whole.split(_BETWEEN)


def without_nonces(templates: Sequence[str]) -> tuple[list[str], list[str]]:
    r"""Return templates with `\x01n<number>;` for the nonces of their fences, and the nonces."""
    if not templates:
        return [], []
    whole = _BETWEEN.join(templates)
    nonces = list(dict.fromkeys(_NONCE.findall(whole)))
    for number, nonce in enumerate(nonces):
        whole = whole.replace(nonce, f"{_MARK}n{number};")
    return whole.split(_BETWEEN), nonces
