"""The plain prompt: instructions, the reference text if there is any, the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..interfaces import PromptStrategy
from ..types import Hit, Message, Options
from .contexts import fenced_contexts

__all__ = ["Direct"]


@dataclass(frozen=True, repr=False)
class Direct(PromptStrategy):
    """Asks the question as it is, with your instructions; contexts, if any, are offered, not imposed.

    The baseline of every experiment. Source: OpenAI, "Prompt engineering: six strategies" (clear
    instructions, reference text).

    Args:
        instructions: The system message; none when empty.
        options: How the reply is sampled.

    Example:
        >>> from llmopt.testing import FakeModel
        >>> Direct("Answer in one word.").run(FakeModel("Paris"), "Capital of France?").text
        'Paris'
    """

    instructions: str = ""
    options: Options = Options()

    def messages(self, question: str, contexts: Sequence[Hit]) -> list[Message]:
        """Build one system message (when there are instructions) and one user message."""
        system = [Message("system", self.instructions)] if self.instructions else []
        if not contexts:
            return [*system, Message("user", question)]
        return [*system, Message("user", f"{fenced_contexts(contexts)}\n\n{question}")]
