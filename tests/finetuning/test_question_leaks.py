"""Questions that hide in prompts are found, whatever stands around them."""

from hypothesis import given
from hypothesis import strategies as st

from llmopt.finetuning.leaks import Questions
from llmopt.finetuning.losses import LossPoint, draw_losses, sparkline

vocabulary = st.sampled_from(["who", "built", "the", "old", "tower", "of", "london", "and", "why"])
sentences = st.lists(vocabulary, max_size=12).map(" ".join)
questions = st.lists(vocabulary, min_size=4, max_size=8).map(" ".join)


@given(questions, sentences, sentences)
def test_a_question_is_found_wherever_it_stands(question: str, before: str, after: str) -> None:
    found = Questions({"evaluation": [question]}, inside=["evaluation"]).asked_in(
        f"{before}\n{question.title()}? {after}"
    )
    assert found is not None
    assert found.question == question
    assert found.place != "inside" or (before and after)


@given(questions, sentences)
def test_what_is_not_asked_is_not_found(question: str, prompt: str) -> None:
    found = Questions({"evaluation": [question]}, inside=["evaluation"]).asked_in(prompt)
    assert (found is not None) == (f" {question} " in f" {prompt} ")


def test_a_short_question_leaks_only_when_it_is_the_whole_prompt() -> None:
    questions = Questions({"evaluation": ["And why?"]}, inside=["evaluation"])
    assert questions.asked_in("it is old, and why?") is None
    found = questions.asked_in("AND WHY")
    assert found is not None
    assert found.place == "whole"


def test_chinese_questions_are_found() -> None:
    found = Questions({"evaluation": ["退款政策是什么？"]}, inside=["evaluation"]).asked_in(
        "请根据资料回答：\n退款政策是什么？"
    )
    assert found is not None
    assert found.place == "end"


def test_a_set_that_is_not_searched_inside_is_found_as_a_whole_only() -> None:
    questions = Questions({"validation": ["who built the tower"]})
    assert questions.asked_in("tell me who built the tower") is None
    assert questions.asked_in("Who built the tower?") is not None


@given(st.lists(st.floats(-1e6, 1e6), max_size=200))
def test_a_sparkline_has_a_bar_for_each_value_up_to_its_width(values: list[float]) -> None:
    assert len(sparkline(values)) == min(40, len(values))


def test_losses_that_are_not_finite_do_not_break_the_drawing() -> None:
    assert draw_losses([]) == "no losses"
    assert "nan" in draw_losses([LossPoint(1, float("nan"), None), LossPoint(2, 1.0, None)])
