"""Judges: what the metrics need to know, from a model, an NLI model or a heuristic."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

from .._sync import call, call_sync
from .._trace import step
from ..errors import ContractError, UsageError
from ..types import ImpliedQuestion, MaybeAwaitable, Verdict
from .component import Component

__all__ = ["Judge"]


class Judge(Component, ABC):
    """Somebody who reads answers and contexts and says what holds. Write the five hooks.

    Every hook may be `def` or `async def`. Verdicts come back in the order of what was asked about, one
    for each; `holds=None` says that there is none, and is counted, never scored.

    Example:
        >>> class Literal(Judge):
        ...     def claims(self, question: str, answer: str) -> list[str]:
        ...         return [answer] if answer else []
        ...     def supported(self, claims: Sequence[str], contexts: Sequence[str]) -> list[Verdict]:
        ...         return [Verdict(c, any(c in text for text in contexts)) for c in claims]
        ...     def useful(self, question: str, target: str, contexts: Sequence[str]) -> list[Verdict]:
        ...         return [Verdict(text, target in text) for text in contexts]
        ...     def questions(self, answer: str, count: int) -> list[ImpliedQuestion]:
        ...         return [ImpliedQuestion(f"What is {answer}?")] * count
        ...     def attributed(self, question: str, reference: str, contexts: Sequence[str]) -> list[Verdict]:
        ...         return self.supported([reference], contexts)
        >>> [verdict.holds for verdict in Literal().verify(["a cat", "a dog"], ["a cat sat"])]
        [True, False]
    """

    @abstractmethod
    def claims(self, question: str, answer: str) -> MaybeAwaitable[Sequence[str]]:
        """Split an answer into statements that stand alone; none when it states nothing."""

    @abstractmethod
    def supported(self, claims: Sequence[str], contexts: Sequence[str]) -> MaybeAwaitable[Sequence[Verdict]]:
        """Say of each claim whether it can be inferred from the contexts."""

    @abstractmethod
    def useful(self, question: str, target: str, contexts: Sequence[str]) -> MaybeAwaitable[Sequence[Verdict]]:
        """Say of each context whether it was useful to arrive at `target` (the reference or the answer)."""

    @abstractmethod
    def questions(self, answer: str, count: int) -> MaybeAwaitable[Sequence[ImpliedQuestion]]:
        """Return `count` questions that the answer would answer."""

    @abstractmethod
    def attributed(self, question: str, reference: str, contexts: Sequence[str]) -> MaybeAwaitable[Sequence[Verdict]]:
        """Split the reference into statements and say of each whether it can be attributed to the contexts."""

    @final
    def split(self, question: str, answer: str) -> list[str]:
        """Return the answer's claims, without empty ones."""
        with step("claims", self, answer) as recorder:
            recorder.output = found = _filled(call_sync(self.claims, question, answer))
        return found

    @final
    async def asplit(self, question: str, answer: str) -> list[str]:
        """Return the answer's claims; the async twin of `split`."""
        with step("claims", self, answer) as recorder:
            recorder.output = found = _filled(await call(self.claims, question, answer))
        return found

    @final
    def verify(self, claims: Sequence[str], contexts: Sequence[str]) -> list[Verdict]:
        """Return a verdict per claim: can it be inferred from the contexts?

        Raises:
            ContractError: When the hook gives another number of verdicts.
        """
        with step("supported", self, claims) as recorder:
            recorder.output = found = self._each("supported", claims, call_sync(self.supported, claims, contexts))
        return found

    @final
    async def averify(self, claims: Sequence[str], contexts: Sequence[str]) -> list[Verdict]:
        """Return a verdict per claim; the async twin of `verify`."""
        with step("supported", self, claims) as recorder:
            recorder.output = found = self._each("supported", claims, await call(self.supported, claims, contexts))
        return found

    @final
    def rate(self, question: str, target: str, contexts: Sequence[str]) -> list[Verdict]:
        """Return a verdict per context: was it useful to arrive at the target?

        Raises:
            ContractError: When the hook gives another number of verdicts.
        """
        with step("useful", self, target) as recorder:
            given = call_sync(self.useful, question, target, contexts)
            recorder.output = found = self._each("useful", contexts, given)
        return found

    @final
    async def arate(self, question: str, target: str, contexts: Sequence[str]) -> list[Verdict]:
        """Return a verdict per context; the async twin of `rate`."""
        with step("useful", self, target) as recorder:
            given = await call(self.useful, question, target, contexts)
            recorder.output = found = self._each("useful", contexts, given)
        return found

    @final
    def imply(self, answer: str, *, count: int = 3) -> list[ImpliedQuestion]:
        """Return questions that the answer would answer, at least one and at most `count`."""
        with step("questions", self, answer) as recorder:
            recorder.output = found = list(call_sync(self.questions, answer, _positive(count)))[:count]
        return found

    @final
    async def aimply(self, answer: str, *, count: int = 3) -> list[ImpliedQuestion]:
        """Return questions that the answer would answer; the async twin of `imply`."""
        with step("questions", self, answer) as recorder:
            recorder.output = found = list(await call(self.questions, answer, _positive(count)))[:count]
        return found

    @final
    def attribute(self, question: str, reference: str, contexts: Sequence[str]) -> list[Verdict]:
        """Return the reference's statements, each with whether the contexts hold it."""
        with step("attributed", self, reference) as recorder:
            recorder.output = found = list(call_sync(self.attributed, question, reference, contexts))
        return found

    @final
    async def aattribute(self, question: str, reference: str, contexts: Sequence[str]) -> list[Verdict]:
        """Return the reference's statements with verdicts; the async twin of `attribute`."""
        with step("attributed", self, reference) as recorder:
            recorder.output = found = list(await call(self.attributed, question, reference, contexts))
        return found

    def _each(self, hook: str, asked: Sequence[str], verdicts: Sequence[Verdict]) -> list[Verdict]:
        if len(verdicts) != len(asked):
            raise ContractError(
                f"`{type(self).__name__}.{hook}` must return one verdict for each of {len(asked)} items, it returned "
                f"{len(verdicts)}; give `Verdict(item, None, reason)` where there is none"
            )
        return list(verdicts)


def _filled(claims: Sequence[str]) -> list[str]:
    return [claim.strip() for claim in claims if claim.strip()]


def _positive(count: int) -> int:
    if count < 1:
        raise UsageError(f"`count` is a number of questions and must be at least 1, got {count}")
    return count
