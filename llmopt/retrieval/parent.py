"""Search in small passages, bring back whole documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..interfaces import Chunker, IndexedRetriever
from ..types import Document, Hit
from ._passages import PassageRetriever, Source

__all__ = ["Parent"]


@dataclass(repr=False, eq=False)
class Parent(PassageRetriever):
    """Indexes small passages, which match a query sharply, and brings back the documents they stand in.

    A document comes once, with the score of its best passage; the signal "passages" says how many of its
    passages were among those fetched. Worth it where passages are too short to answer from and documents
    short enough for a prompt: index sections as documents, not books.

    Args:
        chunker: Cuts the documents into passages.
        retriever: Indexes and searches the passages.
        depth: Passages fetched at first; more follow while there are fewer than `k` documents.

    Example:
        >>> from llmopt.chunking import Sentence
        >>> from llmopt.retrieval import BM25
        >>> documents = [Document("pets", "Cats sleep all day. Dogs bark."), Document("farm", "Cows eat grass.")]
        >>> (best, *_) = Parent(Sentence(), BM25()).index(documents).retrieve("What sleeps?")
        >>> best.document.text
        'Cats sleep all day. Dogs bark.'
    """

    chunker: Chunker
    retriever: IndexedRetriever
    depth: int = 50

    async def cut(self, documents: Sequence[Document]) -> list[Document]:
        """Return the chunker's passages."""
        return await self.chunker.achunk_many(documents)

    def gathered(self, hits: Sequence[Hit], source: Source) -> list[Hit]:
        """Return every document once, with the score of its best passage."""
        counts: dict[str, int] = {}
        best: dict[str, Hit] = {}
        for hit in hits:
            id = source.document_of(hit.document).id
            counts[id] = counts.get(id, 0) + 1
            best.setdefault(id, hit)
        return [
            Hit(source.documents[id], hit.score, {**hit.signals, "passages": float(counts[id])})
            for id, hit in best.items()
        ]
