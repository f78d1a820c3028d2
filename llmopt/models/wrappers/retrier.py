"""One layer of retries for whatever asks a provider."""

from __future__ import annotations

import copy
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, TypeVar

from ..._trace import note
from ...errors import ModelError, UsageError

if TYPE_CHECKING:
    from tenacity import RetryCallState
    from tenacity.wait import wait_base

__all__ = ["Patience", "Retrier"]

T = TypeVar("T")

_logger = logging.getLogger("llmopt")
_LONGEST_SPREAD_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long something is tried.

    Attributes:
        attempts: Most attempts, the first included.
        deadline_seconds: No attempt begins later than that after the first failure.
        first_wait_seconds: Longest wait before the second attempt; it doubles from attempt to attempt.
        longest_wait_seconds: Longest wait of our own choice; what the provider asks for may be longer.
        seed: Of the chance in the waits.
    """

    attempts: int = 6
    deadline_seconds: float = 600.0
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 60.0
    seed: int = 0

    def check(self) -> None:
        """Raise UsageError when a number makes no sense."""
        if self.attempts < 1:
            raise UsageError(f"`attempts` counts the first one and must be at least 1, got {self.attempts}")
        for name in ("deadline_seconds", "first_wait_seconds", "longest_wait_seconds"):
            value: float = getattr(self, name)
            if math.isnan(value) or value < 0:
                raise UsageError(f"`{name}` must be 0 or more, got {value}")


class Retrier:
    """Tries again after failures that may pass: waits as long as the provider asks, else ever longer.

    The waits are random between 0 and a bound that doubles ("full jitter", Brooker, AWS Architecture Blog
    2015); where the provider says how long, it is that and up to a second more.

    Args:
        patience: How often and how long.
        clock: Monotonic seconds.
    """

    def __init__(self, patience: Patience, clock: Callable[[], float] = time.monotonic) -> None:
        patience.check()
        self._patience = patience
        self._clock = clock
        self._random = random.Random(patience.seed)

    async def run(self, send: Callable[[], Awaitable[T]]) -> T:
        """Return what `send` brings within the patience.

        Raises:
            ModelError: That of the last attempt, with the number of attempts in its message.
        """
        try:
            return await send()
        except ModelError as error:
            if not error.retryable or self._patience.attempts == 1:
                raise
            first = error
        return await self._again(send, first)

    async def _again(self, send: Callable[[], Awaitable[T]], first: ModelError) -> T:
        # Setting tenacity up costs more than everything else around a call: only after a failure.
        from tenacity import AsyncRetrying, retry_if_exception, wait_exponential  # noqa: PLC0415

        failed_at = self._clock()
        failures = [first]
        bound = wait_exponential(self._patience.first_wait_seconds, max=self._patience.longest_wait_seconds)

        async def attempt() -> T:
            if failures:
                raise failures.pop()
            return await send()

        def is_over(state: RetryCallState) -> bool:
            waited = self._clock() - failed_at + state.upcoming_sleep
            return state.attempt_number >= self._patience.attempts or waited > self._patience.deadline_seconds

        def give_up(state: RetryCallState) -> NoReturn:
            error = _error_of(state)
            raise self._final(error, state, self._clock() - failed_at) from error

        retrying = AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            wait=lambda state: self._wait(bound, state),
            stop=is_over,
            before_sleep=_tell,
            retry_error_callback=give_up,
        )
        return await retrying(attempt)

    def _wait(self, bound: wait_base, state: RetryCallState) -> float:
        asked = _error_of(state).retry_after
        longest = bound(state)
        if asked is None:
            return self._random.uniform(0, longest)
        return asked + self._random.uniform(0, min(longest, _LONGEST_SPREAD_SECONDS))

    def _final(self, error: ModelError, state: RetryCallState, seconds: float) -> ModelError:
        tried = f"attempt {state.attempt_number} of {self._patience.attempts}, {seconds:.1f} s after the first failure"
        if state.attempt_number < self._patience.attempts:
            wait, deadline = state.upcoming_sleep, self._patience.deadline_seconds
            tried += f"; the next would have to wait {wait:.1f} s, and `deadline_seconds` is {deadline:g}"
        try:
            final = copy.copy(error)
        except Exception:  # noqa: BLE001 - a class of the user's with a constructor of its own
            error.add_note(f"({tried})")
            return error
        final.args = (f"{error} ({tried})", *error.args[1:])
        return final


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, ModelError) and error.retryable


def _error_of(state: RetryCallState) -> ModelError:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, ModelError)  # noqa: S101 - nothing else is retried
    return error


def _tell(state: RetryCallState) -> None:
    error, attempt = _error_of(state), state.attempt_number
    _logger.info("attempt %d failed, the next follows in %.1f s: %s", attempt, state.upcoming_sleep, error)
    note("attempts", attempt + 1)
