"""Strategies around other strategies: what the outer one does not say, the inner one says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from ..interfaces import ChatModel, PromptStrategy
from ..types import Answer, AnswerDelta, Citation, Completion, Hit, Message, Options, Planned
from .streaming import stream_without_thoughts

__all__ = ["Wrapper", "first_turn", "is_one_call", "is_read_as_it_stands"]


class Wrapper(PromptStrategy):
    """A strategy that changes how another one, its `inner`, is used.

    Everything is the inner strategy's until a subclass overrides it. Strategies nest in any depth:
    `SelfConsistency(ChainOfThought(FewShot(Grounded(), shots)))`.

    Attributes:
        inner: The strategy inside.

    Example:
        >>> from dataclasses import dataclass
        >>> from llmopt.prompting import Direct
        >>> from llmopt.testing import FakeModel
        >>> @dataclass(frozen=True, repr=False)
        ... class Politely(Wrapper):
        ...     inner: PromptStrategy
        ...     def messages(self, question: str, contexts: Sequence[Hit]) -> Sequence[Message]:
        ...         return [Message("system", "Be polite."), *self.inner.messages(question, contexts)]
        >>> Politely(Direct()).run(FakeModel("Paris, of course."), "Capital of France?").text
        'Paris, of course.'
    """

    inner: PromptStrategy

    @property
    def options(self) -> Options:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        """How replies are sampled: as the inner strategy says."""
        return self.inner.options

    @property
    def one_call(self) -> bool:
        """Whether one reply to `messages` makes the answer, so that another wrapper may change the messages."""
        return type(self).solve is PromptStrategy.solve and is_one_call(self.inner)

    def messages(self, question: str, contexts: Sequence[Hit]) -> Sequence[Message]:
        """Build the inner strategy's prompt."""
        return self.inner.messages(question, contexts)

    def parse(self, text: str) -> str:
        """Pull the answer out of a reply as the inner strategy does."""
        return self.inner.parse(text)

    def citations(self, text: str, contexts: Sequence[Hit]) -> Sequence[Citation]:
        """Return the contexts that the answer points to, as the inner strategy reads them."""
        return self.inner.citations(text, contexts)

    def abstains(self, text: str) -> bool:
        """Return whether the answer says that it does not know, as the inner strategy reads it."""
        return self.inner.abstains(text)

    def answer(self, completion: Completion, contexts: Sequence[Hit]) -> Answer:
        """Make an answer of one reply as the inner strategy does."""
        return self.inner.answer(completion, contexts)

    def plan(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Sequence[Planned]:
        """Return what the inner strategy takes."""
        return self.inner.plan(model, question, contexts)

    async def stream(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> AsyncIterator[AnswerDelta]:
        """Yield the answer in pieces, thoughts left out; of a strategy of several calls in one piece."""
        async for delta in stream_without_thoughts(super().stream(model, question, contexts)):
            yield delta


def is_one_call(strategy: PromptStrategy) -> bool:
    """Return whether one reply to the strategy's `messages` makes its answer."""
    if isinstance(strategy, Wrapper):
        return strategy.one_call
    return type(strategy).solve is PromptStrategy.solve


def is_read_as_it_stands(strategy: PromptStrategy) -> bool:
    """Return whether the pieces of a reply to the strategy are pieces of its answer."""
    while isinstance(strategy, Wrapper):
        if type(strategy).answer is not Wrapper.answer or type(strategy).parse is not Wrapper.parse:
            return False
        strategy = strategy.inner
    return True


def first_turn(messages: Sequence[Message]) -> int:
    """Return the place of the first message that is a turn of the chat, behind the system messages."""
    places = (place for place, message in enumerate(messages) if message.role not in {"system", "developer"})
    return next(places, len(messages))
