from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.errors import ModelOutputError
from llmopt.evaluation.judge_replies import read_claims, read_questions, read_statements, read_verdicts
from llmopt.types import ImpliedQuestion, Verdict

ASKED = {1: "one", 2: "two", 3: "three"}


def verdicts(*items: tuple[object, object]) -> str:
    return json.dumps({"verdicts": [{"id": number, "reason": "r", "verdict": verdict} for number, verdict in items]})


def holds(text: str) -> dict[int, bool | None]:
    return {number: verdict.holds for number, verdict in read_verdicts(text, ASKED).verdicts.items()}


def test_verdicts_are_matched_by_id_in_any_order() -> None:
    assert holds(verdicts((3, 1), (1, 0), (2, 1))) == {1: False, 2: True, 3: True}
    assert read_verdicts(verdicts((3, 1), (1, 0), (2, 1)), ASKED).problem == ""


@pytest.mark.parametrize(
    "form", ['{"verdicts": %s}', "%s", "Sure!\n```json\n%s\n```", "<think>[1]</think>%s", "so %s."]
)
def test_json_is_found_in_the_forms_that_models_write(form: str) -> None:
    bare = json.dumps([{"id": "1", "reason": "r", "verdict": True}, {"id": 2, "verdict": "No"}])
    assert holds(form % bare) == {1: True, 2: False}


@pytest.mark.parametrize("verdict", [5, -1, 2, "maybe", None, [1], 0.5, "", "10"])
def test_a_verdict_that_is_neither_yes_nor_no_is_none(verdict: object) -> None:
    read = read_verdicts(verdicts((1, verdict), (2, 1)), ASKED)
    assert set(read.verdicts) == {2}
    assert "instead of 0 or 1" in read.problem


@pytest.mark.parametrize("number", [0, 4, -1, "x", None, True, 1.0, "9" * 5000, "y" * 100_000])
def test_an_id_that_was_not_asked_about_is_ignored_and_named(number: object) -> None:
    read = read_verdicts(verdicts((number, 1), (2, 1)), ASKED)
    assert set(read.verdicts) == {2}
    assert "there is no id" in read.problem
    assert len(read.problem) < 300


def test_an_id_that_comes_twice_counts_for_nothing() -> None:
    read = read_verdicts(verdicts((1, 1), (1, 1), (2, 0)), ASKED)
    assert set(read.verdicts) == {2}
    assert "id 1 was judged twice" in read.problem
    assert set(read_verdicts(verdicts((1, 1), (1, 1), (1, 1)), ASKED).verdicts) == set()


@pytest.mark.parametrize(
    "reply", ["", "All statements hold.", "所有陈述都成立。", "{", "[1, 0, 1", '{"verdicts": "yes"}']
)
def test_a_reply_without_verdicts_says_so_and_raises_nothing(reply: str) -> None:
    read = read_verdicts(reply, ASKED)
    assert not read.verdicts
    assert read.problem


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading(reply: str) -> None:
    assert set(read_verdicts(reply, ASKED).verdicts) <= set(ASKED)


def test_claims_are_whole_lines_without_empty_and_repeated_ones() -> None:
    assert read_claims('{"claims": ["a b", "", "a\\nb", "a  b", {"claim": "c"}]}') == ["a b", "c"]
    assert read_claims('["a"]') == ["a"]
    assert read_claims('{"claims": []}') == []


@pytest.mark.parametrize(
    "reply", ["The answer makes two claims.", "答案有两个陈述。", '{"claims": [1, 2]}', '{"claims": 3}']
)
def test_a_reply_without_claims_is_an_error(reply: str) -> None:
    with pytest.raises(ModelOutputError, match="claims"):
        read_claims(reply)


def test_statements_keep_an_unusable_verdict_as_none_with_the_reason() -> None:
    reply = '{"statements": [{"statement": "a", "reason": "r", "verdict": 5}, {"statement": "b", "verdict": 0}]}'
    assert read_statements(reply) == [
        Verdict("a", None, "the verdict was 5 instead of 0 or 1"),
        Verdict("b", False, ""),
    ]
    assert read_statements('{"statements": []}') == []
    with pytest.raises(ModelOutputError):
        read_statements('{"statements": [{"text": ""}]}')


def test_questions_need_a_text_and_a_word_on_commitment() -> None:
    reply = json.dumps(
        {
            "questions": [
                {"question": "Who?", "noncommittal": 0},
                {"question": " ", "noncommittal": 0},
                {"question": "Where?"},
                {"question": "Why?", "noncommittal": "1"},
            ]
        }
    )
    assert read_questions(reply) == [ImpliedQuestion("Who?", False), ImpliedQuestion("Why?", True)]
