"""Examples from a feature's own right answers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from llmopt.errors import ModelUnavailableError, UsageError
from llmopt.pipeline import Pipeline
from llmopt.prompting import ChainOfThought, Direct, FewShot, SelfConsistency, bootstrap_shots
from llmopt.testing import FakeModel
from llmopt.types import Answer, Message, Sample

SAMPLES = [
    Sample(question=f"q{number}", id=f"s{number}", reference="good" if number % 2 else "?") for number in range(4)
]


def reply(messages: Sequence[Message]) -> str | Exception:
    return ModelUnavailableError("down") if messages[-1].content == "q3" else "good"


def is_right(sample: Sample, answer: Answer) -> bool:
    return answer.text == sample.reference


async def ais_right(sample: Sample, answer: Answer) -> bool:
    return is_right(sample, answer)


@pytest.mark.parametrize("judge", [is_right, ais_right])
def test_right_answers_become_examples_and_the_others_are_named(judge: object) -> None:
    pipeline = Pipeline(model=FakeModel(reply), prompt=Direct())
    found = bootstrap_shots(pipeline, SAMPLES, is_right if judge is is_right else ais_right)
    assert [(shot.question, shot.answer) for shot in found.shots] == [("q1", "good")]
    assert found.wrong == ("s0", "s2")
    assert [failure.reason for failure in found.failures] == ["ModelUnavailableError: down"]


def test_the_examples_go_straight_into_few_shot() -> None:
    pipeline = Pipeline(model=FakeModel("good"), prompt=Direct())
    shots = bootstrap_shots(pipeline, SAMPLES, is_right).shots
    assert pipeline.but(prompt=FewShot(Direct(), shots)).preview("another question")[0].content == "q1"


def test_a_bug_in_the_predicate_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        bootstrap_shots(Pipeline(model=FakeModel("x"), prompt=Direct()), SAMPLES, lambda sample, answer: 1 / 0 > 0)


def test_no_samples_are_refused() -> None:
    with pytest.raises(UsageError, match="no samples"):
        bootstrap_shots(Pipeline(model=FakeModel("x"), prompt=Direct()), [], is_right)


def test_an_example_of_a_chain_of_thought_shows_how_to_reason() -> None:
    replies = ["<think>Hm.</think>3 and 4 are 7.\nAnswer: 7", "4 + 3\nAnswer: 7", "7\nAnswer: 7"]
    pipeline = Pipeline(model=FakeModel(script=replies[:1]), prompt=ChainOfThought(Direct(), kind="number"))
    samples = [Sample(question="3 + 4?", reference="7")]
    (shot,) = bootstrap_shots(pipeline, samples, is_right).shots
    assert shot.answer == "3 and 4 are 7.\nAnswer: 7"
    voting = pipeline.but(model=FakeModel(script=replies), prompt=SelfConsistency(pipeline.prompt, samples=3))
    (shot,) = bootstrap_shots(voting, samples, is_right).shots
    assert shot.answer == "7"
