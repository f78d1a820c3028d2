from __future__ import annotations

import asyncio
import sqlite3
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from llmopt._trace import record
from llmopt.errors import BudgetError, CredentialsError, UsageError
from llmopt.interfaces import ChatModel, Component, Embedder
from llmopt.models.openai.chat import OpenAIChat
from llmopt.models.openai.embedder import OpenAIEmbedder
from llmopt.models.pricing import Price
from llmopt.models.stack import chat_model, embedder, wrap, wrap_embedder
from llmopt.models.wrappers.budget import Budget
from llmopt.models.wrappers.budgeted import Budgeted, BudgetedEmbedder
from llmopt.models.wrappers.cached import Cached
from llmopt.models.wrappers.cached_embedder import CachedEmbedder
from llmopt.models.wrappers.limited import Limited
from llmopt.models.wrappers.retrying import Retrying, RetryingEmbedder
from llmopt.models.wrappers.wrapping import bare, model_name
from llmopt.testing import FakeEmbedder, FakeModel
from llmopt.testing.server import FakeOpenAI, Fault
from llmopt.types import Completion, Options

CHAT = "chat/completions"


def layers(model: Component) -> list[str]:
    names = [type(model).__name__]
    inner: object = getattr(model, "inner", None)
    return names + (layers(inner) if isinstance(inner, Component) else [])


def test_a_request_passes_cache_budget_retries_and_limits_in_this_order(tmp_path: Path) -> None:
    model = chat_model("m", cache=tmp_path / "c.db", budget=Budget(calls=1))
    assert layers(model) == ["Cached", "Budgeted", "Retrying", "Limited", "OpenAIChat"]
    vectors = embedder("e", cache=tmp_path / "c.db", budget=Budget(calls=1))
    assert layers(vectors) == [
        "CachedEmbedder", "BudgetedEmbedder", "RetryingEmbedder", "LimitedEmbedder", "OpenAIEmbedder",
    ]  # fmt: skip


def test_layers_that_are_not_asked_for_are_left_out() -> None:
    assert layers(chat_model("m")) == ["Retrying", "Limited", "OpenAIChat"]
    assert layers(wrap(FakeModel(), attempts=1)) == ["Limited", "FakeModel"]
    assert layers(wrap_embedder(FakeEmbedder(), attempts=1)) == ["LimitedEmbedder", "FakeEmbedder"]


def test_the_arguments_reach_their_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1")
    price = Price(1.0, 2.0)
    model = chat_model(
        "m", requests_per_minute=7, tokens_per_minute=8, concurrency=9, attempts=3, deadline_seconds=10, price=price
    )
    assert isinstance(model, Retrying)
    assert (model.attempts, model.deadline_seconds) == (3, 10)
    limited = model.inner
    assert isinstance(limited, Limited)
    assert (limited.requests_per_minute, limited.tokens_per_minute, limited.concurrency) == (7, 8, 9)
    chat = bare(model)
    assert isinstance(chat, OpenAIChat)
    assert (chat.model, chat.prices) == ("m", price)
    assert model_name(model) == "m"


def test_the_environments_server_is_part_of_the_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1")
    one = bare(chat_model("m")).fingerprint()
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:2/v1")
    assert bare(chat_model("m")).fingerprint() != one
    other = bare(embedder("m", base_url="http://localhost:3/v1"))
    assert isinstance(other, OpenAIEmbedder)
    assert other.base_url == "http://localhost:3/v1"


def test_limits_that_make_no_sense_are_told_at_once() -> None:
    with pytest.raises(UsageError, match="`concurrency`"):
        chat_model("m", concurrency=0)
    with pytest.raises(UsageError, match="`attempts`"):
        wrap(FakeModel(), attempts=0)
    with pytest.raises(UsageError, match="`requests_per_minute`"):
        embedder("m", requests_per_minute=-1)


def test_a_budget_is_shared_and_the_cache_is_free(tmp_path: Path) -> None:
    budget = Budget(calls=2)
    first = wrap(FakeModel("one"), cache=tmp_path / "c.db", budget=budget)
    second = wrap(FakeModel("two"), budget=budget)
    assert [first.complete("hi").cached for _ in range(3)] == [False, True, True]
    assert second.complete("hi").text == "two"
    with pytest.raises(BudgetError):
        second.complete("hi")
    assert first.complete("hi").cached


def test_without_a_key_the_first_call_says_so_and_tries_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    with pytest.raises(CredentialsError, match="OPENAI_API_KEY"):
        chat_model("gpt-6-luna").complete("hi")


