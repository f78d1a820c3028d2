"""What a pipeline says beforehand bounds what it asks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from llmopt.interfaces import Embedder, PromptStrategy, Reranker, Retriever
from llmopt.pipeline import Pipeline
from llmopt.prompting import (
    ChainOfThought,
    Decompose,
    Direct,
    FewShot,
    Grounded,
    ReAct,
    Repair,
    SelfConsistency,
    Shot,
    Steps,
    Tool,
)
from llmopt.reranking import MMR, Chain, Listwise, Pairwise, Pointwise
from llmopt.retrieval import BM25, Dense, Filtered, Hybrid, HyDE, MultiQuery, SubQuestions
from llmopt.routing import ModelClassifier
from llmopt.testing import FakeEmbedder, FakeModel, Reply
from llmopt.types import Document, Matrix, Message, Planned, TextKind, Usage

DOCUMENTS = [Document(str(n), f"Document {n} says that cats sleep by day.") for n in range(30)]
QUESTION = "When do cats sleep?"


REPLIES = {
    "Split the user's question": json.dumps(
        {"questions": [f"Part {n}?" for n in range(5)], "queries": [f"part {n}" for n in range(4)]}
    ),
    "other wordings": '{"queries": ["one", "two", "three"]}',
    "Grade from 0": '{"grade": 5}',
    "You rank passages": "[2] > [1]",
    "which of two passages": "A",
    "You sort texts": '{"label": "b", "confidence": 0.9}',
}


def said(messages: Sequence[Message]) -> Reply:
    """Answer whatever is asked in its own form, as much of it as possible."""
    return next((reply for words, reply in REPLIES.items() if words in messages[0].content), "by day")


@dataclass(repr=False, eq=False)
class Counting(Embedder):
    requests: list[Sequence[str]] = field(init=False, default_factory=list[Sequence[str]])

    def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        self.requests.append(tuple(texts))
        return FakeEmbedder().embed(texts, kind)


def calls_of(planned: Sequence[Planned]) -> int:
    return sum((item.usage for item in planned), Usage()).calls


def never(text: str) -> str:
    return "never right"


def area(country: str) -> float:
    """Return the area of a country."""
    return 1.0


PROMPTS: list[tuple[PromptStrategy, int]] = [
    (Direct(), 1),
    (Grounded(), 1),
    (ChainOfThought(Direct(), calls=2), 2),
    (SelfConsistency(Direct(), samples=10, early_stop=False), 10),
    (SelfConsistency(ChainOfThought(Direct(), calls=2), samples=3, early_stop=False), 6),
    (Decompose(Direct(), most=5), 7),
    (Steps([Direct(), Direct()]), 2),
]


@pytest.mark.parametrize(("prompt", "calls"), PROMPTS, ids=lambda value: type(value).__name__)
def test_strategies_say_exactly_how_often_they_ask(prompt: PromptStrategy, calls: int) -> None:
    model = FakeModel(said)
    planned = prompt.plan(model, QUESTION, [])
    assert model.requests == []
    prompt.run(model, QUESTION)
    assert calls_of(planned) == calls == len(model.requests)


def test_strategies_that_may_stop_early_say_the_most() -> None:
    model = FakeModel(said)
    assert calls_of(Repair(Direct(), never, tries=4).plan(model, QUESTION, [])) == 4
    react = ReAct([Tool(area)], max_steps=6, fallback=SelfConsistency(Direct(), samples=5))
    assert calls_of(react.plan(model, QUESTION, [])) == 11


def test_few_shot_counts_its_examples_and_what_finding_them_takes() -> None:
    model, shots = FakeModel(said), [Shot(f"Example question number {n}?", "answer " * 50) for n in range(8)]
    (bare,) = Direct().plan(model, QUESTION, [])
    (fixed,) = FewShot(Direct(), shots).plan(model, QUESTION, [])
    assert fixed.usage.input_tokens > bare.usage.input_tokens + 4 * 50
    nearest = FewShot(Direct(), shots, retriever=Dense(FakeEmbedder()))
    assert [item.what for item in nearest.plan(model, QUESTION, [])] == ["embeddings", "answer"]
    assert calls_of(ChainOfThought(nearest).plan(model, QUESTION, [])) == 2


def retrievers(model: FakeModel, embedder: Embedder) -> list[tuple[Retriever, int]]:
    dense = Dense(embedder).index(DOCUMENTS)
    words = BM25().index(DOCUMENTS)
    return [
        (words, 0),
        (dense, 1),
        (Hybrid([words, dense]), 1),
        (Filtered(dense, lambda document: True), 1),
        (HyDE(dense, model, count=8), 10),
        (MultiQuery(words, model, count=3), 1),
        (SubQuestions(words, model, most=4), 1),
        (MultiQuery(dense, model, count=3), 5),  # at most: the index embeds the four wordings in one request
    ]


@pytest.mark.parametrize("number", range(8))
def test_retrievers_bound_their_requests(number: int) -> None:
    model, embedder = FakeModel(said), Counting()
    retriever, most = retrievers(model, embedder)[number]
    embedder.requests.clear()
    planned = retriever.plan(QUESTION)
    assert calls_of(planned) == most
    assert not model.requests
    assert not embedder.requests
    retriever.retrieve(QUESTION)
    made = len(model.requests) + len(embedder.requests)
    assert made <= most
    assert made == most or number == 7


def rerankers(model: FakeModel, embedder: Embedder) -> list[tuple[Reranker, int]]:
    return [
        (Pointwise(model), 20),
        (Pairwise(model, most=4), 12),
        (Listwise(model, window=8, step=4), 4),
        (MMR(embedder), 2),
        (Chain([MMR(embedder), Pointwise(model)]), 22),
    ]


@pytest.mark.parametrize("number", range(5))
def test_rerankers_say_exactly_how_often_they_ask(number: int) -> None:
    model, embedder = FakeModel(said), Counting()
    reranker, calls = rerankers(model, embedder)[number]
    hits = BM25().index(DOCUMENTS).retrieve("cats", k=20)
    planned = reranker.plan(QUESTION, hits)
    assert not model.requests
    reranker.rerank(QUESTION, hits)
    assert calls_of(planned) == calls == len(model.requests) + len(embedder.requests)


def test_a_pipeline_adds_up_search_reranking_and_answer() -> None:
    model = FakeModel(said)
    pipeline = Pipeline(
        model=model,
        prompt=SelfConsistency(Grounded(), samples=10, early_stop=False),
        retriever=MultiQuery(BM25(), model).index(DOCUMENTS),
        reranker=Pointwise(model),
        k=3,
        fetch=20,
    )
    planned = pipeline.plan(QUESTION)
    assert {item.what: item.usage.calls for item in planned} == {
        "pipeline: wordings": 1,
        "pipeline: rerank": 20,
        "pipeline: answer": 10,
    }
    assert model.requests == []
    pipeline.run(QUESTION)
    assert calls_of(planned) == len(model.requests)


def test_notes_and_contexts_count_in_the_tokens_of_the_answer() -> None:
    model = FakeModel(said)
    bare = Pipeline(model=model, prompt=Grounded())
    noted = bare.but(notes="amounts are in euros " * 50)
    searching = bare.but(retriever=BM25().index(DOCUMENTS))
    tokens = [sum(item.usage.input_tokens for item in p.plan(QUESTION)) for p in (bare, noted, searching)]
    assert tokens[1] > tokens[0] + 150
    assert tokens[2] > tokens[0] + 500


@pytest.mark.parametrize("margin", [0.0, 0.99])
def test_of_several_routes_the_dearest_bounds_the_plan(margin: float) -> None:
    model = FakeModel(said)
    pipeline = Pipeline(
        model=model,
        prompt=Direct(),
        retriever=MultiQuery(BM25(), model).index(DOCUMENTS),
        classifier=ModelClassifier(model, {"a": "one", "b": "other"}),
        routes={
            "a": Pipeline(model=model, prompt=Direct()),
            "b": Pipeline(
                model=model,
                prompt=SelfConsistency(Direct(), samples=4, early_stop=False),
                retriever=MultiQuery(BM25(), model).index(DOCUMENTS),
            ),
        },
        margin=margin,
    )
    planned = pipeline.plan(QUESTION)
    assert calls_of(planned) == 1 + 1 + 4
    assert planned[0].what == "pipeline: classify"
    pipeline.run(QUESTION)
    assert len(model.requests) <= calls_of(planned)
    assert len(model.requests) == (6 if margin == 0 else 4)
