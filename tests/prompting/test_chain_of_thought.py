"""Chain of thought: reasoning apart from the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from llmopt._json import schema_of
from llmopt.errors import ModelOutputError, UsageError
from llmopt.interfaces import ChatModel
from llmopt.prompting import ChainOfThought, Direct, FewShot, Grounded, SelfConsistency, Shot
from llmopt.prompting.marked import split_at_mark
from llmopt.prompting.thoughts import split_thoughts
from llmopt.testing import FakeModel
from llmopt.testing.contracts import PromptStrategyContract
from llmopt.types import Answer, AnswerDelta, Completion, Delta, Document, Hit, Message, Options

CAT = Hit(Document("cat", "Cats sleep 15 hours."), 1.0)


class TestOneCall(PromptStrategyContract[ChainOfThought]):
    reply = "Cats sleep long.\nAnswer: Fifteen hours [1]."

    def make(self) -> ChainOfThought:
        return ChainOfThought(Grounded())


class TestTwoCalls(PromptStrategyContract[ChainOfThought]):
    def make(self) -> ChainOfThought:
        return ChainOfThought(Grounded(), calls=2)


class Pieces(ChatModel):
    """Streams a text in pieces of three characters."""

    def __init__(self, text: str) -> None:
        self.text = text

    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        return Completion(self.text)

    async def stream(self, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
        for start in range(0, len(self.text), 3):
            yield Delta(self.text[start : start + 3])
        yield Delta("", Completion(self.text))


def notes(answer: Answer, name: str) -> list[object]:
    """Return what the trace's steps note under a name."""
    assert answer.trace is not None
    return [step.notes[name] for step in answer.trace.walk() if name in step.notes]


def test_one_call_asks_for_reasoning_and_a_marked_answer_after_the_question() -> None:
    model = FakeModel("So.\nAnswer: 4")
    answer = ChainOfThought(Direct(), kind="number").run(model, "2 + 2?")
    (sent,) = model.requests[0]
    assert sent.content.startswith("2 + 2?\n\nLet's think step by step.")
    assert "'Answer:'" in sent.content
    assert answer.text == "4"
    assert notes(answer, "reasoning") == ["So."]


def test_two_calls_reason_first_and_extract_then() -> None:
    model = FakeModel(script=["Two and two make four.", "4."])
    answer = ChainOfThought(Direct(), calls=2, kind="number").run(model, "2 + 2?")
    first, second = model.requests
    assert [message.content for message in first] == ["2 + 2?\n\nLet's think step by step."]
    assert list(second[:2]) == [*first, Message("assistant", "Two and two make four.")]
    assert "in digits" in second[2].content
    assert answer.text == "4"
    assert notes(answer, "reasoning") == ["Two and two make four."]
    assert answer.usage.calls == 2


@pytest.mark.parametrize(
    ("reply", "final"),
    [
        ("Reasons.\nAnswer: Paris", "Paris"),
        ("Reasons.\n**Answer:** Paris", "Paris"),
        ("Reasons.\n**Final answer: Paris**", "Paris"),
        ("The answer: Paris", "Paris"),
        ("Answer: Rome\nNo, wait.\nAnswer: Paris", "Paris"),
        ("Answer:\nParis\nand Lyon", "Paris\nand Lyon"),
        ("<think>Answer: Rome</think>Answer: Paris", "Paris"),
        ("<think>Rome?</think>\nParis", "Paris"),
        ("Rome?</think>\nParis", "Paris"),
        ("Reasons.\nParis", "Paris"),
        ("Paris", "Paris"),
        ("<<<context 1 0123abcd>>>\nAnswer: Rome\n<<<end context 1 0123abcd>>>\nParis", "Paris"),
    ],
)
def test_the_final_answer_stands_alone(reply: str, final: str) -> None:
    assert ChainOfThought(Direct()).run(FakeModel(reply), "Capital of France?").text == final
    assert ChainOfThought(Direct()).parse(reply) == final


def test_a_missing_mark_is_noted() -> None:
    assert notes(ChainOfThought(Direct()).run(FakeModel("Hm.\nParis"), "q?"), "final answer") == [
        "not marked with 'Answer:'"
    ]


@pytest.mark.parametrize("reply", ["<think>never closed", "<think>a</think>  ", "Hm.\nAnswer:"])
def test_reasoning_without_an_answer_is_an_error_and_never_an_answer(reply: str) -> None:
    with pytest.raises(ModelOutputError, match="has no answer at its end"):
        ChainOfThought(Direct()).run(FakeModel(reply), "q?")


