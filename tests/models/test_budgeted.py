from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt._trace import record, spend
from llmopt.errors import BudgetError, ModelUnavailableError, UnknownPriceError, UsageError
from llmopt.interfaces import ChatModel, Embedder
from llmopt.models.pricing import Price
from llmopt.models.wrappers.budget import Budget, Remaining, Spent
from llmopt.models.wrappers.budgeted import Budgeted, BudgetedEmbedder
from llmopt.models.wrappers.estimate import prompt_tokens
from llmopt.models.wrappers.retrying import Retrying
from llmopt.models.wrappers.wrapping import closing
from llmopt.testing import FakeEmbedder, FakeModel
from llmopt.types import Completion, Delta, JsonSchema, Matrix, Message, Options, TextKind, ToolCall, ToolSpec, Usage

BRIEF = settings(max_examples=60, deadline=None)
PRICE = Price(input=2.0, output=8.0)
HUNDRED = Options(max_tokens=100)


@dataclass(repr=False, eq=False)
class Priced(ChatModel):
    """Answers with a usage that was told beforehand, after some turns of the loop."""

    usage: Usage = Usage(20, 30, calls=1)
    error: BaseException | None = None
    seconds: float = 0.0
    price_known: bool = True
    sent: int = field(init=False, default=0)

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        self.sent += 1
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return Completion("ok", self.usage)

    def price(self, usage: Usage) -> float | None:
        return PRICE.of(usage) if self.price_known else None


def test_the_usage_of_the_reply_is_what_is_spent() -> None:
    budget = Budget(calls=10, tokens=10_000, dollars=1.0)
    Budgeted(Priced(), budget).complete("hi", HUNDRED)
    assert budget.spent == Spent(1, 50, 0.00028)
    assert budget.remaining == Remaining(9, 9_950, 0.99972)


def test_the_price_is_the_inner_models() -> None:
    assert Budgeted(Priced(), Budget()).price(Usage(20, 30)) == PRICE.of(Usage(20, 30))
    assert BudgetedEmbedder(Counting(), Budget()).price(Usage()) == 0.5


def test_without_a_limit_nothing_remains_to_be_told() -> None:
    budget = Budget()
    Budgeted(Priced(), budget).complete("hi")
    assert budget.remaining == Remaining(None, None, None)
    assert budget.spent.calls == 1


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (
            Budget(calls=0),
            r"the budget of 0 calls does not allow this call, which may take up to 1 calls: 0 calls spent",
        ),
        (Budget(tokens=50), r"the budget of 50 tokens .* may take up to 1\d\d tokens"),
        (Budget(dollars=0.0005), r"the budget of 0\.0005 US dollars .* may take up to 0\.0008\d+ US dollars"),
    ],
)
def test_a_call_that_may_take_more_than_is_left_is_refused_before_it_is_sent(budget: Budget, words: str) -> None:
    inner = Priced()
    with pytest.raises(BudgetError, match=words):
        Budgeted(inner, budget).complete("hi", HUNDRED)
    assert inner.sent == 0
    assert budget.spent == Spent()


def test_the_prompt_and_the_longest_reply_are_reserved() -> None:
    words = "word " * 800
    needed = prompt_tokens([Message("user", words)], HUNDRED, None) + 100
    assert 800 <= needed <= 1_200
    with pytest.raises(BudgetError):
        Budgeted(Priced(), Budget(tokens=needed)).complete(words, HUNDRED)  # a quarter of the prompt above the estimate
    Budgeted(Priced(), Budget(tokens=int(needed * 1.25))).complete(words, HUNDRED)


def test_tools_and_schema_and_calls_count_in_the_estimate() -> None:
    plain = prompt_tokens([Message("user", "hi")], Options(), None)
    tool = ToolSpec("look_up", "Looks a word up in the dictionary", {"type": "object", "properties": {}})
    assert prompt_tokens([Message("user", "hi")], Options(tools=(tool,)), None) > plain + 10
    schema = JsonSchema("Answer", {"type": "object", "properties": {"capital": {"type": "string"}}})
    assert prompt_tokens([Message("user", "hi")], Options(schema=schema), None) > plain + 10
    called = Message("assistant", "", [ToolCall("1", "look_up", '{"word": "extraordinary"}')])
    assert prompt_tokens([Message("user", "hi"), called], Options(), None) > plain + 10


def test_a_reply_of_unlimited_length_is_reserved_at_a_default_that_can_be_set() -> None:
    with pytest.raises(BudgetError):
        Budgeted(Priced(), Budget(tokens=4_000)).complete("hi")
    assert Budgeted(Priced(), Budget(tokens=4_000), reply_tokens=1_000).complete("hi").text == "ok"


