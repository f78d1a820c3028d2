"""The bridge between sync and async: one background loop, threads for blocking hooks.

A hook may be `def` or `async def`. From sync code a `def` hook is a direct call and an `async def`
hook runs on one daemon thread with one loop for the whole process. From async code an `async def`
hook is awaited and a `def` hook goes to a worker thread. Threads are reused but never rationed: a
bounded pool locks up when hooks wait for hooks.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import inspect
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from typing import Any, ParamSpec, TypeVar, cast, overload

from .errors import UsageError
from .types import MaybeAwaitable

__all__ = ["call", "call_sync", "gather_bounded", "iterate_sync", "run_sync"]

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")

_CANCEL_GRACE_SECONDS = 5.0
_END = object()


class _Portal:
    """A daemon thread that owns one event loop for the life of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work()` on the loop and wait; an interrupt of the wait cancels it."""
        loop = self._start()
        if threading.current_thread() is self._thread:
            raise UsageError(
                "a sync method was called from async code on llmopt's own loop, which would wait for "
                "itself: await its `a...` twin instead (`aretrieve` for `retrieve`)"
            )
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
        context = contextvars.copy_context()
        tasks: list[asyncio.Task[None]] = []

        async def settle() -> None:
            try:
                done.set_result(await work())
            except BaseException as error:  # noqa: BLE001 - handed to the waiting thread whatever it is
                done.set_exception(error)

        loop.call_soon_threadsafe(lambda: tasks.append(loop.create_task(settle(), context=context)))
        try:
            return done.result()
        except BaseException:
            if not done.done():  # Ctrl-C: let the work end its own way before we go on
                loop.call_soon_threadsafe(lambda: [task.cancel() for task in tasks])
                concurrent.futures.wait([done], timeout=_CANCEL_GRACE_SECONDS)
            raise

    def _start(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="llmopt-loop", daemon=True)
                self._thread.start()
            return self._loop


class _Workers:
    """Daemon threads for blocking hooks: an idle one is reused, else a new one starts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []

    def submit(self, work: Callable[[], T]) -> concurrent.futures.Future[T]:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        (worker or _Worker(self._rest)).take(functools.partial(_settle_future, future, work))
        return future

    def _rest(self, worker: _Worker) -> None:
        with self._lock:
            self._idle.append(worker)


class _Worker:
    """One thread that runs what it is given, then reports that it is idle."""

    def __init__(self, rest: Callable[[_Worker], None]) -> None:
        self._rest = rest
        self._ready = threading.Semaphore(0)
        self._work: Callable[[], None] | None = None
        threading.Thread(target=self._serve, name="llmopt-hook", daemon=True).start()

    def take(self, work: Callable[[], None]) -> None:
        self._work = work
        self._ready.release()

    def _serve(self) -> None:
        while True:
            self._ready.acquire()
            work, self._work = self._work, None
            if work is not None:
                work()
                del work
            self._rest(self)


def _settle_future(future: concurrent.futures.Future[T], work: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - handed to the waiter whatever it is
        future.set_exception(error)


class _Process:
    """What belongs to this process; a forked child, which inherits no threads, starts afresh."""

    def __init__(self) -> None:
        self.renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        self.portal = _Portal()
        self.workers = _Workers()


_process = _Process()


def run_sync(function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run an async function from sync code, whether or not a loop is running in this thread.

    Context variables are carried over. An interrupt (Ctrl-C) cancels the work and is raised.

    Raises:
        UsageError: When called on llmopt's own loop.
    """
    return _process.portal.run(functools.partial(function, *args, **kwargs))


@overload
async def call(hook: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T: ...
@overload
async def call(hook: Callable[P, MaybeAwaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T: ...
async def call(hook: Callable[P, MaybeAwaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Await an `async def` hook; run a `def` hook in a worker thread so that it cannot block the loop."""
    if inspect.iscoroutinefunction(hook):
        return await cast("Callable[P, Awaitable[T]]", hook)(*args, **kwargs)
    run: Callable[..., object] = contextvars.copy_context().run
    value = await asyncio.wrap_future(_process.workers.submit(functools.partial(run, hook, *args, **kwargs)))
    return await _settle(cast("MaybeAwaitable[T]", value))


@overload
def call_sync(hook: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T: ...
@overload
def call_sync(hook: Callable[P, MaybeAwaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T: ...
def call_sync(hook: Callable[P, MaybeAwaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a `def` hook directly, with no event loop at all; run an `async def` hook on the portal."""
    if inspect.iscoroutinefunction(hook):
        return run_sync(cast("Callable[P, Awaitable[T]]", hook), *args, **kwargs)
    result = hook(*args, **kwargs)
    if inspect.isawaitable(result):
        return run_sync(_settle, result)
    return result


def iterate_sync(stream: Callable[[], AsyncIterator[T]]) -> Iterator[T]:
    """Walk an async iterator from sync code; leaving the loop early closes it."""
    iterator = stream()

    async def step() -> object:
        return await anext(iterator, _END)

    try:
        while (item := run_sync(step)) is not _END:
            yield cast(T, item)
    finally:
        if inspect.isasyncgen(iterator):
            run_sync(iterator.aclose)


async def gather_bounded(function: Callable[[T], Coroutine[Any, Any, R]], items: Iterable[T], *, limit: int) -> list[R]:
    """Run `function` over the items, at most `limit` at a time; results stand in the items' order.

    Items are drawn as places come free, so the input may be a long generator. The first error cancels
    the rest and is raised.
    """
    if limit < 1:
        raise UsageError(f"`limit` is the number of calls in flight and must be at least 1, got {limit}")
    results: dict[int, R] = {}
    stopped: list[BaseException] = []
    numbered = enumerate(items)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(limit):
                group.create_task(_drain(function, numbered, results, stopped))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from errors.exceptions[0].__cause__
    if stopped:
        raise stopped[0]
    return [results[number] for number in range(len(results))]


async def _drain(
    function: Callable[[T], Coroutine[Any, Any, R]],
    numbered: Iterator[tuple[int, T]],
    results: dict[int, R],
    stopped: list[BaseException],
) -> None:
    """Work the items off until there are none, or until one of the workers is told to leave."""
    for number, item in numbered:
        try:
            results[number] = await function(item)
        except (KeyboardInterrupt, SystemExit) as error:  # raised in a task it would end the loop itself
            stopped.append(error)
        if stopped:
            return


async def _settle(value: MaybeAwaitable[T]) -> T:
    if inspect.isawaitable(value):
        return await value
    return value
