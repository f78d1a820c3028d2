from __future__ import annotations

import asyncio
import copy
import itertools
import logging
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import now, run

from llmopt._trace import record
from llmopt.errors import (
    ContextOverflowError,
    CredentialsError,
    ModelError,
    ModelOutputError,
    ModelUnavailableError,
    QuotaError,
    RateLimitError,
    UsageError,
)
from llmopt.interfaces import ChatModel, Embedder
from llmopt.models.wrappers.retrier import Patience, Retrier
from llmopt.models.wrappers.retrying import EmptyReplyError, Retrying, RetryingEmbedder
from llmopt.testing import FakeEmbedder, FakeModel
from llmopt.types import Completion, Delta, Matrix, Message, Options, TextKind, ToolCall, Usage

DOWN = ModelUnavailableError("the server is down", retryable=True, request_id="r-1")


def attempts_at(patience: Patience, failures: Sequence[ModelError], *, seconds: float = 0.0) -> list[float]:
    """Return when each attempt began; so many fail, the next one succeeds."""
    starts: list[float] = []

    async def send() -> str:
        starts.append(now())
        await asyncio.sleep(seconds)
        if len(starts) <= len(failures):
            raise failures[len(starts) - 1]
        return "done"

    async def main() -> str:
        return await Retrier(patience, now).run(send)

    assert run(main()) == "done"
    return starts


def gaps(starts: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(starts)]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), first=st.floats(0.01, 5), longest=st.floats(0.01, 20))
def test_waits_are_random_below_a_bound_that_doubles(seed: int, first: float, longest: float) -> None:
    patience = Patience(7, 1e9, first, longest, seed)
    waits = gaps(attempts_at(patience, [DOWN] * 6))
    for number, wait in enumerate(waits):
        assert 0 <= wait <= min(longest, first * 2**number) + 1e-9
    assert len(set(waits)) > 1


def test_the_same_seed_waits_the_same_and_another_seed_otherwise() -> None:
    waits = [gaps(attempts_at(Patience(seed=seed), [DOWN] * 3)) for seed in (1, 1, 2)]
    assert waits[0] == waits[1] != waits[2]


@pytest.mark.parametrize("asked", [0.0, 3.0, 250.0, 5_000.0])
def test_the_provider_is_given_the_time_that_it_asks_for_whatever_its_length(asked: float) -> None:
    too_many = RateLimitError("slow down", retryable=True, retry_after=asked)
    (wait,) = gaps(attempts_at(Patience(deadline_seconds=6_000), [too_many]))
    assert asked <= wait <= asked + 1


def test_a_pause_beyond_the_deadline_ends_the_call_at_once() -> None:
    async def main() -> float:
        async def send() -> None:
            raise RateLimitError("slow down", retryable=True, retry_after=601.0)

        with pytest.raises(
            RateLimitError, match=r"slow down \(attempt 1 of 6.*601\.\d s, .*`deadline_seconds` is 600\)"
        ):
            await Retrier(Patience(), now).run(send)
        return now()

    assert run(main()) == 0


def test_no_attempt_begins_after_the_deadline_which_starts_with_the_first_failure() -> None:
    starts: list[float] = []

    async def main() -> None:
        async def send() -> None:
            starts.append(now())
            await asyncio.sleep(50)  # the first attempt may have waited long for its turn
            raise DOWN

        with pytest.raises(ModelUnavailableError):
            await Retrier(Patience(1_000, deadline_seconds=120, longest_wait_seconds=1), now).run(send)

    run(main())
    assert len(starts) == 4
    assert starts[-1] <= 50 + 120


def test_the_last_error_is_raised_with_the_number_of_attempts() -> None:
    model = Retrying(FakeModel(DOWN), attempts=3, first_wait_seconds=0.001)
    with pytest.raises(ModelUnavailableError, match=r"the server is down \(attempt 3 of 3") as caught:
        model.complete("hi")
    assert caught.value.request_id == "r-1"
    assert caught.value.retryable
    assert caught.value.__cause__ is DOWN
    assert str(DOWN) == "the server is down"


