"""One way of writing for values that are there and values that must be awaited."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

from .._sync import call
from ..types import MaybeAwaitable

__all__ = ["then"]

T = TypeVar("T")
R = TypeVar("R")


def then(value: MaybeAwaitable[T], use: Callable[[T], R]) -> MaybeAwaitable[R]:
    """Return `use(value)`: at once for a plain value, in a worker thread after awaiting for an awaitable."""
    if inspect.isawaitable(value):
        return _awaited(value, use)
    return use(value)


async def _awaited(value: Awaitable[T], use: Callable[[T], R]) -> R:
    return await call(use, await value)
