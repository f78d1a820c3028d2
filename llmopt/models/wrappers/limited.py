"""Models and embedders that keep to a provider's limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from ..._sync import call
from ...interfaces import ChatModel, Embedder
from ...types import Completion, Delta, Matrix, Message, Options, TextKind, Usage
from .estimate import prompt_tokens, text_tokens
from .limiter import Limiter
from .wrapping import PerProcess, closing, model_name

__all__ = ["Limited", "LimitedEmbedder"]

_USUAL_REPLY_TOKENS = 500


@dataclass(repr=False, eq=False)
class Limited(ChatModel):
    """Holds calls back until the provider's limits allow them, in the order in which they came.

    One object is one account: share it between pipelines that use the same account. All event loops and
    threads of the process share its limits. A call that waits can be cancelled and then holds nothing.

    Requests and tokens are let through evenly, one second's worth at once. Tokens are estimated before a
    call (prompt, and `max_tokens` or 500 for the reply) and set right by the usage of the reply. When the
    provider says "too many requests", all calls pause for as long as it asks, whatever the length, unless
    later requests get through all the same; and fewer go out at a time, down to half per round trip when
    many are refused. With every round trip of successes one more does.

    Args:
        inner: The model that is asked.
        requests_per_minute: Most requests in any 60 seconds; None for no limit.
        tokens_per_minute: Tokens per minute, read and written; None for no limit.
        concurrency: Most requests at a time.

    Raises:
        UsageError: At the first call, when a limit makes no sense.

    Example:
        >>> from llmopt.testing import FakeModel
        >>> Limited(FakeModel("yes"), requests_per_minute=600, concurrency=8).complete("Really?").text
        'yes'
    """

    passes_through: ClassVar[bool] = True

    inner: ChatModel
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    concurrency: int = 64
    _state: PerProcess[Limiter] = field(init=False, default_factory=PerProcess[Limiter])

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Wait for the limits, then ask the inner model."""
        limiter = self._limiter()
        slot = await limiter.acquire(self._tokens(messages, options))
        try:
            completion = await call(self.inner.generate, messages, options)
        except BaseException as error:
            limiter.failed(slot, error)
            raise
        limiter.succeeded(slot, completion.usage.total_tokens or None)
        return completion

    async def stream(self, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
        """Wait for the limits, then stream from the inner model; the place is held until the end."""
        limiter = self._limiter()
        slot = await limiter.acquire(self._tokens(messages, options))
        used: int | None = None
        try:
            async with closing(self.inner.stream(messages, options)) as deltas:
                async for delta in deltas:
                    if delta.completion is not None:
                        used = delta.completion.usage.total_tokens or None
                    yield delta
        except BaseException as error:
            limiter.failed(slot, error)
            raise
        limiter.succeeded(slot, used)

    def price(self, usage: Usage) -> float | None:
        """Return what the inner model costs."""
        return self.inner.price(usage)

    def _tokens(self, messages: Sequence[Message], options: Options) -> int:
        if self.tokens_per_minute is None:
            return 0
        reply = _USUAL_REPLY_TOKENS if options.max_tokens is None else options.max_tokens
        return prompt_tokens(messages, options, model_name(self.inner)) + reply

    def _limiter(self) -> Limiter:
        return self._state.get(_maker(self.requests_per_minute, self.tokens_per_minute, self.concurrency))


@dataclass(repr=False, eq=False)
class LimitedEmbedder(Embedder):
    """Holds batches of texts back until the provider's limits allow them; the twin of `Limited`.

    Args:
        inner: The embedder that is asked.
        requests_per_minute: Most batches in any 60 seconds; None for no limit.
        tokens_per_minute: Tokens per minute, as estimated; None for no limit.
        concurrency: Most batches at a time.

    Example:
        >>> from llmopt.testing import FakeEmbedder
        >>> LimitedEmbedder(FakeEmbedder(), concurrency=2).encode(["a text"], kind="query").shape
        (1, 256)
    """

    passes_through: ClassVar[bool] = True

    inner: Embedder
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    concurrency: int = 64
    _state: PerProcess[Limiter] = field(init=False, default_factory=PerProcess[Limiter])

    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Wait for the limits, then ask the inner embedder."""
        limiter = self._state.get(_maker(self.requests_per_minute, self.tokens_per_minute, self.concurrency))
        tokens = 0 if self.tokens_per_minute is None else text_tokens(texts, model_name(self.inner))
        slot = await limiter.acquire(tokens)
        try:
            rows = await call(self.inner.embed, texts, kind)
        except BaseException as error:
            limiter.failed(slot, error)
            raise
        limiter.succeeded(slot)
        return rows

    def price(self, usage: Usage) -> float | None:
        """Return what the inner embedder costs."""
        return self.inner.price(usage)


def _maker(
    requests_per_minute: float | None, tokens_per_minute: float | None, concurrency: int
) -> Callable[[], Limiter]:
    return lambda: Limiter(
        requests_per_minute=requests_per_minute, tokens_per_minute=tokens_per_minute, concurrency=concurrency
    )