FAULTS = [
    Fault("rate_limit", rate=0.1, retry_after_ms=20),
    Fault("server_error", rate=0.05),
    Fault("malformed", rate=0.02),
    Fault("reset", rate=0.01),
    Fault("empty", rate=0.02),
]


def impatient(model: ChatModel, budget: Budget, path: Path) -> ChatModel:
    return Cached(Budgeted(Retrying(Limited(model), first_wait_seconds=0.005), budget), path)


def test_every_call_succeeds_on_a_server_that_fails_a_fifth_of_them(tmp_path: Path) -> None:
    budget = Budget(calls=200, dollars=1.0)
    with FakeOpenAI(lambda body: "Paris", faults=FAULTS, seed=3) as server:
        chat = OpenAIChat("any", base_url=server.base_url, prices=Price(2.0, 8.0))
        model = impatient(chat, budget, tmp_path / "c.db")

        async def main() -> list[Completion]:
            return await asyncio.gather(*(model.acomplete(f"question {number}") for number in range(200)))

        replies = asyncio.run(main())
        sent = server.count(CHAT)
        assert all(reply.cached for reply in asyncio.run(main()))
        assert server.count(CHAT) == sent
    assert [reply.text for reply in replies] == ["Paris"] * 200
    assert 210 <= sent <= 300
    assert budget.spent.calls == 200
    assert budget.spent.tokens == sum(reply.usage.total_tokens for reply in replies)
    assert budget.spent.dollars == pytest.approx(sum(reply.cost or 0.0 for reply in replies))


def test_every_call_succeeds_on_a_server_that_takes_few_at_a_time() -> None:
    with FakeOpenAI(lambda body: "Paris", max_in_flight=6, latency=0.005) as server:
        limited = Limited(OpenAIChat("any", base_url=server.base_url), concurrency=64)
        model = Retrying(limited, attempts=50, first_wait_seconds=0.02)

        async def main() -> list[Completion]:
            return await asyncio.gather(*(model.acomplete(f"question {number}") for number in range(60)))

        assert [reply.text for reply in asyncio.run(main())] == ["Paris"] * 60


def test_streams_pass_the_whole_stack(tmp_path: Path) -> None:
    budget = Budget(tokens=10_000)
    with FakeOpenAI(lambda body: "one two three", faults=[Fault("server_error", at=(1,))]) as server:
        chat = OpenAIChat("any", base_url=server.base_url)
        model = impatient(chat, budget, tmp_path / "c.db")
        assert "".join(delta.text for delta in model.complete_stream("count")) == "one two three"
        (delta,) = model.complete_stream("count")
        assert server.count(CHAT) == 2
    assert delta.completion is not None
    assert delta.completion.cached
    assert budget.spent.tokens == delta.completion.usage.total_tokens > 0


def test_embedding_passes_the_whole_stack_and_is_booked(tmp_path: Path) -> None:
    budget = Budget(dollars=1.0)
    with FakeOpenAI(dimensions=8, faults=[Fault("server_error", at=(1,))]) as server:
        inner = OpenAIEmbedder("any", base_url=server.base_url, prices=Price(1_000.0, 0.0))
        vectors: Embedder = CachedEmbedder(
            BudgetedEmbedder(RetryingEmbedder(inner, first_wait_seconds=0.005), budget), tmp_path / "c.db"
        )
        with record("test", "test") as recorder:
            rows = vectors.encode(["a cat", "a dog"], kind="document")
        again = vectors.encode(["a dog", "a cat"], kind="document")
        assert server.count("embeddings") == 2
    assert rows.shape == (2, 8)
    assert np.array_equal(rows[::-1], again)
    assert 0 < budget.spent.dollars == recorder.paid == recorder.cost


def ask(model: ChatModel, questions: Sequence[str]) -> list[str]:
    return [model.complete(question, Options(max_tokens=50)).text for question in questions]


def test_the_ready_made_model_works_against_a_server_and_closes_its_file(tmp_path: Path) -> None:
    path = tmp_path / "replies.db"
    with FakeOpenAI(lambda body: "Paris") as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        model = chat_model("any", base_url=server.base_url, cache=path, budget=Budget(tokens=5_000))
        assert ask(model, ["Capital of France?", "Capital of France?"]) == ["Paris", "Paris"]
        assert server.count(CHAT) == 1
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM entries").fetchone() == (1,)
    connection.close()
