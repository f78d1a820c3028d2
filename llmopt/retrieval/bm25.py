"""Search by words: BM25."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from ..errors import NotReadyError, UsageError
from ..types import Document, Hit
from ._changes import ChangingRetriever
from ._postings import Postings, words_of
from .stemming import STOP_WORDS, EnglishPlurals

__all__ = ["BM25"]


@dataclass(repr=False, eq=False)
class BM25(ChangingRetriever):
    """Finds the documents that share words with the query, rare words counting most.

    The scores are those of Lucene's BM25 (Kamphuis et al. 2020, "Which BM25 do you mean?"), computed by
    `bm25s`. Chinese, Japanese and Korean text is indexed by pairs of characters; a query of single ones
    finds the pairs that they stand in. A document without any word of the query is no hit, so a query of
    unknown words has none. Word weights depend on the
    whole corpus: `add`, `update` and `remove` index everything again.

    Args:
        k1: How much repeating a word counts, 0 or more.
        b: How much long documents are held back, 0 to 1.
        stemmer: Maps the lower-cased word to its stem, or None; `Stemmer.Stemmer("english").stemWord`
            of the package PyStemmer, for example, is stronger than the default.
        stop_words: Words of the query that do not count, lower-case, unless it has no others; None:
            the usual words of English and Chinese questions (`STOP_WORDS`).

    Example:
        >>> documents = [Document("cat", "Cats sleep all day."), Document("dog", "Dogs bark.")]
        >>> [hit.document.id for hit in BM25().index(documents).retrieve("Where does a cat sleep?")]
        ['cat']
    """

    k1: float = 1.5
    b: float = 0.75
    stemmer: Callable[[str], str] | None = EnglishPlurals()
    stop_words: Collection[str] | None = None
    _postings: Postings | None = field(default=None, init=False)

    lowest_score: ClassVar[float] = 0.0

    def build(self, documents: Sequence[Document]) -> None:
        """Count the words.

        Raises:
            UsageError: When `k1` or `b` is out of range or `stop_words` is one str.
        """
        if not 0 <= self.k1 < float("inf") or not 0 <= self.b <= 1:
            raise UsageError(f"BM25 takes k1 of 0 or more and b from 0 to 1, got k1={self.k1}, b={self.b}")
        if isinstance(self.stop_words, str):
            raise UsageError("`stop_words` is a collection of words, got one str: wrap it, {word}")
        self._postings = Postings.of(documents, self.stemmer, self.k1, self.b)

    def search(self, query: str, k: int) -> list[Hit]:
        """Return the best `k` documents that share a word with the query."""
        return self._ready().hits(self._asked(query), k, None)

    def search_among(self, query: str, k: int, allowed: Callable[[Document], bool]) -> list[Hit]:
        """Return the best `k` of the allowed documents; the others are left out before ranking."""
        return self._ready().hits(self._asked(query), k, allowed)

    def search_many(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Return the best `k` documents for every query."""
        postings = self._ready()
        return [postings.hits(self._asked(query), k, None) for query in queries]

    def share_documents(self, documents: Sequence[Document]) -> None:
        """Use these objects in place of the equal ones that it holds."""
        super().share_documents(documents)
        self._postings = replace(self._ready(), documents=documents)

    def dump_index(self, folder: Path) -> None:
        """Write vocabulary and weights."""
        self._ready().dump(folder)

    def restore_index(self, folder: Path) -> None:
        """Read the vocabulary and map the weights into memory.

        Raises:
            StorageError: When something is damaged or does not fit the documents.
        """
        self._postings = Postings.restore(folder, self.documents, self.k1, self.b)

    def _ready(self) -> Postings:
        if self._postings is None:
            raise NotReadyError(f"{type(self).__name__} has no documents yet: call `index(documents)` first")
        return self._postings

    def _asked(self, query: str) -> list[str]:
        stop_words = STOP_WORDS if self.stop_words is None else frozenset(self.stop_words)
        found = words_of(query)
        telling = [word for word in found if word not in stop_words] or found
        return telling if self.stemmer is None else [self.stemmer(word) for word in telling]
