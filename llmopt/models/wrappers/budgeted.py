"""Models and embedders that stop before a limit on calls, tokens or money is passed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import ClassVar

from ..._sync import call
from ..._trace import record
from ...errors import BudgetError, UnknownPriceError, UsageError
from ...interfaces import ChatModel, Embedder
from ...types import Completion, Delta, Matrix, Message, Options, TextKind, Usage
from .budget import Budget, Reservation
from .estimate import prompt_tokens, text_tokens
from .retrying import EmptyReplyError
from .wrapping import bare, closing, model_name

__all__ = ["Budgeted", "BudgetedEmbedder"]

_MARGIN = 1.25  # above the estimate, which is up to a fifth too low for single passages
_held: ContextVar[frozenset[int]] = ContextVar("llmopt_budgets_held", default=frozenset())


@dataclass(repr=False, eq=False)
class Budgeted(ChatModel):
    """Asks the inner model only while the budget allows it, and refuses before anything is sent.

    What a call may take at most is reserved first: the prompt's tokens, estimated and rounded up by a
    quarter, and `max_tokens` (or `reply_tokens`) for the reply. The reply's usage settles it. When calls
    in flight have reserved so much that another one does not fit, it waits until they have settled.

    - A reply that takes more than was reserved is booked in full and may pass the limit; the next call is
      refused. Set `Options.max_tokens`, which providers keep to, and it will not happen.
    - A call that failed costs nothing but counts as a call; what empty replies took is booked.
    - A call that was cancelled, or a stream that was left early, is booked as reserved: the provider may
      charge it, and nobody will learn how much.
    - A reply without usage is booked as reserved; one from a cache inside costs nothing.

    Args:
        inner: The model that is asked; its `price` says what a usage costs.
        budget: The limits; may be shared.
        allow_unknown_price: Whether calls with no known price go through, and count as free, although
            money is limited.
        reply_tokens: Reserved for a reply of unlimited length.

    Raises:
        BudgetError: When the budget does not allow the call.
        UnknownPriceError: When money is limited and nobody knows the model's price.

    Example:
        >>> from llmopt.testing import FakeModel
        >>> model = Budgeted(FakeModel("yes"), Budget(calls=1))
        >>> model.complete("Really?").text, model.budget.remaining.calls
        ('yes', 0)
    """

    passes_through: ClassVar[bool] = True

    inner: ChatModel
    budget: Budget
    allow_unknown_price: bool = False
    reply_tokens: int = 4096

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Reserve, ask the inner model, settle."""
        reservation = await self._reserve(messages, options, lasting=False)
        with _settling(reservation, self.budget):
            completion = await call(self.inner.generate, messages, options)
        _settle(reservation, completion, self)
        return completion

    async def stream(self, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
        """Reserve, stream from the inner model, settle by the usage that comes with the last piece."""
        reservation = await self._reserve(messages, options, lasting=True)
        completion: Completion | None = None
        try:
            async with closing(self.inner.stream(messages, options)) as deltas:
                async for delta in deltas:
                    completion = delta.completion or completion
                    yield delta
        except BaseException as error:
            if completion is None:
                _close_failed(reservation, error)
            raise
        finally:
            if completion is not None:
                _settle(reservation, completion, self)
            reservation.settle()

    def price(self, usage: Usage) -> float | None:
        """Return what the inner model costs."""
        return self.inner.price(usage)

    async def _reserve(self, messages: Sequence[Message], options: Options, *, lasting: bool) -> Reservation:
        read, written = 0, 0
        if self.budget.tokens is not None or self.budget.dollars is not None:
            read = math.ceil(prompt_tokens(messages, options, model_name(self.inner)) * _MARGIN)
            written = self.reply_tokens if options.max_tokens is None else options.max_tokens
        usage = Usage(input_tokens=read, output_tokens=written, calls=1)
        return await _reserve(self, usage, lasting=lasting)


@dataclass(repr=False, eq=False)
class BudgetedEmbedder(Embedder):
    """Embeds texts only while the budget allows it; the twin of `Budgeted`.

    Settled by the usage that the inner embedder notes in the trace (`OpenAIEmbedder` does), else by what
    was reserved.

    Args:
        inner: The embedder that is asked; its `price` says what a usage costs.
        budget: The limits; may be shared, with chat models too.
        allow_unknown_price: Whether calls with no known price go through, and count as free, although
            money is limited.

    Raises:
        BudgetError: When the budget does not allow the call.
        UnknownPriceError: When money is limited and nobody knows the embedder's price.

    Example:
        >>> from llmopt.testing import FakeEmbedder
        >>> embedder = BudgetedEmbedder(FakeEmbedder(), Budget(tokens=1_000))
        >>> _ = embedder.encode(["a text"], kind="query")
        >>> embedder.budget.spent.calls
        1
    """

    passes_through: ClassVar[bool] = True

    inner: Embedder
    budget: Budget
    allow_unknown_price: bool = False

    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Reserve, ask the inner embedder, settle."""
        tokens = math.ceil(text_tokens(texts, model_name(self.inner)) * _MARGIN)
        reservation = await _reserve(self, Usage(input_tokens=tokens, calls=1), lasting=False)
        with record("embed", self.inner) as recorder, _settling(reservation, self.budget):
            rows = await call(self.inner.embed, texts, kind)
        told = recorder.usage.total_tokens
        reservation.settle(tokens=told or None, dollars=recorder.paid if told else None)
        return rows

    def price(self, usage: Usage) -> float | None:
        """Return what the inner embedder costs."""
        return self.inner.price(usage)


async def _reserve(model: Budgeted | BudgetedEmbedder, usage: Usage, *, lasting: bool) -> Reservation:
    dollars = 0.0
    if model.budget.dollars is not None:
        price = model.inner.price(usage)
        if price is None and not model.allow_unknown_price:
            name = model_name(model.inner) or type(bare(model.inner)).__name__
            raise UnknownPriceError(
                f"money is limited to {model.budget.dollars:g} US dollars and nobody knows the price of {name}: give "
                "it a `price`, or pass `allow_unknown_price=True` to count its calls as free. Nothing was sent"
            )
        dollars = price or 0.0
    # What waits for a call that waits for it would wait for ever.
    patient = id(model.budget) not in _held.get()
    return await model.budget.areserve(tokens=usage.total_tokens, dollars=dollars, patient=patient, lasting=lasting)


@contextmanager
def _settling(reservation: Reservation, budget: Budget) -> Generator[None, None, None]:
    token = _held.set(_held.get() | {id(budget)})
    try:
        yield
    except BaseException as error:
        _close_failed(reservation, error)
        raise
    finally:
        _held.reset(token)


def _close_failed(reservation: Reservation, error: BaseException) -> None:
    if isinstance(error, EmptyReplyError):
        usage = error.completion.usage
        reservation.settle(tokens=usage.total_tokens, dollars=error.completion.cost)
    elif isinstance(error, asyncio.CancelledError | GeneratorExit | KeyboardInterrupt):
        reservation.settle()
    else:
        reservation.release(sent=not isinstance(error, BudgetError | UsageError))


def _settle(reservation: Reservation, completion: Completion, model: Budgeted) -> None:
    if completion.cached:
        reservation.settle(calls=0, tokens=0, dollars=0.0)
        return
    # Servers that tell no usage exist (streams of some); then nothing better is known than what was reserved.
    told = completion.usage.total_tokens > 0
    cost = model.inner.price(completion.usage) if completion.cost is None and told else completion.cost
    reservation.settle(tokens=completion.usage.total_tokens if told else None, dollars=cost)
