"""Equal requests at the same time: one is sent, the others wait for it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from dataclasses import dataclass

__all__ = ["Flights", "Landing"]


@dataclass(frozen=True, slots=True)
class Landing:
    """How a request ended.

    Attributes:
        value: What it brought.
        error: Why it failed; neither value nor error: it was given up, so that another has to be sent.
    """

    value: object = None
    error: Exception | None = None


class Flights:
    """The requests that are under way, by key, for all loops and threads of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[bytes, Future[Landing] | None] = {}

    def join(self, key: bytes) -> Future[Landing] | None:
        """Return the landing of an equal request under way, or None: then it is yours to send and to `land`."""
        with self._lock:
            if key not in self._flights:
                self._flights[key] = None
                return None
            landing = self._flights[key]
            if landing is None:
                landing = self._flights[key] = Future()
            return landing

    def land(self, key: bytes, landing: Landing) -> None:
        """Tell those who wait how it ended."""
        with self._lock:
            waited = self._flights.pop(key, None)
        if waited is not None:
            waited.set_result(landing)

    @staticmethod
    async def wait(landing: Future[Landing]) -> Landing:
        """Wait for a request of somebody else; cancelling this does not cancel it."""
        return await asyncio.shield(asyncio.wrap_future(landing))
