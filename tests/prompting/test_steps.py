"""Steps: one strategy after the other."""

from __future__ import annotations

import pytest

from llmopt._fences import read_fences
from llmopt.errors import UsageError
from llmopt.pipeline import Pipeline
from llmopt.prompting import ChainOfThought, Direct, FewShot, Grounded, SelfConsistency, Shot, Steps
from llmopt.testing import FakeModel
from llmopt.testing.contracts import PromptStrategyContract
from llmopt.types import Completion, Document, Hit, Options

CAT = Hit(Document("cat", "Cats sleep 15 hours."), 1.0)


class TestSteps(PromptStrategyContract[Steps]):
    def make(self) -> Steps:
        return Steps((Grounded("List the facts."), Grounded("Answer.")))


class TestOneStep(PromptStrategyContract[Steps]):
    def make(self) -> Steps:
        return Steps((Direct(),))


def test_each_step_is_given_the_result_of_the_one_before() -> None:
    model = FakeModel(script=["facts", "draft", "final [1]"])
    answer = Steps([Direct("a"), Direct("b"), Grounded("c")]).run(model, "q?", [CAT])
    assert answer.text == "final [1]"
    assert [citation.document_id for citation in answer.citations] == ["cat"]
    results = [[f.text for f in read_fences(sent[-1].content) if f.label == "result"] for sent in model.requests]
    assert results == [[], ["facts"], ["draft"]]
    assert all("q?" in sent[-1].content and "Cats sleep" in sent[-1].content for sent in model.requests)
    assert answer.trace is not None
    assert [step.name for step in answer.trace.children] == ["step 1", "step 2", "step 3"]
    assert answer.usage.calls == 3


def test_a_step_that_does_not_know_ends_the_chain() -> None:
    model = FakeModel("I don't know.")
    answer = Steps([Grounded(), Direct()]).run(model, "q?", [CAT])
    assert (answer.outcome, len(model.requests)) == ("abstained", 1)
    assert answer.trace is not None
    assert answer.trace.notes["ended"] == "step 1 of 2 does not know"


def test_steps_may_be_any_strategies_and_are_prepared() -> None:
    model = FakeModel("x")
    Steps([FewShot(Direct(), [Shot("a", "b")]), SelfConsistency(Direct(), samples=3)]).run(model, "q?")
    assert [message.content for message in model.requests[0]] == ["a", "b", "q?"]
    assert len(model.requests) == 3


def test_the_last_step_streams() -> None:
    pipeline = Pipeline(model=FakeModel(script=["facts", "the end"]), prompt=Steps([Direct(), Direct()]))
    deltas = list(pipeline.stream("q?"))
    assert "".join(delta.text for delta in deltas) == "the end"
    assert deltas[-1].answer is not None
    assert deltas[-1].answer.usage.calls == 2


def test_a_stream_ends_early_when_a_step_does_not_know() -> None:
    deltas = list(Pipeline(model=FakeModel("I don't know."), prompt=Steps([Grounded(), Direct()])).stream("q?"))
    assert [delta.text for delta in deltas] == ["I don't know."]
    assert deltas[-1].answer is not None
    assert deltas[-1].answer.outcome == "abstained"


def test_its_replies_are_read_as_the_last_step_reads_them() -> None:
    chain = Steps([Direct(options=Options(temperature=0.5)), ChainOfThought(Grounded())])
    assert chain.parse("So.\nAnswer: Paris") == "Paris"
    assert chain.answer(Completion("So.\nAnswer: 15 [1]"), [CAT]).text == "15 [1]"
    assert [citation.number for citation in chain.citations("15 [1]", [CAT])] == [1]
    assert chain.abstains("I don't know.")
    assert chain.options.temperature == 0.5


def test_a_chain_can_be_a_part_of_other_strategies() -> None:
    model = FakeModel("d")
    answer = SelfConsistency(Steps([Direct(), Direct()]), samples=3, early_stop=False).run(model, "q?")
    assert len(model.requests) == 6
    assert answer.text == "d"


def test_an_empty_chain_is_refused() -> None:
    with pytest.raises(UsageError, match="no steps"):
        Steps([]).run(FakeModel("x"), "q?")
