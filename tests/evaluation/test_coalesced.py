"""One embedding request for the texts of many samples, with the same rows, costs and failures as one each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmopt._trace import record, spend
from llmopt.errors import ContractError, ModelUnavailableError, RequestRejectedError
from llmopt.evaluation import AnswerRelevancy, Evaluator, Report, SemanticSimilarity, metric
from llmopt.evaluation.coalesced import Coalesced, coalesced
from llmopt.interfaces import Embedder, Metric
from llmopt.models import Budget, embedder
from llmopt.testing import FakeEmbedder, FakeJudge
from llmopt.testing.server import FakeOpenAI
from llmopt.types import Matrix, Sample, Score, TextKind, Usage


@dataclass(repr=False, eq=False)
class Remote(Embedder):
    """A fake that takes a while, counts, and charges a token per character."""

    bad: str = ""
    error: Exception | None = None
    requests: list[Sequence[str]] = field(init=False, default_factory=list[Sequence[str]])
    going: int = field(init=False, default=0)
    most: int = field(init=False, default=0)

    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        self.requests.append(tuple(texts))
        self.going += 1
        self.most = max(self.most, self.going)
        await asyncio.sleep(0.002)
        self.going -= 1
        if self.error is not None and any(self.bad in text for text in texts):
            raise self.error
        spend(Usage(sum(len(text) + 1 for text in texts), calls=1), 0.01 * len(texts))
        return FakeEmbedder().embed(texts, kind)

    def price(self, usage: Usage) -> float | None:
        return 0.01 * usage.calls


SAMPLES = [
    Sample(
        question=f"What falls on day {n}?", answer=f"Rain falls on day {n}.", reference=f"Rain on day {n}.", id=f"s{n}"
    )
    for n in range(40)
]


async def together(asked: Embedder, lists: Sequence[Sequence[str]], kind: TextKind = "query") -> list[Matrix]:
    return await asyncio.gather(*(asked.aencode(texts, kind=kind) for texts in lists))


@settings(max_examples=30)
@given(lists=st.lists(st.lists(st.text(max_size=8), max_size=4), max_size=12))
def test_everybody_gets_the_rows_of_their_own_texts(lists: list[list[str]]) -> None:
    rows = asyncio.run(together(Coalesced(Remote()), lists))
    for texts, found in zip(lists, rows, strict=True):
        np.testing.assert_array_equal(found, FakeEmbedder().encode(texts, kind="query"))


def test_who_asks_at_the_same_time_shares_a_request_and_who_comes_later_the_next() -> None:
    inner = Remote()

    async def scene() -> None:
        asked = Coalesced(inner)
        first = asyncio.create_task(together(asked, [["a"], ["b"], ["c"]]))
        await asyncio.sleep(0.001)
        await together(asked, [["d"], ["e"]])
        await first

    asyncio.run(scene())
    assert inner.requests == [("a", "b", "c"), ("d", "e")]
    assert inner.most == 1


def test_queries_and_documents_are_not_mixed() -> None:
    inner = Remote()

    async def scene() -> None:
        asked = Coalesced(inner)
        await asyncio.gather(together(asked, [["a"], ["b"]]), together(asked, [["c"]], "document"))

    asyncio.run(scene())
    assert set(inner.requests) == {("a", "b"), ("c",)}


def test_a_request_has_its_limit() -> None:
    inner = Remote()
    asyncio.run(together(Coalesced(inner), [["x"] * 100] * 5 + [["y"] * 300]))
    assert [len(texts) for texts in inner.requests] == [200, 200, 100, 300]


def test_tokens_and_money_are_shared_out_and_add_up() -> None:
    inner, spent = Remote(), list[tuple[int, float | None]]()

    async def one(asked: Embedder, text: str) -> None:
        with record("measure", asked) as recorder:
            await asked.aencode([text], kind="query")
        spent.append((recorder.usage.input_tokens, recorder.paid))
        calls.append(recorder.usage.calls)

    async def scene() -> None:
        asked = Coalesced(inner)
        await asyncio.gather(*(one(asked, "x" * n) for n in (1, 4, 7)))

    calls: list[int] = []
    asyncio.run(scene())
    assert len(inner.requests) == 1
    assert [tokens for tokens, _ in spent] == [2, 5, 8]
    assert sum(paid or 0 for _, paid in spent) == pytest.approx(0.03)
    assert sum(calls) == 1


def test_none_fails_for_the_text_of_another() -> None:
    inner = Remote("bad", RequestRejectedError("not this one"))

    async def scene() -> list[Matrix | BaseException]:
        asked = Coalesced(inner)
        return await asyncio.gather(
            *(asked.aencode([text], kind="query") for text in ("good", "bad", "fine")), return_exceptions=True
        )

    good, bad, fine = asyncio.run(scene())
    assert isinstance(bad, RequestRejectedError)
    assert isinstance(good, np.ndarray)
    assert isinstance(fine, np.ndarray)
    assert len(inner.requests) == 1 + 3


def test_a_server_that_is_down_is_not_asked_again_for_each() -> None:
    inner = Remote("", ModelUnavailableError("down", retryable=True))
    with pytest.raises(ModelUnavailableError):
        asyncio.run(together(Coalesced(inner), [["a"], ["b"]]))
    assert len(inner.requests) == 1


def test_one_who_is_cancelled_does_not_take_the_others_along() -> None:
    inner = Remote()

    async def scene() -> Matrix:
        asked = Coalesced(inner)
        first = asyncio.create_task(asked.aencode(["a"], kind="query"))
        second = asyncio.create_task(asked.aencode(["b"], kind="query"))
        await asyncio.sleep(0)
        first.cancel()
        rows = await second
        assert first.cancelled()
        return rows

    np.testing.assert_array_equal(asyncio.run(scene()), FakeEmbedder().encode(["b"], kind="query"))


def test_rows_that_do_not_fit_the_texts_are_refused() -> None:
    class Short(Embedder):
        async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
            return np.ones((1, 2), np.float32)

    with pytest.raises(ContractError):
        asyncio.run(together(Coalesced(Short()), [["a", "b"]]))


def test_what_computes_on_the_spot_is_left_alone() -> None:
    local, remote = FakeEmbedder(), Remote()
    assert coalesced(local) is local
    assert isinstance(coalesced(remote), Coalesced)


def test_an_evaluation_makes_few_requests_and_finds_the_same() -> None:
    inner = Remote()
    measure = Evaluator([AnswerRelevancy(FakeJudge(), inner), SemanticSimilarity(inner)], concurrency=20)
    plan = measure.plan(SAMPLES)
    report = measure.run(SAMPLES)
    assert len(inner.requests) <= 20 < 2 * len(SAMPLES) == plan.calls
    assert report.judging().usage.calls == len(inner.requests)
    assert report.judging().paid == pytest.approx(0.01 * sum(len(texts) for texts in inner.requests))
    alone = [metric.score(row.sample) for row in report for metric in measure.metrics]
    assert [score.value for score in alone] == pytest.approx(
        [row.scores[metric.name].value for row in report for metric in measure.metrics]
    )


def test_a_budget_holds_for_requests_put_together() -> None:
    with FakeOpenAI() as server:
        budget = Budget(calls=3)
        vectors = embedder("v", base_url=server.base_url, api_key="k", budget=budget)
        report = Evaluator([SemanticSimilarity(vectors)], concurrency=4).run(SAMPLES)
        assert server.count("embeddings") == 3
    summary = report.summary("semantic_similarity")
    assert summary.scored > 3
    assert summary.failed == 40 - summary.scored
    assert all("BudgetError" in row.scores["semantic_similarity"].reason for row in report.failures())


def test_a_journal_keeps_each_samples_rows(tmp_path: Path) -> None:
    inner = Remote()
    measure = Evaluator([SemanticSimilarity(inner)], concurrency=20)
    first = measure.run(SAMPLES, journal=tmp_path / "j")
    made = len(inner.requests)
    second = measure.run(
        [*SAMPLES, Sample(question="q", answer="new", reference="new", id="n")], journal=tmp_path / "j"
    )
    assert len(inner.requests) == made + 1
    assert [row.scores for row in second][:40] == [row.scores for row in first]


def test_who_waits_for_vectors_takes_no_place_of_those_who_do_not() -> None:
    others: list[str] = []
    enough = asyncio.Event()

    @metric
    async def right(sample: Sample) -> float:
        others.append(sample.id)
        if len(others) == 5:  # with four places that are not lent it would be three
            enough.set()
        return 1.0

    class Slow(Remote):
        async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
            await enough.wait()
            return await super().embed(texts, kind)

    metrics = [SemanticSimilarity(Slow()), right]

    async def measured() -> Report:
        return await asyncio.wait_for(Evaluator(metrics, concurrency=4).arun(SAMPLES), 10)

    assert asyncio.run(measured()).summary("semantic_similarity").scored == len(SAMPLES)


@dataclass(repr=False, eq=False)
class AsksOn(Metric):
    """Asks for vectors, and then for something else; counts how many do so at a time."""

    embedder: Embedder
    busy: list[int] = field(default_factory=lambda: [0, 0])

    async def measure(self, sample: Sample) -> Score:
        await self.embedder.aencode([sample.question], kind="query")
        self.busy[0] += 1
        self.busy[1] = max(self.busy)
        await asyncio.sleep(0.001)
        self.busy[0] -= 1
        return Score(1.0)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_who_comes_back_with_vectors_does_not_crowd_the_limit(concurrency: int) -> None:
    asks_on = AsksOn(Remote())
    Evaluator([asks_on], concurrency=concurrency).run(SAMPLES)
    assert 1 <= asks_on.busy[1] < 2 * concurrency
