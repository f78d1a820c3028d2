"""Pipelines: what is asked, in which order, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_type, cast

import pytest

from llmopt.errors import ModelUnavailableError, TuningError, UsageError
from llmopt.interfaces import ChatModel, Classifier, FineTuneJob, Reranker, Retriever
from llmopt.pipeline import Pipeline
from llmopt.prompting import Direct, Grounded
from llmopt.testing import FakeModel
from llmopt.types import (
    Answer,
    AnswerDelta,
    Completion,
    Document,
    Example,
    Failure,
    Hit,
    JobStatus,
    Message,
    Usage,
)


@dataclass
class Listed(Retriever):
    ids: Sequence[str]
    asked: list[int] = field(init=False, default_factory=list[int])

    def search(self, query: str, k: int) -> list[Hit]:
        self.asked.append(k)
        return [Hit(Document(id, f"text {id}"), -float(rank)) for rank, id in enumerate(self.ids)][:k]


class Backwards(Reranker):
    def score(self, query: str, hits: Sequence[Hit]) -> list[float]:
        return [-hit.score for hit in hits]


@dataclass
class Kind(Classifier):
    scores: Mapping[str, float]

    def predict(self, text: str) -> Mapping[str, float]:
        return self.scores


def ids(answer: Answer) -> list[str]:
    return [hit.document.id for hit in answer.contexts]


BASE = Pipeline(model=FakeModel("yes [1]"), prompt=Grounded(), retriever=Listed("abcdef"), k=2, fetch=4)


def test_the_best_k_contexts_reach_the_prompt_in_order() -> None:
    model = FakeModel("yes [2]")
    answer = BASE.but(model=model).run("q?")
    assert_type(answer, Answer)
    assert ids(answer) == ["a", "b"]
    assert model.requests[0][1].content.index("text a") < model.requests[0][1].content.index("text b")
    assert [citation.document_id for citation in answer.citations] == ["b"]


def test_a_reranker_sees_fetch_hits_and_k_remain() -> None:
    retriever = Listed("abcdef")
    assert ids(BASE.but(retriever=retriever, reranker=Backwards()).run("q?")) == ["d", "c"]
    assert retriever.asked == [4]


def test_without_a_reranker_only_k_are_fetched() -> None:
    retriever = Listed("abcdef")
    BASE.but(retriever=retriever).run("q?")
    assert retriever.asked == [2]


def test_sync_async_and_many_give_the_same_answer() -> None:
    answers = [BASE.run("q?"), asyncio.run(BASE.arun("q?")), *BASE.run_many(["q?"])]
    assert len({answer.text for answer in answers if isinstance(answer, Answer)}) == 1
    assert len(answers) == 3


def test_the_sync_call_works_inside_a_running_loop() -> None:
    async def handler() -> str:
        return BASE.run("q?").text

    assert asyncio.run(handler()) == "yes [1]"


def test_a_failing_question_is_a_value_in_its_place() -> None:
    def reply(messages: Sequence[Message]) -> str | Exception:
        return ModelUnavailableError("down") if "bad" in messages[-1].content else "fine"

    first, second, third = BASE.but(model=FakeModel(reply)).run_many(["good", "bad", ""])
    assert isinstance(first, Answer)
    assert isinstance(second, Failure)
    assert second.reason == "ModelUnavailableError: down"
    assert isinstance(third, Failure)
    assert "empty" in third.reason


def test_a_bug_in_a_component_fails_its_question_only() -> None:
    class Buggy(Listed):
        def search(self, query: str, k: int) -> list[Hit]:
            raise ZeroDivisionError("oops")

    (failure,) = BASE.but(retriever=Buggy("a")).run_many(["q?"])
    assert isinstance(failure, Failure)
    assert failure.reason == "ZeroDivisionError: oops"


@pytest.mark.parametrize("question", ["", " \n"])
def test_an_empty_question_is_refused(question: str) -> None:
    with pytest.raises(UsageError, match="empty"):
        BASE.run(question)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"k": 0}, "`k` must be at least 1"),
        ({"fetch": 1}, "`fetch` at least `k`"),
        ({"retriever": None, "reranker": Backwards()}, "nothing to rerank"),
        ({"classifier": Kind({"a": 1.0})}, "no routes"),
        ({"routes": {"a": BASE}}, "no classifier"),
        ({"retreiver": None}, "no slot 'retreiver'"),
    ],
)
def test_slots_that_contradict_each_other_are_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        BASE.but(**changes)


def test_but_changes_a_copy() -> None:
    changed = BASE.but(k=3)
    assert (BASE.k, changed.k, changed.retriever) == (2, 3, BASE.retriever)
    assert BASE.fingerprint() != changed.fingerprint() != changed.but(k=2).fingerprint() == BASE.fingerprint()


def test_the_trace_tells_what_went_in_and_out_of_every_stage() -> None:
    model = FakeModel(Completion("yes", Usage(7, 1, calls=1), cost=0.01))
    answer = BASE.but(model=model, reranker=Backwards()).run("q?")
    assert answer.trace is not None
    assert [step.name for step in answer.trace.walk()] == ["pipeline", "retrieve", "rerank", "prompt", "model"]
    assert (answer.usage, answer.cost) == (Usage(7, 1, calls=1), 0.01)
    *_, last = answer.trace.walk()
    assert tuple(cast("Sequence[Message]", last.inputs)) == model.requests[0]
    assert all(step.seconds >= 0 for step in answer.trace.walk())


def test_a_sure_classification_takes_its_route_with_the_routes_notes() -> None:
    model = FakeModel("ok")
    sales = Pipeline(model=model, prompt=Direct(), retriever=Listed("xyz"), k=1, notes="Amounts are in euros.")
    routed = BASE.but(classifier=Kind({"sales": 0.9, "other": 0.1}), routes={"sales": sales}, margin=0.5)
    answer = routed.run("How much?")
    assert ids(answer) == ["x"]
    assert [message.role for message in model.requests[0]] == ["system", "user"]
    assert model.requests[0][0].content == "Amounts are in euros."
    assert answer.trace is not None
    assert answer.trace.notes["route"] == "sales"


def test_an_unsure_classification_searches_every_route() -> None:
    routes = {"l": BASE.but(retriever=Listed("lm")), "r": BASE.but(retriever=Listed("rs"))}
    routed = BASE.but(classifier=Kind({"l": 0.5, "r": 0.45}), routes=routes, margin=0.2, k=6, retriever=None, fetch=6)
    assert sorted(ids(routed.run("q?"))) == ["l", "m", "r", "s"]


def test_a_label_without_a_route_falls_back_to_the_pipelines_own_retriever() -> None:
    routed = BASE.but(classifier=Kind({"chat": 1.0, "l": 0.0}), routes={"l": BASE.but(retriever=Listed("l"))})
    assert ids(routed.run("q?")) == ["a", "b"]


def test_given_contexts_are_answered_from_and_nothing_is_searched() -> None:
    retriever, model = Listed("abcdef"), FakeModel("yes [1]")
    given = [Hit(Document("gold", "the right passage"), 1.0)]
    answer = BASE.but(retriever=retriever, model=model).run("q?", contexts=given)
    assert ids(answer) == ["gold"]
    assert "the right passage" in model.requests[0][1].content
    assert retriever.asked == []


def test_given_no_contexts_the_model_answers_from_nothing() -> None:
    assert ids(BASE.run("q?", contexts=[])) == []


def test_given_contexts_still_take_the_questions_route() -> None:
    law = FakeModel("law")
    routed = BASE.but(classifier=Kind({"law": 0.9, "tax": 0.1}), routes={"law": BASE.but(model=law)})
    assert routed.run("q?", contexts=[]).text == "law"


def test_streaming_gives_pieces_and_ends_with_the_accounted_answer() -> None:
    model = FakeModel(Completion("yes [1]", Usage(7, 1, calls=1), cost=0.01))

    async def collect() -> list[AnswerDelta]:
        return [delta async for delta in BASE.but(model=model).astream("q?")]

    for deltas in (asyncio.run(collect()), list(BASE.but(model=model).stream("q?"))):
        answer = deltas[-1].answer
        assert answer is not None
        assert "".join(delta.text for delta in deltas) == answer.text == "yes [1]"
        assert (answer.usage.calls, answer.cost, len(answer.citations)) == (1, 0.01, 1)


def test_preview_shows_what_would_be_sent_and_sends_nothing() -> None:
    model = FakeModel("ok")
    pipeline = BASE.but(model=model, notes="Be brief.")
    preview = pipeline.preview("q?")
    assert model.requests == []
    pipeline.run("q?")
    assert tuple(preview) == model.requests[0]


def test_contexts_can_be_had_without_a_model() -> None:
    assert [hit.document.id for hit in BASE.contexts("q?")] == ["a", "b"]


def test_a_pipeline_is_saved_and_loaded_with_its_parts(tmp_path: Path) -> None:
    pipeline = BASE.but(retriever=None, prompt=Grounded("Be kind."))
    pipeline.save(tmp_path / "pipeline")
    again = Pipeline.load(tmp_path / "pipeline")
    assert again.run("q?").text == "yes [1]"
    assert again.fingerprint() == pipeline.fingerprint()


@dataclass
class Job(FineTuneJob):
    succeed: bool = True

    def submit(self, training: Sequence[Example], validation: Sequence[Example]) -> str:
        return "job"

    def poll(self, job_id: str) -> JobStatus:
        return JobStatus(job_id, "succeeded" if self.succeed else "failed", "tuned")

    def model(self, status: JobStatus) -> ChatModel:
        return FakeModel(status.tuned_model or "")


def test_tuning_returns_the_pipeline_with_the_tuned_model() -> None:
    example = Example([Message("user", "hi"), Message("assistant", "hello")])
    assert BASE.but(tuning=Job()).tune([example]).run("q?").text == "tuned"
    with pytest.raises(TuningError):
        BASE.but(tuning=Job(succeed=False)).tune([example])
    with pytest.raises(UsageError, match="tuning"):
        BASE.tune([example])
