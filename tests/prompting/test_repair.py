"""Repair: a check runs, its error goes back, and the tries end."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from llmopt._fences import read_fences
from llmopt.errors import ContractError, ModelOutputError, UsageError
from llmopt.prompting import ChainOfThought, Direct, FewShot, Grounded, Repair, SelfConsistency, Shot
from llmopt.testing import FakeModel
from llmopt.testing.contracts import PromptStrategyContract
from llmopt.types import Document, Hit, Message

CAT = Hit(Document("cat", "Cats sleep 15 hours."), 1.0)


def in_capitals(text: str) -> str | None:
    return None if text.isupper() else f"{text!r} is not in capitals"


async def ain_capitals(text: str) -> str | None:
    return in_capitals(text)


def anything(text: str) -> str | None:
    return None


class TestRepair(PromptStrategyContract[Repair]):
    def make(self) -> Repair:
        return Repair(Grounded(), anything)


class TestRepairWithTries(PromptStrategyContract[Repair]):
    reply = "FIFTEEN HOURS [1]."

    def make(self) -> Repair:
        return Repair(ChainOfThought(Grounded(), calls=2), ain_capitals)


@pytest.mark.parametrize("check", [in_capitals, ain_capitals])
def test_the_error_goes_back_as_a_turn_of_the_chat_until_the_answer_passes(check: object) -> None:
    model = FakeModel(script=["paris", "Paris", "PARIS"])
    chosen = in_capitals if check is in_capitals else ain_capitals
    answer = Repair(Direct("Be brief."), chosen).run(model, "Capital?")
    assert answer.text == "PARIS"
    assert [message.role for message in model.requests[2]] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    assert model.requests[1][2] == Message("assistant", "paris")
    (error,) = read_fences(model.requests[1][3].content)
    assert error.text == "'paris' is not in capitals"
    assert answer.trace is not None
    assert [step.error for step in answer.trace.children] == [
        "'paris' is not in capitals",
        "'Paris' is not in capitals",
        "",
    ]


def test_after_the_last_try_the_error_is_raised_with_answer_and_complaint() -> None:
    model = FakeModel("paris")
    with pytest.raises(ModelOutputError, match=r"no answer of 3 passed `in_capitals`.*'paris' is not in capitals"):
        Repair(Direct(), in_capitals).run(model, "Capital?")
    assert len(model.requests) == 3


def test_an_answer_that_passes_costs_one_call() -> None:
    model = FakeModel("PARIS")
    Repair(Direct(), in_capitals).run(model, "Capital?")
    assert len(model.requests) == 1


def test_a_strategy_of_several_calls_is_told_of_its_answer_and_error_in_the_question() -> None:
    model = FakeModel(script=["a", "a", "B", "B"])
    strategy = Repair(SelfConsistency(Direct(), samples=2, early_stop=False), in_capitals)
    assert strategy.run(model, "Which?").text == "B"
    told = model.requests[2][-1].content
    assert told.startswith("Which?\n\n")
    assert [fenced.text for fenced in read_fences(told)] == ["a", "'a' is not in capitals"]


def test_the_examples_stay_in_sight_of_every_try() -> None:
    model = FakeModel(script=["b", "B"])
    Repair(FewShot(Direct(), [Shot("first?", "A")]), in_capitals).run(model, "second?")
    assert [message.content for message in model.requests[1]][:4] == ["first?", "A", "second?", "b"]


def test_the_repaired_answer_has_its_citations() -> None:
    answer = Repair(Grounded(), in_capitals).run(FakeModel(script=["x [1]", "X [1]"]), "q?", [CAT])
    assert [citation.document_id for citation in answer.citations] == ["cat"]


def test_a_long_error_is_cut_and_says_so() -> None:
    model = FakeModel("x")
    with pytest.raises(ModelOutputError):
        Repair(Direct(), lambda text: "e" * 10_000_000, tries=2).run(model, "q?")
    (error,) = read_fences(model.requests[1][-1].content)
    assert len(error.text) < 5000
    assert error.text.endswith("of 10,000,000 characters]")


def test_a_check_that_breaks_is_a_bug_and_not_an_answers_fault() -> None:
    with pytest.raises(ZeroDivisionError):
        Repair(Direct(), lambda text: str(1 / 0)).run(FakeModel("x"), "q?")


def test_no_tries_are_refused() -> None:
    with pytest.raises(UsageError, match="`tries`"):
        Repair(Direct(), in_capitals, tries=0).run(FakeModel("x"), "q?")


def test_a_reply_in_which_no_answer_is_found_is_a_try_and_is_told_why() -> None:
    model = FakeModel(script=["Many.", "<think>5?</think>", "So.\nAnswer: 5"])
    answer = Repair(ChainOfThought(Direct(), kind="number"), lambda text: None).run(model, "How many?")
    assert answer.text == "5"
    first, second = model.requests[1][-2:]
    assert first.content == "Many."
    assert "no answer of kind 'number'" in read_fences(second.content)[0].text
    assert answer.trace is not None
    assert [bool(step.error) for step in answer.trace.children] == [True, True, False]


def test_replies_that_never_hold_an_answer_end_in_a_typed_error() -> None:
    with pytest.raises(ModelOutputError, match=r"no answer of 2 passed.*kind 'number'"):
        Repair(ChainOfThought(Direct(), kind="number"), lambda text: None, tries=2).run(FakeModel("Many."), "How many?")


def test_a_check_that_says_yes_or_no_instead_of_what_is_wrong_is_refused() -> None:
    check = cast("Callable[[str], str | None]", str.isupper)
    with pytest.raises(ContractError, match=r"isupper.*in words what is wrong.*returned False"):
        Repair(Direct(), check).run(FakeModel("paris"), "Capital?")
