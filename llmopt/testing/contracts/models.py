"""What every chat model keeps to."""

from __future__ import annotations

import asyncio
from typing import ClassVar, TypeVar

import pytest

from ...errors import UsageError
from ...interfaces import ChatModel
from ...types import Message, Options
from .components import ODD_TEXTS, ComponentContract

__all__ = ["ChatModelContract"]

M = TypeVar("M", bound=ChatModel)


class ChatModelContract(ComponentContract[M]):
    """Subclass as `TestMine`, define `make`, and pytest runs every check.

    Attributes:
        prompt: Something that the model answers.
    """

    prompt: ClassVar[str] = "Say hello."

    def use(self, component: M) -> None:
        """Ask once."""
        component.complete(self.prompt)

    def test_it_answers_and_counts_its_tokens(self) -> None:
        """A reply has text and a usage that is not negative."""
        completion = self.make().complete(self.prompt)
        assert completion.text
        assert completion.usage.input_tokens >= 0
        assert completion.usage.output_tokens >= 0
        assert completion.cost is None or completion.cost >= 0

    def test_it_answers_chats_with_every_role(self) -> None:
        """System, user and assistant turns."""
        chat = [
            Message("system", "Be kind."),
            Message("user", "Hi."),
            Message("assistant", "Hello."),
            Message("user", "Go on."),
        ]
        assert self.make().complete(chat).text

    def test_sync_and_async_both_answer(self) -> None:
        """Also inside a running loop."""
        model = self.make()

        async def both() -> tuple[str, str]:
            return model.complete(self.prompt).text, (await model.acomplete(self.prompt)).text

        assert all(asyncio.run(both()))

    def test_many_answers_side_by_side(self) -> None:
        """Ten calls in flight."""
        model = self.make()

        async def many() -> list[str]:
            calls = (model.acomplete(self.prompt, Options(replicate=number)) for number in range(10))
            return [completion.text for completion in await asyncio.gather(*calls)]

        assert len(asyncio.run(many())) == 10

    def test_a_stream_ends_with_the_whole(self) -> None:
        """The pieces add up to the completion that the last one carries."""
        deltas = list(self.make().complete_stream(self.prompt))
        completion = deltas[-1].completion
        assert completion is not None
        assert "".join(delta.text for delta in deltas) == completion.text
        assert all(delta.completion is None for delta in deltas[:-1])

    def test_no_messages_are_refused(self) -> None:
        """There is nothing to answer."""
        with pytest.raises(UsageError):
            self.make().complete([])

    @pytest.mark.parametrize("odd", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
    def test_odd_prompts_are_survived(self, odd: str) -> None:
        """Any text may be asked."""
        self.make().complete(odd)