def test_a_reply_that_takes_more_than_was_reserved_is_booked_and_the_next_call_refused() -> None:
    budget = Budget(tokens=1_000)
    model = Budgeted(Priced(Usage(500, 5_000, calls=1)), budget)
    assert model.complete("hi", HUNDRED).text == "ok"
    assert budget.spent.tokens == 5_500
    assert budget.remaining.tokens == 0
    with pytest.raises(BudgetError, match="5500 tokens spent"):
        model.complete("hi", HUNDRED)


def test_money_with_an_unknown_price_is_refused_unless_allowed() -> None:
    inner = Priced(price_known=False)
    budget = Budget(dollars=1.0)
    with pytest.raises(UnknownPriceError, match="nobody knows the price of Priced"):
        Budgeted(inner, budget).complete("hi")
    assert inner.sent == 0
    assert Budgeted(inner, budget, allow_unknown_price=True).complete("hi").text == "ok"
    assert budget.spent == Spent(1, 50, 0.0)
    assert Budgeted(inner, Budget(tokens=9_000)).complete("hi").text == "ok"


def test_a_failed_call_costs_nothing_but_counts_as_a_call() -> None:
    budget = Budget(calls=2, tokens=10_000, dollars=1.0)
    model = Budgeted(Priced(error=ModelUnavailableError("down")), budget)
    with pytest.raises(ModelUnavailableError):
        model.complete("hi")
    assert budget.spent == Spent(1, 0, 0.0)
    assert budget.remaining.tokens == 10_000


@pytest.mark.parametrize("error", [UsageError("wrong"), BudgetError("another budget")])
def test_a_call_that_was_never_sent_counts_for_nothing(error: Exception) -> None:
    budget = Budget(calls=2)
    with pytest.raises(type(error)):
        Budgeted(Priced(error=error), budget).complete("hi")
    assert budget.spent == Spent()


def test_a_cancelled_call_is_booked_as_reserved() -> None:
    budget = Budget(tokens=10_000)
    model = Budgeted(Priced(seconds=60), budget)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(model.acomplete("hi", HUNDRED), 0.01)

    asyncio.run(main())
    assert 100 < budget.spent.tokens < 150
    assert budget.spent.calls == 1


def test_empty_replies_that_end_in_an_error_are_booked() -> None:
    budget = Budget(tokens=10_000, dollars=1.0)
    empty = Completion("", Usage(10, 0, calls=1), cost=0.01)
    model = Budgeted(Retrying(FakeModel(empty), attempts=3, first_wait_seconds=0.001), budget, allow_unknown_price=True)
    with pytest.raises(Exception, match="empty reply"):
        model.complete("hi")
    assert budget.spent == Spent(1, 30, 0.03)


def test_a_reply_from_a_cache_inside_costs_nothing() -> None:
    budget = Budget(calls=1)
    model = Budgeted(FakeModel(Completion("kept", Usage(10, 10), cost=1.0, cached=True)), budget)
    assert model.complete("hi").cached
    assert budget.spent == Spent()


def test_a_reply_without_usage_is_booked_as_reserved() -> None:
    budget = Budget(tokens=10_000, dollars=1.0)
    Budgeted(Priced(Usage()), budget).complete("hi", HUNDRED)
    assert 100 < budget.spent.tokens < 150
    assert budget.spent.dollars > 100 * 8e-6


def test_what_the_reply_says_it_cost_is_booked() -> None:
    budget = Budget(dollars=1.0)
    inner = FakeModel(Completion("ok", Usage(10, 10, calls=1), cost=0.125))
    Budgeted(inner, budget, allow_unknown_price=True).complete("hi")
    assert budget.spent.dollars == 0.125


@dataclass(repr=False, eq=False)
class Erratic(ChatModel):
    """Takes some turns of the loop, fails at times, and keeps to `max_tokens`; watches a budget meanwhile."""

    budget: Budget
    random: Random

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)
            check_limits(self.budget)
        if self.random.random() < 0.2:
            raise ModelUnavailableError("down")
        written = self.random.randrange(1, (options.max_tokens or 0) + 1)
        return Completion("ok", Usage(self.random.randrange(1, 8), written, calls=1))

    def price(self, usage: Usage) -> float | None:
        return PRICE.of(usage)


def check_limits(budget: Budget) -> None:
    spent = budget.spent
    assert budget.calls is None or spent.calls <= budget.calls
    assert budget.tokens is None or spent.tokens <= budget.tokens
    assert budget.dollars is None or spent.dollars <= budget.dollars + 1e-12


async def outcome_of(model: ChatModel, options: Options) -> str:
    try:
        return (await model.acomplete("hello there", options)).text
    except (BudgetError, ModelUnavailableError) as error:
        return type(error).__name__


