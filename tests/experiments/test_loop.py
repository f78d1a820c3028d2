"""The loop: steps one after the other, and what a diagnosis suggests."""

from __future__ import annotations

from llmopt import BM25, Direct, Document, Evaluator, ExactMatch, Ladder, Pipeline, Sample
from llmopt.experiments import Diagnosis, Rung, climb_steps, diagnose, follow_suggestions
from llmopt.testing import FakeModel
from llmopt.types import Message

COUNT = 40
DOCUMENTS = [Document(f"{kind}{n}", f"{kind} number{n} {kind}") for n in range(COUNT) for kind in ("decoy", "answer")]
SAMPLES = [Sample(question=f"decoy number{n}", reference="yes", gold=[f"answer{n}"], id=str(n)) for n in range(COUNT)]


def read(messages: list[Message]) -> str:
    """Say yes only with the right passage at hand; the search finds the decoy before it."""
    return "yes" if "answer number" in messages[-1].content else "no"


def ladder() -> Ladder:
    model = FakeModel(lambda messages: read(list(messages)))
    base = Pipeline(model=model, prompt=Direct(), retriever=BM25().index(DOCUMENTS), k=1, fetch=4)
    return Ladder(base, SAMPLES, Evaluator([ExactMatch()], progress=False), "exact_match", held_out=0)


def test_what_the_diagnosis_suggests_is_tried_and_the_top_is_diagnosed_again() -> None:
    climb, asked = ladder(), list[str]()

    def diagnosing(rung: Rung) -> Diagnosis:
        asked.append(rung.name)
        return diagnose(rung.pipeline, SAMPLES, climb.evaluator, "exact_match", report=rung.report)

    last = follow_suggestions(climb, diagnosing, tries=3)
    assert climb.top.pipeline.k > 1
    assert climb.top.score("exact_match").value == 1.0
    assert asked == ["baseline", climb.top.name]
    assert (last.failed, len(climb.rungs)) == (0, 2)


def test_no_more_is_tried_than_allowed() -> None:
    climb = ladder()
    follow_suggestions(climb, lambda rung: diagnose(rung.pipeline, SAMPLES, climb.evaluator, "exact_match"), tries=0)
    assert [rung.name for rung in climb.rungs] == ["baseline"]


def test_steps_build_on_what_stands_and_those_that_change_nothing_are_named() -> None:
    climb = ladder()
    stood: list[int] = []

    def again(stands: Pipeline) -> dict[str, object]:
        stood.append(stands.k)
        return {"k": stands.k}

    assert climb_steps(climb, {"two passages": {"k": 2}, "as it is": again}) == ["as it is"]
    assert stood == [2]
    assert [rung.name for rung in climb.rungs] == ["baseline", "two passages"]
