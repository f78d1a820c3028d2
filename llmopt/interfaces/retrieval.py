"""Chunkers, retrievers and rerankers: from documents to the contexts of a prompt."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from operator import index
from typing import final

from .._sync import call, call_sync, gather_bounded, run_sync
from .._trace import step
from ..errors import ContractError, UsageError
from ..types import Document, Hit, MaybeAwaitable, Planned, Span
from .component import Component
from .model import Embedder
from .planning import parts_of, planned_embedding

__all__ = ["Chunker", "Reranker", "Retriever", "best_hits"]

_QUERIES_IN_FLIGHT = 16


class Chunker(Component, ABC):
    r"""Cuts documents into passages. Write `spans`.

    Example:
        >>> import re
        >>> class Lines(Chunker):
        ...     def spans(self, text: str) -> Iterable[Span]:
        ...         return (Span(*match.span()) for match in re.finditer(r"[^\n]+", text))
        >>> [passage.text for passage in Lines().chunk(Document("d", "one\ntwo"))]
        ['one', 'two']
    """

    @abstractmethod
    def spans(self, text: str) -> MaybeAwaitable[Iterable[Span]]:
        """Return the ranges of characters to keep, in reading order; they may overlap."""

    def prefix(self, span: Span) -> str:
        """Return what is put in front of a passage's text, for search and prompt to see; as a rule nothing."""
        return ""

    @final
    def chunk(self, document: Document) -> list[Document]:
        """Return the passages; each one's text is `document.text[span.start:span.end]`, behind its prefix if any.

        A passage has the id `<document id>#<number>`, the document's metadata with the span's own, and
        `parent` and `span`, which lead back.

        Raises:
            ContractError: When a span is empty, out of range or out of order.
        """
        return self._cut(document, call_sync(self.spans, document.text))

    @final
    async def achunk(self, document: Document) -> list[Document]:
        """Return the passages; the async twin of `chunk`."""
        return self._cut(document, await call(self.spans, document.text))

    @final
    def chunk_many(self, documents: Iterable[Document]) -> list[Document]:
        """Return the passages of all documents, in order."""
        return [passage for document in documents for passage in self.chunk(document)]

    @final
    async def achunk_many(self, documents: Iterable[Document]) -> list[Document]:
        """Return the passages of all documents; the async twin of `chunk_many`."""
        return [passage for document in documents for passage in await self.achunk(document)]

    def _cut(self, document: Document, spans: Iterable[Span]) -> list[Document]:
        passages: list[Document] = []
        last = 0
        for number, span in enumerate(spans):
            if not last <= span.start < span.end <= len(document.text):
                raise ContractError(
                    f"`{type(self).__name__}.spans` gave [{span.start}, {span.end}) as span {number} of document "
                    f"{document.id!r} of {len(document.text)} characters: spans must be non-empty, within the text "
                    f"and in the order of their starts (the one before starts at {last})"
                )
            last = span.start
            metadata = {**document.metadata, **span.metadata} if span.metadata else document.metadata
            text = self.prefix(span) + document.text[span.start : span.end]
            passages.append(Document(f"{document.id}#{number}", text, metadata, document.source, span))
        return passages


class Retriever(Component, ABC):
    """Finds the documents that answer a query. Write `search`.

    Example:
        >>> class Keyword(Retriever):
        ...     def search(self, query: str, k: int) -> list[Hit]:
        ...         return [Hit(d, 1.0) for d in (Document("1", "a cat"),) if query in d.text]
        >>> [hit.document.id for hit in Keyword().retrieve("cat")]
        ['1']
    """

    @abstractmethod
    def search(self, query: str, k: int) -> MaybeAwaitable[Iterable[Hit]]:
        """Return up to `k` hits, in any order; higher scores are better."""

    def search_many(self, queries: Sequence[str], k: int) -> MaybeAwaitable[Sequence[Iterable[Hit]]]:
        """Return the hits of each query; by default one `search` each, side by side."""
        return gather_bounded(lambda query: call(self.search, query, k), queries, limit=_QUERIES_IN_FLIGHT)

    def plan(self, query: str) -> Sequence[Planned]:
        """Return what a search will take at most; by default what the retrievers and embedders inside take.

        Override it when the search itself asks a model.
        """
        embedders = [part for part in parts_of(self) if isinstance(part, Embedder)]
        searches = [part.plan(query) for part in parts_of(self) if isinstance(part, Retriever)]
        embedded = [planned_embedding(part, "embeddings", [query]) for part in embedders]
        return [*embedded, *(item for search in searches for item in search)]

    @final
    def retrieve(self, query: str, *, k: int = 10) -> list[Hit]:
        """Return the best `k` hits, best first; equal scores stand in the order of their ids.

        Raises:
            UsageError: When `k` is below 1, or the query no text.
            ContractError: When `search` gives a score that is not finite.
        """
        k = _positive(k)
        _checked_query(query, self)
        with step("retrieve", self, query) as recorder:
            recorder.output = hits = best_hits(call_sync(self.search, query, k), k, self)
        return hits

    @final
    async def aretrieve(self, query: str, *, k: int = 10) -> list[Hit]:
        """Return the best `k` hits; the async twin of `retrieve`."""
        k = _positive(k)
        _checked_query(query, self)
        with step("retrieve", self, query) as recorder:
            recorder.output = hits = best_hits(await call(self.search, query, k), k, self)
        return hits

    @final
    def retrieve_many(self, queries: Sequence[str], *, k: int = 10) -> list[list[Hit]]:
        """Return the best `k` hits of every query, in the order of the queries."""
        return run_sync(self.aretrieve_many, queries, k=k)

    @final
    async def aretrieve_many(self, queries: Sequence[str], *, k: int = 10) -> list[list[Hit]]:
        """Return the best `k` hits of every query; the async twin of `retrieve_many`."""
        k = _positive(k)
        _checked_queries(queries, self)
        with step("retrieve", self, queries) as recorder:
            found = await call(self.search_many, queries, k)
            if len(found) != len(queries):
                raise ContractError(
                    f"`{type(self).__name__}.search_many` gave {len(found)} lists for {len(queries)} queries"
                )
            recorder.output = lists = [best_hits(hits, k, self) for hits in found]
        return lists


