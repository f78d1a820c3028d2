"""Prompt strategies: how a question becomes messages, and a reply becomes an answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import final

from .._sync import run_sync
from .._trace import record
from ..errors import ContractError, ModelOutputError, UsageError
from ..types import Answer, AnswerDelta, Citation, Completion, Hit, Message, Options, Planned, Step
from .component import Component
from .model import ChatModel, content_of
from .planning import planned_calls

__all__ = ["PromptStrategy"]


class PromptStrategy(Component, ABC):
    """How a question and its contexts are put to a model. Write `messages`.

    Optional pure hooks read the reply: `parse` (the answer's text), `citations`, `abstains`. To sample,
    vote, decompose or use tools override `async solve`.

    Attributes:
        options: How replies are sampled; strategies take it as a parameter.

    Example:
        >>> class Terse(PromptStrategy):
        ...     def messages(self, question: str, contexts: Sequence[Hit]) -> list[Message]:
        ...         return [Message("user", f"Answer in one word. {question}")]
        >>> from llmopt.testing import FakeModel
        >>> Terse().run(FakeModel("Paris"), "What is the capital of France?").text
        'Paris'
    """

    options: Options = Options()

    @abstractmethod
    def messages(self, question: str, contexts: Sequence[Hit]) -> Sequence[Message]:
        """Build the prompt. Pure: no I/O, so prompts can be tested and counted without a model."""

    def parse(self, text: str) -> str:
        """Pull the answer out of a reply. Pure."""
        return text.strip()

    def citations(self, text: str, contexts: Sequence[Hit]) -> Sequence[Citation]:
        """Return the contexts that the answer points to. Pure; by default none."""
        return ()

    def abstains(self, text: str) -> bool:
        """Return whether the answer says that it does not know. Pure; by default never."""
        return False

    def answer(self, completion: Completion, contexts: Sequence[Hit]) -> Answer:
        """Make an answer of one reply by the pure hooks.

        Raises:
            ModelRefusedError, OutputCutError, ContentFilteredError, ModelOutputError: When the reply holds
                no answer; there is never an empty one.
        """
        text = self.parse(content_of(completion))
        if not text.strip():
            raise ModelOutputError(
                f"{type(self).__name__}: the reply holds thoughts or tool calls and no answer: "
                f"{completion.text[-200:]!r}"
            )
        return Answer(
            text,
            contexts,
            citations=self.citations(text, contexts),
            outcome="abstained" if self.abstains(text) else "answered",
        )

    async def prepare(self, question: str) -> PromptStrategy:
        """Return the strategy as it will be used for this question; called once, before anything else.

        A strategy that must look something up first (the nearest examples) overrides it and returns a
        copy that holds what it found, so that `messages` stays pure. By default the strategy itself, with
        the strategies inside it prepared.
        """
        inner = {name: part for name, part in self.params().items() if isinstance(part, PromptStrategy)}
        ready = {name: await part.prepare(question) for name, part in inner.items()}
        if all(ready[name] is part for name, part in inner.items()):
            return self
        make: Callable[..., PromptStrategy] = type(self)
        return make(**{**self.params(), **ready})

    async def solve(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Answer:
        """Answer with one model call; usage, cost and trace are filled in by `run`."""
        completion = await model.acomplete(self.messages(question, contexts), self.options)
        return self.answer(completion, contexts)

    def plan(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> Sequence[Planned]:
        """Return what answering will take at most, repairs and retries not counted; by default one call.

        A strategy that asks more often overrides it together with `solve`. Pure: nothing is asked.
        """
        return [planned_calls(model, "answer", self.messages(question, contexts), options=self.options)]

    async def stream(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> AsyncIterator[AnswerDelta]:
        """Yield the answer in pieces, the last with the whole.

        A strategy that overrides `solve` comes in one piece unless it overrides this, too.
        """
        if type(self).solve is not PromptStrategy.solve:
            answer = await self.solve(model, question, contexts)
            yield AnswerDelta(answer.text, answer)
            return
        async for delta in model.acomplete_stream(self.messages(question, contexts), self.options):
            whole = None if delta.completion is None else self.answer(delta.completion, contexts)
            yield AnswerDelta(delta.text, whole)

    @final
    def run(self, model: ChatModel, question: str, contexts: Sequence[Hit] = ()) -> Answer:
        """Answer a question from the given contexts.

        Raises:
            UsageError: When the question is empty.
            ModelError: When the model gives no usable reply.
        """
        return run_sync(self.arun, model, question, contexts)

    @final
    async def arun(self, model: ChatModel, question: str, contexts: Sequence[Hit] = ()) -> Answer:
        """Answer a question from the given contexts; the async twin of `run`."""
        if not question.strip():
            raise UsageError("the question is empty")
        with record("prompt", self, question) as recorder:
            ready = await self.prepare(question)
            answer = await ready.solve(model, question, contexts)
            if not isinstance(answer, Answer):  # pyright: ignore[reportUnnecessaryIsInstance] - users write solve
                raise ContractError(f"`{type(self).__name__}.solve` must return an Answer, got {type(answer).__name__}")
            recorder.output = answer.text
        return _accounted(answer, recorder.frozen())


def _accounted(answer: Answer, step: Step) -> Answer:
    return replace(answer, usage=step.usage, cost=step.cost, trace=step)
