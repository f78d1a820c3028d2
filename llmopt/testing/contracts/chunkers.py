"""What every chunker keeps to."""

from __future__ import annotations

import asyncio
from typing import ClassVar, TypeVar

import pytest

from ...interfaces import Chunker
from ...types import Document
from .components import ODD_TEXTS, ComponentContract

__all__ = ["ChunkerContract"]

C = TypeVar("C", bound=Chunker)

TEXT = """# Cats

Cats sleep fifteen hours a day. They hunt at night, e.g. mice.

## Food

They eat meat; milk is not good for them.

\u732b\u6bcf\u5929\u7761\u5341\u4e94\u4e2a\u5c0f\u65f6\u3002\u5b83\u4eec\u5403\u8089\u3002
"""


class ChunkerContract(ComponentContract[C]):
    """Subclass as `TestMine`, define `make`, and pytest runs every check.

    Attributes:
        text: A text that your chunker cuts into something.
        covers_everything: Whether every character that is not white space lands in a passage.
    """

    text: ClassVar[str] = TEXT * 20
    covers_everything: ClassVar[bool] = True

    def use(self, component: C) -> None:
        """Chunk once."""
        component.chunk(Document("d", self.text))

    def test_passages_stand_in_the_document_where_they_say(self) -> None:
        """Offsets are exact and lead back."""
        document = Document("d", self.text, {"date": "2026-01-01"})
        component = self.make()
        passages = component.chunk(document)
        assert passages
        for passage in passages:
            assert passage.span is not None
            own = self.text[passage.span.start : passage.span.end]
            assert passage.text == component.prefix(passage.span) + own
            assert passage.parent == "d"
            assert passage.metadata["date"] == "2026-01-01"
        assert len({passage.id for passage in passages}) == len(passages)

    def test_passages_are_in_reading_order(self) -> None:
        """By their starts."""
        starts = [passage.span.start for passage in self.make().chunk(Document("d", self.text)) if passage.span]
        assert starts == sorted(starts)

    def test_no_text_is_lost(self) -> None:
        """Unless the chunker says that it drops some."""
        if not self.covers_everything:
            pytest.skip("this chunker drops text on purpose")
        kept: set[int] = set()
        for passage in self.make().chunk(Document("d", self.text)):
            assert passage.span is not None
            kept.update(range(passage.span.start, passage.span.end))
        assert all(place in kept for place, character in enumerate(self.text) if not character.isspace())

    def test_sync_and_async_agree(self) -> None:
        """Both ways give the same passages."""
        document = Document("d", self.text)
        assert asyncio.run(self.make().achunk(document)) == self.make().chunk(document)

    def test_an_empty_text_has_no_passages(self) -> None:
        """Neither has white space."""
        assert self.make().chunk(Document("d", "")) == []

    @pytest.mark.parametrize("odd", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
    def test_odd_texts_are_survived(self, odd: str) -> None:
        """Any text can be cut."""
        self.make().chunk(Document("d", odd))
