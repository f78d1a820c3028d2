"""The plan says before what is spent after."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from llmopt.errors import SampleError
from llmopt.evaluation import (
    ContextPrecision,
    ContextRecall,
    Evaluator,
    ExactMatch,
    Faithfulness,
    ModelJudge,
)
from llmopt.pipeline import Pipeline
from llmopt.prompting import Direct, SelfConsistency
from llmopt.retrieval import BM25, MultiQuery
from llmopt.testing import FakeModel, Reply
from llmopt.types import Answer, Document, Message, Planned, Sample, Usage

SAMPLES = [
    Sample(
        question=f"What is the weather in month {n}?",
        answer="It rains. It is cold.",
        contexts=[f"In month {n} it rains.", "It is cold."],
        reference="It rains.",
    )
    for n in range(1, 6)
]


class Priced(FakeModel):
    """A model that costs a cent per call and replies to every kind of inquiry."""

    def price(self, usage: Usage) -> float | None:
        return 0.01 * usage.calls


def reply(messages: Sequence[Message]) -> Reply:
    asked = messages[-1].content
    verdicts = ", ".join(f'{{"id": {n}, "reason": "r", "verdict": 1}}' for n in range(1, 5))
    if '"claims"' in asked:
        return '{"claims": ["It rains.", "It is cold."]}'
    if '"statements"' in asked:
        return '{"statements": [{"statement": "It rains.", "reason": "r", "verdict": 1}]}'
    return f'{{"verdicts": [{verdicts}]}}'


def test_the_planned_calls_are_the_calls_that_are_made() -> None:
    model = FakeModel(reply)
    judge = ModelJudge(model)
    evaluator = Evaluator([Faithfulness(judge), ContextPrecision(judge), ContextRecall(judge), ExactMatch()])
    plan = evaluator.plan(SAMPLES)
    assert model.requests == []
    report = evaluator.run(SAMPLES)
    assert report.failures() == []
    assert plan.calls == len(model.requests) == report.judging().usage.calls
    assert plan.samples == 5
    assert plan.notes == ()


def test_calls_tokens_and_money_are_added_up_by_purpose() -> None:
    plan = Evaluator([Faithfulness(ModelJudge(Priced(reply)))]).plan(SAMPLES)
    assert [item.what for item in plan.items] == ["faithfulness: claims", "faithfulness: supported"]
    assert [item.usage.calls for item in plan.items] == [5, 5]
    assert plan.cost == pytest.approx(0.10)
    assert plan.usage.input_tokens > 500
    assert "all together" in str(plan)
    assert "$0.1000" in str(plan)


def test_an_unknown_price_is_not_zero() -> None:
    plan = Evaluator([Faithfulness(ModelJudge(FakeModel(reply)))]).plan(SAMPLES)
    assert plan.cost is None
    assert "price unknown" in str(plan)


def test_metrics_that_ask_nobody_cost_nothing() -> None:
    plan = Evaluator([ExactMatch()]).plan(SAMPLES)
    assert (plan.calls, plan.cost, plan.items) == (0, 0.0, ())


def test_a_pipeline_is_planned_with_stand_ins_and_says_so() -> None:
    model, judged = Priced("an answer"), Priced(reply)
    pipeline = Pipeline(model=model, prompt=Direct(), k=3)
    questions = [Sample(question=sample.question, reference="It rains.") for sample in SAMPLES]
    plan = Evaluator([Faithfulness(ModelJudge(judged)), ContextRecall(ModelJudge(judged))]).plan(
        questions, pipeline=pipeline
    )
    assert {item.what: item.usage.calls for item in plan.items} == {
        "pipeline: answer": 5,
        "faithfulness: claims": 5,
        "faithfulness: supported": 5,
        "context_recall: attributed": 5,
    }
    assert any("not known yet" in note for note in plan.notes)
    assert model.requests == judged.requests == []


def test_every_call_of_a_pipeline_is_counted() -> None:
    answering, judged = Priced("It rains."), Priced(reply)
    documents = [Document(str(n), f"In month {n} it rains.") for n in range(20)]
    pipeline = Pipeline(
        model=answering,
        prompt=SelfConsistency(Direct(), samples=10, early_stop=False),
        retriever=MultiQuery(BM25(), answering).index(documents),
        k=2,
    )
    questions = [Sample(question=sample.question, reference="It rains.") for sample in SAMPLES]
    evaluator = Evaluator([ContextRecall(ModelJudge(judged))])
    plan = evaluator.plan(questions, pipeline=pipeline)
    assert {item.what: item.usage.calls for item in plan.items} == {
        "pipeline: wordings": 5,
        "pipeline: answer": 50,
        "context_recall: attributed": 5,
    }
    report = evaluator.run(questions, pipeline=pipeline)
    # The wordings come as prose here, and are asked for once more: repairs are not in a plan.
    assert len(answering.requests) == 50 + 2 * 5
    assert plan.cost is not None
    assert report.judging().usage.calls == 5


class Planner:
    async def arun(self, question: str) -> Answer:
        return Answer("x")

    def fingerprint(self) -> str:
        return "planner"

    def plan(self, question: str) -> Sequence[Planned]:
        return [Planned("pipeline: search", Usage(calls=2), 0.5)]


class Silent:
    async def arun(self, question: str) -> Answer:
        return Answer("x")

    def fingerprint(self) -> str:
        return "silent"


def test_a_pipeline_that_plans_itself_is_asked() -> None:
    plan = Evaluator([ExactMatch()]).plan(SAMPLES, pipeline=Planner())
    assert (plan.calls, plan.cost) == (10, 2.5)


def test_a_pipeline_that_says_nothing_is_said_to_be_unknown() -> None:
    plan = Evaluator([ExactMatch()]).plan(SAMPLES, pipeline=Silent())
    assert plan.items == ()
    assert any("not known and not counted" in note for note in plan.notes)


def test_samples_are_checked_as_for_a_run() -> None:
    with pytest.raises(SampleError, match="needs `reference`"):
        Evaluator([ExactMatch()]).plan([Sample(question="a", answer="b")])
    assert Evaluator([ExactMatch()]).plan([Sample(question="a", answer="b", answerable=False)]).calls == 0
