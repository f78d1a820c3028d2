"""One embedding request for the texts of many samples: who asks while one is under way goes with the next."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from contextlib import nullcontext
from contextvars import Context
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from .._sync import call
from .._trace import Recorder, record, spend
from ..errors import ContractError, ModelError
from ..interfaces import Embedder
from ..types import Matrix, TextKind, Usage
from .gate import Gate

__all__ = ["Coalesced", "coalesced"]

_MOST_TEXTS = 256


def coalesced(embedder: Embedder, gate: Gate | None = None) -> Embedder:
    """Return the embedder with requests put together; one that computes on the spot as it is.

    Args:
        embedder: To be asked.
        gate: Where those who ask hold places; they lend them while they wait.
    """
    return Coalesced(embedder, gate) if inspect.iscoroutinefunction(embedder.embed) else embedder


@dataclass(frozen=True, slots=True)
class _Share:
    """What a batch brought for one of those who asked."""

    rows: Matrix
    usage: Usage
    cost: float | None
    paid: float | None


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """Texts of one who asks; the answer None means: ask by yourself."""

    texts: Sequence[str]
    answer: asyncio.Future[_Share | None]


@dataclass(repr=False, eq=False)
class Coalesced(Embedder):
    """Puts the texts of all who ask at a time into one request to the inner embedder.

    At most one request per kind of text is under way; what comes meanwhile goes with the next, all
    together. Nobody waits for company: a request goes out as soon as the one before is back. Tokens and
    money are shared out by the lengths of the texts. When a request with texts of several fails for a reason
    that may lie in one of them, each asks again by itself, so that none fails for another.

    Args:
        inner: The embedder that is asked.
        gate: Where those who ask hold places.
    """

    incidental: ClassVar[frozenset[str]] = frozenset({"gate"})
    passes_through: ClassVar[bool] = True

    inner: Embedder
    gate: Gate | None = None
    _queues: dict[tuple[asyncio.AbstractEventLoop, TextKind], _Queue] = field(
        init=False, default_factory=dict[tuple[asyncio.AbstractEventLoop, TextKind], "_Queue"]
    )

    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Return the rows, from a request that others share."""
        key = (asyncio.get_running_loop(), kind)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue(self.inner, kind)
        with nullcontext() if self.gate is None else self.gate.lent():
            share = await queue.ask(texts) if texts else None
        if share is None:
            return await call(self.inner.embed, texts, kind)
        spend(share.usage, share.paid)
        if share.cost != share.paid:
            saved = None if share.cost is None or share.paid is None else share.cost - share.paid
            spend(Usage(), saved, cached=True)
        return share.rows

    def price(self, usage: Usage) -> float | None:
        """Return what the inner embedder costs."""
        return self.inner.price(usage)


class _Queue:
    """Those who wait for the next request; used from one event loop only."""

    def __init__(self, inner: Embedder, kind: TextKind) -> None:
        self._inner = inner
        self._kind: TextKind = kind
        self._waiting: list[_Asked] = []
        self._flight: asyncio.Task[None] | None = None

    async def ask(self, texts: Sequence[str]) -> _Share | None:
        asked = _Asked(texts, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._flight is None:
            # A task of its own, in no one's trace: whoever asks may be cancelled, the others still get their rows.
            self._flight = asyncio.create_task(self._fly(), context=Context())
        return await asked.answer

    async def _fly(self) -> None:
        going: list[_Asked] = []
        try:
            while self._waiting:
                going = self._boarding()
                if going:
                    await self._send(going)
        finally:
            self._flight = None
            for asked in [*going, *self._waiting]:  # only when the loop is being closed is there anybody left
                asked.answer.cancel()

    def _boarding(self) -> list[_Asked]:
        going: list[_Asked] = []
        room = _MOST_TEXTS
        while self._waiting and (not going or len(self._waiting[0].texts) <= room):
            asked = self._waiting.pop(0)
            if not asked.answer.done():  # else it was cancelled
                going.append(asked)
                room -= len(asked.texts)
        return going

    async def _send(self, going: Sequence[_Asked]) -> None:
        texts = [text for asked in going for text in asked.texts]
        try:
            with record("embed", self._inner) as recorder:
                rows = np.asarray(await call(self._inner.embed, texts, self._kind), np.float32)
            if rows.ndim != 2 or len(rows) != len(texts):
                name = type(self._inner).__name__
                raise ContractError(f"`{name}.embed` must return {len(texts)} rows, its shape is {rows.shape}")
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - handed to those who wait, whatever it is
            alone = len(going) == 1 or not isinstance(error, Exception)
            of_all = alone or (isinstance(error, ModelError) and error.retryable)
            for asked in going:
                _settle(asked, error if of_all else None)
            return
        for asked, share in zip(going, _shares(going, rows, recorder), strict=True):
            _settle(asked, share)


def _settle(asked: _Asked, outcome: _Share | BaseException | None) -> None:
    if asked.answer.done():
        return
    if isinstance(outcome, BaseException):
        asked.answer.set_exception(outcome)
    else:
        asked.answer.set_result(outcome)


def _shares(going: Sequence[_Asked], rows: Matrix, recorder: Recorder) -> list[_Share]:
    """Cut rows and expenses up; the tokens add up to those of the request, which counts for the first."""
    sizes = np.cumsum([0, *(sum(len(text) + 1 for text in asked.texts) for asked in going)])
    ends = [round(recorder.usage.input_tokens * int(size) / int(sizes[-1])) for size in sizes]
    places = np.cumsum([0, *(len(asked.texts) for asked in going)])
    shares: list[_Share] = []
    for number in range(len(going)):
        part = float((sizes[number + 1] - sizes[number]) / sizes[-1])
        usage = Usage(ends[number + 1] - ends[number], calls=recorder.usage.calls if number == 0 else 0)
        cost, paid = (None if whole is None else whole * part for whole in (recorder.cost, recorder.paid))
        shares.append(_Share(rows[places[number] : places[number + 1]], usage, cost, paid))
    return shares