@BRIEF
@given(
    budget=st.builds(
        Budget, st.none() | st.integers(0, 30), st.none() | st.integers(0, 5_000), st.none() | st.floats(0, 0.03)
    ),
    calls=st.integers(1, 60),
    seed=st.integers(0, 10**6),
)
def test_no_limit_is_ever_passed_by_concurrent_calls_that_keep_to_what_they_reserved(
    budget: Budget, calls: int, seed: int
) -> None:
    budget = Budget(budget.calls, budget.tokens, budget.dollars)
    random = Random(seed)
    model = Budgeted(Erratic(budget, random), budget)

    async def main() -> list[str]:
        wanted = [Options(max_tokens=random.randrange(1, 400)) for _ in range(calls)]
        return await asyncio.gather(*(outcome_of(model, options) for options in wanted))

    outcomes = asyncio.run(main())
    check_limits(budget)
    assert budget.spent.calls == calls - outcomes.count("BudgetError")
    if budget.calls is not None:
        assert budget.remaining.calls == budget.calls - budget.spent.calls
        assert budget.tokens is not None or budget.dollars is not None or budget.spent.calls == min(calls, budget.calls)
    unlimited = budget.calls is None and budget.tokens is None and budget.dollars is None
    assert not (unlimited and "BudgetError" in outcomes)


