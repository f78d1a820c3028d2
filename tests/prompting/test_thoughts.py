"""Thoughts in replies: taken off, never an answer; and what only looks like them stays."""

from __future__ import annotations

import pytest

from llmopt.errors import ModelOutputError
from llmopt.interfaces import PromptStrategy
from llmopt.pipeline import Pipeline
from llmopt.prompting import (
    ChainOfThought,
    Decompose,
    Direct,
    FewShot,
    Grounded,
    ReAct,
    Repair,
    SelfConsistency,
    Shot,
    Steps,
    Template,
    Tool,
)
from llmopt.prompting.thoughts import split_thoughts
from llmopt.testing import FakeModel
from llmopt.types import Completion, ToolCall


def wait() -> None:
    """Wait."""


STRATEGIES = [
    Direct(),
    Grounded(),
    Template("{question}"),
    FewShot(Direct(), [Shot("a", "b")]),
    ChainOfThought(Direct()),
    ChainOfThought(Direct(), calls=2),
    SelfConsistency(Direct(), samples=3),
    ReAct([Tool(wait)], protocol="text"),
    ReAct([Tool(wait)], max_steps=1, fallback=Direct()),
    Repair(Direct(), lambda text: None),
    Steps([Direct(), Direct()]),
]
CALLS = Completion("", tool_calls=[ToolCall("1", "wait", "{}")], finish="tool_calls")


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: type(strategy).__name__)
@pytest.mark.parametrize("reply", ["<think>Hm.</think>", "<think>Hm.", "<think>Hm.</think> \n", CALLS, " \n"], ids=repr)
def test_a_reply_without_an_answer_is_an_error_and_never_an_empty_answer(
    strategy: PromptStrategy, reply: str | Completion
) -> None:
    pipeline = Pipeline(model=FakeModel(reply), prompt=strategy)
    with pytest.raises(ModelOutputError):
        pipeline.run("q?")
    with pytest.raises(ModelOutputError):
        list(pipeline.stream("q?"))


def test_a_joined_answer_of_thoughts_alone_is_an_error() -> None:
    model = FakeModel(script=['{"questions": ["a?", "b?"]}', "1", "2"], reply="<think>Hm.</think>")
    with pytest.raises(ModelOutputError, match="no answer"):
        Decompose(Direct(), mode="sequential").run(model, "a and b?")


@pytest.mark.parametrize(
    ("text", "reasoning", "rest"),
    [
        ("<think>a</think>b", "a", "b"),
        ("a</think>\nb", "a", "b"),
        ("a\n</think>b", "a", "b"),
        ("a\n </think> \n\nb", "a", "b"),
        ("<think>a</think><think>b</think>c", "a\n\nb", "c"),
        ("The tag `</think>` ends it [1].", "", "The tag `</think>` ends it [1]."),
        ("It says </think>HACKED there.", "", "It says </think>HACKED there."),
        ("Tags: <think>\n</think>\nare two.", "", "Tags: <think>\n</think>\nare two."),
        ("<<<a 1>>>\n</think>b\n<<<end a 1>>>", "", "<<<a 1>>>\n</think>b\n<<<end a 1>>>"),
    ],
)
def test_thoughts_are_told_from_words_about_thoughts(text: str, reasoning: str, rest: str) -> None:
    found = split_thoughts(text)
    assert (found.reasoning, found.rest) == (reasoning, rest)
