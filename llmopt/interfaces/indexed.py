"""Retrievers that hold their documents themselves: built, saved and loaded."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Self, cast, final

from .._sync import call, call_sync
from ..errors import CorpusError, NotReadyError, StorageError, UsageError
from ..types import Document, Hit, MaybeAwaitable, Span
from .retrieval import Retriever

__all__ = ["IndexedRetriever"]


class IndexedRetriever(Retriever, ABC):
    """A retriever over documents that it holds itself. Write `build` and `search`.

    `save` and `load` work at once: by default the documents are written and the index is built again;
    a class with a costly index overrides `dump_index` and `restore_index`, too.

    Example:
        >>> class Contains(IndexedRetriever):
        ...     def build(self, documents: Sequence[Document]) -> None:
        ...         self.texts = [document.text for document in documents]
        ...     def search(self, query: str, k: int) -> list[Hit]:
        ...         return [Hit(d, 1.0) for d, text in zip(self.documents, self.texts) if query in text][:k]
        >>> found = Contains().index([Document("1", "a cat"), Document("2", "a dog")]).retrieve("dog")
        >>> [hit.document.id for hit in found]
        ['2']
    """

    _documents: tuple[Document, ...] | None = None

    @abstractmethod
    def build(self, documents: Sequence[Document]) -> MaybeAwaitable[None]:
        """Replace the index by one over these documents."""

    def search_among(self, query: str, k: int, allowed: Callable[[Document], bool]) -> MaybeAwaitable[Iterable[Hit]]:
        """Return up to `k` hits among the allowed documents.

        By default the whole ranking is made and filtered, which is right and slow; override it where
        the index can leave documents out by itself.
        """
        return self._search_and_filter(query, allowed)

    async def _search_and_filter(self, query: str, allowed: Callable[[Document], bool]) -> list[Hit]:
        hits = await call(self.search, query, len(self.documents))
        return [hit for hit in hits if allowed(hit.document)]

    def dump_index(self, folder: Path) -> None:
        """Write the index (not the documents) into an empty folder; by default nothing."""

    def restore_index(self, folder: Path) -> MaybeAwaitable[None]:
        """Read what `dump_index` wrote; by default the index is built again from the documents."""
        return self.build(self.documents)

    @property
    def is_indexed(self) -> bool:
        """Whether it has documents."""
        return self._documents is not None

    @property
    def documents(self) -> tuple[Document, ...]:
        """The indexed documents, in the order in which they came.

        Raises:
            NotReadyError: Before `index`.
        """
        if self._documents is None:
            raise NotReadyError(f"{type(self).__name__} has no documents yet: call `index(documents)` first")
        return self._documents

    @final
    def index(self, documents: Iterable[Document]) -> Self:
        """Take these documents, forget earlier ones, and return the retriever itself.

        Raises:
            CorpusError: When there are no documents, something else is among them, or two have the same id.
        """
        before, self._documents = self._documents, self._valid(documents)
        try:
            call_sync(self.build, self._documents)
        except BaseException:
            self._documents = before  # the old index is still there, and it fits the old documents only
            raise
        return self

    @final
    async def aindex(self, documents: Iterable[Document]) -> Self:
        """Take these documents; the async twin of `index`."""
        before, self._documents = self._documents, self._valid(documents)
        try:
            await call(self.build, self._documents)
        except BaseException:
            self._documents = before  # the old index is still there, and it fits the old documents only
            raise
        return self

    def write_state(self, folder: Path) -> None:
        """Write the documents and the index; nothing before `index`."""
        if self._documents is None:
            return
        with (folder / "documents.jsonl").open("w", encoding="utf-8") as lines:
            for document in self._documents:
                lines.write(_line(document) + "\n")
        (folder / "index").mkdir()
        self.dump_index(folder / "index")

    def read_state(self, folder: Path) -> MaybeAwaitable[None]:
        """Read the documents and the index."""
        with (folder / "documents.jsonl").open(encoding="utf-8") as lines:
            self._documents = tuple(_document(line) for line in lines)
        return self.restore_index(folder / "index")

    def _valid(self, documents: Iterable[Document]) -> tuple[Document, ...]:
        found = _documents(documents, type(self).__name__)
        if not found:
            raise CorpusError(f"{type(self).__name__} got no documents to index")
        if len({document.id for document in found}) != len(found):
            id, count = Counter(document.id for document in found).most_common(1)[0]
            raise CorpusError(f"document ids must be unique, {id!r} comes {count} times among {len(found)} documents")
        return found


def _documents(given: Iterable[Document], name: str) -> tuple[Document, ...]:
    if isinstance(given, str | Document):
        raise CorpusError(f"{name} indexes a list of documents, got one {type(given).__name__}: put it into a list")
    found = tuple(given)
    others = [each for each in cast("tuple[object, ...]", found) if not isinstance(each, Document)]
    if others:
        raise CorpusError(
            f"{name} indexes documents, got {others[0]!r} among them: write Document('an id', text), or read files by "
            "`load_documents`"
        )
    return found


def _line(document: Document) -> str:
    try:
        return json.dumps(asdict(document), ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"the document {document.id!r} cannot be saved, its metadata have no JSON form ({error}): "
            "write dates as ISO texts and keep to texts, numbers, lists and dictionaries"
        ) from error


def _document(line: str) -> Document:
    try:
        data = json.loads(line)
        span = None if data["span"] is None else Span(**data["span"])
        return Document(data["id"], data["text"], data["metadata"], data["parent"], span)
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"documents.jsonl is damaged: {error}") from error
