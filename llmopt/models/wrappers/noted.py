"""A model that is told something before every request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from ...interfaces import ChatModel
from ...types import Completion, Delta, Message, Options, Usage

__all__ = ["Noted"]


@dataclass(frozen=True, repr=False)
class Noted(ChatModel):
    """Puts a system message with notes behind the system messages of every request to the inner model.

    A pipeline uses it for the notes of a route; so they reach every call of any strategy.

    Example:
        >>> from llmopt.testing import FakeModel
        >>> inner = FakeModel("ok")
        >>> _ = Noted(inner, "Amounts are in euros.").complete("How much?")
        >>> [message.content for message in inner.requests[0]]
        ['Amounts are in euros.', 'How much?']
    """

    inner: ChatModel
    notes: str

    def noted(self, messages: Sequence[Message]) -> list[Message]:
        """Return the messages with the notes in their place."""
        at = next(
            (i for i, message in enumerate(messages) if message.role not in {"system", "developer"}), len(messages)
        )
        return [*messages[:at], Message("system", self.notes), *messages[at:]]

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Ask the inner model, which has its own step in the trace, with the notes in sight."""
        return await self.inner.acomplete(self.noted(messages), options)

    def stream(self, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
        """Stream from the inner model."""
        return self.inner.stream(self.noted(messages), options)

    def price(self, usage: Usage) -> float | None:
        """Return what the inner model costs."""
        return self.inner.price(usage)
