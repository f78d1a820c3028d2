"""Several retrievers asked side by side, their rankings made one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .._sync import call, gather_bounded
from ..errors import UsageError
from ..interfaces import IndexedRetriever, Retriever, best_hits
from ..types import Document, Hit
from ._composite import CompositeRetriever
from .fusion import fuse_ranks

__all__ = ["Hybrid"]


@dataclass(repr=False, eq=False)
class Hybrid(CompositeRetriever):
    """Asks several retrievers side by side and fuses their rankings by reciprocal rank.

    `index` hands the documents to every part that can be indexed; parts that are indexed already, or
    that search somewhere else, are used as they are. The score of a hit is its fused score (see
    `fuse_ranks`); its signals hold the score that each part gave, under the part's class name, with
    "#2" and so on from the second part of a class on. An error of a part is raised: a search by half of
    the parts would look like a bad search. After an error in `add`, `update` or `remove` the parts may
    differ; `index` again.

    Args:
        retrievers: The parts, at least one.
        weights: One per part, 0 or more; all 1 by default.
        constant: How little the first ranks stand out.
        depth: Hits that each part brings before fusion; at least as many as are asked for.

    Example:
        >>> from llmopt.retrieval import BM25, Dense
        >>> from llmopt.testing import FakeEmbedder
        >>> documents = [Document("cat", "Cats sleep all day."), Document("dog", "Dogs bark at night.")]
        >>> retriever = Hybrid([BM25(), Dense(FakeEmbedder())]).index(documents)
        >>> best = retriever.retrieve("Do cats sleep?", k=1)[0]
        >>> best.document.id, sorted(best.signals)
        ('cat', ['BM25', 'Dense'])
    """

    retrievers: Sequence[Retriever]
    weights: Sequence[float] | None = None
    constant: float = 60.0
    depth: int = 100

    def parts(self) -> Sequence[Retriever]:
        """Return the retrievers inside.

        Raises:
            UsageError: When there is none.
        """
        if not self.retrievers:
            raise UsageError("Hybrid needs at least one retriever, got none")
        return self.retrievers

    async def search(self, query: str, k: int) -> list[Hit]:
        """Return the best `k` by fused rank.

        Raises:
            UsageError: When there is no part, or the numbers of parts and weights differ.
        """
        depth, parts = max(k, self.depth), self.parts()
        lists = await gather_bounded(lambda part: part.aretrieve(query, k=depth), parts, limit=len(parts))
        return self._fused(lists)[:k]

    async def search_many(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Return the best `k` for every query; each part searches for all of them at once."""
        depth, parts = max(k, self.depth), self.parts()
        found = await gather_bounded(lambda part: part.aretrieve_many(queries, k=depth), parts, limit=len(parts))
        return [self._fused(lists)[:k] for lists in zip(*found, strict=True)]

    async def search_among(self, query: str, k: int, allowed: Callable[[Document], bool]) -> list[Hit]:
        """Return the best `k` of the allowed documents; every part leaves the others out before ranking.

        Raises:
            UsageError: When a part cannot: it is no `IndexedRetriever`.
        """
        depth, parts = max(k, self.depth), self.indexed_parts()
        if len(parts) < len(self.parts()):
            raise UsageError("Hybrid cannot search among some documents only: one of its parts holds no documents")

        async def among(part: IndexedRetriever) -> list[Hit]:
            return best_hits(await call(part.search_among, query, depth, allowed), depth, part)

        return self._fused(await gather_bounded(among, parts, limit=len(parts)))[:k]

    def _fused(self, lists: Sequence[Sequence[Hit]]) -> list[Hit]:
        names = part_names(self.retrievers)
        if any("#" in name for name in names):
            # Hits carry their score under the class name, which here does not say of which part it is.
            lists = [_without(hits, name.partition("#")[0]) for hits, name in zip(lists, names, strict=True)]
        return fuse_ranks(lists, weights=self.weights, constant=self.constant, names=names)


def part_names(retrievers: Sequence[Retriever]) -> list[str]:
    """Return the class names, numbered from the second of a class on."""
    seen: Counter[str] = Counter()
    names: list[str] = []
    for retriever in retrievers:
        name = type(retriever).__name__
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return names


def _without(hits: Sequence[Hit], signal: str) -> list[Hit]:
    kept = ({name: value for name, value in hit.signals.items() if name != signal} for hit in hits)
    return [replace(hit, signals=signals) for hit, signals in zip(hits, kept, strict=True)]
