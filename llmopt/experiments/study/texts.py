"""Texts kept once, and what the prompts and replies of a row repeat."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ...evaluation import Row

__all__ = ["MARK", "Known", "SharedTexts"]

MARK = "\x01"  # begins what stands for a known text

_WORTH_SHARING = 24  # characters; shorter texts cost no more where they stand
_WORTH_A_MARK = 12
_REST = 8  # characters of a mark at most: a text with a semicolon in so many first ones could be found inside marks
# The closing line of a fence: each that was opened has one, so there is half as much to read.
_NONCE = re.compile(r"<<<end [^\n<>]{1,80} ([0-9a-f]{8})>>>")


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


@dataclass(frozen=True)
class Known:
    """What the prompts and replies of a row are made of, beside the words of their templates.

    Attributes:
        texts: Contexts, answer, reference, question, the verdicts' reasons, their statements: one may hold a later one.
        nonces: Of the fences, in the order of the prompts.
        values: What marks stand for: `MARK` itself at 0, the texts from 1 on, the nonces from -1 on backwards.
    """

    texts: Sequence[str]
    nonces: Sequence[str]
    values: Sequence[str]

    @classmethod
    def of(cls, row: Row, metrics: Sequence[str]) -> Known:
        """Return what is known of a row."""
        sample = row.sample
        verdicts = [verdict for metric in metrics if (score := row.scores.get(metric)) for verdict in score.verdicts]
        own = sample.answer, sample.reference or "", sample.question
        judged = *[verdict.reason for verdict in verdicts], *[verdict.statement for verdict in verdicts]
        texts = [*sample.contexts, *own, *judged]
        prompts = [m.content for call in row.calls for m in call.messages if m.role != "system"]  # there are no data
        nonces = list(dict.fromkeys([nonce for text in prompts for nonce in _NONCE.findall(text)]))
        return cls(texts, nonces, [MARK, *texts, *reversed(nonces)])

    @cached_property
    def marks(self) -> Mapping[str, str]:
        """A mark for each text that is worth one; of equal texts the first one's."""
        marks: dict[str, str] = {}
        for number, text in enumerate(self.texts):
            if len(text) >= _WORTH_A_MARK and MARK not in text and ";" not in text[:_REST]:
                marks.setdefault(text, f"{MARK}{number};")
        return marks
