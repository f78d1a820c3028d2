"""What every reranker keeps to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar, TypeVar

import pytest

from ...errors import UsageError
from ...interfaces import Reranker
from ...types import Document, Hit
from .components import ODD_TEXTS, ComponentContract

__all__ = ["RerankerContract"]

R = TypeVar("R", bound=Reranker)


class RerankerContract(ComponentContract[R]):
    """Subclass as `TestMine`, define `make`, and pytest runs every check.

    Attributes:
        query: A query.
        hits: Hits to rerank, best first; give metadata that your rules read.
    """

    query: ClassVar[str] = "How long does a cat sleep?"
    hits: ClassVar[Sequence[Hit]] = tuple(
        Hit(Document(id, text, {"date": f"2026-0{number}-01", "source": source}), 1.0 / number)
        for number, (id, text, source) in enumerate(
            [
                ("dog", "A dog barks at cars.", "web"),
                ("cat", "A cat sleeps fifteen hours a day.", "book"),
                ("cow", "A cow eats grass.", "web"),
                ("hen", "A hen lays an egg almost every day.", "book"),
            ],
            start=1,
        )
    )

    def use(self, component: R) -> None:
        """Rerank once."""
        component.rerank(self.query, self.hits)

    def test_it_only_gives_back_what_it_got(self) -> None:
        """Each hit at most once, none of its own."""
        ids = _ids(self.make().rerank(self.query, self.hits))
        assert len(ids) == len(set(ids))
        assert set(ids) <= set(_ids(self.hits))

    def test_scores_fall_and_earlier_signals_are_kept(self) -> None:
        """The new score stands in the hit; what was known stays in its signals."""
        marked = [Hit(hit.document, hit.score, {"earlier": hit.score}) for hit in self.hits]
        best = self.make().rerank(self.query, marked)
        assert [hit.score for hit in best] == sorted((hit.score for hit in best), reverse=True)
        assert all("earlier" in hit.signals for hit in best)

    def test_it_cuts_to_k(self) -> None:
        """The first k of the whole order."""
        whole = _ids(self.make().rerank(self.query, self.hits))
        assert _ids(self.make().rerank(self.query, self.hits, k=2)) == whole[:2]
        with pytest.raises(UsageError):
            self.make().rerank(self.query, self.hits, k=0)

    def test_no_hits_and_one_hit_are_fine(self) -> None:
        """There is nothing to compare."""
        assert self.make().rerank(self.query, []) == []
        assert len(self.make().rerank(self.query, self.hits[:1])) <= 1

    def test_sync_and_async_agree(self) -> None:
        """Both ways give one order."""
        awaited = asyncio.run(self.make().arerank(self.query, self.hits))
        assert _ids(awaited) == _ids(self.make().rerank(self.query, self.hits))

    @pytest.mark.parametrize("odd", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
    def test_odd_queries_are_survived(self, odd: str) -> None:
        """Any text may be asked."""
        self.make().rerank(odd, self.hits)


def _ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.document.id for hit in hits]
