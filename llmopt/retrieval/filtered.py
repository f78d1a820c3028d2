"""Search among some of the documents only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..interfaces import IndexedRetriever, best_hits
from ..types import Document, Hit, MaybeAwaitable
from ._composite import CompositeRetriever
from ._later import then
from .conditions import both

__all__ = ["Filtered"]


@dataclass(repr=False, eq=False)
class Filtered(CompositeRetriever):
    """Leaves documents out before the ranking, so that k hits come back wherever k documents fit.

    Filtering the k best afterwards would lose hits. All documents are indexed; several filters can share
    one index: `Filtered(index, Equals("year", 2026))` beside `Filtered(index, Equals("year", 2025))`.

    Args:
        retriever: Searches.
        allowed: Says of a document whether it may be found: a condition (`Equals`, `Between`, `AllOf` ...)
            or a function of yours. A condition is looked at once per document, a function at every search.

    Example:
        >>> from llmopt.retrieval import BM25, Equals
        >>> documents = [Document("old", "opening hours", {"year": 2020}), Document("new", "hours", {"year": 2026})]
        >>> retriever = Filtered(BM25(), Equals("year", 2026)).index(documents)
        >>> [hit.document.id for hit in retriever.retrieve("opening hours")]
        ['new']
    """

    retriever: IndexedRetriever
    allowed: Callable[[Document], bool]

    def parts(self) -> Sequence[IndexedRetriever]:
        """Return the retriever inside."""
        return (self.retriever,)

    def search(self, query: str, k: int) -> MaybeAwaitable[list[Hit]]:
        """Return the best `k` of the allowed documents."""
        return self._among(query, k, self.allowed)

    def search_among(self, query: str, k: int, allowed: Callable[[Document], bool]) -> MaybeAwaitable[list[Hit]]:
        """Return the best `k` of the documents that fit this filter and the one inside."""
        return self._among(query, k, both(self.allowed, allowed))

    def _among(self, query: str, k: int, allowed: Callable[[Document], bool]) -> MaybeAwaitable[list[Hit]]:
        if not callable(self.allowed):
            raise UsageError(
                f"`Filtered` needs a condition or a function of a document, got {self.allowed!r}: say "
                'Equals("field", value), for example'
            )
        found = self.retriever.search_among(query, k, allowed)
        return then(found, lambda hits: best_hits(hits, k, self.retriever))
