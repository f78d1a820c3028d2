"""Template: one-pass substitution of declared variables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt._fences import read_fences
from llmopt.errors import UsageError
from llmopt.prompting import Template
from llmopt.testing import FakeModel
from llmopt.testing.contracts import PromptStrategyContract
from llmopt.types import Document, Hit

CAT = Hit(Document("cat", "Cats sleep {hours} hours. {question}"), 1.0)


class TestTemplate(PromptStrategyContract[Template]):
    def make(self) -> Template:
        return Template("Texts:\n{contexts}\n\nIn {language}: {question}", "Be brief.", {"language": "English"})


def sent(template: str, question: str = "q?", **variables: str) -> str:
    return Template(template, variables=variables).messages(question, ())[0].content


def test_declared_variables_are_replaced_once_and_values_stay_verbatim() -> None:
    assert sent("{question} in {style}", "What is {style}?", style="{question}") == "What is {style}? in {question}"


def test_variables_may_be_chinese() -> None:
    strategy = Template("\u7528{\u8bed\u8a00}: {question}", variables={"\u8bed\u8a00": "\u4e2d\u6587"})
    assert strategy.messages("q?", ())[0].content == "\u7528\u4e2d\u6587: q?"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('{"a": {"b": 1}} {question}', '{"a": {"b": 1}} q?'),
        ("{{question}} {question}", "{question} q?"),
        ("{} {0} { question } {question}", "{} {0} { question } q?"),
        ("\\d{3} %s $x {question}", "\\d{3} %s $x q?"),
    ],
)
def test_all_other_braces_stay(template: str, text: str) -> None:
    assert sent(template) == text


def test_contexts_are_fenced_and_citations_read() -> None:
    model = FakeModel("15 [1]")
    answer = Template("{contexts}\n{question}").run(model, "q?", [CAT])
    assert [fenced.text for fenced in read_fences(model.requests[0][0].content)] == [CAT.document.text]
    assert [citation.document_id for citation in answer.citations] == ["cat"]
    assert Template("{question}").run(FakeModel("I don't know."), "q?").outcome == "abstained"


@pytest.mark.parametrize(
    ("strategy", "complaint"),
    [
        (Template("{contxts} {question}"), "uses {contxts}, which is not declared"),
        (Template("{\u95ee\u9898} {question}"), "uses {\u95ee\u9898}, which is not declared"),
        (Template("{contexts}"), "does not use {question}"),
        (Template("{question}"), "does not use {contexts}"),
        (Template("{question} {contexts}", variables={"question": "x"}), "cannot be a variable"),
    ],
)
def test_a_template_that_cannot_be_meant_is_refused_before_anything_is_paid(strategy: Template, complaint: str) -> None:
    model = FakeModel("x")
    with pytest.raises(UsageError) as caught:
        strategy.run(model, "q?", [CAT])
    assert complaint in str(caught.value)
    assert model.requests == []


@given(st.text(), st.text())
def test_any_question_and_value_arrive_verbatim(question: str, value: str) -> None:
    assert sent("<{question}|{value}>", question, value=value) == f"<{question}|{value}>"
