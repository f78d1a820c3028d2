"""The record of a run: nesting, accounting, errors."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from llmopt._trace import note, record, spend, step
from llmopt.interfaces import ChatModel
from llmopt.testing import FakeModel
from llmopt.types import Completion, Message, Options, Usage


@dataclass
class Wrapper(ChatModel):
    inner: ChatModel

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        return await self.inner.acomplete(messages, options)


def reply(cost: float | None, *, cached: bool = False) -> FakeModel:
    return FakeModel(Completion("ok", Usage(10, 2, calls=1), cost=cost, cached=cached))


def test_steps_nest_and_usage_adds_up() -> None:
    with record("run", "test") as recorder:
        reply(0.5).complete("a")
        with step("inner", "test"):
            reply(0.25).complete("b")
    tree = recorder.frozen()
    assert [each.name for each in tree.walk()] == ["run", "model", "inner", "model"]
    assert (tree.usage, tree.cost, tree.paid) == (Usage(20, 4, calls=2), 0.75, 0.75)


def test_a_reply_from_the_cache_counts_as_cost_but_is_not_paid() -> None:
    with record("run", "test") as recorder:
        reply(0.5, cached=True).complete("a")
    assert (recorder.cost, recorder.paid) == (0.5, 0.0)


def test_an_unknown_price_makes_the_sum_unknown() -> None:
    with record("run", "test") as recorder:
        reply(0.5).complete("a")
        reply(None).complete("b")
    assert (recorder.cost, recorder.paid) == (None, None)


def test_a_wrapper_whose_inner_model_is_recorded_does_not_count_twice() -> None:
    with record("run", "test") as recorder:
        Wrapper(reply(0.5)).complete("a")
    assert (recorder.usage.calls, recorder.cost) == (1, 0.5)


def test_side_by_side_calls_land_in_their_own_parents() -> None:
    async def one(name: str) -> None:
        with step(name, "test"):
            await asyncio.sleep(0)
            await reply(0.1).acomplete(name)

    async def main() -> None:
        await asyncio.gather(one("a"), one("b"))

    with record("run", "test") as recorder:
        asyncio.run(main())
    assert sorted((child.name, len(child.children)) for child in recorder.frozen().children) == [("a", 1), ("b", 1)]


def test_notes_and_spending_go_to_the_current_step_and_nowhere_outside_a_record() -> None:
    note("lost", 1)
    spend(Usage(1), 1.0)
    with record("run", "test") as recorder, step("inner", "test"):
        note("kept", 1)
        note("kept", 2)
        spend(Usage(5), 0.1)
    tree = recorder.frozen()
    assert (tree.notes, tree.children[0].notes, tree.usage.input_tokens) == ({}, {"kept": 2}, 5)


def test_an_error_is_in_the_record_and_goes_on() -> None:
    with record("run", "test") as recorder, pytest.raises(KeyError), step("inner", "test"):
        raise KeyError("x")
    assert recorder.frozen().children[0].error == "KeyError: 'x'"


def test_the_tree_reads_as_text() -> None:
    with record("run", "Pipeline") as recorder:
        reply(0.5).complete("a")
        note("route", "sales")
    text = str(recorder.frozen())
    assert "run  Pipeline" in text
    assert "route='sales'" in text
    assert "  model  FakeModel" in text
    assert "10+2 tokens  $0.500000" in text


def test_what_was_done_on_the_way_to_a_reply_is_said_once_at_the_innermost_step() -> None:
    model = FakeModel(Completion("ok", notes=("dropped temperature",)))
    with record("run", "test") as recorder:
        Wrapper(model).complete("a")
    assert [each.notes for each in recorder.frozen().walk() if each.notes] == [{"notes": "dropped temperature"}]


def test_an_error_in_a_resumed_step_is_in_its_record() -> None:
    with record("run", "test") as recorder:
        pass
    with pytest.raises(ZeroDivisionError), recorder.resumed():
        raise ZeroDivisionError("oops")
    assert recorder.frozen().error == "ZeroDivisionError: oops"
