"""Streams: thoughts are held back, and the last piece has the whole answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmopt.errors import ModelRefusedError
from llmopt.interfaces import ChatModel, PromptStrategy
from llmopt.models import OpenAIChat
from llmopt.pipeline import Pipeline
from llmopt.prompting import Direct, FewShot, Grounded, Repair, SelfConsistency, Shot, Template
from llmopt.testing.server import FakeOpenAI, Reply
from llmopt.types import Completion, Delta, Message, Options


class Pieces(ChatModel):
    """Streams a text in pieces of a length."""

    def __init__(self, text: str, size: int = 3) -> None:
        self.text = text
        self.size = size

    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        return Completion(self.text)

    async def stream(self, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
        for start in range(0, len(self.text), self.size):
            yield Delta(self.text[start : start + self.size])
        yield Delta("", Completion(self.text))


STRATEGIES = [Direct(), Grounded(), Template("{question}"), FewShot(Direct(), [Shot("a", "b")])]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: type(strategy).__name__)
@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("Paris it is.", "Paris it is."),
        ("<think>Rome?</think>\n\nParis", "Paris"),
        (" <thinking>a > b</thinking><think>more</think>Paris", "Paris"),
        ("<thermometer> is a tag", "<thermometer> is a tag"),
        ("<b>Paris</b>", "<b>Paris</b>"),
        ("<", "<"),
    ],
)
def test_the_pieces_make_up_the_answer_without_thoughts(strategy: PromptStrategy, reply: str, answer: str) -> None:
    deltas = list(Pipeline(model=Pieces(reply), prompt=strategy).stream("q?"))
    assert "".join(delta.text for delta in deltas) == answer
    assert deltas[-1].answer is not None
    assert deltas[-1].answer.text == answer


@given(st.text(alphabet="<>/think a\n", max_size=60), st.integers(1, 7))
def test_however_a_reply_is_cut_the_pieces_are_the_same(text: str, size: int) -> None:
    reply = f"<think>{text}</think>the answer"
    whole = Direct().parse(reply)
    if not whole:
        return
    deltas = list(Pipeline(model=Pieces(reply, size), prompt=Direct()).stream("q?"))
    assert "".join(delta.text for delta in deltas).strip() == whole


def test_pieces_come_before_the_reply_has_ended() -> None:
    deltas = list(Pipeline(model=Pieces("one two three"), prompt=Grounded()).stream("q?"))
    assert len(deltas) > 3


@pytest.mark.parametrize("strategy", [SelfConsistency(Direct(), samples=3), Repair(Direct(), lambda text: None)])
def test_strategies_of_several_calls_come_in_one_piece(strategy: PromptStrategy) -> None:
    deltas = list(Pipeline(model=Pieces("Paris"), prompt=strategy).stream("q?"))
    assert [delta.text for delta in deltas] == ["Paris"]


def test_a_refusal_in_a_stream_is_typed() -> None:
    with FakeOpenAI(lambda body: Reply(None, refusal="I will not.")) as server:
        pipeline = Pipeline(model=OpenAIChat("m", base_url=server.base_url), prompt=Grounded())
        with pytest.raises(ModelRefusedError, match="I will not"):
            list(pipeline.stream("q?"))
