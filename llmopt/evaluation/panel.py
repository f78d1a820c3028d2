"""Several judges as one: they vote."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from .._trace import note
from ..errors import ModelError, UsageError
from ..interfaces import Judge
from ..types import ImpliedQuestion, Planned, Verdict
from .inquiry import Inquiry, Planning, likely_claims

__all__ = ["Panel"]


@dataclass(frozen=True, repr=False)
class Panel(Judge):
    """Judges who vote on every claim and context; the majority of those who have a verdict counts.

    A tie is no verdict. The first judge splits answers and implies questions, so that all vote on the same
    claims. A judge whose model fails has no vote; when all fail the first error is raised. Panels of
    small models of different families can beat one large judge and favour their own family less (Verga et
    al. 2024).

    Args:
        judges: At least one; the first also splits.

    Example:
        >>> from llmopt.testing import FakeJudge
        >>> panel = Panel([FakeJudge({"a": True}), FakeJudge({"a": True}), FakeJudge({"a": False})])
        >>> panel.verify(["a"], ["a context"])
        [Verdict(statement='a', holds=True, reason='2 of 3 say yes', probability=0.6666666666666666)]
    """

    judges: Sequence[Judge]

    async def claims(self, question: str, answer: str) -> list[str]:
        """Let the first judge split the answer."""
        return await self._first().asplit(question, answer)

    async def supported(self, claims: Sequence[str], contexts: Sequence[str]) -> list[Verdict]:
        """Return the panel's votes on the claims."""
        return await self._vote(claims, lambda judge: judge.averify(claims, contexts))

    async def useful(self, question: str, target: str, contexts: Sequence[str]) -> list[Verdict]:
        """Return the panel's votes on the contexts."""
        return await self._vote(contexts, lambda judge: judge.arate(question, target, contexts))

    async def questions(self, answer: str, count: int) -> list[ImpliedQuestion]:
        """Let the first judge imply the questions."""
        return await self._first().aimply(answer, count=count)

    async def attributed(self, question: str, reference: str, contexts: Sequence[str]) -> list[Verdict]:
        """Let the first judge split the reference, and return the panel's votes on its statements."""
        claims = await self._first().asplit(question, reference)
        return await self.supported(claims, contexts) if claims else []

    def plan(self, inquiry: Inquiry) -> list[Planned]:
        """Return what the inquiry takes for all who are asked."""
        if inquiry.hook in {"claims", "questions"}:
            return _planned(self._first(), inquiry)
        if inquiry.hook != "attributed":
            return [item for judge in self.judges for item in _planned(judge, inquiry)]
        split = Inquiry(hook="claims", question=inquiry.question, text=inquiry.text)
        verify = Inquiry(hook="supported", statements=likely_claims(inquiry.text), contexts=inquiry.contexts)
        return [*_planned(self._first(), split), *(item for judge in self.judges for item in _planned(judge, verify))]

    def _first(self) -> Judge:
        if not self.judges:
            raise UsageError("a Panel needs at least one judge, got none")
        return self.judges[0]

    async def _vote(self, items: Sequence[str], ask: Callable[[Judge], Awaitable[list[Verdict]]]) -> list[Verdict]:
        self._first()

        async def voted(judge: Judge) -> list[Verdict] | ModelError:
            try:
                return await ask(judge)
            except ModelError as error:
                return error

        replies = await asyncio.gather(*(voted(judge) for judge in self.judges))
        votes = [reply for reply in replies if not isinstance(reply, ModelError)]
        errors = [reply for reply in replies if isinstance(reply, ModelError)]
        if errors:
            note("judges without a vote", [str(error) for error in errors])
        if not votes:
            raise errors[0]
        return [_majority(item, [vote[number] for vote in votes]) for number, item in enumerate(items)]


def _planned(judge: Judge, inquiry: Inquiry) -> list[Planned]:
    return list(judge.plan(inquiry)) if isinstance(judge, Planning) else []


def _majority(item: str, votes: Sequence[Verdict]) -> Verdict:
    judged = [vote for vote in votes if vote.holds is not None]
    if not judged:
        return Verdict(item, None, "; ".join(vote.reason for vote in votes if vote.reason) or "nobody has a verdict")
    yes = sum(vote.holds is True for vote in judged)
    share = yes / len(judged)
    if 2 * yes == len(judged):
        return Verdict(item, None, f"the panel is split: {yes} of {len(judged)} say yes", share)
    holds = 2 * yes > len(judged)
    said = f"{yes} of {len(judged)} say yes"
    reason = next((vote.reason for vote in judged if vote.holds is holds and vote.reason), "")
    return Verdict(item, holds, f"{said}: {reason}" if reason else said, share)
