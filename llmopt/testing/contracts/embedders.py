"""What every embedder keeps to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar, TypeVar

import numpy as np
import pytest

from ...interfaces import Embedder
from .components import ODD_TEXTS, ComponentContract

__all__ = ["EmbedderContract"]

E = TypeVar("E", bound=Embedder)


class EmbedderContract(ComponentContract[E]):
    """Subclass as `TestMine`, define `make`, and pytest runs every check.

    Attributes:
        texts: A few texts, all different.
        tolerance: Of vectors made in another batch, per coordinate.
    """

    texts: ClassVar[Sequence[str]] = ("A cat sleeps.", "A dog barks at cars.", "\u732b\u5728\u7761\u89c9\u3002")
    tolerance: ClassVar[float] = 1e-4

    def use(self, component: E) -> None:
        """Embed once."""
        component.encode(self.texts, kind="document")

    def test_rows_are_unit_float32(self) -> None:
        """One for each text; a zero row for a text without meaning is allowed."""
        rows = self.make().encode(self.texts, kind="document")
        assert rows.dtype == np.float32
        assert rows.shape[0] == len(self.texts)
        norms = np.linalg.norm(rows, axis=1)
        assert np.all((np.abs(norms - 1) < 1e-3) | (norms == 0))

    def test_equal_texts_have_equal_rows_whatever_stands_beside_them(self) -> None:
        """The batch does not matter."""
        embedder = self.make()
        together = embedder.encode(self.texts, kind="document")
        for row, text in zip(together, self.texts, strict=True):
            np.testing.assert_allclose(embedder.encode([text], kind="document")[0], row, atol=self.tolerance)

    def test_queries_and_documents_share_a_space(self) -> None:
        """Same number of dimensions."""
        embedder = self.make()
        widths = {embedder.encode(self.texts, kind=kind).shape[1] for kind in ("query", "document")}
        assert len(widths) == 1

    def test_no_texts_give_no_rows(self) -> None:
        """An empty list is fine."""
        assert self.make().encode([], kind="query").shape[0] == 0

    def test_sync_and_async_agree(self) -> None:
        """Both ways give the same rows."""
        awaited = asyncio.run(self.make().aencode(self.texts, kind="query"))
        np.testing.assert_allclose(awaited, self.make().encode(self.texts, kind="query"), atol=self.tolerance)

    @pytest.mark.parametrize("odd", ["", *ODD_TEXTS], ids=range(len(ODD_TEXTS) + 1))
    def test_odd_texts_are_survived(self, odd: str) -> None:
        """Any text has a row."""
        assert self.make().encode([odd, self.texts[0]], kind="document").shape[0] == 2
