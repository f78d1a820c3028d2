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
    the next place that becomes free counts as its own. One place less than there are is out on loan at most, so fewer
    than twice as many are inside, and with a single place it is always one.

    Args:
        places: How many.
    """

    def __init__(self, places: int) -> None:
        self._free = asyncio.Semaphore(places)
        self._to_lend = places - 1
        self._owed = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> None:
        """Wait for a place."""
        self._loop = asyncio.get_running_loop()
        await self._free.acquire()

    async def __aexit__(self, *_: object) -> None:
        """Give the place back."""
        self._give_back()

    @contextmanager
    def lent(self) -> Generator[None, None, None]:
        """Lend a place that is held to others while the block lasts, unless too many are on loan.

        On another event loop than where places are taken (a blocking metric that asks from its thread) it stays held.
        """
        if self._to_lend == 0 or asyncio.get_running_loop() is not self._loop:
            yield
            return
        self._to_lend -= 1
        self._give_back()
        try:
            yield
        finally:
            self._owed += 1

    def _give_back(self) -> None:
        if self._owed:
            self._owed -= 1
            self._to_lend += 1
        else:
            self._free.release()
