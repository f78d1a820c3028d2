from __future__ import annotations

import asyncio
import threading

import pytest

from llmopt.evaluation.sharing import Shared


class Counting:
    """Makes values and counts how often; waits until it is let go."""

    def __init__(self) -> None:
        self.calls = 0
        self.gate = asyncio.Event()

    async def make(self) -> int:
        self.calls += 1
        await self.gate.wait()
        return self.calls


def always(_: int) -> bool:
    return True


def test_who_asks_while_it_is_made_waits_for_it() -> None:
    async def scene() -> tuple[list[int], int]:
        shared, maker = Shared[int](10), Counting()
        tasks = [asyncio.create_task(shared.get("k", maker.make, always)) for _ in range(20)]
        await asyncio.sleep(0)
        maker.gate.set()
        found = await asyncio.gather(*tasks)
        return [*found, await shared.get("k", maker.make, always)], maker.calls

    assert asyncio.run(scene()) == ([1] * 21, 1)


def test_other_keys_are_made_anew_and_the_oldest_forgotten() -> None:
    async def scene() -> int:
        shared, maker = Shared[int](2), Counting()
        maker.gate.set()
        for key in ("a", "b", "a", "c", "a", "b"):
            await shared.get(key, maker.make, always)
        return maker.calls

    assert asyncio.run(scene()) == 4


def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    async def scene() -> tuple[int, int]:
        shared, calls = Shared[int](2), 0

        async def make() -> int:
            nonlocal calls
            calls += 1
            await asyncio.sleep(0)
            if calls == 1:
                raise ValueError("no")
            return calls

        results = await asyncio.gather(*(shared.get("k", make, always) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(result, ValueError) for result in results)
        return await shared.get("k", make, always), calls

    assert asyncio.run(scene()) == (2, 2)


def test_a_value_that_is_not_good_enough_is_made_again() -> None:
    async def scene() -> list[int]:
        shared, maker = Shared[int](2), Counting()
        maker.gate.set()
        return [await shared.get("k", maker.make, lambda value: value > 1) for _ in range(3)]

    assert asyncio.run(scene()) == [1, 2, 2]


def test_a_cancelled_maker_hands_over_to_one_who_waits() -> None:
    async def scene() -> tuple[int, int]:
        shared, maker = Shared[int](2), Counting()
        first = asyncio.create_task(shared.get("k", maker.make, always))
        await asyncio.sleep(0)
        second = asyncio.create_task(shared.get("k", maker.make, always))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        maker.gate.set()
        return await second, maker.calls

    assert asyncio.run(scene()) == (2, 2)


def test_one_who_waits_and_is_cancelled_leaves_the_others_alone() -> None:
    async def scene() -> int:
        shared, maker = Shared[int](2), Counting()
        tasks = [asyncio.create_task(shared.get("k", maker.make, always)) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.sleep(0)
        maker.gate.set()
        assert await tasks[2] == 1
        return await tasks[0]

    assert asyncio.run(scene()) == 1


def test_it_is_shared_across_threads_and_their_loops() -> None:
    shared = Shared[int](2)
    calls: list[int] = []
    barrier = threading.Barrier(4)
    found: list[int] = []

    async def make() -> int:
        calls.append(1)
        await asyncio.sleep(0.05)
        return 7

    def run() -> None:
        barrier.wait()
        found.append(asyncio.run(shared.get("k", make, always)))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [7] * 4
    assert len(calls) == 1


def test_with_size_zero_only_what_is_in_flight_is_shared() -> None:
    async def scene() -> int:
        shared, maker = Shared[int](0), Counting()
        maker.gate.set()
        await shared.get("k", maker.make, always)
        await shared.get("k", maker.make, always)
        return maker.calls

    assert asyncio.run(scene()) == 2
