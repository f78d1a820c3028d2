from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.evaluation.statements import implied_questions, statements


def test_sentences_are_statements_without_citations_and_markup() -> None:
    assert statements("**Paris** is the capital [1]. It lies on the `Seine` [2, 3].") == [
        "Paris is the capital.",
        "It lies on the Seine.",
    ]


def test_long_sentences_are_cut_where_a_clause_has_its_own_subject() -> None:
    assert statements("Cats sleep a lot, and they hunt at night; the young ones play all day.") == [
        "Cats sleep a lot",
        "they hunt at night",
        "the young ones play all day.",
    ]
    assert statements("Cats, dogs, and birds sleep.") == ["Cats, dogs, and birds sleep."]
    assert statements("He studied in Leipzig, and died there.") == ["He studied in Leipzig, and died there."]


def test_chinese_is_split_too() -> None:
    assert statements("巴黎是法国的首都。它位于塞纳河畔，而且人口超过两百万。") == [
        "巴黎是法国的首都。",
        "它位于塞纳河畔",
        "人口超过两百万。",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "...",
        "Is that clear?",
        "这样清楚吗？",
        "I don't know.",
        "我不知道。",
        "Let me know if you need more.",
        "I hope this helps!",
        "The contexts do not say.",
    ],
)
def test_what_states_nothing_is_left_out(text: str) -> None:
    assert statements(text) == []


def test_identifiers_keep_their_underscores_and_stars() -> None:
    assert statements("It calls __enter__() with *args.") == ["It calls __enter__() with *args."]


def test_a_statement_comes_once() -> None:
    assert statements("Cats sleep. Cats sleep. Dogs bark.") == ["Cats sleep.", "Dogs bark."]


def test_questions_are_made_of_the_statements() -> None:
    assert implied_questions("Paris is the capital of France.", 3) == [
        "What is the capital of France?",
        "What about Paris capital France?",
        "Is Paris the capital of France?",
    ]
    assert implied_questions("巴黎是法国的首都。", 2)[0] == "什么是法国的首都？"
    assert implied_questions("", 3) == []


@given(st.text(max_size=300), st.integers(1, 5))
def test_no_text_breaks_the_rules(text: str, count: int) -> None:
    assert all(statement.strip() for statement in statements(text))
    found = implied_questions(text, count)
    assert len(found) <= count
    assert all(question.strip() for question in found)
