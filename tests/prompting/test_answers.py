"""Reading answers: numbers, choices, yes and no, and equal answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.prompting import code_of, find_choice, find_number, find_yes_or_no, normalised, read_answer


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("30%.", "30"),
        ("It costs $1,250.50 in all", "1250.5"),
        ("5-3", "5"),
        ("-5 degrees", "-5"),
        ("-$5", "-5"),
        ("x = -3.0", "-3"),
        ("3 * 4 = 12 apples", "12"),
        ("(-7)", "-7"),
        ("1,2", "1"),
        ("12,345,678", "12345678"),
        ("070", "70"),
        ("x = \u22121,250.50", "-1250.5"),
        ("\u20135 degrees", "-5"),
        ("3\u20135 days", "3"),
        ("2\u00b3", "2"),
        ("\uff10\uff0e\uff15", "0.5"),
        ("-0.0", "0"),
        ("room a12", "12"),
        ("3 = three", "3"),
        ("none at all", None),
        ("", None),
    ],
)
def test_a_number_is_found_in_its_plainest_form(text: str, number: str | None) -> None:
    assert find_number(text) == number


@given(st.integers(-(10**15), 10**15))
def test_every_integer_is_read_back_with_and_without_separators(value: int) -> None:
    assert find_number(f"The answer is {value}.") == find_number(f"{value:,}") == str(value)


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("(B)", "B"),
        ("B. Paris", "B"),
        ("the answer is B", "B"),
        ("(e)", "E"),
        ("c", "C"),
        ("A dog and (C) a cat", "C"),
        ("A", "A"),
        ("I think D", "D"),
        ("A, B, or D.", "A"),
        ("probably A or C", "A"),
        ("none of them", None),
        ("A dog", None),
    ],
)
def test_a_choice_is_found(text: str, choice: str | None) -> None:
    assert find_choice(text) == choice


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes, they do.", "yes"),
        ("no", "no"),
        ("False.", "no"),
        ("\u4e0d\u662f", "no"),
        ("\u662f\u7684", "yes"),
        ("know", None),
        ("maybe", None),
    ],
)
def test_yes_and_no_are_found(text: str, answer: str | None) -> None:
    assert find_yes_or_no(text) == answer


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("The Eiffel Tower.", "eiffel tower"),
        ("the  cat [1][2]", "Cat"),
        ("$1,000.00", "1000"),
        ("U.S.A.", "usa"),
        ("don't", "dont"),
        ("\uff11\uff12", "12"),
        ("**Paris**", "Paris!"),
    ],
)
def test_equal_answers_are_equal_when_normalised(left: str, right: str) -> None:
    assert normalised(left) == normalised(right)


@pytest.mark.parametrize(("left", "right"), [("1.5", "15"), ("-3", "3"), ("A", "B"), ("yes", "no"), ("a b", "ab")])
def test_different_answers_stay_different(left: str, right: str) -> None:
    assert normalised(left) != normalised(right)


@given(st.text())
def test_normalising_never_empties_an_answer(text: str) -> None:
    assert bool(normalised(text)) == bool(text.strip())


def test_each_kind_reads_what_it_is_named_for() -> None:
    text = " (B) yes, 3 "
    found = [
        read_answer(text, "text"),
        read_answer(text, "number"),
        read_answer(text, "choice"),
        read_answer(text, "yes_no"),
    ]
    assert found == ["(B) yes, 3", "3", "B", "yes"]
    assert read_answer("  ", "text") is None


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("Here:\n```sql\nSELECT 1;\n```\nDone.", "SELECT 1;"),
        ("SELECT 1", "SELECT 1"),
        ("```\na\nb\n```", "a\nb"),
    ],
)
def test_code_is_taken_out_of_its_fence(reply: str, code: str) -> None:
    assert code_of(reply) == code


def test_a_minus_counts_however_it_is_written_and_a_power_is_no_digit() -> None:
    assert normalised("\u22125") == normalised("-5") != normalised("5")
    assert normalised("2\u00b3") != normalised("23")
