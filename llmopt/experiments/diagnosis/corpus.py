"""What is known of the documents: those in the index, those given, and the whole texts behind passages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from ...errors import NotReadyError
from ...interfaces import Component, IndexedRetriever
from ...pipeline import Pipeline
from ...types import Document

__all__ = ["Corpus", "plain"]

_SPACE = re.compile(r"\s+")


def plain(text: str) -> str:
    """Return the text in lower case with single spaces, so that layout does not count when texts are compared."""
    return _SPACE.sub(" ", text).strip().casefold()


@dataclass(frozen=True)
class Corpus:
    """Documents by id and by source.

    Attributes:
        indexed: What the retrievers search in; empty when they do not say.
        given: The documents that the caller named.
        order: Per id, the place in the index.
    """

    indexed: Sequence[Document]
    given: Sequence[Document] = ()
    _places: Mapping[str, list[Document]] = field(init=False, repr=False)
    _wholes: Mapping[str, Document] = field(init=False, repr=False)
    order: Mapping[str, int] = field(init=False, repr=False)
    _plain: dict[str, str] = field(init=False, repr=False, default_factory=dict[str, str])

    def __post_init__(self) -> None:
        """Sort the documents by what they may be called."""
        places: dict[str, list[Document]] = {}
        for document in self.indexed:
            for name in {document.id, document.source}:
                places.setdefault(name, []).append(document)
        wholes = {document.id: document for document in (*self.indexed, *self.given) if document.parent is None}
        object.__setattr__(self, "order", {document.id: place for place, document in enumerate(self.indexed)})
        object.__setattr__(self, "_places", places)
        object.__setattr__(self, "_wholes", wholes)

    @classmethod
    def of(cls, pipeline: object, given: Iterable[Document] | None) -> Corpus:
        """Return what a pipeline's retrievers hold, those of its routes included, and what is given besides."""
        found = {
            document.id: document
            for retriever in (_retrievers(pipeline) if isinstance(pipeline, Pipeline) else ())
            for document in retriever.documents
        }
        return cls(list(found.values()), list(given or ()))

    def passages(self, id: str) -> list[Document]:
        """Return what the index holds under this id, be it a passage's own or its document's."""
        return self._places.get(id, [])

    def whole(self, id: str) -> Document | None:
        """Return the whole document, put together from its passages if need be; None when there is none."""
        if id not in self._wholes:
            passages = [document for document in self.passages(id) if document.source == id]
            return _stitched(id, passages)
        return self._wholes[id]

    def wholes(self) -> list[Document]:
        """Return the whole documents behind the index, or those given; none where a passage's place is unknown."""
        if self.given:
            return [document for document in self.given if document.parent is None]
        sources = dict.fromkeys(document.source for document in self.indexed)
        found = [self.whole(source) for source in sources]
        return [document for document in found if document is not None] if None not in found else []

    def plain(self, document: Document) -> str:
        """Return a document's text without layout; each is worked out once."""
        if document.id not in self._plain:
            self._plain[document.id] = plain(document.text)
        return self._plain[document.id]

    def holding(self, text: str, ids: Sequence[str]) -> list[Document]:
        """Return the indexed documents that hold a text whole: of these ids, or of all where there are none."""
        wanted = plain(text)
        among = [each for id in ids for each in self.passages(id)] if ids else self.indexed
        return [document for document in among if wanted in self.plain(document)]


def _retrievers(pipeline: Pipeline) -> Iterator[IndexedRetriever]:
    for each in (pipeline, *pipeline.routes.values()):
        if each.retriever is not None:
            yield from _indexed(each.retriever)
        if each is not pipeline:
            yield from _retrievers(each)


def _indexed(part: object) -> Iterator[IndexedRetriever]:
    """Yield the outermost retrievers that hold documents."""
    if isinstance(part, IndexedRetriever):
        try:
            known = bool(part.documents)
        except NotReadyError:
            known = False
        if known:
            yield part
            return
    if isinstance(part, Component):
        for value in part.params().values():
            yield from _indexed(value)
    elif isinstance(part, list | tuple):
        for value in cast("Sequence[object]", part):
            yield from _indexed(value)


def _stitched(id: str, passages: Sequence[Document]) -> Document | None:
    """Put passages together by their spans; what no passage covers is a space."""
    spans = [(passage.span, passage.text) for passage in passages if passage.span is not None]
    if not spans or len(spans) < len(passages):
        return None
    characters = [" "] * max(span.end for span, _ in spans)
    for span, text in spans:
        length = span.end - span.start
        if len(text) < length:
            return None  # the index holds something else than the text of the span
        characters[span.start : span.end] = text[-length:]  # headings may stand before it
    return Document(id, "".join(characters), passages[0].metadata)
