from __future__ import annotations

import asyncio
import copy
import itertools
import math
import pickle
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import now, run

from llmopt.errors import ModelUnavailableError, RateLimitError, UsageError
from llmopt.interfaces import ChatModel
from llmopt.models.wrappers.limited import Limited, LimitedEmbedder
from llmopt.models.wrappers.limiter import Limiter, Slot
from llmopt.models.wrappers.wrapping import bare, closing, model_name
from llmopt.testing import FakeEmbedder, FakeModel
from llmopt.types import Completion, Delta, Matrix, Message, Options, TextKind, Usage

BRIEF = settings(max_examples=40, deadline=None)


def limiter(
    *, requests_per_minute: float | None = None, tokens_per_minute: float | None = None, concurrency: int = 1_000
) -> Limiter:
    return Limiter(
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        concurrency=concurrency,
        clock=asyncio.get_running_loop().time,
    )


async def started_at(gate: Limiter, count: int, *, seconds: float = 0.0, tokens: int = 0) -> list[float]:
    """Send so many requests at once and tell when each was let through."""
    starts: list[float] = []

    async def send() -> None:
        slot = await gate.acquire(tokens)
        starts.append(now())
        await asyncio.sleep(seconds)
        gate.succeeded(slot)

    await asyncio.gather(*(send() for _ in range(count)))
    return starts


@BRIEF
@given(
    per_minute=st.floats(1, 2_000),
    count=st.integers(1, 80),
    pauses=st.lists(st.floats(0, 100), min_size=1, max_size=3),
)
def test_no_minute_sees_more_requests_than_allowed(per_minute: float, count: int, pauses: list[float]) -> None:
    async def main() -> list[float]:
        gate, starts = limiter(requests_per_minute=per_minute), list[float]()
        for pause in pauses:
            starts += await started_at(gate, count)
            await asyncio.sleep(pause)
        return starts

    starts = run(main())
    for start in starts:
        within = sum(start <= other < start + 60 - 1e-6 for other in starts)
        assert within <= math.ceil(per_minute)


def test_the_allowed_rate_is_used_up() -> None:
    async def main() -> list[float]:
        return await started_at(limiter(requests_per_minute=600), 3_000)

    assert run(main())[-1] == pytest.approx(300, rel=0.02)


@BRIEF
@given(
    per_minute=st.integers(60, 100_000),
    sizes=st.lists(st.integers(1, 5_000), min_size=1, max_size=60),
)
def test_tokens_keep_to_their_rate_but_for_one_request(per_minute: int, sizes: list[int]) -> None:
    async def main() -> list[tuple[float, int]]:
        gate, sent = limiter(tokens_per_minute=per_minute), list[tuple[float, int]]()
        for size in sizes:
            gate.succeeded(await gate.acquire(size))
            sent.append((now(), size))
        return sent

    total = 0
    for at, size in run(main()):
        assert total <= per_minute / 60 * (at + 1) + 1e-3
        total += size


def test_the_real_usage_sets_the_estimate_right() -> None:
    async def main(real: int | None) -> float:
        gate = limiter(tokens_per_minute=6_000)
        gate.succeeded(await gate.acquire(1_100), real)
        gate.succeeded(await gate.acquire(100))
        return now()

    assert run(main(None)) == pytest.approx(11, abs=0.5)
    assert run(main(100)) == pytest.approx(1, abs=0.5)
    assert run(main(2_100)) == pytest.approx(21, abs=0.5)


@BRIEF
@given(concurrency=st.integers(1, 8), seconds=st.lists(st.floats(0.01, 2), min_size=1, max_size=40))
def test_calls_go_out_in_order_and_never_more_than_allowed_at_a_time(concurrency: int, seconds: list[float]) -> None:
    in_flight = most = 0
    order: list[int] = []

    async def send(gate: Limiter, number: int) -> None:
        nonlocal in_flight, most
        slot = await gate.acquire(0)
        order.append(number)
        in_flight += 1
        most = max(most, in_flight)
        await asyncio.sleep(seconds[number])
        in_flight -= 1
        gate.succeeded(slot)

    async def main() -> int:
        gate = limiter(concurrency=concurrency)
        await asyncio.gather(*(send(gate, number) for number in range(len(seconds))))
        return gate.in_flight

    assert run(main()) == 0
    assert order == list(range(len(seconds)))
    assert most == min(concurrency, len(seconds))


def too_many(retry_after: float | None = None) -> RateLimitError:
    return RateLimitError("slow down", retryable=True, retry_after=retry_after)


