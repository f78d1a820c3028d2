"""So many at a time, also where places are lent."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt.evaluation.gate import Gate


@settings(max_examples=50)
@given(places=st.integers(1, 4), works=st.lists(st.lists(st.booleans(), max_size=4), max_size=12))
def test_places_are_held_lent_and_given_back(places: int, works: list[list[bool]]) -> None:
    gate = Gate(places)
    begun: list[int] = []
    busy, came_back = set[int](), set[int]()
    ended = 0

    async def work(number: int, turns: list[bool]) -> None:
        nonlocal ended
        async with gate:
            busy.add(number)
            begun.append(number)
            assert len(busy - came_back) <= places
            assert len(begun) - ended < 2 * places
            for lends in turns:
                if not lends:
                    await asyncio.sleep(0)
                    continue
                busy.remove(number)
                with gate.lent():
                    await asyncio.sleep(0)
                busy.add(number)
                came_back.add(number)
            busy.remove(number)
            ended += 1

    async def all_of_them() -> None:
        await asyncio.gather(*(work(number, turns) for number, turns in enumerate(works)))
        for _ in range(places):  # all places are free again, and not one more
            await asyncio.wait_for(gate.__aenter__(), 1)
        one_more = asyncio.create_task(gate.__aenter__())
        await asyncio.sleep(0)
        assert not one_more.done()
        one_more.cancel()

    asyncio.run(all_of_them())
    assert sorted(begun) == list(range(len(works)))


def test_who_comes_back_does_not_wait_for_those_who_wait_for_it() -> None:
    gate, order, shared = Gate(2), list[str](), asyncio.Event()

    async def maker() -> None:
        async with gate:
            with gate.lent():
                await asyncio.sleep(0)
            order.append("made")
            shared.set()

    async def waiting() -> None:
        async with gate:
            await shared.wait()
            order.append("taken")

    async def both() -> None:
        await asyncio.wait_for(asyncio.gather(maker(), waiting(), waiting()), 5)

    asyncio.run(both())
    assert order == ["made", "taken", "taken"]


def test_a_place_stays_held_while_its_holder_waits_on_another_loop() -> None:
    gate = Gate(2)

    async def elsewhere() -> None:
        with gate.lent():
            await asyncio.sleep(0)

    async def scene() -> None:
        async with gate, gate:
            one_more = asyncio.create_task(gate.__aenter__())
            await asyncio.to_thread(asyncio.run, elsewhere())
            await asyncio.sleep(0)
            assert not one_more.done()
            one_more.cancel()

    asyncio.run(scene())
