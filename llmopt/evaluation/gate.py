"""How much goes on at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["Gate"]


class Gate:
    """So many places: `async with gate` waits for one and holds it.

    Who waits for something that it shares with others lends its place meanwhile. When it goes on it does not wait for
    a place again, since whoever holds the last ones may be waiting for it: for that while there is one too many, and
    the next place that becomes free counts as its own.

    Args:
        places: How many.
    """

    def __init__(self, places: int) -> None:
        self._free = asyncio.Semaphore(places)
        self._owed = 0

    async def __aenter__(self) -> None:
        """Wait for a place."""
        await self._free.acquire()

    async def __aexit__(self, *_: object) -> None:
        """Give the place back."""
        self._give_back()

    @contextmanager
    def lent(self) -> Generator[None, None, None]:
        """Lend a place that is held to others while the block lasts."""
        self._give_back()
        try:
            yield
        finally:
            self._owed += 1

    def _give_back(self) -> None:
        if self._owed:
            self._owed -= 1
        else:
            self._free.release()
