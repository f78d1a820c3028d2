"""Search in single sentences, bring back each with its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .._text import sentences
from ..errors import ContractError, UsageError
from ..interfaces import IndexedRetriever
from ..types import Document, Hit, Span
from ._passages import PassageRetriever, Source

__all__ = ["SentenceWindow"]


@dataclass(repr=False, eq=False)
class SentenceWindow(PassageRetriever):
    """Indexes single sentences and brings back each with the sentences around it.

    A sentence matches a query sharply; its neighbours make it readable. No sentence comes twice: what
    stands in the window of a better hit is left out of the others. A hit's document has the id
    `<document id>#<first>-<last>`, the metadata of its document, and `parent` and `span`, which lead back.

    Args:
        retriever: Indexes and searches the sentences.
        before: Sentences before the one that was found, 0 or more.
        after: Sentences after it, 0 or more.
        depth: Sentences fetched at first; more follow while there are fewer than `k` windows.

    Example:
        >>> from llmopt.retrieval import BM25
        >>> document = Document("d", "It is late. The cat sleeps. Nobody knows why. It rains.")
        >>> (hit,) = SentenceWindow(BM25(), before=0, after=1).index([document]).retrieve("cat")
        >>> hit.document.text
        'The cat sleeps. Nobody knows why.'
    """

    retriever: IndexedRetriever
    before: int = 2
    after: int = 2
    depth: int = 50

    async def cut(self, documents: Sequence[Document]) -> list[Document]:
        """Return the sentences.

        Raises:
            UsageError: When `before` or `after` is negative.
        """
        if self.before < 0 or self.after < 0:
            raise UsageError(f"a window has 0 or more sentences around, got before={self.before}, after={self.after}")
        return [
            Document(f"{document.id}#{number}", document.text[span.start : span.end], document.metadata,
                     document.source, span)
            for document in documents
            for number, span in enumerate(sentences(document.text))
        ]  # fmt: skip

    def gathered(self, hits: Sequence[Hit], source: Source) -> list[Hit]:
        """Return the windows, best first; a sentence that stands in a better one is not repeated."""
        shown: set[int] = set()
        windows: list[Hit] = []
        for hit in hits:
            place = source.places[hit.document.id]
            if place in shown:
                continue
            first, last = self._window(place, shown, source)
            shown.update(range(first, last + 1))
            windows.append(replace(hit, document=_joined(first, last, source)))
        return windows

    def _window(self, place: int, shown: set[int], source: Source) -> tuple[int, int]:
        """Return the first and the last place of the window, within the document and clear of what is shown."""

        def reach(step: int, most: int) -> int:
            end = place
            while abs(end + step - place) <= most and _follows(end + step, place, source) and end + step not in shown:
                end += step
            return end

        return reach(-1, self.before), reach(1, self.after)


def _follows(place: int, other: int, source: Source) -> bool:
    """Return whether there is a sentence at the place and it is of the same document as the other."""
    if not 0 <= place < len(source.passages):
        return False
    return source.document_of(source.passages[place]) is source.document_of(source.passages[other])


def _joined(first: int, last: int, source: Source) -> Document:
    document = source.document_of(source.passages[first])
    begin, end = source.passages[first].span, source.passages[last].span
    if begin is None or end is None:
        raise ContractError(f"sentence {source.passages[first].id!r} has lost its span: index again")
    numbers = [source.passages[place].id.rpartition("#")[2] for place in (first, last)]
    span = Span(begin.start, end.end)
    text = document.text[span.start : span.end]
    return Document(f"{document.id}#{'-'.join(numbers)}", text, document.metadata, document.source, span)