def refuse_all(gate: Limiter, slots: Sequence[Slot]) -> list[int]:
    allowed: list[int] = []
    for slot in slots:
        gate.failed(slot, too_many())
        allowed.append(gate.allowed)
    return allowed


def test_what_was_sent_before_a_cut_does_not_cut_again() -> None:
    async def main() -> list[int]:
        gate = limiter(concurrency=64)
        slots = [await gate.acquire(0) for _ in range(64)]
        await asyncio.sleep(1)
        return refuse_all(gate, slots)

    assert len(set(run(main()))) == 1


def test_where_everything_is_refused_the_number_at_a_time_halves_with_every_round_trip() -> None:
    async def main() -> list[int]:
        gate, rounds = limiter(concurrency=64), list[int]()
        for _ in range(9):
            slots = [await gate.acquire(0) for _ in range(gate.allowed)]
            await asyncio.sleep(1)
            rounds.append(refuse_all(gate, slots)[-1])
            await asyncio.sleep(1)
        return rounds

    rounds = run(main())
    assert rounds[0] > 55  # one refusal alone may be chance
    for earlier, later in itertools.pairwise(rounds):
        assert later == max(1, earlier // 2) or later == max(1, earlier // 2 + 1)
    assert rounds[-1] == 1


def test_refusals_here_and_there_slow_down_little() -> None:
    async def main() -> int:
        gate, random, least = limiter(concurrency=64), Random(1), 64

        async def send() -> None:
            nonlocal least
            slot = await gate.acquire(0)
            await asyncio.sleep(random.uniform(0.9, 1.1))
            if random.random() < 0.1:
                gate.failed(slot, too_many(retry_after=30))
            else:
                gate.succeeded(slot)
            least = min(least, gate.allowed)

        await asyncio.gather(*(send() for _ in range(2_000)))
        assert now() < 200  # with every pause kept, it would be a thousand
        return least

    assert run(main()) >= 8


def test_it_settles_near_the_number_that_a_server_takes_at_a_time() -> None:
    random, taken, refused = Random(2), 0, 0

    async def ask(gate: Limiter) -> None:
        nonlocal taken, refused
        while True:
            slot = await gate.acquire(0)
            taken += 1
            full = taken > 6
            try:
                await asyncio.sleep(0.01 if full else 0.1)
                if full:
                    raise too_many()
                gate.succeeded(slot)
                return
            except RateLimitError as error:
                refused += 1
                gate.failed(slot, error)
            finally:
                taken -= 1
            await asyncio.sleep(random.uniform(0, 0.5))

    async def main() -> int:
        gate = limiter(concurrency=64)
        await asyncio.gather(*(ask(gate) for _ in range(600)))
        return gate.allowed

    assert 4 <= run(main()) <= 12
    assert refused < 400


def test_successes_let_it_grow_back_by_one_per_round_trip_to_the_full_number() -> None:
    async def main() -> tuple[int, int, int]:
        gate = limiter(concurrency=8)
        for _ in range(6):
            slots = [await gate.acquire(0) for _ in range(gate.allowed)]
            await asyncio.sleep(1)
            refuse_all(gate, slots)
            await asyncio.sleep(1)
        cut = gate.allowed
        await started_at(gate, 6, seconds=1)
        grown = gate.allowed
        await started_at(gate, 200, seconds=1)
        return cut, grown, gate.allowed

    cut, grown, full = run(main())
    assert cut <= 3
    assert cut < grown <= cut + 3
    assert full == 8


def test_a_success_of_a_request_sent_before_the_refused_one_ends_no_pause() -> None:
    async def main() -> tuple[float, float]:
        gate = limiter(concurrency=64)
        for _ in range(20):
            gate.succeeded(await gate.acquire(0))
        earlier = await gate.acquire(0)
        await asyncio.sleep(1)
        refused = await gate.acquire(0)
        await asyncio.sleep(1)
        later = await gate.acquire(0)
        gate.failed(refused, too_many(retry_after=50))
        gate.succeeded(earlier)
        (after_earlier,) = await started_at(gate, 1)
        gate.failed(await gate.acquire(0), too_many(retry_after=50))
        gate.succeeded(later)
        newest = asyncio.create_task(started_at(gate, 1))
        await asyncio.sleep(1)
        assert not newest.done()
        (after_later,) = await newest
        return after_earlier, after_later

    assert run(main()) == (52, 102)


def test_a_success_of_a_request_sent_after_the_refused_one_ends_the_pause() -> None:
    async def main() -> float:
        gate = limiter(concurrency=64)
        refused = await gate.acquire(0)
        await asyncio.sleep(1)
        later = await gate.acquire(0)
        gate.failed(refused, too_many(retry_after=50))
        gate.succeeded(later)
        return (await started_at(gate, 1))[0]

    assert run(main()) == 1


def test_other_failures_slow_nobody_down() -> None:
    async def main() -> int:
        gate = limiter(concurrency=8)
        gate.failed(await gate.acquire(0), ModelUnavailableError("down", retryable=True, retry_after=60))
        await gate.acquire(0)
        assert now() == 0
        return gate.allowed

    assert run(main()) == 8


@pytest.mark.parametrize("seconds", [0.5, 20.0, 7_200.0])
def test_everybody_pauses_as_long_as_the_provider_asks(seconds: float) -> None:
    async def main() -> list[float]:
        gate = limiter(concurrency=64)
        gate.failed(await gate.acquire(0), too_many(retry_after=seconds))
        return await started_at(gate, 3, seconds=0.0)

    assert min(run(main())) == pytest.approx(seconds)


@BRIEF
@given(
    concurrency=st.integers(1, 3),
    plan=st.lists(st.tuples(st.floats(0.1, 3), st.none() | st.floats(0, 4)), min_size=1, max_size=25),
)
def test_cancelled_calls_leave_no_place_taken(concurrency: int, plan: list[tuple[float, float | None]]) -> None:
    async def send(gate: Limiter, seconds: float) -> None:
        slot = await gate.acquire(0)
        try:
            await asyncio.sleep(seconds)
        except BaseException as error:
            gate.failed(slot, error)
            raise
        gate.succeeded(slot)

    async def main() -> tuple[int, float]:
        gate = limiter(concurrency=concurrency, requests_per_minute=6_000)
        tasks = [asyncio.create_task(send(gate, seconds)) for seconds, _ in plan]
        for task, (_, cancel_after) in zip(tasks, plan, strict=True):
            if cancel_after is not None:
                asyncio.get_running_loop().call_later(cancel_after, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
        left, ended = gate.in_flight, now()
        await asyncio.sleep(1)
        for _ in range(concurrency):
            await gate.acquire(0)
        return left, now() - ended

    left, waited = run(main())
    assert left == 0
    assert waited < 1.1


def test_a_call_cancelled_in_the_moment_it_gets_its_place_gives_it_on() -> None:
    async def main() -> float:
        gate = limiter(concurrency=1)
        slot = await gate.acquire(0)
        waiting = asyncio.create_task(gate.acquire(0))
        await asyncio.sleep(1)
        gate.succeeded(slot)  # the place is granted, the task has not run yet
        waiting.cancel()
        await gate.acquire(0)
        assert waiting.cancelled()
        return now()

    assert run(main()) == 1


def test_a_place_is_given_back_once_however_often_it_is_said() -> None:
    async def main() -> int:
        gate = limiter(concurrency=2)
        first, _ = await gate.acquire(0), await gate.acquire(0)
        gate.succeeded(first)
        gate.failed(first, too_many(retry_after=100))
        return gate.in_flight

    assert run(main()) == 1


def ignore(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The loop complains about the task that it left behind."""


def test_a_waiting_call_whose_loop_was_closed_blocks_nobody() -> None:
    gate = Limiter(concurrency=1)
    abandoned = asyncio.new_event_loop()
    slot = abandoned.run_until_complete(gate.acquire(0))
    waiting = abandoned.create_task(gate.acquire(0))
    abandoned.run_until_complete(asyncio.sleep(0))
    abandoned.set_exception_handler(ignore)
    abandoned.close()

    async def main() -> Slot:
        later = asyncio.create_task(gate.acquire(0))
        await asyncio.sleep(0)
        gate.succeeded(slot)
        return await asyncio.wait_for(later, 5)

    assert asyncio.run(main()).open
    assert not waiting.done()


@dataclass(repr=False, eq=False)
class Slow(ChatModel):
    """Answers after a moment and notes how many calls it has at a time."""

    seconds: float = 0.005
    lock: threading.Lock = field(init=False, default_factory=threading.Lock)
    in_flight: int = field(init=False, default=0)
    most: int = field(init=False, default=0)

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        with self.lock:
            self.in_flight += 1
            self.most = max(self.most, self.in_flight)
        await asyncio.sleep(self.seconds)
        with self.lock:
            self.in_flight -= 1
        return Completion("slow", Usage(10, 10, calls=1))

    def price(self, usage: Usage) -> float | None:
        return 0.25


def test_loops_and_threads_share_the_limit() -> None:
    slow = Slow()
    model = Limited(slow, concurrency=3)

    async def many() -> None:
        await asyncio.gather(*(model.acomplete("hello") for _ in range(8)))

    def in_a_loop() -> None:
        asyncio.run(many())

    def in_no_loop() -> None:
        for _ in range(4):
            model.complete("hello")

    threads = [threading.Thread(target=target) for target in (in_a_loop, in_a_loop, in_no_loop, in_no_loop)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert slow.most == 3
    assert slow.in_flight == 0


def test_the_reply_and_the_price_are_the_inner_models() -> None:
    model = Limited(Slow(0.0), requests_per_minute=6_000, tokens_per_minute=600_000)
    assert model.complete("hello").text == "slow"
    assert model.price(Usage()) == 0.25


def test_errors_of_the_inner_model_come_through_and_free_the_place() -> None:
    model = Limited(FakeModel(script=[too_many(), ModelUnavailableError("down")]), concurrency=1)
    with pytest.raises(RateLimitError, match="slow down"):
        model.complete("a")
    with pytest.raises(ModelUnavailableError, match="down"):
        model.complete("a")
    assert model.complete("a").text == "an answer"


class Streaming(ChatModel):
    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        return Completion("one two")

    async def stream(self, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
        yield Delta("one ")
        yield Delta("two", Completion("one two", Usage(1, 2, calls=1)))


def test_a_stream_holds_its_place_until_its_end_or_until_it_is_left() -> None:
    model = Limited(Streaming(), concurrency=1)

    async def main() -> list[str]:
        async with closing(model.stream([Message("user", "hi")], Options())) as left:
            assert (await anext(left)).text == "one "
            other = asyncio.create_task(model.acomplete("hi"))
            await asyncio.sleep(0.01)
            assert not other.done()
        await asyncio.wait_for(other, 5)
        return [delta.text async for delta in model.acomplete_stream("hi")]

    assert asyncio.run(main()) == ["one ", "two"]
    assert model.complete("hi").text == "one two"


def test_a_model_without_a_limit_that_makes_sense_says_which() -> None:
    with pytest.raises(UsageError, match="`requests_per_minute`"):
        Limited(FakeModel(), requests_per_minute=0).complete("a")
    with pytest.raises(UsageError, match="`tokens_per_minute`"):
        Limited(FakeModel(), tokens_per_minute=float("nan")).complete("a")
    with pytest.raises(UsageError, match="`concurrency`"):
        Limited(FakeModel(), concurrency=0).complete("a")


def test_long_prompts_wait_for_the_token_limit() -> None:
    model = Limited(FakeModel(), tokens_per_minute=60_000)

    async def main() -> bool:
        await model.acomplete("word " * 10_000)  # leaves a debt of some ten seconds
        try:
            await asyncio.wait_for(model.acomplete("hi"), 0.05)
        except TimeoutError:
            return False
        return True

    assert not asyncio.run(main())


def test_an_embedder_is_limited_too() -> None:
    embedder = LimitedEmbedder(FakeEmbedder(), requests_per_minute=600, tokens_per_minute=60_000, concurrency=2)
    assert embedder.encode(["a b", "c"], kind="query").shape == (2, 256)
    assert embedder.price(Usage()) is None
    with pytest.raises(UsageError, match="`concurrency`"):
        LimitedEmbedder(FakeEmbedder(), concurrency=-1).encode(["a"], kind="query")


def test_an_embedder_that_fails_frees_its_place() -> None:
    class Failing(FakeEmbedder):
        def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
            if not self.requests:
                self.requests.append(texts)
                raise too_many()
            return super().embed(texts, kind)

    embedder = LimitedEmbedder(Failing(), concurrency=1)
    with pytest.raises(RateLimitError):
        embedder.encode(["a"], kind="query")
    assert embedder.encode(["a"], kind="query").shape == (1, 256)


def test_a_wrapper_of_the_users_own_that_passes_through_is_looked_through() -> None:
    class Own(FakeModel):
        passes_through = True
        inner: object = "nothing that could be asked"

    own = Own()
    assert bare(Limited(own)) is own
    assert model_name(own) is None


def test_copies_pickles_and_saved_ones_have_the_same_parameters(tmp_path: Path) -> None:
    model = Limited(Streaming(), requests_per_minute=60, concurrency=2)
    model.complete("hi")
    assert model.params().keys() == {"inner", "requests_per_minute", "tokens_per_minute", "concurrency"}
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), replace(model)):
        assert twin.fingerprint() == model.fingerprint()
        assert twin.complete("hi").text == "one two"
    embedder = LimitedEmbedder(FakeEmbedder(), concurrency=2)
    embedder.save(tmp_path / "saved")
    assert LimitedEmbedder.load(tmp_path / "saved").fingerprint() == embedder.fingerprint()
