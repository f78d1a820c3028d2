"""Models and embedders that try again after failures that may pass."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from ..._sync import call
from ...errors import ModelOutputError
from ...interfaces import ChatModel, Embedder
from ...types import Completion, Delta, Matrix, Message, Options, TextKind, Usage
from .retrier import Patience, Retrier
from .wrapping import PerProcess, closing

__all__ = ["EmptyReplyError", "Retrying", "RetryingEmbedder"]


class EmptyReplyError(ModelOutputError):
    """The model sent an empty reply, every time it was asked.

    Attributes:
        completion: The last of them, with the usage and the cost of all.
    """

    def __init__(self, message: str, *, completion: Completion = Completion("")) -> None:
        super().__init__(message, retryable=True)
        self.completion = completion


@dataclass(repr=False, eq=False)
class Retrying(ChatModel):
    """Asks again after failures that may pass, as long as the provider wishes and the deadline allows.

    Tried again are errors whose `retryable` is true ("too many requests", server errors, lost
    connections, replies that cannot be read) and empty replies. Everything else is raised at once: no
    credit, a wrong key, a prompt that is too long. A stream is tried again until its first piece of text.
    What empty replies cost is added to the usage and the cost of the completion.

    A wait between attempts holds nothing of a `Limited` model inside, and every attempt passes its limits.

    Args:
        inner: The model that is asked.
        attempts: Most attempts, the first included.
        deadline_seconds: No attempt begins later than that after the first failure, so a provider that
            asks for a longer pause ends the call at once.
        first_wait_seconds: Longest wait before the second attempt; it doubles from attempt to attempt, and
            the real wait is random between 0 and it.
        longest_wait_seconds: Where the doubling ends. What the provider asks for may be longer.
        seed: Of the chance in the waits.

    Raises:
        ModelError: That of the last attempt; its message says how many there were.
        UsageError: At the first call, when a number makes no sense.

    Example:
        >>> from llmopt.errors import ModelUnavailableError
        >>> from llmopt.testing import FakeModel
        >>> flaky = FakeModel("at last", script=[ModelUnavailableError("down", retryable=True)])
        >>> Retrying(flaky, first_wait_seconds=0.01).complete("Anybody there?").text
        'at last'
    """

    passes_through: ClassVar[bool] = True

    inner: ChatModel
    attempts: int = 6
    deadline_seconds: float = 600.0
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 60.0
    seed: int = 0
    _state: PerProcess[Retrier] = field(init=False, default_factory=PerProcess[Retrier])

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Ask the inner model until it replies."""
        empty: list[Completion] = []

        async def send() -> Completion:
            completion = await call(self.inner.generate, messages, options)
            if _is_empty(completion):
                empty.append(completion)
                raise _complaint(empty)
            return completion

        completion = await self._state.get(lambda: _retrier(self)).run(send)
        return _with_costs_of(completion, empty) if empty else completion

    async def stream(self, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
        """Stream from the inner model; what fails before the first text is tried again."""
        empty: list[Completion] = []

        async def send() -> AsyncGenerator[Delta, None]:
            deltas = _deltas(self.inner, messages, options)
            first = await anext(deltas, Delta(""))
            if not first.text and first.completion is not None and _is_empty(first.completion):
                await deltas.aclose()
                empty.append(first.completion)
                raise _complaint(empty)
            return _put_back(first, deltas)

        async with closing(await self._state.get(lambda: _retrier(self)).run(send)) as deltas:
            async for delta in deltas:
                if empty and delta.completion is not None:
                    yield replace(delta, completion=_with_costs_of(delta.completion, empty))
                else:
                    yield delta

    def price(self, usage: Usage) -> float | None:
        """Return what the inner model costs."""
        return self.inner.price(usage)


@dataclass(repr=False, eq=False)
class RetryingEmbedder(Embedder):
    """Asks again after failures that may pass; the twin of `Retrying`.

    Args:
        inner: The embedder that is asked.
        attempts: Most attempts, the first included.
        deadline_seconds: No attempt begins later than that after the first failure.
        first_wait_seconds: Longest wait before the second attempt; it doubles from attempt to attempt.
        longest_wait_seconds: Where the doubling ends.
        seed: Of the chance in the waits.

    Example:
        >>> from llmopt.testing import FakeEmbedder
        >>> RetryingEmbedder(FakeEmbedder()).encode(["a text"], kind="query").shape
        (1, 256)
    """

    passes_through: ClassVar[bool] = True

    inner: Embedder
    attempts: int = 6
    deadline_seconds: float = 600.0
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 60.0
    seed: int = 0
    _state: PerProcess[Retrier] = field(init=False, default_factory=PerProcess[Retrier])

    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Ask the inner embedder until it replies."""
        return await self._state.get(lambda: _retrier(self)).run(lambda: call(self.inner.embed, texts, kind))

    def price(self, usage: Usage) -> float | None:
        """Return what the inner embedder costs."""
        return self.inner.price(usage)


def _retrier(model: Retrying | RetryingEmbedder) -> Retrier:
    return Retrier(
        Patience(
            attempts=model.attempts,
            deadline_seconds=model.deadline_seconds,
            first_wait_seconds=model.first_wait_seconds,
            longest_wait_seconds=model.longest_wait_seconds,
            seed=model.seed,
        )
    )


def _is_empty(completion: Completion) -> bool:
    return completion.finish == "stop" and not completion.tool_calls and not completion.text.strip()


def _complaint(empty: Sequence[Completion]) -> EmptyReplyError:
    completion = _with_costs_of(empty[-1], empty[:-1])
    name = f" {completion.model}" if completion.model else ""
    advice = "ask differently, or another model"
    return EmptyReplyError(f"the model{name} returned an empty reply: {advice}", completion=completion)


def _with_costs_of(completion: Completion, others: Sequence[Completion]) -> Completion:
    usage, cost = completion.usage, completion.cost
    for other in others:
        usage += other.usage
        cost = None if cost is None or other.cost is None else cost + other.cost
    return replace(completion, usage=usage, cost=cost)


async def _deltas(inner: ChatModel, messages: Sequence[Message], options: Options) -> AsyncGenerator[Delta, None]:
    """Stream without the blank pieces that some servers begin with."""
    async with closing(inner.stream(messages, options)) as deltas:
        async for delta in deltas:
            if delta.text or delta.completion is not None:
                yield delta


async def _put_back(first: Delta, deltas: AsyncGenerator[Delta, None]) -> AsyncGenerator[Delta, None]:
    async with closing(deltas):
        if first.text or first.completion is not None:
            yield first
        async for delta in deltas:
            yield delta
