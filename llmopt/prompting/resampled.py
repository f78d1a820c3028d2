"""A model as one of several samples sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..interfaces import ChatModel
from ..types import Completion, Message, Options, Usage

__all__ = ["Resampled"]


@dataclass(frozen=True, repr=False)
class Resampled(ChatModel):
    """Marks every request to the inner model as belonging to one sample of several, and sets the temperature.

    The number of the sample is part of a cache's key, so that samples are not collapsed into one. Samples
    inside samples stay apart, too.

    Args:
        inner: The model.
        number: Of the sample, from 0.
        samples: How many there are.
        temperature: For the requests; None leaves theirs.
    """

    inner: ChatModel
    number: int
    samples: int
    temperature: float | None = None

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Ask the inner model, which has its own step in the trace."""
        temperature = options.temperature if self.temperature is None else self.temperature
        replicate = options.replicate * self.samples + self.number
        return await self.inner.acomplete(messages, replace(options, temperature=temperature, replicate=replicate))

    def price(self, usage: Usage) -> float | None:
        """Return what the inner model costs."""
        return self.inner.price(usage)
