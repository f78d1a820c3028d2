"""One channel to the server per running event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from weakref import ReferenceType, finalize, ref

from .channel import Channel
from .connection import Connection

__all__ = ["Channels"]

_LONGEST_EXIT_SECONDS = 1.0
_GRACE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _Opened:
    """A channel, what it was opened for, and what closes it when nobody needs it any more."""

    channel: Channel
    connection: Connection
    process: int
    finalizer: finalize[..., Channels]


class Channels:
    """One channel per running event loop, opened on first use.

    It is closed with its loop, with the component that holds it, or at the end of the process, whichever
    comes first. Threads with loops of their own never share one. Neither do processes: a forked child
    opens its own, because two readers of one socket would get each other's answers. Copies and pickles
    start empty.
    """

    def __init__(self) -> None:
        self._by_loop: dict[asyncio.AbstractEventLoop, _Opened] = {}
        self._inherited: list[_Opened] = []

    def __reduce__(self) -> tuple[type[Channels], tuple[()]]:
        """Copy and pickle without the open channels."""
        return (Channels, ())

    async def get(self, connection: Connection) -> Channel:
        """Return the running loop's channel for the connection.

        Raises:
            UsageError: When a setting of the connection makes no sense.
            CredentialsError: When there is no key.
        """
        loop = asyncio.get_running_loop()
        opened = self._by_loop.get(loop)
        if opened is not None:
            if opened.process != os.getpid():
                self._inherited.append(opened)  # closing it would end the parent's connections
            elif opened.connection == connection:
                return opened.channel
        return await self._open(loop, connection)

    async def _open(self, loop: asyncio.AbstractEventLoop, connection: Connection) -> Channel:
        channel, process = connection.open(), os.getpid()
        holder: ReferenceType[Channels] = ref(self)
        keeper = _keeper(channel, loop, holder)
        finalizer: finalize[..., Channels] = finalize(self, _release, keeper, channel, loop, holder, process)
        self._forget_closed()
        # Only the loop's own thread writes under its key, so no lock is needed.
        self._by_loop[loop] = _Opened(channel, connection, process, finalizer)
        await anext(keeper)
        return channel

    def forget(self, loop: asyncio.AbstractEventLoop, channel: Channel) -> None:
        """Let go of a loop's channel, unless another one has taken its place."""
        opened = self._by_loop.get(loop)
        if opened is not None and opened.channel is channel:
            opened.finalizer.detach()
            self._by_loop.pop(loop, None)

    def _forget_closed(self) -> None:
        for loop, opened in list(self._by_loop.items()):
            if loop.is_closed():
                self.forget(loop, opened.channel)
                opened.channel.abandon()


async def _keeper(
    channel: Channel, loop: asyncio.AbstractEventLoop, holder: ReferenceType[Channels]
) -> AsyncGenerator[None, None]:
    """Close the channel when its loop ends.

    An event loop finishes the asynchronous generators that were started on it before it closes: the only
    hook that it offers for closing connections in time.
    """
    try:
        yield
    finally:
        channels = holder()
        if channels is not None:
            channels.forget(loop, channel)
        await channel.close()


def _release(
    keeper: AsyncGenerator[None, None],
    channel: Channel,
    loop: asyncio.AbstractEventLoop,
    holder: ReferenceType[Channels],
    process: int,
) -> None:
    """Close the channel of a holder that is gone, or that has lived to the end of the process."""
    if process != os.getpid():
        return
    if loop.is_closed():
        channel.abandon()
        return
    done: concurrent.futures.Future[None] = concurrent.futures.Future()

    async def close() -> None:
        try:
            await keeper.aclose()
        finally:
            done.set_result(None)

    def begin() -> None:
        loop.create_task(close())

    if holder() is None:
        # A loop that ends now, as `asyncio.run` does behind the function that held the component, ends the keeper
        # itself and waits for it; it would not wait for a task.
        loop.call_soon_threadsafe(loop.call_later, _GRACE_SECONDS, begin)
        return
    loop.call_soon_threadsafe(begin)
    if loop.is_running():  # the process ends, and the loop's thread with it
        with suppress(TimeoutError):
            done.result(_LONGEST_EXIT_SECONDS)
