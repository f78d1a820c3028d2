"""What every judge keeps to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar, TypeVar

from ...interfaces import Judge
from .components import ComponentContract

__all__ = ["JudgeContract"]

J = TypeVar("J", bound=Judge)


class JudgeContract(ComponentContract[J]):
    """Subclass as `TestMine`, define `make`, and pytest runs every check."""

    question: ClassVar[str] = "How long does a cat sleep, and what does it eat?"
    answer: ClassVar[str] = "A cat sleeps fifteen hours a day. It eats meat."
    contexts: ClassVar[Sequence[str]] = ("A cat sleeps fifteen hours a day. Cats eat meat.", "A dog barks at cars.")

    def use(self, component: J) -> None:
        """Split once."""
        component.split(self.question, self.answer)

    def test_an_answer_has_claims_and_an_empty_one_has_none(self) -> None:
        """Claims are texts that are not empty."""
        claims = self.make().split(self.question, self.answer)
        assert claims
        assert all(claims)
        assert self.make().split(self.question, "") == []

    def test_every_claim_gets_its_verdict_in_order(self) -> None:
        """With a reason."""
        claims = ["A cat sleeps fifteen hours a day.", "Cats eat stones."]
        verdicts = self.make().verify(claims, self.contexts)
        assert [verdict.statement for verdict in verdicts] == claims
        assert self.make().verify([], self.contexts) == []

    def test_every_context_gets_its_verdict_in_order(self) -> None:
        """As many as there are contexts."""
        assert len(self.make().rate(self.question, self.answer, self.contexts)) == len(self.contexts)
        assert self.make().rate(self.question, self.answer, []) == []

    def test_questions_are_implied(self) -> None:
        """At least one, at most as many as asked for."""
        implied = self.make().imply(self.answer, count=3)
        assert 1 <= len(implied) <= 3
        assert all(each.question.strip() for each in implied)

    def test_reference_statements_are_attributed(self) -> None:
        """At least one statement."""
        assert self.make().attribute(self.question, self.answer, self.contexts)

    def test_sync_and_async_agree(self) -> None:
        """Both ways give the same verdicts."""
        claims = ["A cat sleeps fifteen hours a day."]
        awaited = asyncio.run(self.make().averify(claims, self.contexts))
        assert [verdict.holds for verdict in awaited] == [v.holds for v in self.make().verify(claims, self.contexts)]
