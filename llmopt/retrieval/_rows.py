"""The matrix of a dense index: filled block by block, grown without copying everything each time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import ContractError, CorpusError
from ..types import Document, Matrix
from ._masks import Masks

__all__ = ["Filling", "Rows"]

_TEXTS_PER_BLOCK = 8_192
_SPARE = 1.25


@dataclass(frozen=True, slots=True)
class Rows:
    """Documents with one unit row each; never changed in place, so a search sees one state of things.

    Attributes:
        documents: What the rows stand for.
        matrix: Float32 of shape (documents, dimensions).
        store: The array that `matrix` is the beginning of; what follows is room for more.
        masks: Which documents a filter allows.
    """

    documents: Sequence[Document]
    matrix: Matrix
    store: Matrix
    masks: Masks = field(init=False)

    def __post_init__(self) -> None:
        """Begin without masks."""
        object.__setattr__(self, "masks", Masks(self.documents))

    @property
    def dimensions(self) -> int:
        """Numbers per row."""
        return int(self.matrix.shape[1])

    def changed(self, documents: Sequence[Document], kept: Sequence[int], new: Matrix) -> Rows:
        """Return the rows of `documents`: the kept ones in their order, then the new ones.

        Adding alone costs a copy only when the store has no room left.
        """
        count = len(documents)
        if len(kept) == len(self.matrix) and count <= len(self.store):
            self.store[len(kept) : count] = new
            return Rows(documents, self.store[:count], self.store)
        room = int(count * _SPARE) if len(new) else count
        store = np.empty((room, self.dimensions), np.float32)
        np.take(self.matrix, kept, axis=0, out=store[: len(kept)])
        store[len(kept) : count] = new
        return Rows(documents, store[:count], store)


class Filling:
    """The rows of documents, block by block as an embedder gives them; a blank text has a zero row.

    Args:
        documents: What is embedded.
        dimensions: Numbers per row, when they are known already.
        embedder: Its name, for messages.
    """

    def __init__(self, documents: Sequence[Document], dimensions: int | None, embedder: str) -> None:
        self._documents = documents
        self._written = [number for number, document in enumerate(documents) if document.text.strip()]
        self._embedder = embedder
        self._matrix = None if dimensions is None else np.zeros((len(documents), dimensions), np.float32)
        self._done = 0

    def blocks(self) -> Iterator[list[str]]:
        """Yield the texts to embed; after each block `take` must have had its rows."""
        for start in range(0, len(self._written), _TEXTS_PER_BLOCK):
            yield [self._documents[number].text for number in self._written[start : start + _TEXTS_PER_BLOCK]]

    def take(self, rows: Matrix) -> None:
        """Put the rows of the next block in their places.

        Raises:
            ContractError: When they have no dimensions or others than the rows before.
        """
        if self._matrix is None:
            self._matrix = np.zeros((len(self._documents), rows.shape[1]), np.float32)
        if rows.shape[1] != self._matrix.shape[1] or rows.shape[1] == 0:
            raise ContractError(
                f"`{self._embedder}.embed` gave rows of {rows.shape[1]} dimensions, expected {self._matrix.shape[1]} "
                "as for the other documents, and at least 1"
            )
        self._matrix[self._written[self._done : self._done + len(rows)]] = rows
        self._done += len(rows)

    def matrix(self) -> Matrix:
        """Return all rows.

        Raises:
            CorpusError: When no document has any text.
        """
        if self._matrix is None:
            raise CorpusError(f"none of the {len(self._documents)} documents has any text to embed")
        return self._matrix
