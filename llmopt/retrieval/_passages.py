"""What retrievers share that index small passages and bring back something larger."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .._sync import call
from ..errors import CorpusError, NotReadyError
from ..interfaces import IndexedRetriever, best_hits
from ..types import Document, Hit
from ._changes import ChangingRetriever

__all__ = ["PassageRetriever", "Source"]


@dataclass(frozen=True, slots=True)
class Source:
    """The documents and the passages that were cut from them, never changed in place.

    Attributes:
        documents: By id.
        passages: In the order of their documents, those of a document together.
        places: The position of every passage among them, by id.
    """

    documents: dict[str, Document]
    passages: Sequence[Document]
    places: dict[str, int]

    @classmethod
    def of(cls, documents: Iterable[Document], passages: Sequence[Document]) -> Source:
        """Look everything up once."""
        places = {passage.id: place for place, passage in enumerate(passages)}
        return cls({document.id: document for document in documents}, passages, places)

    def document_of(self, passage: Document) -> Document:
        """Return the document that a passage was cut from; a passage's id is the document's, "#" and a number."""
        return self.documents[passage.id.rpartition("#")[0]]


class PassageRetriever(ChangingRetriever, ABC):
    """Cuts documents into passages for another retriever and makes of its hits what is wanted.

    Subclasses have the attributes `retriever` and `depth`. The documents are theirs, the passages are
    those of the retriever inside, whose index is saved with them.
    """

    retriever: IndexedRetriever
    depth: int
    _source: Source | None = None

    @abstractmethod
    async def cut(self, documents: Sequence[Document]) -> list[Document]:
        """Return the passages to index; the ids are the documents' ids, "#" and something."""

    @abstractmethod
    def gathered(self, hits: Sequence[Hit], source: Source) -> list[Hit]:
        """Return what the hits on passages, best first, bring back, best first."""

    async def build(self, documents: Sequence[Document]) -> None:
        """Cut the documents and index the passages.

        Raises:
            CorpusError: When there is nothing to cut.
        """
        passages = await self.cut(documents)
        if not passages:
            raise CorpusError(f"{type(self).__name__} cut no passage from {len(documents)} documents: have they text?")
        await self.retriever.aindex(passages)
        self._source = Source.of(documents, self.retriever.documents)

    async def change(self, documents: Sequence[Document], kept: Sequence[int]) -> None:
        """Cut and index the new documents; the passages of the kept ones stay."""
        source, inner = self._ready(), self.retriever
        staying = {document.id for document in documents[: len(kept)]}
        places = [place for place, passage in enumerate(source.passages) if source.document_of(passage).id in staying]
        passages = [*(source.passages[place] for place in places), *await self.cut(documents[len(kept) :])]
        if isinstance(inner, ChangingRetriever) and passages:
            await call(inner.change, passages, places)
            inner.share_documents(passages)
        else:
            await inner.aindex(passages)
        self._source = Source.of(documents, self.retriever.documents)

    async def search(self, query: str, k: int) -> list[Hit]:
        """Return the best `k`; more passages are fetched until there are as many or no more."""
        source = self._ready()

        async def fetch(depth: int) -> list[Hit]:
            return await self.retriever.aretrieve(query, k=depth)

        return await self._enough(fetch, k, source)

    async def search_among(self, query: str, k: int, allowed: Callable[[Document], bool]) -> list[Hit]:
        """Return the best `k` from the allowed documents; passages of others are left out before ranking."""
        source, inner = self._ready(), self.retriever

        async def fetch(depth: int) -> list[Hit]:
            found = await call(inner.search_among, query, depth, lambda passage: allowed(source.document_of(passage)))
            return best_hits(found, depth, inner)

        return await self._enough(fetch, k, source)

    async def _enough(self, fetch: Callable[[int], Awaitable[list[Hit]]], k: int, source: Source) -> list[Hit]:
        depth = max(k, self.depth)
        while True:
            hits = await fetch(depth)
            found = self.gathered(hits, source)
            if len(found) >= k or len(hits) < depth:
                return found[:k]
            depth *= 4

    def restore_index(self, folder: Path) -> None:
        """Take up the passages, which the retriever inside has loaded already."""
        self._source = Source.of(self.documents, self.retriever.documents)

    def share_documents(self, documents: Sequence[Document]) -> None:
        """Use these objects in place of the equal ones that it holds."""
        super().share_documents(documents)
        self._source = Source.of(documents, self._ready().passages)

    def _ready(self) -> Source:
        if self._source is None:
            raise NotReadyError(f"{type(self).__name__} has no documents yet: call `index(documents)` first")
        return self._source
