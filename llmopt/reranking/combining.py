"""Rerankers after one another, and the order in which a model reads best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..interfaces import Reranker
from ..types import Hit

__all__ = ["Chain", "ReadingOrder"]


@dataclass(repr=False)
class Chain(Reranker):
    """Reranks by one reranker after the other; what one drops the next does not see.

    Args:
        rerankers: In their order.
        keep: How many hits go on from each to the next; None: all. For a cheap one before a dear one.

    Example:
        >>> from llmopt.reranking import DropDuplicates, Rules
        >>> from llmopt.types import Document
        >>> hits = [Hit(Document(id, "same text"), score) for id, score in (("a", 2.0), ("b", 1.0))]
        >>> [hit.document.id for hit in Chain([Rules([DropDuplicates()])]).rerank("q", hits)]
        ['a']
    """

    rerankers: Sequence[Reranker]
    keep: int | None = None

    async def score(self, query: str, hits: Sequence[Hit]) -> list[float | None]:
        """Return the last one's scores for what is left."""
        left = list(hits)
        for number, reranker in enumerate(self.rerankers):
            last = number == len(self.rerankers) - 1
            left = await reranker.arerank(query, left, k=None if last else self.keep)
        return _as_scores(hits, left)


@dataclass(repr=False)
class ReadingOrder(Reranker):
    """Puts the best hits at both ends of the prompt and the weakest in the middle; drops all but the first `k`.

    Models use the beginning and the end of a long prompt more than its middle (75.8, 53.8 and 63.2 % right
    with the answer first, in the middle, last). Put it last, with the pipeline's own `k`.
    Source: Liu et al. 2023, "Lost in the Middle".

    Args:
        k: How many hits the prompt gets.
        inner: Ranks the hits first; None: they come ranked.

    Example:
        >>> from llmopt.types import Document
        >>> hits = [Hit(Document(str(n), "text"), -n) for n in range(1, 6)]
        >>> [hit.document.id for hit in ReadingOrder(k=5).rerank("q", hits)]
        ['1', '3', '5', '4', '2']
    """

    k: int = 5
    inner: Reranker | None = None

    async def score(self, query: str, hits: Sequence[Hit]) -> list[float | None]:
        """Return scores that fall in the order of reading."""
        if self.k < 1:
            raise UsageError(f"`ReadingOrder` needs `k` of at least 1, got {self.k}")
        ranked = list(hits) if self.inner is None else await self.inner.arerank(query, hits)
        best = ranked[: self.k]
        return _as_scores(hits, [*best[::2], *best[1::2][::-1]])


def _as_scores(hits: Sequence[Hit], ordered: Sequence[Hit]) -> list[float | None]:
    places = {hit.document.id: 1 - place / len(ordered) for place, hit in enumerate(ordered)}
    return [places.get(hit.document.id) for hit in hits]