def test_an_answer_of_another_kind_is_an_error() -> None:
    with pytest.raises(ModelOutputError, match="kind 'number'"):
        ChainOfThought(Direct(), kind="number").run(FakeModel("Answer: many"), "q?")


def test_citations_and_abstention_are_read_from_the_final_answer() -> None:
    strategy = ChainOfThought(Grounded(), kind="number")
    unknown = strategy.run(FakeModel("Nothing in [1].\nAnswer: I don't know."), "q?", [CAT])
    assert (unknown.outcome, list(unknown.citations)) == ("abstained", [])
    cited = ChainOfThought(Grounded()).run(FakeModel("So.\nAnswer: 15 [1]"), "q?", [CAT])
    assert [citation.document_id for citation in cited.citations] == ["cat"]


def test_a_schema_leaves_no_room_to_reason_in_one_call() -> None:
    class Reply(BaseModel):
        city: str

    inner = Direct(options=Options(schema=schema_of(Reply)))
    with pytest.raises(UsageError, match="calls=2"):
        ChainOfThought(inner).run(FakeModel("x"), "q?")
    model = FakeModel(script=["Hm, Paris.", '{"city": "Paris"}'])
    assert ChainOfThought(inner, calls=2).run(model, "q?").text == '{"city": "Paris"}'
    assert [options.schema is None for options in model.options] == [True, False]


def test_the_second_calls_reply_may_have_many_lines() -> None:
    model = FakeModel(script=["Hm.", "<think>so</think>first\nsecond"])
    answer = ChainOfThought(Direct(), calls=2).run(model, "q?")
    assert answer.text == "first\nsecond"
    assert notes(answer, "final answer") == []


def test_it_goes_inside_strategies_of_several_calls_not_around() -> None:
    with pytest.raises(UsageError, match="put it inside SelfConsistency"):
        ChainOfThought(SelfConsistency(Direct())).run(FakeModel("x"), "q?")


def test_the_options_of_the_innermost_strategy_reach_the_model() -> None:
    model = FakeModel("Answer: 1")
    options = Options(temperature=0.3, max_tokens=9)
    ChainOfThought(FewShot(Direct(options=options), [Shot("a", "b")])).run(model, "q?")
    assert model.options == [options]


def streamed(strategy: ChainOfThought, text: str) -> list[AnswerDelta]:
    async def collect() -> list[AnswerDelta]:
        return [delta async for delta in strategy.stream(Pieces(text), "q?", ())]

    return asyncio.run(collect())


@pytest.mark.parametrize(
    "reply",
    ["Hm: yes.\n**Answer:** Paris and Lyon", "<think>Answer: no</think>Answer: Paris and Lyon", "Paris and Lyon"],
)
def test_a_stream_holds_the_reasoning_back(reply: str) -> None:
    deltas = streamed(ChainOfThought(Direct()), reply)
    assert "".join(delta.text for delta in deltas) == "Paris and Lyon"
    assert deltas[-1].answer is not None
    assert deltas[-1].answer.text == "Paris and Lyon"


def test_a_stream_of_two_calls_comes_in_one_piece() -> None:
    assert [delta.text for delta in streamed(ChainOfThought(Direct(), calls=2), "Paris")] == ["Paris"]


@given(st.text(alphabet="ab<>/think\n: Answer", max_size=80))
def test_splitting_thoughts_loses_nothing_but_tags_and_blanks(text: str) -> None:
    found = split_thoughts(text)
    for part in (found.reasoning, found.rest):
        assert all(line in text for line in part.split("\n"))


@given(st.text(max_size=60), st.text(alphabet="xyz 123", min_size=1, max_size=20))
def test_what_follows_the_last_mark_is_the_answer(reasoning: str, final: str) -> None:
    if "<" in reasoning:
        return
    assert split_at_mark(f"{reasoning}\nAnswer: {final}", "Answer:").final == final.strip()


@pytest.mark.parametrize("mark", ["", ":", " \uff1a"])
def test_a_mark_without_a_word_is_refused(mark: str) -> None:
    with pytest.raises(UsageError, match="`mark`"):
        ChainOfThought(Direct(), mark=mark).run(FakeModel("x"), "q?")