class Reranker(Component, ABC):
    """Reorders hits, and may drop some. Write `score`.

    Example:
        >>> class Shortest(Reranker):
        ...     def score(self, query: str, hits: Sequence[Hit]) -> list[float]:
        ...         return [-len(hit.document.text) for hit in hits]
        >>> hits = [Hit(Document("1", "long text"), 2.0), Hit(Document("2", "short"), 1.0)]
        >>> [hit.document.id for hit in Shortest().rerank("q", hits)]
        ['2', '1']
    """

    @abstractmethod
    def score(self, query: str, hits: Sequence[Hit]) -> MaybeAwaitable[Sequence[float | None]]:
        """Return a relevance score per hit, higher is better; None drops the hit.

        Rules may read metadata, the earlier score and its signals.
        """

    def plan(self, query: str, hits: Sequence[Hit]) -> Sequence[Planned]:
        """Return what reranking these hits will take at most; by default what the rerankers inside take.

        Override it when the reranker itself asks a model.
        """
        rerankers = [part for part in parts_of(self) if isinstance(part, Reranker)]
        return [item for part in rerankers for item in part.plan(query, hits)]

    @final
    def rerank(self, query: str, hits: Sequence[Hit], *, k: int | None = None) -> list[Hit]:
        """Return the hits by their new scores, best first, cut to `k`; ties keep their earlier order.

        Raises:
            UsageError: When `k` is below 1.
            ContractError: When `score` gives another number of scores, or one that is not finite.
        """
        limit = len(hits) if k is None else _positive(k)
        if not hits:
            return []
        with step("rerank", self, hits) as recorder:
            recorder.output = best = self._rescored(hits, call_sync(self.score, query, hits))[:limit]
        return best

    @final
    async def arerank(self, query: str, hits: Sequence[Hit], *, k: int | None = None) -> list[Hit]:
        """Return the hits by their new scores; the async twin of `rerank`."""
        limit = len(hits) if k is None else _positive(k)
        if not hits:
            return []
        with step("rerank", self, hits) as recorder:
            recorder.output = best = self._rescored(hits, await call(self.score, query, hits))[:limit]
        return best

    def _rescored(self, hits: Sequence[Hit], scores: Sequence[float | None]) -> list[Hit]:
        name = type(self).__name__
        if len(hits) != len(scores):
            raise ContractError(f"`{name}.score` must return a score per hit, it gave {len(scores)} for {len(hits)}")
        kept: list[Hit] = []
        for hit, score in zip(hits, scores, strict=True):
            if score is None:
                continue
            if not math.isfinite(score):
                raise ContractError(f"`{name}.score` gave {score} for {hit.document.id!r}; to drop a hit give None")
            kept.append(Hit(hit.document, float(score), {**hit.signals, name: float(score)}))
        return sorted(kept, key=lambda hit: -hit.score)


def best_hits(hits: Iterable[Hit], k: int, finder: object) -> list[Hit]:
    """Return the best `k` hits, best first, ties by id; of a document found twice the better hit stays.

    Raises:
        ContractError: When a score is not finite.
    """
    best: dict[str, Hit] = {}
    for hit in hits:
        known = best.get(hit.document.id)
        if not math.isfinite(hit.score):
            raise ContractError(
                f"`{type(finder).__name__}.search` scored {hit.document.id!r} with {hit.score}; scores must be finite"
            )
        if known is None or hit.score > known.score:
            best[hit.document.id] = hit
    return sorted(best.values(), key=lambda hit: (-hit.score, hit.document.id))[:k]


def _positive(k: int) -> int:
    try:
        number = index(k)
    except TypeError:
        number = 0
    if number < 1:
        raise UsageError(f"`k` is a number of hits and must be at least 1, got {k!r}")
    return number


def _checked_query(asked: object, caller: Component) -> None:
    if not isinstance(asked, str):
        raise UsageError(f"{type(caller).__name__} is asked by a query, which is a text, got {asked!r}")


def _checked_queries(asked: object, caller: Component) -> None:
    if isinstance(asked, str):
        raise UsageError(f"{type(caller).__name__} is asked by a list of queries here: put {asked!r} into one")
