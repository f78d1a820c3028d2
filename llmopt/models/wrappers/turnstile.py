"""A fair queue for calls that wait on different event loops and threads of one process."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Turnstile"]

W = TypeVar("W")
G = TypeVar("G")


class Turnstile(Generic[W, G]):
    """Lets calls through in the order in which they came.

    Whoever owns it changes the state that `admit` looks at only under `lock`, and calls `advance` after a
    change that may let somebody through.

    Args:
        admit: Given what a call wants: what it gets, or None if it has to wait; an exception is raised in
            the call.
        give_back: Takes back what a call got that has been cancelled meanwhile.
        delay: Seconds after which the first in the queue may get through although nobody calls `advance`;
            None when only a change can help it.
    """

    def __init__(
        self,
        admit: Callable[[W], G | None],
        give_back: Callable[[G], None],
        delay: Callable[[W], float | None] = lambda _: None,
    ) -> None:
        self.lock = threading.RLock()
        self._admit = admit
        self._give_back = give_back
        self._delay = delay
        self._queue: deque[_Waiter[W, G]] = deque()

    async def enter(self, want: W) -> G:
        """Wait for one's turn; a cancelled wait leaves no trace."""
        with self.lock:
            self._forget_gone()
            if not self._queue and (grant := self._admit(want)) is not None:
                return grant
            waiter = _Waiter[W, G](want)
            self._queue.append(waiter)
            self.advance()
        try:
            return await waiter.future
        except BaseException:
            self._leave(waiter)
            raise

    def advance(self) -> None:
        """Let everybody through whose turn has come."""
        with self.lock:
            while self._forget_gone():
                waiter = self._queue[0]
                try:
                    grant = self._admit(waiter.want)
                except Exception as error:  # noqa: BLE001 - it belongs to the call that waits
                    waiter.settle(error=error)
                    continue
                if grant is None and waiter.arm(self._delay(waiter.want), self.advance):
                    return
                if grant is not None and not waiter.settle(grant):
                    self._give_back(grant)

    def _leave(self, waiter: _Waiter[W, G]) -> None:
        with self.lock:
            waiter.gone = True
            if waiter.grant is not None:
                self._give_back(waiter.grant)
            self.advance()

    def _forget_gone(self) -> bool:
        while self._queue and self._queue[0].gone:
            self._queue.popleft()
        return bool(self._queue)


class _Waiter(Generic[W, G]):
    """A call in the queue, on a loop of its own, which may have been closed meanwhile."""

    def __init__(self, want: W) -> None:
        self.want = want
        self.gone = False
        self.grant: G | None = None
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[G] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None

    def settle(self, grant: G | None = None, error: Exception | None = None) -> bool:
        """End the wait; False when its loop is closed."""
        self.gone, self.grant = True, grant
        return self._on_loop(lambda: self._finish(grant, error))

    def arm(self, delay: float | None, advance: Callable[[], None]) -> bool:
        """See to it that `advance` is called after the delay; False when the loop is closed."""
        # Without a delay there is nothing to set, and an older timer does no harm.
        self.gone = self._loop.is_closed() or (
            delay is not None and not self._on_loop(lambda: self._set_timer(delay, advance))
        )
        return not self.gone

    def _finish(self, grant: G | None, error: Exception | None) -> None:
        self._set_timer(None, lambda: None)
        if self.future.done():
            return
        if error is not None:
            self.future.set_exception(error)
        elif grant is not None:
            self.future.set_result(grant)

    def _set_timer(self, delay: float | None, advance: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if delay is None or self.future.done() else self._loop.call_later(delay, advance)

    def _on_loop(self, action: Callable[[], None]) -> bool:
        if asyncio._get_running_loop() is self._loop:  # `get_running_loop` raises, which costs
            action()
            return True
        try:
            self._loop.call_soon_threadsafe(action)
        except RuntimeError:
            return False
        return True
