"""Embeddings tuned to one's own questions, without a GPU and over any embedder."""

from __future__ import annotations

import inspect
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Self, cast

import numpy as np

from .._sync import call, run_sync
from ..errors import StorageError, UsageError
from ..interfaces import Embedder
from ..interfaces.config import dump, load
from ..types import Document, Matrix, MaybeAwaitable, TextKind, Usage
from ._arrays import map_array, save_array
from ._groups import groups_of
from ._labelled_texts import LabelledTexts
from ._later import then
from ._pairs import Pairs
from .adapter_report import AdapterReport, validated
from .maps import Contrast, Learning

__all__ = ["Adapter"]

_MOST_DOCUMENTS = 20_000
_REFIT_BELOW = 20_000


@dataclass(repr=False, eq=False)
class Adapter(Embedder):
    """Another embedder's vectors, with queries moved towards the documents that answer them.

    `fit` learns a linear map of the query vectors from labelled queries. Documents keep their vectors, so
    an index stays as it is; the map costs microseconds per query, works over embedders that can only be
    called, and learns in seconds on a CPU. Before `fit` queries pass unchanged.

    The map is judged on queries that it did not learn from, apart for documents that other labelled
    queries are about and for documents that none is about, and it goes no further than does the latter no
    harm. Where it wins on neither beyond the error bar it is not kept; `report` says what came out.
    Often most of the gain is memory: new questions on documents with labelled questions.

    A cache belongs inside, `Adapter(Cached(...))`: from outside it cannot know that `fit` changed the vectors.

    Args:
        embedder: Gives the vectors.
        learning: How the map is learnt: `Contrast()`, or in closed form `Ridge()` or `Rotation()`.
        must_generalise: Keep the map only if it wins on documents without labelled queries.
        seed: For what is held out.

    Example:
        >>> from llmopt.testing import FakeEmbedder
        >>> topics = ["tea", "rain", "cats", "trains", "bread", "stars", "boats", "songs"]
        >>> documents = [Document(topic, f"all about {topic}") for topic in topics]
        >>> queries = [f"{word} {topic}" for topic in topics for word in ("why", "when", "how")]
        >>> adapter = Adapter(FakeEmbedder(1024)).fit(queries, [[query.split()[1]] for query in queries], documents)
        >>> adapter.report.kept, adapter.report.queries
        (False, 24)
    """

    embedder: Embedder
    learning: Learning = Contrast()
    must_generalise: bool = False
    seed: int = 0
    _map: Matrix | None = field(default=None, init=False)
    _report: AdapterReport | None = field(default=None, init=False)

    @property
    def report(self) -> AdapterReport:
        """What came out of `fit`.

        Raises:
            UsageError: Before `fit`.
        """
        if self._report is None:
            raise UsageError("Adapter has no report yet: call `fit(queries, relevant, documents)` first")
        return self._report

    def embed(self, texts: Sequence[str], kind: TextKind) -> MaybeAwaitable[Matrix]:
        """Return the embedder's rows, those of queries mapped."""
        map = self._map if kind == "query" else None
        rows = self._rows(texts, kind)
        return rows if map is None else then(rows, lambda vectors: _mapped(vectors, map))

    def _rows(self, texts: Sequence[str], kind: TextKind) -> MaybeAwaitable[Matrix]:
        if inspect.iscoroutinefunction(self.embedder.embed):
            return self.embedder.aencode(texts, kind=kind)
        return self.embedder.encode(texts, kind=kind)

    def price(self, usage: Usage) -> float | None:
        """Return what the embedder inside takes."""
        return self.embedder.price(usage)

    def fit(self, queries: Sequence[str], relevant: Sequence[Collection[str]], documents: Sequence[Document]) -> Self:
        """Learn from labelled queries, forget earlier ones, and return the adapter itself.

        Queries and documents are embedded once; of more than 20,000 documents without a label, as many as
        fill up to that number are drawn to rank and to find hard negatives in.

        Args:
            queries: Questions as users ask them; some hundreds or more.
            relevant: Per query, the ids of the documents that answer it, at least one.
            documents: The corpus, the relevant ones among them.

        Raises:
            UsageError: When labels are missing, name documents that are not there or have no text.
        """
        return run_sync(self.afit, queries, relevant, documents)

    async def afit(
        self, queries: Sequence[str], relevant: Sequence[Collection[str]], documents: Sequence[Document]
    ) -> Self:
        """Learn from labelled queries; the async twin of `fit`."""
        texts = LabelledTexts.of("Adapter.fit", queries, relevant, documents, most=_MOST_DOCUMENTS, seed=self.seed)
        pairs = Pairs.of(
            await self.embedder.aencode(texts.queries, kind="query"),
            await self.embedder.aencode(texts.documents, kind="document"),
            texts.positives,
        )
        self._map, self._report = await call(self._learnt, pairs, texts.positives)
        return self

    def _learnt(self, pairs: Pairs, positives: Sequence[Sequence[int]]) -> tuple[Matrix | None, AdapterReport]:
        groups = groups_of(positives, len(pairs.documents))
        trial = validated(pairs, groups, self.learning, self.seed, must_generalise=self.must_generalise)
        if not trial.report.kept:
            return None, trial.report
        if len(positives) >= _REFIT_BELOW:
            return trial.map, trial.report  # a twentieth more pairs would not pay for learning once more
        path = self.learning.path(pairs, np.arange(len(positives)), trial.points)
        return next(islice(path, trial.points - 1, None)), trial.report

    def write_state(self, folder: Path) -> None:
        """Write the map and the report."""
        if self._report is not None:
            (folder / "report.json").write_text(json.dumps(dump(self._report)), encoding="utf-8")
        if self._map is not None:
            save_array(folder / "map.npy", self._map)

    def read_state(self, folder: Path) -> None:
        """Read the map and the report.

        Raises:
            StorageError: When they are damaged.
        """
        try:
            self._report = cast(AdapterReport, load(json.loads((folder / "report.json").read_text("utf-8"))))
        except (OSError, ValueError) as error:
            raise StorageError(f"the report in {folder} cannot be read ({error}): fit the adapter again") from error
        self._map = np.array(map_array(folder / "map.npy", np.float32, None, None)) if self._report.kept else None


def _mapped(vectors: Matrix, map: Matrix) -> Matrix:
    if len(vectors) and vectors.shape[1] != len(map):
        raise UsageError(
            f"the adapter was fitted on {len(map)} dimensions and the embedder gives {vectors.shape[1]}: fit it again"
        )
    return vectors @ map if len(vectors) else vectors