class OddError(ModelError):
    def __init__(self, code: int, words: str) -> None:
        super().__init__(words, retryable=True)
        self.code = code


def test_an_error_with_a_constructor_of_its_own_gets_a_note_instead() -> None:
    model = Retrying(FakeModel(OddError(7, "odd")), attempts=2, first_wait_seconds=0.001)
    with pytest.raises(OddError, match="odd") as caught:
        model.complete("hi")
    assert "attempt 2 of 2" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    "error",
    [
        QuotaError("no credit"),
        CredentialsError("wrong key"),
        ContextOverflowError("too long"),
        UsageError("wrong"),
        ValueError("a bug"),
        RateLimitError("one request above the limit"),
    ],
)
def test_what_will_not_pass_is_raised_at_once(error: Exception) -> None:
    inner = FakeModel(script=[error])
    with pytest.raises(type(error)) as caught:
        Retrying(inner).complete("hi")
    assert caught.value is error
    assert len(inner.requests) == 1


def test_what_will_not_pass_ends_later_attempts_too() -> None:
    inner = FakeModel(script=[DOWN, QuotaError("no credit")])
    with pytest.raises(QuotaError, match="no credit"):
        Retrying(inner, first_wait_seconds=0.001).complete("hi")
    assert len(inner.requests) == 2


def test_one_attempt_means_no_retries() -> None:
    inner = FakeModel(DOWN)
    with pytest.raises(ModelUnavailableError, match=r"^the server is down$"):
        Retrying(inner, attempts=1).complete("hi")
    assert len(inner.requests) == 1


def reply(text: str, *, cost: float | None = 0.5) -> Completion:
    return Completion(text, Usage(10, 1, calls=1), cost=cost, model="m-1")


def test_empty_replies_are_asked_again_and_what_they_took_is_added() -> None:
    inner = FakeModel(script=[reply(""), reply(" \n"), reply("at last")])
    completion = Retrying(inner, first_wait_seconds=0.001).complete("hi")
    assert completion.text == "at last"
    assert completion.usage == Usage(30, 3, calls=3)
    assert completion.cost == 1.5


def test_an_unknown_cost_of_an_empty_reply_makes_the_whole_unknown() -> None:
    inner = FakeModel(script=[reply("", cost=None), reply("at last")])
    assert Retrying(inner, first_wait_seconds=0.001).complete("hi").cost is None


def test_empty_replies_only_are_an_error_that_knows_what_they_took() -> None:
    model = Retrying(FakeModel(reply("")), attempts=3, first_wait_seconds=0.001)
    with pytest.raises(EmptyReplyError, match=r"m-1 returned an empty reply.*attempt 3 of 3") as caught:
        model.complete("hi")
    assert isinstance(caught.value, ModelOutputError)
    assert caught.value.completion.usage == Usage(30, 3, calls=3)


@pytest.mark.parametrize(
    "completion",
    [
        Completion("", finish="length"),
        Completion("", finish="refusal"),
        Completion("", finish="content_filter"),
        Completion("", finish="tool_calls", tool_calls=[ToolCall("1", "look", "{}")]),
        Completion("", tool_calls=[ToolCall("1", "look", "{}")]),
    ],
)
def test_replies_that_are_empty_for_a_reason_are_taken(completion: Completion) -> None:
    assert Retrying(FakeModel(script=[completion])).complete("hi") == completion


