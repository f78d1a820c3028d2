"""The plain prompt: instructions, the reference text if there is any, the question."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from ..interfaces import ChatModel, PromptStrategy
from ..types import Answer, AnswerDelta, Completion, Hit, Message, Options
from .contexts import fenced_contexts, within_budget
from .streaming import stream_without_thoughts
from .thoughts import without_thoughts

__all__ = ["Direct"]


@dataclass(frozen=True, repr=False)
class Direct(PromptStrategy):
    """Asks the question as it is, with your instructions; contexts, if any, are offered, not imposed.

    The baseline of every experiment. What a model thinks aloud between `<think>` tags is not part of the
    answer. Source: OpenAI, "Prompt engineering: six strategies" (clear instructions, reference text).

    Args:
        instructions: The system message; none when empty.
        options: How the reply is sampled.
        max_context_tokens: Budget for the contexts; the lowest ranked are left out, the trace says which.

    Example:
        >>> from llmopt.testing import FakeModel
        >>> Direct("Answer in one word.").run(FakeModel("Paris"), "Capital of France?").text
        'Paris'
    """

    instructions: str = ""
    options: Options = Options()
    max_context_tokens: int | None = None

    def messages(self, question: str, contexts: Sequence[Hit]) -> list[Message]:
        """Build one system message (when there are instructions) and one user message."""
        system = [Message("system", self.instructions)] if self.instructions else []
        contexts = within_budget(contexts, self.max_context_tokens)
        if not contexts:
            return [*system, Message("user", question)]
        return [*system, Message("user", f"{fenced_contexts(contexts)}\n\n{question}")]

    def parse(self, text: str) -> str:
        """Return the reply without thoughts."""
        return without_thoughts(text).strip()

    def answer(self, completion: Completion, contexts: Sequence[Hit]) -> Answer:
        """Make an answer of one reply; its contexts are those that were shown."""
        return super().answer(completion, within_budget(contexts, self.max_context_tokens))

    async def stream(self, model: ChatModel, question: str, contexts: Sequence[Hit]) -> AsyncIterator[AnswerDelta]:
        """Yield the answer in pieces, thoughts left out, the last with the whole."""
        async for delta in stream_without_thoughts(super().stream(model, question, contexts)):
            yield delta
