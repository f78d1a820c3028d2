"""Several retrievers asked side by side, their rankings made one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Protocol, Self, cast, runtime_checkable

from .._sync import call, gather_bounded, run_sync
from ..errors import UsageError
from ..interfaces import IndexedRetriever, Retriever, best_hits
from ..interfaces.config import dump, load
from ..types import Document, Hit
from ._composite import CompositeRetriever
from ._labels import checked_labels
from .fusion import Scales, fuse_ranks, fuse_scores
from .weights import FittedWeights, fit_weights

__all__ = ["Hybrid"]


@dataclass(repr=False, eq=False)
class Hybrid(CompositeRetriever):
    """Asks several retrievers side by side and fuses their rankings, by reciprocal rank or by fitted weights.

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
    _fitted: FittedWeights | None = field(default=None, init=False)

    lowest_score: ClassVar[float] = 0.0

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

    @property
    def fitted(self) -> FittedWeights | None:
        """What `fit` found, with the figures; None before."""
        return self._fitted

    def fit(self, queries: Sequence[str], relevant: Sequence[Collection[str]]) -> Self:
        """Weigh the parts' scores by labelled queries, and return the retriever itself.

        From then on the parts' normalised scores are added up with the weights that give the best mean
        nDCG@10 on these queries (see `fuse_scores`), if in five-fold cross-validation that beats
        reciprocal ranks; else ranks stay (`fitted.kept`). The parts must be indexed. Fifty queries are
        enough for two parts.

        Args:
            queries: Questions as users ask them.
            relevant: Per query, the ids of the documents that answer it, at least one.

        Raises:
            UsageError: When labels are missing or name documents that are not there.
        """
        return run_sync(self.afit, queries, relevant)

    async def afit(self, queries: Sequence[str], relevant: Sequence[Collection[str]]) -> Self:
        """Weigh the parts' scores by labelled queries; the async twin of `fit`."""
        parts = self.parts()
        labels = checked_labels("Hybrid.fit", queries, relevant, {document.id for document in self.documents})
        found = await gather_bounded(lambda part: part.aretrieve_many(queries, k=self.depth), parts, limit=len(parts))
        scales = Scales(tuple(map(_floor, parts, found)), self.depth)
        per_query = list(zip(*found, strict=True))
        self._fitted = await call(fit_weights, per_query, labels, scales, self._by_rank)
        return self

    def write_state(self, folder: Path) -> None:
        """Write what was fitted; documents and indexes are in the parts."""
        super().write_state(folder)
        if self._fitted is not None:
            (folder / "fitted.json").write_text(json.dumps(dump(self._fitted)), encoding="utf-8")

    def read_state(self, folder: Path) -> None:
        """Read what was fitted and let the parts share their documents."""
        fitted = folder / "fitted.json"
        if fitted.exists():
            self._fitted = cast(FittedWeights, load(json.loads(fitted.read_text("utf-8"))))
        if (folder / "index.json").exists():
            super().read_state(folder)

    def _fused(self, lists: Sequence[Sequence[Hit]]) -> list[Hit]:
        fitted = self._fitted
        if fitted is None or not fitted.kept:
            return self._by_rank(lists)
        return fuse_scores(self._signalled(lists), fitted.weights, fitted.scales, part_names(self.retrievers))

    def _by_rank(self, lists: Sequence[Sequence[Hit]]) -> list[Hit]:
        names = part_names(self.retrievers)
        return fuse_ranks(self._signalled(lists), weights=self.weights, constant=self.constant, names=names)

    def _signalled(self, lists: Sequence[Sequence[Hit]]) -> Sequence[Sequence[Hit]]:
        """Return the hits with signals that are clear: not two parts' under one class name."""
        names = part_names(self.retrievers)
        if not any("#" in name for name in names):
            return lists
        return [_without(hits, name.partition("#")[0]) for hits, name in zip(lists, names, strict=True)]


def _floor(part: Retriever, found: Sequence[Sequence[Hit]]) -> float:
    """Return the lowest score that a part could give; the lowest it gave where it does not say."""
    if isinstance(part, _Bounded):
        return part.lowest_score
    return min((hit.score for hits in found for hit in hits), default=0.0)


@runtime_checkable
class _Bounded(Protocol):
    lowest_score: ClassVar[float]


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
