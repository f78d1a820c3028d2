"""Reading replies: citations and abstentions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._replies import cited_numbers, is_noncommittal


def test_numbers_are_cited_alone_in_lists_in_ranges_and_in_chinese_brackets() -> None:
    assert cited_numbers("a [1] b [2, 3] c [5-7]。【9】") == [1, 2, 3, 5, 6, 7, 9]


def test_a_number_is_reported_once_in_order_of_first_mention() -> None:
    assert cited_numbers("x [3] y [1] z [3]") == [3, 1]


def test_an_absurd_range_is_not_a_citation() -> None:
    assert cited_numbers("years [100-999]") == []


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    assert all(number >= 0 for number in cited_numbers(text))
    assert is_noncommittal(text) in {True, False}


@pytest.mark.parametrize(
    "text",
    [
        "I don't know.",
        "I do not know [1].",
        "I'm not sure about that.",
        "I am unable to answer this.",
        "I couldn't find it in the manual.",
        "Sorry, I can't answer that.",
        "The provided contexts do not say.",
        "There is no information about it.",
        "Unknown.",
        "我不知道。",
        "抱歉，我不知道。",
        "无法确定。",
        "上下文没有提到这一点。",
    ],
)
def test_plain_admissions_are_noncommittal(text: str) -> None:
    assert is_noncommittal(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "15 hours [1].",
        "I don't recommend it: use `with`.",
        "I can run it with python -m.",
        "Not all functions do.",
        "The unknown key raises KeyError.",
        "它会引发 KeyError。",
        "没有返回值的函数返回 None。",
    ],
)
def test_answers_are_not_noncommittal(text: str) -> None:
    assert not is_noncommittal(text)
