"""The bridge: sync from async, async from sync, threads, forks, interrupts."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._sync import call, call_sync, gather_bounded, iterate_sync, run_sync
from llmopt.errors import UsageError

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


def blocking() -> int:
    return threading.get_ident()


async def native() -> int:
    await asyncio.sleep(0)
    return threading.get_ident()


def test_a_def_hook_is_called_in_the_callers_thread_from_sync_code() -> None:
    assert call_sync(blocking) == threading.get_ident()


def test_an_async_hook_runs_from_sync_code_with_and_without_a_running_loop() -> None:
    async def cell() -> int:
        return call_sync(native)

    assert call_sync(native) != threading.get_ident()
    assert asyncio.run(cell()) == call_sync(native)


def test_a_def_hook_does_not_block_the_loop_from_async_code() -> None:
    async def main() -> int:
        return await call(blocking)

    assert asyncio.run(main()) != threading.get_ident()


def test_a_def_hook_that_returns_an_awaitable_is_awaited() -> None:
    assert asyncio.run(call(lambda: native())) == threading.get_ident()
    assert call_sync(lambda: native()) != threading.get_ident()


def test_context_variables_reach_hooks_both_ways() -> None:
    async def read() -> str:
        return VARIABLE.get()

    VARIABLE.set("set")
    assert call_sync(read) == "set"
    assert asyncio.run(call(VARIABLE.get)) == "set"


def test_calling_sync_on_the_portals_own_loop_is_refused_with_the_remedy() -> None:
    async def bad() -> int:
        return run_sync(native)

    with pytest.raises(UsageError, match="twin"):
        run_sync(bad)


def test_many_nested_hooks_do_not_lock_each_other_out() -> None:
    def nested(depth: int) -> int:
        return 0 if depth == 0 else 1 + run_sync(go, depth - 1)

    async def go(depth: int) -> int:
        return await call(nested, depth)

    async def main() -> list[int]:
        return await gather_bounded(go, [4] * 40, limit=40)

    assert run_sync(main) == [4] * 40


def test_sync_calls_from_many_threads_share_one_loop() -> None:
    with ThreadPoolExecutor(16) as pool:
        threads = [pool.submit(run_sync, native) for _ in range(64)]
        assert len({thread.result() for thread in threads}) == 1


def test_errors_come_through_with_their_own_type() -> None:
    async def broken() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        run_sync(broken)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_forked_child_starts_a_loop_of_its_own() -> None:
    code = (
        "import os, sys; from llmopt._sync import run_sync\n"
        "async def work(): return 7\n"
        "assert run_sync(work) == 7\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(run_sync(work))\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=30, check=False)
    assert done.returncode == 7


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
def test_an_interrupt_cancels_the_work_and_is_raised() -> None:
    cancelled: list[bool] = []

    async def long() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    main = threading.main_thread()
    assert main.ident is not None
    timer = threading.Timer(0.1, lambda: signal.pthread_kill(main.ident or 0, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run_sync(long)
    assert cancelled == [True]


def test_an_async_iterator_is_walked_from_sync_code_and_closed_when_left() -> None:
    closed: list[bool] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            for number in range(10):
                yield number
        finally:
            closed.append(True)

    assert list(iterate_sync(numbers)) == list(range(10))
    for number in (left := iterate_sync(numbers)):
        assert number == 0
        break
    del left
    assert closed == [True, True]


@given(st.integers(1, 9), st.integers(0, 30))
def test_gathering_keeps_order_and_never_exceeds_the_limit(limit: int, count: int) -> None:
    running = 0
    most = 0

    async def one(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return number

    assert asyncio.run(gather_bounded(one, range(count), limit=limit)) == list(range(count))
    assert most <= limit


def test_gathering_draws_items_only_as_places_come_free() -> None:
    drawn = 0

    def items() -> Iterator[int]:
        nonlocal drawn
        for number in range(1000):
            drawn += 1
            yield number

    async def fail_on_five(number: int) -> int:
        await asyncio.sleep(0)
        if number == 5:
            raise ValueError("five")
        return number

    with pytest.raises(ValueError, match="five"):
        asyncio.run(gather_bounded(fail_on_five, items(), limit=2))
    assert drawn < 20


def test_an_exit_in_one_call_ends_the_others_and_comes_through() -> None:
    async def leave(number: int) -> int:
        await asyncio.sleep(0)
        raise SystemExit(number)

    with pytest.raises(SystemExit):
        run_sync(gather_bounded, leave, [1, 2, 3], limit=2)
    assert run_sync(native) != threading.get_ident()


def test_a_limit_below_one_is_refused() -> None:
    async def one(number: int) -> int:
        return number

    with pytest.raises(UsageError, match="at least 1"):
        asyncio.run(gather_bounded(one, [1], limit=0))


def test_idle_threads_are_used_again() -> None:
    async def main() -> set[int]:
        return {await call(blocking) for _ in range(50)}

    before = threading.active_count()
    assert len(asyncio.run(main())) < 10
    assert threading.active_count() - before < 10
