"""How many calls may go out: per minute, at a time, and fewer while the provider says "too many"."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from ...errors import RateLimitError, UsageError
from .turnstile import Turnstile

__all__ = ["Limiter", "Slot", "check_limits"]

_TOLERANCE = 1e-9
_MEMORY = 16  # requests over which the share of refused ones is averaged
_FEW = 0.5


@dataclass(slots=True, eq=False)
class Slot:
    """The right to send one request.

    Attributes:
        tokens: What the request was taken for.
        started: When, by the limiter's clock.
        open: Whether it is still held.
    """

    tokens: int
    started: float
    open: bool = True


class Bucket:
    """Room that is used up and comes back steadily, at most `per_minute` in any 60 seconds.

    One second's worth may be used at once. An amount beyond that goes through a full bucket and leaves a
    debt behind, so that it is the average that holds.
    """

    def __init__(self, per_minute: float, now: float) -> None:
        self._capacity = max(1.0, per_minute / 60)
        self._rate = (per_minute - (self._capacity - 1)) / 60
        self._level = self._capacity
        self._at = now

    def delay(self, amount: float, now: float) -> float:
        """Return the seconds until that much may go through, 0 if it may now."""
        self._refill(now)
        missing = min(amount, self._capacity) - self._level
        return 0.0 if missing <= _TOLERANCE else missing / self._rate

    def take(self, amount: float) -> None:
        """Use room up; a negative amount gives some back."""
        self._level = min(self._capacity, self._level - amount)

    def _refill(self, now: float) -> None:
        self._level = min(self._capacity, self._level + (now - self._at) * self._rate)
        self._at = now


class Limiter:
    """The limits of one account, shared by all loops and threads of the process, first come first served.

    The number of calls at a time adapts by additive increase and multiplicative decrease (Chiu and Jain,
    1989): when the provider answers "too many requests" it goes down, once per round trip, by half of the
    share that was refused lately (as in DCTCP, Alizadeh et al., SIGCOMM 2010): to half of what is in flight
    when everything is refused, by a twentieth when one in ten is. It grows by one per round trip of
    successes, up to `concurrency`. All calls pause for as long as the provider asks, until a request that
    was sent after the refused one gets through while most do: then it was no limit of the account.

    Args:
        requests_per_minute: None for no limit.
        tokens_per_minute: None for no limit.
        concurrency: Most requests at a time.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        concurrency: int = 64,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        check_limits(requests_per_minute, tokens_per_minute, concurrency)
        now = clock()
        self._clock = clock
        self._requests = None if requests_per_minute is None else Bucket(requests_per_minute, now)
        self._tokens = None if tokens_per_minute is None else Bucket(tokens_per_minute, now)
        self._most = concurrency
        self._allowed = float(concurrency)
        self._in_flight = 0
        self._refused = 0.0
        self._cut_at = -math.inf
        self._paused_until = self._refused_since = -math.inf
        self._turnstile = Turnstile(self._admit, self._free, self._delay)

    @property
    def allowed(self) -> int:
        """How many requests may be in flight at present."""
        return max(1, int(self._allowed))

    @property
    def in_flight(self) -> int:
        """How many requests are."""
        return self._in_flight

    async def acquire(self, tokens: int) -> Slot:
        """Wait until a request of so many tokens may be sent; a cancelled wait holds nothing."""
        return await self._turnstile.enter(tokens)

    def succeeded(self, slot: Slot, tokens: int | None = None) -> None:
        """Give a slot back after a reply; `tokens` is what it really took, where that is known."""
        with self._turnstile.lock:
            if slot.open:
                self._refused -= self._refused / _MEMORY
                self._allowed = min(self._most, self._allowed + 1 / max(1.0, self._allowed))
                if slot.started > self._refused_since and self._refused < _FEW:
                    self._paused_until = -math.inf
                if tokens is not None and self._tokens is not None:
                    self._tokens.take(tokens - slot.tokens)
            self._release(slot)

    def failed(self, slot: Slot, error: BaseException) -> None:
        """Give a slot back after a failure; "too many requests" slows everybody down."""
        with self._turnstile.lock:
            if slot.open and isinstance(error, RateLimitError) and error.retryable:
                self._slow_down(slot, error.retry_after)
            self._release(slot)

    def _slow_down(self, slot: Slot, retry_after: float | None) -> None:
        now = self._clock()
        self._refused += (1 - self._refused) / _MEMORY
        # Requests sent before the last cut only say again what was heard then.
        if slot.started > self._cut_at:
            half = min(self._allowed, self._in_flight) / 2
            self._allowed = max(1.0, self._allowed + self._refused * (half - self._allowed))
            self._cut_at = now
        if retry_after is not None:
            self._paused_until = max(self._paused_until, now + retry_after)
        self._refused_since = max(self._refused_since, slot.started)

    def _release(self, slot: Slot) -> None:
        self._free(slot)
        self._turnstile.advance()

    def _free(self, slot: Slot) -> None:
        if slot.open:
            slot.open = False
            self._in_flight -= 1

    def _admit(self, tokens: int) -> Slot | None:
        if self._in_flight >= self.allowed or self._seconds(tokens) > 0:
            return None
        self._in_flight += 1
        if self._requests is not None:
            self._requests.take(1)
        if self._tokens is not None:
            self._tokens.take(tokens)
        return Slot(tokens, self._clock())

    def _delay(self, tokens: int) -> float | None:
        return None if self._in_flight >= self.allowed else self._seconds(tokens)

    def _seconds(self, tokens: int) -> float:
        now = self._clock()
        waits = [self._paused_until - now]
        if self._requests is not None:
            waits.append(self._requests.delay(1, now))
        if self._tokens is not None:
            waits.append(self._tokens.delay(tokens, now))
        return max(0.0, *waits)


def check_limits(requests_per_minute: float | None, tokens_per_minute: float | None, concurrency: int) -> None:
    """Raise UsageError when a limit makes no sense."""
    for name, value in (("requests_per_minute", requests_per_minute), ("tokens_per_minute", tokens_per_minute)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UsageError(f"`{name}` must be more than 0, or None for no limit, got {value}")
    if concurrency < 1:
        raise UsageError(f"`concurrency` is the number of requests at a time and must be at least 1, got {concurrency}")
