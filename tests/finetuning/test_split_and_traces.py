"""Cutting examples without leaks, and making them of what a feature has done."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.errors import SampleError, UsageError
from llmopt.finetuning import examples_from_samples, examples_from_traces, split_examples
from llmopt.pipeline import Pipeline
from llmopt.prompting import Direct
from llmopt.testing import FakeModel
from llmopt.types import Answer, Example, Message, Sample


def example(question: str, group: str = "") -> Example:
    return Example((Message("user", question), Message("assistant", "yes")), group=group)


groups = st.lists(st.sampled_from(["", "a", "b", "c", "d"]), min_size=2, max_size=30)


@given(groups, st.floats(0.05, 0.95), st.integers(0, 5))
def test_no_group_is_on_both_sides_and_nothing_is_lost(names: list[str], share: float, seed: int) -> None:
    examples = [example(f"question {number}", name) for number, name in enumerate(names)]
    if len({item.group or item.messages[0].content for item in examples}) < 2:
        return
    split = split_examples(examples, validation=share, seed=seed)
    assert split.training
    assert split.validation
    assert sorted(map(repr, (*split.training, *split.validation))) == sorted(map(repr, examples))
    assert {item.group for item in split.training} & {item.group for item in split.validation} <= {""}
    assert split == split_examples(examples, validation=share, seed=seed)


def test_the_same_question_stays_on_one_side() -> None:
    examples = [example("same question!" if number % 2 else "Same  question") for number in range(10)]
    with pytest.raises(UsageError, match="one group"):
        split_examples(examples)


def test_a_share_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        split_examples([example("a"), example("b")], validation=1)
    with pytest.raises(UsageError, match="no examples"):
        split_examples([])


def test_the_last_call_with_its_whole_prompt_is_learnt() -> None:
    pipeline = Pipeline(model=FakeModel("4"), prompt=Direct("You are a calculator."))
    answers = [pipeline.run("2 + 2?"), pipeline.run("5 + 5?")]
    found = examples_from_traces(answers, keep=lambda answer: answer is answers[0])
    assert [item.messages[-1] for item in found] == [Message("assistant", "4")]
    assert "calculator" in found[0].messages[0].content


def test_the_bare_question_and_the_final_answer_are_learnt() -> None:
    answers = [Pipeline(model=FakeModel("4"), prompt=Direct()).run("2 + 2?")]
    found = examples_from_traces(answers, learn="answer", system="be short")
    assert [message.content for message in found[0].messages] == ["be short", "2 + 2?", "4"]


def test_an_answer_without_a_trace_is_an_error() -> None:
    with pytest.raises(SampleError, match="no trace"):
        examples_from_traces([Answer("4")])


def test_samples_become_examples_by_their_reference() -> None:
    found = examples_from_samples([Sample(question="a?", reference="b", group="g")])
    assert found == [Example((Message("user", "a?"), Message("assistant", "b")), group="g")]
    with pytest.raises(SampleError, match="no reference"):
        examples_from_samples([Sample(question="a?")])
