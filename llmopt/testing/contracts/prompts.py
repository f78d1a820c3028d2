"""What every prompt strategy keeps to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar, TypeVar

import pytest

from ..._sync import run_sync
from ...errors import LlmoptError, UsageError
from ...interfaces import ChatModel, PromptStrategy
from ...types import Completion, Document, Hit
from ..fakes import FakeModel
from .components import ODD_TEXTS, ComponentContract

__all__ = ["PromptStrategyContract"]

P = TypeVar("P", bound=PromptStrategy)


class PromptStrategyContract(ComponentContract[P]):
    """Subclass as `TestMine`, define `make`, and pytest runs every check.

    Attributes:
        question: A question.
        contexts: Contexts for it.
        reply: What a model would answer to the strategy's prompt; override `model` for several calls.
    """

    question: ClassVar[str] = "How long does a cat sleep?"
    contexts: ClassVar[Sequence[Hit]] = (
        Hit(Document("cat", "A cat sleeps fifteen hours a day."), 2.0),
        Hit(Document("dog", "A dog barks at cars."), 1.0),
    )
    reply: ClassVar[str] = "Fifteen hours [1]."

    def model(self) -> ChatModel:
        """Return a model that answers the strategy's prompts."""
        return FakeModel(self.reply)

    def use(self, component: P) -> None:
        """Answer once."""
        component.run(self.model(), self.question, self.contexts)

    def test_messages_are_pure(self) -> None:
        """Asked twice they are the same, and nothing was sent."""
        strategy = run_sync(self.make().prepare, self.question)
        once = list(strategy.messages(self.question, self.contexts))
        assert once == list(strategy.messages(self.question, self.contexts))
        assert once
        assert once[-1].role in {"user", "tool"}

    @pytest.mark.parametrize("odd", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
    def test_question_and_contexts_arrive_verbatim(self, odd: str) -> None:
        """Braces, control characters and things that look like fences included."""
        strategy = run_sync(self.make().prepare, odd)
        contexts = [Hit(Document("odd", f"begin {odd} end"), 1.0)]
        sent = "\n".join(message.content for message in strategy.messages(odd, contexts))
        assert odd in sent
        assert f"begin {odd} end" in sent

    def test_an_answer_has_text_contexts_and_an_account(self) -> None:
        """Usage and trace are filled in; sync and async agree."""
        answer = self.make().run(self.model(), self.question, self.contexts)
        assert answer.text
        assert answer.trace is not None
        assert answer.usage.calls >= 1
        assert asyncio.run(self.make().arun(self.model(), self.question, self.contexts)).text == answer.text

    def test_a_question_without_contexts_is_answered(self) -> None:
        """The strategy decides how."""
        assert self.make().run(self.model(), self.question).text

    def test_an_empty_question_is_refused(self) -> None:
        """Before anything is paid."""
        with pytest.raises(UsageError):
            self.make().run(self.model(), " ")

    def test_a_refusal_is_a_typed_error_and_never_an_empty_answer(self) -> None:
        """So are a cut and a filtered reply."""
        for finish in ("refusal", "length", "content_filter"):
            with pytest.raises(LlmoptError):
                self.make().run(FakeModel(Completion("", finish=finish)), self.question, self.contexts)
