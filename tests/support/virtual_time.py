"""An event loop on which waiting takes no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["now", "run"]

T = TypeVar("T")


class JumpingSelector(selectors.SelectSelector):
    """Time passes at once instead of being waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; where nothing is, the time is later at once."""
        events = super().select(0)
        assert events or timeout is not None, "everything waits and nothing will wake it"
        self.now += 0.0 if events else (timeout or 0.0)
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time is that of its selector."""

    def __init__(self) -> None:
        self.selector = JumpingSelector()
        super().__init__(self.selector)

    def time(self) -> float:
        """Return the virtual seconds since the start."""
        return self.selector.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine; all its waiting is over at once."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def now() -> float:
    """Return the virtual seconds since the start of `run`."""
    return asyncio.get_running_loop().time()