def test_threads_never_pass_the_limit_together() -> None:
    budget = Budget(calls=500, tokens=100_000)
    granted: list[int] = []

    def draw(seed: int) -> None:
        random = Random(seed)
        for _ in range(400):
            try:
                reservation = budget.reserve(tokens=random.randrange(1, 500))
            except BudgetError:
                continue
            granted.append(1)
            reservation.settle(tokens=random.randrange(1, 100)) if random.random() < 0.8 else reservation.release(
                sent=True
            )

    threads = [threading.Thread(target=draw, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert budget.spent.calls == len(granted) <= 500
    assert budget.spent.tokens <= 100_000


def test_a_call_waits_for_calls_in_flight_that_reserved_more_than_they_take() -> None:
    inner = Priced(Usage(20, 30, calls=1), seconds=0.001)
    model = Budgeted(inner, Budget(tokens=1_500))

    async def main() -> list[str]:
        replies = await asyncio.gather(*(model.acomplete("hi", Options(max_tokens=900)) for _ in range(10)))
        return [reply.text for reply in replies]

    assert asyncio.run(main()) == ["ok"] * 10


def test_a_call_waits_in_vain_when_the_others_leave_too_little() -> None:
    inner = Priced(Usage(20, 900, calls=1), seconds=0.001)
    model = Budgeted(inner, Budget(tokens=1_500))

    async def main() -> list[object]:
        calls = (model.acomplete("hi", Options(max_tokens=900)) for _ in range(3))
        return [type(reply) for reply in await asyncio.gather(*calls, return_exceptions=True)]

    assert asyncio.run(main()) == [Completion, BudgetError, BudgetError]
    assert inner.sent == 1


def test_a_cancelled_wait_sets_nothing_aside() -> None:
    budget = Budget(tokens=1_500)
    model = Budgeted(Priced(seconds=0.05), budget)

    async def main() -> None:
        first = asyncio.create_task(model.acomplete("hi", Options(max_tokens=900)))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(model.acomplete("hi", Options(max_tokens=900)), 0.001)
        await first

    asyncio.run(main())
    assert budget.spent == Spent(1, 50, 0.00028)
    assert budget.remaining.tokens == 1_450


@dataclass(repr=False, eq=False)
class Asking(ChatModel):
    """Asks another model before it answers."""

    other: ChatModel

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        return await self.other.acomplete(messages, options)


def test_a_call_inside_a_call_on_the_same_budget_is_refused_rather_than_waited_for() -> None:
    budget = Budget(tokens=1_500)
    model = Budgeted(Asking(Budgeted(Priced(), budget)), budget)
    with pytest.raises(BudgetError, match="reserved for calls in flight"):
        model.complete("hi", Options(max_tokens=900))
    assert budget.remaining.tokens == 1_500


@dataclass(repr=False, eq=False)
class Streaming(ChatModel):
    fails: bool = False
    passes: ClassVar[int] = 0

    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        raise NotImplementedError

    async def stream(self, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
        yield Delta("one ")
        if self.fails:
            raise ModelUnavailableError("broken off")
        yield Delta("two", Completion("one two", Usage(5, 2, calls=1)))


def test_a_stream_is_settled_at_its_end() -> None:
    budget = Budget(tokens=1_000)
    deltas = list(Budgeted(Streaming(), budget).complete_stream("hi", HUNDRED))
    assert [delta.text for delta in deltas] == ["one ", "two"]
    assert budget.spent == Spent(1, 7, 0.0)


def test_a_stream_that_breaks_off_costs_nothing_and_one_that_is_left_what_was_reserved() -> None:
    budget = Budget(tokens=1_000)
    with pytest.raises(ModelUnavailableError):
        list(Budgeted(Streaming(fails=True), budget).complete_stream("hi", HUNDRED))
    assert budget.spent == Spent(1, 0, 0.0)

    async def leave() -> None:
        async with closing(Budgeted(Streaming(), budget).stream([Message("user", "hi")], HUNDRED)) as deltas:
            await anext(deltas)

    asyncio.run(leave())
    assert budget.spent.calls == 2
    assert 100 < budget.spent.tokens < 150


def test_nobody_waits_for_an_open_stream() -> None:
    budget = Budget(tokens=250)
    model = Budgeted(Streaming(), budget)

    async def main() -> None:
        async with closing(model.stream([Message("user", "hi")], HUNDRED)) as deltas:
            await anext(deltas)
            with pytest.raises(BudgetError):
                await asyncio.wait_for(Budgeted(Priced(), budget).acomplete("hi", Options(max_tokens=200)), 5)

    asyncio.run(main())


@dataclass(repr=False, eq=False)
class Counting(Embedder):
    tells: bool = True

    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        if self.tells:
            spend(Usage(input_tokens=7, calls=1), 0.25)
        return FakeEmbedder(4).embed(texts, kind)

    def price(self, usage: Usage) -> float | None:
        return 0.5


def test_an_embedder_is_settled_by_what_it_notes_in_the_trace() -> None:
    budget = Budget(tokens=100, dollars=1.0)
    with record("test", "test") as recorder:
        assert BudgetedEmbedder(Counting(), budget).encode(["a b", "c"], kind="query").shape == (2, 4)
    assert budget.spent == Spent(1, 7, 0.25)
    assert recorder.usage.input_tokens == 7
    assert recorder.cost == 0.25


def test_an_embedder_that_notes_nothing_is_booked_as_reserved() -> None:
    budget = Budget(tokens=100, dollars=1.0)
    BudgetedEmbedder(Counting(tells=False), budget).encode(["a b"], kind="query")
    assert 0 < budget.spent.tokens < 10
    assert budget.spent.dollars == 0.5
    with pytest.raises(BudgetError):
        BudgetedEmbedder(Counting(), budget).encode(["many words " * 100], kind="query")
    with pytest.raises(UnknownPriceError, match="FakeEmbedder"):
        BudgetedEmbedder(FakeEmbedder(), budget).encode(["a"], kind="query")


@pytest.mark.parametrize("budget", [Budget(calls=-1), Budget(tokens=-1), Budget(dollars=float("inf"))])
def test_a_limit_that_makes_no_sense_is_named(budget: Budget) -> None:
    with pytest.raises(UsageError, match="of a Budget must be 0 or more"):
        _ = budget.remaining


def test_a_reservation_is_closed_once() -> None:
    budget = Budget(calls=5, tokens=100)
    reservation = budget.reserve(tokens=50)
    reservation.settle(tokens=10)
    reservation.settle(tokens=10)
    reservation.release(sent=True)
    assert budget.spent == Spent(1, 10, 0.0)


def test_tenths_of_a_dollar_add_up_exactly() -> None:
    budget = Budget(dollars=0.3)
    for _ in range(3):
        budget.reserve(dollars=0.1).settle()
    assert budget.remaining.dollars == 0.0
    with pytest.raises(BudgetError):
        budget.reserve(dollars=1e-9)


def test_a_budget_is_described_by_its_limits_and_copied_unspent(tmp_path: Path) -> None:
    budget = Budget(calls=3, dollars=1.5)
    model = Budgeted(FakeModel("ok"), budget, allow_unknown_price=True)
    model.complete("hi")
    assert budget.params() == {"calls": 3, "tokens": None, "dollars": 1.5}
    assert repr(budget) == "Budget(calls=3, dollars=1.5)"
    assert replace(model).budget is budget
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.fingerprint() == model.fingerprint()
        assert twin.budget.spent == Spent()
    embedder = BudgetedEmbedder(FakeEmbedder(), budget, allow_unknown_price=True)
    embedder.save(tmp_path / "saved")
    loaded = BudgetedEmbedder.load(tmp_path / "saved", allow=[FakeEmbedder])
    assert loaded.params()["allow_unknown_price"] is True
    assert loaded.budget.params() == budget.params()
    assert loaded.budget.spent == Spent()
