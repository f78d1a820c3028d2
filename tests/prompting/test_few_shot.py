"""Few-shot: which examples are shown, where, and which never are."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._tokens import count_messages
from llmopt.errors import NotReadyError, UsageError
from llmopt.interfaces import IndexedRetriever, Reranker
from llmopt.prompting import ChainOfThought, Direct, FewShot, Grounded, SelfConsistency, Shot
from llmopt.prompting.shot import likeness
from llmopt.reranking import MMR
from llmopt.retrieval import BM25, Dense
from llmopt.testing import FakeEmbedder, FakeModel
from llmopt.testing.contracts import PromptStrategyContract
from llmopt.types import Answer, Document, Hit, Message

SUMS = [Shot(f"What is {word} plus one?", str(n)) for n, word in enumerate(["zero", "one", "two", "three"], 1)]
HIT = Hit(Document("c", "Cats sleep 15 hours."), 1.0)


class TestFixed(PromptStrategyContract[FewShot]):
    def make(self) -> FewShot:
        return FewShot(Grounded(), [Shot("Do dogs bark?", "Yes [1].", (HIT,)), Shot("Do fish bark?", "No [1].")])


class TestNearest(PromptStrategyContract[FewShot]):
    def make(self) -> FewShot:
        return FewShot(Direct("Be brief."), SUMS, Dense(FakeEmbedder()), count=2)


@dataclass(repr=False, eq=False)
class Listed(IndexedRetriever):
    """Ranks by position, counts how often it is built and remembers what it was asked."""

    built: list[int] = field(init=False, default_factory=list[int])
    asked: list[int] = field(init=False, default_factory=list[int])

    def build(self, documents: Sequence[Document]) -> None:
        self.built.append(len(documents))

    def search(self, query: str, k: int) -> list[Hit]:
        self.asked.append(k)
        return [Hit(document, -float(rank)) for rank, document in enumerate(self.documents)][:k]


class Backwards(Reranker):
    def score(self, query: str, hits: Sequence[Hit]) -> list[float]:
        return [-hit.score for hit in hits]


def contents(strategy: FewShot, question: str) -> list[str]:
    """Return what is sent."""
    model = FakeModel("ok")
    strategy.run(model, question)
    return [message.content for message in model.requests[0]]


def test_fixed_examples_come_before_the_question_as_turns_of_the_chat() -> None:
    model = FakeModel("ok")
    FewShot(Direct("Add."), SUMS, count=2).run(model, "What is nine plus one?")
    assert list(model.requests[0]) == [
        Message("system", "Add."),
        Message("user", "What is zero plus one?"),
        Message("assistant", "1"),
        Message("user", "What is one plus one?"),
        Message("assistant", "2"),
        Message("user", "What is nine plus one?"),
    ]


def test_an_example_is_rendered_by_the_inner_strategy_with_its_own_contexts() -> None:
    model = FakeModel("ok")
    FewShot(Grounded(), [Shot("Cats?", "15 hours [1].", (HIT,))]).run(model, "Dogs?", [Hit(Document("d", "Woof."), 1)])
    (_, first, _, asked) = model.requests[0]
    assert "Cats sleep 15 hours." in first.content
    assert "# Question\nCats?" in first.content
    assert "Woof." in asked.content


def test_the_nearest_examples_stand_nearest_last() -> None:
    strategy = FewShot(Direct(), SUMS, Listed(), count=2)
    assert contents(strategy, "q?") == ["What is one plus one?", "2", "What is zero plus one?", "1", "q?"]


@pytest.mark.parametrize("retriever", [BM25(), Dense(FakeEmbedder())])
def test_a_real_retriever_finds_the_example_that_is_like_the_question(retriever: IndexedRetriever) -> None:
    shots = [Shot("How do I cook rice?", "Boil."), Shot("How far is the moon?", "Far."), Shot("Who wrote it?", "She.")]
    assert contents(FewShot(Direct(), shots, retriever, count=1), "How far is the sun?")[0] == "How far is the moon?"


def test_a_reranker_picks_among_the_nearest() -> None:
    strategy = FewShot(Direct(), SUMS, Listed(), Backwards(), count=2)
    assert contents(strategy, "q?")[:4] == ["What is two plus one?", "3", "What is three plus one?", "4"]


def test_mmr_makes_the_examples_diverse() -> None:
    shots = [Shot("cats sleep in the day", "a"), Shot("cats sleep in the days", "b"), Shot("dogs sleep at night", "c")]
    embedder = FakeEmbedder()
    near = FewShot(Direct(), shots, Dense(embedder), count=2)
    diverse = FewShot(Direct(), shots, Dense(embedder), MMR(embedder, trade_off=0.3), count=2)
    question = "when do cats sleep in a day"
    assert {contents(near, question)[1], contents(near, question)[3]} == {"a", "b"}
    assert "c" in {contents(diverse, question)[1], contents(diverse, question)[3]}


@pytest.mark.parametrize("retriever", [None, Listed()])
@pytest.mark.parametrize("question", ["What is ONE plus one", "what is one plus one ?!"])
def test_the_question_itself_and_its_near_duplicates_are_never_shown(
    retriever: IndexedRetriever | None, question: str
) -> None:
    shown = contents(FewShot(Direct(), SUMS, retriever, count=4), question)
    assert "What is one plus one?" not in shown
    assert len(shown) == 7


def test_duplicates_do_not_cost_places_among_the_nearest() -> None:
    shots = [*(Shot("Same question?", str(n)) for n in range(30)), Shot("Another one?", "yes")]
    assert contents(FewShot(Direct(), shots, Listed(), count=1), "same question")[0] == "Another one?"


def test_when_every_example_is_the_question_none_is_shown() -> None:
    assert contents(FewShot(Direct(), [Shot("Same?", "x")]), "Same?") == ["Same?"]


def test_examples_over_the_budget_are_left_out_and_the_trace_says_so() -> None:
    shots = [Shot("short one", "a"), Shot("long " * 200, "b"), Shot("short two", "c")]
    answer = FewShot(Direct(), shots, max_tokens=60).run(FakeModel("ok"), "q?")
    assert answer.trace is not None
    (chosen,) = [step for step in answer.trace.walk() if step.name == "choose examples"]
    assert chosen.output == ["short one", "short two"]
    assert chosen.notes["over the token budget"] == ["long " * 200]


def test_a_budget_that_no_example_fits_into_is_refused() -> None:
    with pytest.raises(UsageError, match="not even one of 4 examples fits into max_tokens=3"):
        FewShot(Direct(), SUMS, max_tokens=3).run(FakeModel("ok"), "q?")


@given(st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=8, unique=True), st.integers(40, 200))
def test_what_is_shown_never_exceeds_the_budget(questions: list[str], budget: int) -> None:
    shots = [Shot(question, "answer") for question in questions]
    shown = FewShot(Direct(), shots, count=8, max_tokens=budget).messages("an entirely different one", ())[:-1]
    assert count_messages(shown).count <= budget + 3


@pytest.mark.parametrize(
    ("strategy", "complaint"),
    [
        (FewShot(Direct(), []), "no examples"),
        (FewShot(Direct(), SUMS, count=0), "at least 1"),
        (FewShot(Direct(), SUMS, reranker=Backwards()), "needs a retriever"),
        (FewShot(SelfConsistency(Direct()), SUMS), "put FewShot inside it"),
        (FewShot(ChainOfThought(Direct(), calls=2), SUMS), "put FewShot inside it"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_paid(strategy: FewShot, complaint: str) -> None:
    model = FakeModel("ok")
    with pytest.raises(UsageError, match=complaint):
        strategy.run(model, "q?")
    assert model.requests == []


def test_nearest_examples_need_preparation() -> None:
    with pytest.raises(UsageError, match="prepare"):
        FewShot(Direct(), SUMS, Listed()).messages("q?", ())


def test_the_examples_are_indexed_once_however_many_threads_ask() -> None:
    retriever = Listed()
    strategy, model = FewShot(Direct(), SUMS, retriever), FakeModel("ok")

    def ask(number: int) -> str:
        return strategy.run(model, f"q{number}?").text

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(ask, range(16)))) == 16
    assert retriever.built == [4]


def test_many_tasks_of_one_loop_index_once_and_do_not_block_each_other() -> None:
    class Slow(Listed):
        def build(self, documents: Sequence[Document]) -> None:
            threading.Event().wait(0.02)
            super().build(documents)

    retriever = Slow()
    strategy, model = FewShot(Direct(), SUMS, retriever), FakeModel("ok")

    async def ask() -> list[Answer]:
        return list(await asyncio.gather(*(strategy.arun(model, f"q{number}?") for number in range(8))))

    assert len(asyncio.run(ask())) == 8
    assert retriever.built == [4]


def test_an_index_that_failed_is_built_with_the_next_question() -> None:
    class Failing(Listed):
        def build(self, documents: Sequence[Document]) -> None:
            super().build(documents)
            if len(self.built) == 1:
                raise OSError("disk")

    strategy = FewShot(Direct(), SUMS, Failing())
    with pytest.raises(OSError, match="disk"):
        strategy.run(FakeModel("ok"), "q?")
    assert strategy.run(FakeModel("ok"), "q?").text == "ok"


def test_a_retriever_of_other_documents_is_refused() -> None:
    retriever = Listed().index([Document("other", "text")])
    with pytest.raises(UsageError, match="a retriever of its own"):
        FewShot(Direct(), SUMS, retriever).run(FakeModel("ok"), "q?")


def test_a_loaded_strategy_does_not_index_again(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    strategy = FewShot(Direct(), tuple(SUMS), Dense(embedder))
    before = contents(strategy, "q?")
    strategy.save(tmp_path / "strategy")
    again = FewShot.load(tmp_path / "strategy")
    assert isinstance(again.retriever, Dense)
    assert len(again.retriever.documents) == 4
    assert contents(again, "q?") == before
    assert isinstance(again.retriever.embedder, FakeEmbedder)
    assert again.retriever.embedder.requests == [("q?",)]


def test_a_hundred_thousand_examples_do_not_fill_the_screen() -> None:
    assert len(repr(FewShot(Direct(), [Shot("question", "answer")] * 100_000))) < 500


def test_without_a_question_asked_the_retriever_is_not_indexed() -> None:
    retriever = Listed()
    FewShot(Direct(), SUMS, retriever)
    with pytest.raises(NotReadyError):
        _ = retriever.documents


@given(st.text(), st.text())
def test_likeness_is_a_share_symmetric_and_1_for_equals(left: str, right: str) -> None:
    assert 0 <= likeness(left, right) == likeness(right, left) <= 1
    assert likeness(left, left) == 1
