"""Search by meaning: exact cosine similarity of embeddings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from ..errors import NotReadyError, UsageError
from ..interfaces import Embedder
from ..types import Document, Hit, Matrix, MaybeAwaitable
from ._arrays import map_array, read_header, save_array, write_header
from ._changes import ChangingRetriever
from ._cosine import nearest, nearest_many
from ._later import then
from ._rows import Filling, Rows
from ._top import hits_at

__all__ = ["Dense"]

_VERSION = 1


@dataclass(repr=False, eq=False)
class Dense(ChangingRetriever):
    """Finds the documents whose embeddings are nearest to the query's, by exact cosine similarity.

    Every document is compared: no approximation, nothing to tune, and on two cores some milliseconds
    for 100,000 documents. Scores are cosines, -1 to 1. A blank query has no hits; a document without
    text is not embedded and has the cosine 0 to everything. `add` embeds the new documents only. A
    loaded index maps its matrix into memory instead of reading it.

    Args:
        embedder: Turns queries and documents into vectors.

    Example:
        >>> from llmopt.testing import FakeEmbedder
        >>> documents = [Document("cat", "the cat sleeps"), Document("dog", "a dog barks")]
        >>> retriever = Dense(FakeEmbedder()).index(documents)
        >>> [hit.document.id for hit in retriever.retrieve("where does the cat sleep?", k=1)]
        ['cat']
        >>> [hit.document.id for hit in retriever.add([Document("rain", "rain falls")]).retrieve("rain", k=1)]
        ['rain']
    """

    embedder: Embedder
    _rows: Rows | None = field(default=None, init=False)

    lowest_score: ClassVar[float] = -1.0

    def build(self, documents: Sequence[Document]) -> MaybeAwaitable[None]:
        """Embed the documents.

        Raises:
            ContractError: When the embedder returns rows that are not finite or differ in length.
            CorpusError: When no document has any text.
        """

        def keep(matrix: Matrix) -> None:
            self._rows = Rows(documents, matrix, matrix)

        return then(self._embedded(documents, None), keep)

    def change(self, documents: Sequence[Document], kept: Sequence[int]) -> MaybeAwaitable[None]:
        """Embed the new documents; the rows of the kept ones stay."""
        rows = self._ready()

        def keep(matrix: Matrix) -> None:
            self._rows = rows.changed(documents, kept, matrix)

        return then(self._embedded(documents[len(kept) :], rows.dimensions), keep)

    def search(self, query: str, k: int) -> MaybeAwaitable[list[Hit]]:
        """Return the `k` nearest documents.

        Raises:
            UsageError: When the embedder's vectors have another length than the index's.
        """
        rows = self._ready()
        if not query.strip():
            return []
        return then(self._vectors([query]), lambda vectors: _search(rows, vectors, k, None))

    def search_among(self, query: str, k: int, allowed: Callable[[Document], bool]) -> MaybeAwaitable[list[Hit]]:
        """Return the `k` nearest of the allowed documents; the others are left out before ranking."""
        rows = self._ready()
        if not query.strip():
            return []
        return then(self._vectors([query]), lambda vectors: _search(rows, vectors, k, allowed))

    def search_vector(self, vector: Matrix, k: int, allowed: Callable[[Document], bool] | None = None) -> list[Hit]:
        """Return the `k` documents nearest to a unit vector, of all or of the allowed ones.

        Args:
            vector: Float32 of shape (dimensions,), as the embedder gives it; a zero vector finds nothing.
            k: Hits at most.
            allowed: Says of a document whether it may be found.
        """
        return _search(self._ready(), vector[np.newaxis, :], k, allowed)

    def search_many(self, queries: Sequence[str], k: int) -> MaybeAwaitable[list[list[Hit]]]:
        """Return the `k` nearest documents of every query, by matrix products over many queries at once."""
        rows = self._ready()
        asked = [query for query in queries if query.strip()]
        if not asked:
            return [[] for _ in queries]

        def search(vectors: Matrix) -> list[list[Hit]]:
            found = _search_many(rows, vectors, k)
            return [next(found) if query.strip() else [] for query in queries]

        return then(self._vectors(asked), search)

    def share_documents(self, documents: Sequence[Document]) -> None:
        """Use these objects in place of the equal ones that it holds."""
        super().share_documents(documents)
        self._rows = replace(self._ready(), documents=documents)

    def dump_index(self, folder: Path) -> None:
        """Write the matrix."""
        write_header(folder, "Dense", _VERSION, {})
        save_array(folder / "rows.npy", self._ready().matrix)

    def restore_index(self, folder: Path) -> None:
        """Map the matrix into memory.

        Raises:
            StorageError: When it is damaged or does not fit the documents.
        """
        read_header(folder, "Dense", _VERSION)
        matrix = map_array(folder / "rows.npy", np.float32, len(self.documents), None)
        self._rows = Rows(self.documents, matrix, matrix)

    def _ready(self) -> Rows:
        if self._rows is None:
            raise NotReadyError(f"{type(self).__name__} has no documents yet: call `index(documents)` first")
        return self._rows

    # A local embedder is called on the spot, which from sync code takes no thread and no event loop; one
    # with an `async def` hook is awaited.
    @property
    def _remote(self) -> bool:
        return inspect.iscoroutinefunction(self.embedder.embed)

    def _vectors(self, queries: Sequence[str]) -> MaybeAwaitable[Matrix]:
        encode = self.embedder.aencode if self._remote else self.embedder.encode
        return encode(queries, kind="query")

    def _embedded(self, documents: Sequence[Document], dimensions: int | None) -> MaybeAwaitable[Matrix]:
        filling = Filling(documents, dimensions, type(self.embedder).__name__)
        if self._remote:
            return self._awaited(filling)
        for texts in filling.blocks():
            filling.take(self.embedder.encode(texts, kind="document"))
        return filling.matrix()

    async def _awaited(self, filling: Filling) -> Matrix:
        for texts in filling.blocks():
            filling.take(await self.embedder.aencode(texts, kind="document"))
        return filling.matrix()


def _search(rows: Rows, vectors: Matrix, k: int, allowed: Callable[[Document], bool] | None) -> list[Hit]:
    _check_length(rows, vectors)
    if not vectors.any():
        return []  # A zero vector has no direction, so nothing is nearest to it.
    mask = None if allowed is None else rows.masks.of(allowed)
    positions, scores = nearest(rows.matrix, vectors[0], k, mask)
    return hits_at(rows.documents, positions, scores, k, "Dense")


def _search_many(rows: Rows, vectors: Matrix, k: int) -> Iterator[list[Hit]]:
    _check_length(rows, vectors)
    for vector, (positions, scores) in zip(vectors, nearest_many(rows.matrix, vectors, k), strict=True):
        yield hits_at(rows.documents, positions, scores, k, "Dense") if vector.any() else []


def _check_length(rows: Rows, vectors: Matrix) -> None:
    if vectors.shape[1] != rows.dimensions:
        raise UsageError(
            f"the query has {vectors.shape[1]} dimensions and the index {rows.dimensions}: search with the embedder "
            "that embedded the documents, or index them again"
        )
