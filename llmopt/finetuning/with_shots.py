"""A chat model that sees examples before every question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .._tokens import count_messages
from ..interfaces import ChatModel
from ..types import Completion, Example, Message, Options, Usage

__all__ = ["WithShots", "shot_tokens"]


@dataclass(repr=False, eq=False)
class WithShots(ChatModel):
    """Shows examples as turns of the chat, after the system message and before what is asked.

    Args:
        model: Answers.
        examples: Shown in this order, their system messages left out.

    Example:
        >>> from llmopt.testing import FakeModel
        >>> inner = FakeModel("6")
        >>> shown = Example((Message("user", "2 + 2?"), Message("assistant", "4")))
        >>> WithShots(inner, [shown]).complete("3 + 3?").text
        '6'
        >>> [message.content for message in inner.requests[0]]
        ['2 + 2?', '4', '3 + 3?']
    """

    model: ChatModel
    examples: Sequence[Example]

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Answer with the examples in sight."""
        places = (place for place, message in enumerate(messages) if message.role not in {"system", "developer"})
        at = next(places, len(messages))
        turns = [turn for example in self.examples for turn in _turns(example)]
        return await self.model.acomplete([*messages[:at], *turns, *messages[at:]], options)

    def price(self, usage: Usage) -> float | None:
        """Return what such a usage costs at the model inside."""
        return self.model.price(usage)


def _turns(example: Example) -> list[Message]:
    return [message for message in example.messages if message.role not in {"system", "developer"}]


def shot_tokens(example: Example) -> int:
    """Return the tokens that showing an example takes."""
    return count_messages(_turns(example)).count
