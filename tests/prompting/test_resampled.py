"""Resampled: one of several samples."""

from __future__ import annotations

from collections.abc import Sequence

from llmopt.interfaces import ChatModel
from llmopt.prompting.resampled import Resampled
from llmopt.testing import FakeModel
from llmopt.testing.contracts import ChatModelContract
from llmopt.types import Completion, Message, Options, Usage


class TestResampled(ChatModelContract[Resampled]):
    def make(self) -> Resampled:
        return Resampled(FakeModel("Paris"), 1, 3, 0.5)


class Priced(ChatModel):
    def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        return Completion("x")

    def price(self, usage: Usage) -> float | None:
        return 2.0 * usage.output_tokens


def test_the_number_becomes_part_of_the_request_and_all_else_stays() -> None:
    model = FakeModel("x")
    Resampled(model, 2, 5).complete("q?", Options(max_tokens=7, temperature=0.1, replicate=3))
    assert model.options == [Options(max_tokens=7, temperature=0.1, replicate=17)]


def test_a_sample_costs_what_the_model_costs() -> None:
    assert Resampled(Priced(), 0, 1).price(Usage(1, 4)) == 8.0
