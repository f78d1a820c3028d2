"""A simulated rate limit, for tests of clients that adapt to one."""

from __future__ import annotations

from llmopt.errors import UsageError

from .injection import rate_limited
from .problems import Problem

__all__ = ["Limit"]


class Limit:
    """Refuses requests above a number in flight, or above a rate.

    The rate is a bucket that refills evenly and holds what one second brings, at least one request.

    Args:
        max_in_flight: Most requests in hand at once; None for no limit.
        requests_per_minute: Most requests per minute; None for no limit.

    Raises:
        UsageError: If a limit is below 1.
    """

    def __init__(self, max_in_flight: int | None, requests_per_minute: float | None) -> None:
        for name, value in (("max_in_flight", max_in_flight), ("requests_per_minute", requests_per_minute)):
            if value is not None and value < 1:
                raise UsageError(f"FakeOpenAI: {name} is {value!r}; give 1 or more, or None for no limit.")
        self._max_in_flight = max_in_flight
        self._per_second = None if requests_per_minute is None else requests_per_minute / 60
        self._most = max(1.0, self._per_second or 1.0)
        self._tokens = self._most
        self._refilled: float | None = None

    def refusal(self, in_flight: int, now: float) -> Problem | None:
        """Return why a request has to wait, or None after taking it from the bucket.

        Args:
            in_flight: Requests in hand, itself included. Refused ones do not stay in hand.
            now: Seconds on any clock that does not go back.
        """
        if self._max_in_flight is not None and in_flight > self._max_in_flight:
            message = f"Too many requests at once: Limit {self._max_in_flight}. Please try again in 100ms."
            return rate_limited(message, "requests", 0.1)
        wait = self._wait(now)
        if wait > 0:
            limit = (self._per_second or 0.0) * 60
            message = f"Rate limit reached on requests per min (RPM): Limit {limit:g}. Try again in {wait:.3f}s."
            return rate_limited(message, "requests", wait)
        return None

    def _wait(self, now: float) -> float:
        """Take one token from the bucket, or return the seconds until there is one."""
        if self._per_second is None:
            return 0.0
        since = 0.0 if self._refilled is None else now - self._refilled
        self._refilled = now
        self._tokens = min(self._most, self._tokens + since * self._per_second)
        # A sum of many small refills may miss the whole token that the client was told to wait for.
        if self._tokens < 1 - 1e-6:
            return (1 - self._tokens) / self._per_second
        self._tokens -= 1
        return 0.0
