"""Texts kept once, and prompts as templates of texts that stand elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...evaluation import Row

__all__ = ["Marks", "SharedTexts", "marked", "without_nonces"]

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
class Marks:
    """Marks for the texts of a row, by text.

    They are numbered: contexts, answer, reference, question, then each verdict's statement and reason.

    Attributes:
        in_prompts: For all but the reasons.
        in_replies: For all but the contexts.
    """

    in_prompts: Mapping[str, str]
    in_replies: Mapping[str, str]

    @classmethod
    def of(cls, row: Row, metrics: Sequence[str]) -> Marks:
        """Return the marks of what the prompts and replies of a row may repeat."""
        sample = row.sample
        judged = [v for metric in metrics if (score := row.scores.get(metric)) for v in score.verdicts]
        contexts, own = sample.contexts, (sample.answer, sample.reference or "", sample.question)
        first = len(contexts) + len(own)
        both = [*enumerate(own, len(contexts)), *((first + 2 * n, v.statement) for n, v in enumerate(judged))]
        reasons = [(first + 2 * n + 1, v.reason) for n, v in enumerate(judged)]
        return cls(_marks([*enumerate(contexts), *both]), _marks([*both, *reasons]))


def _marks(numbered: Sequence[tuple[int, str]]) -> dict[str, str]:
    """Return a mark for each text that is worth one; of equal texts the first one's."""
    return {text: f"{_MARK}{n};" for n, text in reversed(numbered) if len(text) >= _WORTH_A_MARK and _MARK not in text}


def marked(texts: Sequence[str], marks: Mapping[str, str]) -> list[str]:
    r"""Return the texts with the marks of what is known, so that prompts of one kind become equal.

    A `\x01` of a text itself becomes `\x01;`. What fills a whole line is found first and fast, so that the
    search within lines has little left to read.
    """
    if not texts:
        return []
    whole = _BETWEEN.join(text.replace(_MARK, f"{_MARK};") if _MARK in text else text for text in texts)
    whole = "\n".join([marks.get(line, line) for line in whole.split("\n")])
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
