"""One request for everybody who asks the same: a bounded memory with single flight."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

__all__ = ["Shared"]

V = TypeVar("V")


class _AbandonedError(Exception):
    """Whoever was making the value was cancelled; somebody else has to."""


class Shared(Generic[V]):
    """Values by key, each made once: who asks while it is being made waits for it.

    Works across threads and event loops. A failure reaches all who wait and is not kept; a maker that
    is cancelled hands over to one of those who wait.

    Args:
        size: How many values are kept, the least recently used going first; 0 keeps none and then only
            requests in flight are shared.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, V] = OrderedDict()
        self._making: dict[Hashable, Future[V]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[V]], keep: Callable[[V], bool]) -> V:
        """Return the value of `key`; `make` is called if nobody has made it, or is making it.

        Args:
            key: What the value depends on, all of it.
            make: Makes the value.
            keep: Whether a value is good enough to be kept.
        """
        while True:
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key]
                going = self._making.get(key)
                mine = self._making[key] = Future() if going is None else going
            if going is None:
                return await self._make(key, mine, make, keep)
            try:
                return await asyncio.wrap_future(going)
            except _AbandonedError:
                continue

    async def _make(
        self, key: Hashable, mine: Future[V], make: Callable[[], Awaitable[V]], keep: Callable[[V], bool]
    ) -> V:
        mine.set_running_or_notify_cancel()  # one who waits and is cancelled must not cancel it for all
        try:
            value = await make()
        except Exception as error:
            self._end(key)
            mine.set_exception(error)
            raise
        except BaseException:
            self._end(key)
            mine.set_exception(_AbandonedError())
            raise
        with self._lock:
            del self._making[key]
            if keep(value):
                self._kept[key] = value
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        mine.set_result(value)
        return value

    def _end(self, key: Hashable) -> None:
        with self._lock:
            del self._making[key]
