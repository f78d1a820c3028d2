"""Search by memory: the documents that answered questions like this one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, cast

import numpy as np

from .._sync import run_sync
from ..errors import NotReadyError, UsageError
from ..interfaces import Embedder
from ..types import Document, Hit, Matrix
from ._arrays import map_array, read_header, save_array, write_header
from ._changes import ChangingRetriever
from ._labels import checked_labels

__all__ = ["PastQuestions"]

_VERSION = 1


@dataclass(repr=False, eq=False)
class PastQuestions(ChangingRetriever):
    """Finds the documents that answered earlier questions like this one: a memory of labelled questions.

    The score of a document is the cosine of the question to the most similar of its past questions; below
    `least` a question is another one, and its documents are not found. So a new kind of question finds
    nothing here, and a document without a past question never is found: a part of a `Hybrid`, not a
    search of its own. Fit whatever weighs it (`Learned`) on `held_out_hits`, since a past question
    finds itself.

    `index` takes the documents and `fit` the questions. Questions stay when the documents change; those
    about documents that are gone are passed over.

    Args:
        embedder: Turns questions into vectors.
        least: The lowest cosine of questions that are alike.

    Example:
        >>> from llmopt.testing import FakeEmbedder
        >>> documents = [Document("cat", "It sleeps all day."), Document("dog", "It barks.")]
        >>> past = PastQuestions(FakeEmbedder()).index(documents).fit(["what do cats do?"], [["cat"]])
        >>> [hit.document.id for hit in past.retrieve("so what do cats do?")], past.retrieve("weather")
        (['cat'], [])
    """

    embedder: Embedder
    least: float = 0.5
    _questions: Matrix | None = field(default=None, init=False)
    _answers: Sequence[Sequence[str]] = field(default=(), init=False)
    _by_id: dict[str, Document] = field(default_factory=dict[str, Document], init=False)

    @property
    def lowest_score(self) -> float:
        """The lowest score that it gives."""
        return self.least

    def build(self, documents: Sequence[Document]) -> None:
        """Look the documents up by id.

        Raises:
            UsageError: When `least` is not between 0 and 1.
        """
        if not 0 < self.least < 1:
            raise UsageError(f"`least` is a cosine above 0 and below 1, got {self.least}")
        self._by_id = {document.id: document for document in documents}

    def fit(self, queries: Sequence[str], relevant: Sequence[Collection[str]]) -> Self:
        """Remember labelled questions, forget earlier ones, and return the retriever itself.

        Args:
            queries: Questions as users asked them.
            relevant: Per question, the ids of the documents that answer it, at least one.

        Raises:
            NotReadyError: Before `index`.
            UsageError: When labels are missing or name documents that are not there.
        """
        return run_sync(self.afit, queries, relevant)

    async def afit(self, queries: Sequence[str], relevant: Sequence[Collection[str]]) -> Self:
        """Remember labelled questions; the async twin of `fit`."""
        known = {document.id for document in self.documents}
        self._answers = checked_labels("PastQuestions.fit", queries, relevant, known)
        self._questions = await self.embedder.aencode(queries, kind="query")
        return self

    async def search(self, query: str, k: int) -> list[Hit]:
        """Return the documents of the most similar past questions."""
        return (await self.search_many([query], k))[0]

    async def search_many(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Return the documents of the most similar past questions of every query."""
        return await self._found(queries, k, None)

    async def search_among(self, query: str, k: int, allowed: Callable[[Document], bool]) -> list[Hit]:
        """Return the same, of the allowed documents."""
        return (await self._found([query], k, allowed))[0]

    async def _found(
        self, queries: Sequence[str], k: int, allowed: Callable[[Document], bool] | None
    ) -> list[list[Hit]]:
        questions = self._ready()
        asked = [query for query in queries if query.strip()]
        if not asked:
            return [[] for _ in queries]
        vectors = iter(await self.embedder.aencode(asked, kind="query"))
        return [self._hits(questions @ next(vectors), k, allowed) if query.strip() else [] for query in queries]

    def _hits(self, cosines: Matrix, k: int, allowed: Callable[[Document], bool] | None) -> list[Hit]:
        """Return the documents in the order of their best questions; equal scores by id."""
        best: dict[str, float] = {}
        for place in np.flatnonzero(cosines >= self.least).tolist():
            for id in self._answers[place]:
                best[id] = max(best.get(id, 0.0), float(cosines[place]))
        ranked = sorted((id for id in best if id in self._by_id), key=lambda name: (-best[name], name))
        documents = (self._by_id[id] for id in ranked)
        hits = [Hit(document, best[document.id]) for document in documents if allowed is None or allowed(document)]
        return hits[:k]

    def share_documents(self, documents: Sequence[Document]) -> None:
        """Use these objects in place of the equal ones that it holds."""
        super().share_documents(documents)
        self.build(documents)

    def dump_index(self, folder: Path) -> None:
        """Write the questions' vectors and their answers."""
        answers = [list(ids) for ids in self._answers]
        write_header(folder, "PastQuestions", _VERSION, {"answers": answers})
        if self._questions is not None:
            save_array(folder / "questions.npy", self._questions)

    def restore_index(self, folder: Path) -> None:
        """Take up the questions.

        Raises:
            StorageError: When they are damaged.
        """
        answers = read_header(folder, "PastQuestions", _VERSION)["answers"]
        self.build(self.documents)
        self._answers = cast("list[list[str]]", answers)
        self._questions = map_array(folder / "questions.npy", np.float32, len(self._answers), None) if answers else None

    def _ready(self) -> Matrix:
        if self._documents is None:
            raise NotReadyError("PastQuestions has no documents yet: call `index(documents)` first")
        if self._questions is None:
            raise NotReadyError("PastQuestions knows no questions yet: call `fit(queries, relevant)` first")
        return self._questions
