"""What is asked of a judge, as a value: it is rendered, planned, and shared between metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from .._text import sentences
from ..interfaces import Judge
from ..types import Planned

__all__ = ["Hook", "Inquiry", "Planning", "likely_claims", "planned", "told"]

Hook: TypeAlias = Literal["claims", "supported", "useful", "questions", "attributed"]

_CLAIMS_PER_SENTENCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """One question to a judge.

    Attributes:
        hook: Which of the judge's five hooks it goes to.
        question: The sample's question.
        text: The answer, the reference or the target, as the hook has it.
        statements: The claims to verify.
        contexts: The contexts to judge by, or to judge.
        count: How many questions are wanted.
    """

    hook: Hook
    question: str = ""
    text: str = ""
    statements: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    count: int = 0


@runtime_checkable
class Planning(Protocol):
    """A judge that can say what an inquiry will take."""

    def plan(self, inquiry: Inquiry) -> Sequence[Planned]:
        """Return the calls, tokens and money at most, repairs and retries not counted."""
        ...


def planned(judge: Judge, name: str, inquiries: Sequence[Inquiry]) -> list[Planned]:
    """Return what a metric's inquiries will take, under the metric's name; nothing for a judge that pays nothing."""
    if not isinstance(judge, Planning):
        return []
    return [Planned(f"{name}: {item.what}", item.usage, item.cost) for asked in inquiries for item in judge.plan(asked)]


def likely_claims(text: str) -> tuple[str, ...]:
    """Return stand-ins for the claims of a text that is not split yet: each sentence twice."""
    found = [text[span.start : span.end] for span in sentences(text)]
    return tuple(sentence for sentence in found for _ in range(_CLAIMS_PER_SENTENCE))


def told(question: str, answer: str) -> str:
    """Return an answer with its question: "1867" alone supports no claim that stands alone."""
    return f"Question: {question}\nAnswer: {answer}"
