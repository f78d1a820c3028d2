"""Exact match, token F1 and format validity."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from llmopt.errors import SampleError, UsageError
from llmopt.evaluation import ExactMatch, FormatValidity, TokenF1
from llmopt.evaluation.lexical import normalised, token_f1, tokens
from llmopt.types import Sample


def sample(answer: str, reference: str | None = "x", **metadata: object) -> Sample:
    return Sample(question="q", answer=answer, reference=reference, metadata=metadata)


# The first five: worked by the official SQuAD script (evaluate-v1.1.py).
@pytest.mark.parametrize(
    ("answer", "reference", "exact", "f1"),
    [
        ("The Denver Broncos", "Denver Broncos", 1.0, 1.0),
        ("denver broncos!", "Denver Broncos", 1.0, 1.0),
        ("Santa Clara, California", "Santa Clara", 0.0, 0.8),
        ("no", "yes", 0.0, 0.0),
        ("a cat and a dog", "cat dog", 0.0, 0.8),
        ("它在北京。", "它在北京", 1.0, 1.0),
        ("北京", "北京市", 0.0, 0.8),
        ("GPT-4模型", "GPT-4 模型", 0.0, 1.0),
        ("ＡＢＣ", "abc", 1.0, 1.0),
    ],
)
def test_answers_are_compared_after_normalisation(answer: str, reference: str, exact: float, f1: float) -> None:
    assert ExactMatch().score(sample(answer, reference)).value == exact
    assert TokenF1().score(sample(answer, reference)).value == pytest.approx(f1)


def test_chinese_is_cut_into_characters_and_latin_runs_stay_whole() -> None:
    assert tokens("使用Python3的list") == ["使", "用", "python3", "的", "list"]


def test_the_best_of_several_references_counts() -> None:
    several = sample("New York", "NYC", references=["New York", 5])
    assert ExactMatch().score(several).value == 1.0
    assert TokenF1().score(several).value == 1.0


@pytest.mark.parametrize("answer", ["", " \n"])
def test_an_empty_answer_is_undefined(answer: str) -> None:
    for metric in (ExactMatch(), TokenF1(), FormatValidity(pattern=".*")):
        score = metric.score(sample(answer))
        assert (score.value, score.status, score.reason) == (None, "undefined", "the answer is empty")


def test_a_missing_reference_is_refused() -> None:
    with pytest.raises(SampleError, match="needs reference"):
        TokenF1().score(sample("a", None))


def test_texts_of_nothing_but_punctuation_match_each_other_only() -> None:
    assert token_f1("!!", "??") == 1.0
    assert token_f1("!!", "word") == 0.0


@given(st.text(), st.text())
def test_token_f1_is_symmetric_and_bounded(first: str, second: str) -> None:
    assert token_f1(first, second) == token_f1(second, first)
    assert 0 <= token_f1(first, second) <= 1
    assert token_f1(first, first) == 1.0


@given(st.text())
@example("C:\u0327")  # the cedilla joins the letter when the colon has gone
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalised(text)
    assert normalised(once).split() == [word for word in once.split() if word not in {"a", "an", "the"}]


# --- form


class Order(BaseModel):
    item: str
    count: int


SCHEMA = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}


def test_a_pattern_must_match_the_whole_answer() -> None:
    dates = FormatValidity(pattern=r"\d{4}-\d\d-\d\d")
    assert dates.score(sample(" 2024-05-01\n")).value == 1.0
    refused = dates.score(sample("On 2024-05-01."))
    assert refused.value == 0.0
    assert "does not match" in refused.reason


@pytest.mark.parametrize(
    ("answer", "value", "reason"),
    [
        ('{"item": "pen", "count": 2}', 1.0, ""),
        ('{"item": "pen", "count": "two"}', 0.0, "count"),
        ("count: 2", 0.0, "not JSON"),
    ],
)
def test_json_is_held_to_a_model_or_a_schema(answer: str, value: float, reason: str) -> None:
    for metric in (FormatValidity(schema=Order), FormatValidity(schema=SCHEMA)):
        score = metric.score(sample(answer))
        assert score.value == value
        assert reason in score.reason


def test_a_schema_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="not a JSON schema"):
        FormatValidity(schema={"type": "nonsense"}).score(sample("{}"))


@pytest.mark.parametrize("metric", [FormatValidity(), FormatValidity(pattern="a", schema=Order)])
def test_exactly_one_form_must_be_given(metric: FormatValidity) -> None:
    with pytest.raises(UsageError, match="one of the two"):
        metric.score(sample("a"))