@dataclass(repr=False, eq=False)
class Streams(ChatModel):
    """Streams what the script says; an exception in it is raised."""

    script: Sequence[Sequence[Delta | Exception]]
    opened: int = field(init=False, default=0)
    closed: int = field(init=False, default=0)

    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        raise NotImplementedError

    async def stream(self, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
        self.opened += 1
        try:
            for item in self.script[self.opened - 1]:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.closed += 1


async def streamed(model: ChatModel) -> list[Delta]:
    return [delta async for delta in model.stream([Message("user", "hi")], Options())]


WHOLE = [Delta("one "), Delta("two"), Delta("", reply("one two"))]


def test_a_stream_is_tried_again_before_its_first_text() -> None:
    inner = Streams([[DOWN], [Delta(""), DOWN], [Delta(""), Delta("", reply(""))], WHOLE])
    deltas = asyncio.run(streamed(Retrying(inner, first_wait_seconds=0.001)))
    assert [delta.text for delta in deltas] == ["one ", "two", ""]
    assert deltas[-1].completion is not None
    assert deltas[-1].completion.usage == Usage(20, 2, calls=2)
    assert inner.opened == inner.closed == 4


def test_a_stream_that_breaks_after_its_first_text_is_not_tried_again() -> None:
    inner = Streams([[Delta("one "), DOWN], WHOLE])
    with pytest.raises(ModelUnavailableError, match=r"^the server is down$"):
        asyncio.run(streamed(Retrying(inner, first_wait_seconds=0.001)))
    assert inner.opened == 1


def test_a_stream_that_is_left_is_closed() -> None:
    inner = Streams([WHOLE])

    async def main() -> None:
        async for delta in Retrying(inner).acomplete_stream("hi"):
            assert delta.text == "one "
            break

    asyncio.run(main())
    assert inner.closed == 1


def test_a_cancelled_wait_between_attempts_ends_it() -> None:
    inner = FakeModel(DOWN)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Retrying(inner, first_wait_seconds=60).acomplete("hi"), 0.05)

    asyncio.run(main())
    assert len(inner.requests) <= 2


def test_the_trace_and_the_log_tell_of_the_attempts(caplog: pytest.LogCaptureFixture) -> None:
    model = Retrying(FakeModel("ok", script=[DOWN, DOWN]), first_wait_seconds=0.001)
    with caplog.at_level(logging.INFO, "llmopt"), record("test", "test") as recorder:
        model.complete("hi")
    assert recorder.children[0].notes["attempts"] == 3
    assert "attempt 1 failed" in caplog.text
    assert "the server is down" in caplog.text


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (Retrying(FakeModel(), attempts=0), "`attempts`"),
        (Retrying(FakeModel(), deadline_seconds=-1), "`deadline_seconds`"),
        (Retrying(FakeModel(), first_wait_seconds=float("nan")), "`first_wait_seconds`"),
        (Retrying(FakeModel(), longest_wait_seconds=-0.1), "`longest_wait_seconds`"),
    ],
)
def test_numbers_that_make_no_sense_are_named(model: Retrying, name: str) -> None:
    with pytest.raises(UsageError, match=name):
        model.complete("hi")


@dataclass(repr=False, eq=False)
class FlakyEmbedder(Embedder):
    failures: int
    calls: int = field(init=False, default=0)

    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        self.calls += 1
        if self.calls <= self.failures:
            raise DOWN
        return FakeEmbedder(4).embed(texts, kind)

    def price(self, usage: Usage) -> float | None:
        return 0.125


def test_an_embedder_is_tried_again_too() -> None:
    embedder = RetryingEmbedder(FlakyEmbedder(2), first_wait_seconds=0.001)
    assert embedder.encode(["a", "b"], kind="query").shape == (2, 4)
    assert embedder.price(Usage()) == 0.125
    with pytest.raises(ModelUnavailableError, match="attempt 2 of 2"):
        RetryingEmbedder(FlakyEmbedder(9), attempts=2, first_wait_seconds=0.001).encode(["a"], kind="query")


def test_copies_and_pickles_have_the_same_parameters() -> None:
    model = Retrying(FakeModel("ok"), attempts=2)
    model.complete("hi")
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), replace(model)):
        assert twin.params().keys() == model.params().keys() >= {"inner", "attempts", "deadline_seconds", "seed"}
        assert twin.complete("hi").text == "ok"
    assert Retrying(FakeModel(), attempts=3).fingerprint() != Retrying(FakeModel(), attempts=4).fingerprint()


def test_tenacity_is_loaded_only_after_a_failure() -> None:
    code = (
        "import sys, llmopt.models.stack; from llmopt.models.wrappers.retrying import Retrying; "
        "from llmopt.testing import FakeModel; Retrying(FakeModel()).complete('hi'); "
        "sys.exit('tenacity' in sys.modules or 'openai' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
