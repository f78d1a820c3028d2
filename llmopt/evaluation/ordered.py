"""Work side by side with results in order, in bounded memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["in_order", "side_by_side"]

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class _Stop:
    error: BaseException


async def in_order(
    work: Callable[[T], Coroutine[Any, Any, R]], items: Iterable[T], *, window: int
) -> AsyncIterator[list[R]]:
    """Yield what `work` makes of the items, in their order, in batches of what is ready.

    At most `window` items are open at a time, so memory stays bounded however long the input is. Leaving
    early, or an error of `work`, cancels what is open.
    """
    going: deque[asyncio.Task[R | _Stop]] = deque()
    source = iter(items)
    try:
        while True:
            for item in source:
                going.append(asyncio.create_task(_held(work(item))))
                if len(going) >= window:
                    break
            if not going:
                return
            await asyncio.wait([going[0]])
            ready: list[R] = []
            while going and going[0].done():
                ready.append(_opened(going.popleft().result()))
            yield ready
    finally:
        await _cancelled(going)


async def side_by_side(work: Iterable[Coroutine[Any, Any, R]]) -> list[R]:
    """Return what the coroutines return, in their order; an error of one cancels the others."""
    listed = list(work)
    if len(listed) <= 1:
        return [await coroutine for coroutine in listed]
    going = [asyncio.create_task(_held(coroutine)) for coroutine in listed]
    try:
        return [_opened(await task) for task in going]
    finally:
        await _cancelled(going)


async def _held(work: Coroutine[Any, Any, R]) -> R | _Stop:
    """Hold Ctrl-C and `sys.exit` as a value: raised out of a task they would end the loop itself."""
    try:
        return await work
    except (KeyboardInterrupt, SystemExit) as error:
        return _Stop(error)


def _opened(value: R | _Stop) -> R:
    if isinstance(value, _Stop):
        raise value.error
    return value


async def _cancelled(tasks: Iterable[asyncio.Task[R]]) -> None:
    left = [task for task in tasks if not task.done()]
    for task in left:
        task.cancel()
    if left:
        await asyncio.gather(*left, return_exceptions=True)
