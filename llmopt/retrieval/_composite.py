"""What retrievers made of other retrievers share: the parts hold the documents and the indexes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from .._sync import call, gather_bounded
from ..errors import UsageError
from ..interfaces import IndexedRetriever, Retriever
from ..types import Document
from ._arrays import read_header, write_header
from ._changes import ChangingRetriever

__all__ = ["CompositeRetriever"]

_VERSION = 1


class CompositeRetriever(ChangingRetriever, ABC):
    """A retriever made of others, to which it hands the documents.

    Parts that hold no documents themselves, or that are indexed already, are used as they are. After an
    error in `add`, `update` or `remove` the parts may differ: `index` again.
    """

    @abstractmethod
    def parts(self) -> Sequence[Retriever]:
        """Return the retrievers inside."""

    async def build(self, documents: Sequence[Document]) -> None:
        """Index the documents in every part that can be indexed, side by side.

        Raises:
            UsageError: When no part can be indexed.
        """
        parts = self.indexed_parts()
        if not parts:
            name = type(self).__name__
            raise UsageError(f"{name} has nothing to index, none of its parts holds documents itself: just search")
        await gather_bounded(lambda part: part.aindex(documents), parts, limit=len(parts))

    async def change(self, documents: Sequence[Document], kept: Sequence[int]) -> None:
        """Make the change in every part; a part that cannot change indexes everything again."""
        before = self._documents = self.documents
        for part in self.indexed_parts():
            if isinstance(part, ChangingRetriever) and part.documents == before:
                await call(part.change, documents, kept)
                part.share_documents(documents)
            else:
                await part.aindex(documents)

    @property
    def documents(self) -> tuple[Document, ...]:
        """The indexed documents: those of the first part that holds any.

        Raises:
            NotReadyError: Before `index`.
        """
        parts = self.indexed_parts()
        return super().documents if self._documents is not None or not parts else parts[0].documents

    def share_documents(self, documents: Sequence[Document]) -> None:
        """Use these objects in place of equal ones, in every part that holds the same documents."""
        for part in self.indexed_parts():
            if isinstance(part, ChangingRetriever) and part.documents == documents:
                part.share_documents(documents)
        super().share_documents(documents)

    def write_state(self, folder: Path) -> None:
        """Write next to nothing: documents and indexes are in the parts."""
        if self._documents is not None:
            write_header(folder, type(self).__name__, _VERSION, {})

    def read_state(self, folder: Path) -> None:
        """Let the parts, which are loaded already, share their documents."""
        read_header(folder, type(self).__name__, _VERSION)
        self.share_documents(self.documents)

    def indexed_parts(self) -> list[IndexedRetriever]:
        """Return the parts that hold documents themselves."""
        return [part for part in self.parts() if isinstance(part, IndexedRetriever)]
