"""Documents that come, change and go after indexing."""

from __future__ import annotations

from abc import ABC
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Self, final

from .._sync import call, call_sync
from ..errors import CorpusError, UsageError
from ..interfaces import IndexedRetriever
from ..types import Document, MaybeAwaitable

__all__ = ["ChangingRetriever"]


@dataclass(frozen=True, slots=True)
class _Change:
    before: tuple[Document, ...]
    documents: tuple[Document, ...]
    kept: Sequence[int]


class ChangingRetriever(IndexedRetriever, ABC):
    """An indexed retriever whose documents can be added, replaced and removed.

    By default each change builds the index again; a class that can do better overrides `change`.
    Searches may go on meanwhile; changes must come one after the other.
    """

    def change(self, documents: Sequence[Document], kept: Sequence[int]) -> MaybeAwaitable[None]:
        """Take the index from the present documents to these; by default it is built again.

        Args:
            documents: All documents from now on; the kept ones come first.
            kept: The positions, ascending, that the first `len(kept)` of them have among the present
                documents.
        """
        return self.build(documents)

    def share_documents(self, documents: Sequence[Document]) -> None:
        """Use these objects in place of the equal ones that it holds, so that several parts keep one copy.

        A class that keeps the documents in its index, too, overrides this.
        """
        self._documents = tuple(documents)

    @final
    def add(self, documents: Iterable[Document]) -> Self:
        """Take further documents and return the retriever itself.

        Raises:
            NotReadyError: Before `index`.
            CorpusError: When an id is known already or comes twice.
        """
        change = self._addition(documents)
        call_sync(self.change, change.documents, change.kept)
        return self._changed(change)

    @final
    async def aadd(self, documents: Iterable[Document]) -> Self:
        """Take further documents; the async twin of `add`."""
        change = self._addition(documents)
        await call(self.change, change.documents, change.kept)
        return self._changed(change)

    @final
    def update(self, documents: Iterable[Document]) -> Self:
        """Replace the documents whose ids are known, add the others, and return the retriever itself.

        Raises:
            NotReadyError: Before `index`.
            CorpusError: When an id comes twice.
        """
        change = self._replacement(documents)
        call_sync(self.change, change.documents, change.kept)
        return self._changed(change)

    @final
    async def aupdate(self, documents: Iterable[Document]) -> Self:
        """Replace and add documents; the async twin of `update`."""
        change = self._replacement(documents)
        await call(self.change, change.documents, change.kept)
        return self._changed(change)

    @final
    def remove(self, ids: Collection[str]) -> Self:
        """Forget the documents of these ids and return the retriever itself.

        Raises:
            NotReadyError: Before `index`.
            UsageError: When an id is not known.
            CorpusError: When no document would be left.
        """
        change = self._removal(ids)
        call_sync(self.change, change.documents, change.kept)
        return self._changed(change)

    @final
    async def aremove(self, ids: Collection[str]) -> Self:
        """Forget the documents of these ids; the async twin of `remove`."""
        change = self._removal(ids)
        await call(self.change, change.documents, change.kept)
        return self._changed(change)

    def _addition(self, documents: Iterable[Document]) -> _Change:
        before = self.documents
        after = (*before, *documents)
        known = {document.id for document in before}
        clash = next((document.id for document in after[len(before) :] if document.id in known), None)
        if clash is not None:
            raise CorpusError(f"{type(self).__name__} has a document {clash!r} already: replace it by `update`")
        return _Change(before, self._valid(after), range(len(before)))

    def _replacement(self, documents: Iterable[Document]) -> _Change:
        before = self.documents
        new = tuple(documents)
        replaced = {document.id for document in new}
        kept = [position for position, document in enumerate(before) if document.id not in replaced]
        return _Change(before, self._valid((*(before[position] for position in kept), *new)), kept)

    def _removal(self, ids: Collection[str]) -> _Change:
        if isinstance(ids, str):
            raise UsageError(f"`ids` is a collection of ids, got one str: wrap it, [{ids!r}]")
        before = self.documents
        gone = frozenset(ids)
        kept = [position for position, document in enumerate(before) if document.id not in gone]
        if len(before) - len(kept) != len(gone):
            unknown = sorted(gone - {document.id for document in before})
            raise UsageError(f"{type(self).__name__} has no documents {unknown[:5]} ({len(unknown)} unknown ids)")
        return _Change(before, self._valid(before[position] for position in kept), kept)

    def _changed(self, change: _Change) -> Self:
        if self._documents is not change.before:
            raise UsageError(
                f"the documents of {type(self).__name__} were changed by two callers at the same time: index again, "
                "and make changes one after the other"
            )
        self._documents = change.documents
        return self
