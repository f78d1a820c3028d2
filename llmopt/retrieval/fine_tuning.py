"""Embedding models trained on one's own questions: all their weights, not a map behind them."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

import numpy as np

from .._sync import call, run_sync
from ..errors import UsageError
from ..interfaces import Component
from ..types import Document, Matrix, TextKind
from ._groups import groups_of
from ._labelled_texts import LabelledTexts
from ._pairs import Pairs, folds_of
from ._top import Positions
from .adapter_report import AdapterReport, HeldOut, judged

__all__ = ["FineTuning", "TrainableEmbedder"]

_MOST_DOCUMENTS = 5_000
_QUERIES_PER_BLOCK = 256


class TrainableEmbedder(Protocol):
    """An embedder whose own weights can be trained: `SentenceTransformerEmbedder`, or one of yours."""

    async def aencode(self, texts: Sequence[str], *, kind: TextKind) -> Matrix:
        """Return unit rows."""
        ...

    def trained(
        self,
        queries: Sequence[str],
        positives: Sequence[Sequence[str]],
        negatives: Sequence[Sequence[str]],
        folder: Path,
        *,
        epochs: int,
        batch_size: int,
        rate: float,
        seed: int,
        progress: bool | None,
    ) -> Self:
        """Train a copy on queries with texts that answer them and texts that do not, and write it to a folder."""
        ...


E = TypeVar("E", bound=TrainableEmbedder)


@dataclass(repr=False, eq=False)
class FineTuning(Component, Generic[E]):
    """Trains an embedding model on labelled queries, and keeps the result only if it wins on held-out ones.

    The loss is InfoNCE with in-batch and mined negatives. First a trial learns without a fifth of the
    queries (no document of theirs has a query that it learns from) and without some queries on documents
    that others are about; both are ranked before and after. If the trial does unseen documents no harm on
    average and wins on one of the two beyond the error bar, the model is trained once more on all queries
    and written to `folder`, a plain sentence-transformers folder. Else `tuned` is the embedder as it was.

    Documents get other vectors: index them again with `tuned`. An `Adapter` learns in seconds, leaves an
    index as it is and works over embedders that can only be called: try it first.

    Args:
        embedder: What is trained, by the extra `local`; it is not changed itself.
        folder: Where the tuned model is written; an older one there is replaced.
        epochs: Times that the pairs are seen.
        batch_size: Pairs at a time; more is better, and takes more memory.
        rate: Learning rate at its highest.
        negatives: Hard negatives mined per query with the embedder as it is; 0: those of the batch only.
        must_generalise: Keep the model only if it wins on documents without labelled queries.
        seed: For what is held out, the order and the dropout.

    Example:
        >>> from llmopt.models import SentenceTransformerEmbedder
        >>> base = SentenceTransformerEmbedder("sentence-transformers/all-MiniLM-L6-v2")
        >>> tuning = FineTuning(base, "tuned").fit(queries, relevant, documents)  # doctest: +SKIP
        >>> print(tuning.report)  # doctest: +SKIP
        >>> retriever = Dense(tuning.tuned).index(documents)  # doctest: +SKIP
        >>> again = SentenceTransformerEmbedder("tuned")  # what another process loads
    """

    embedder: E
    folder: str | Path
    _: KW_ONLY
    epochs: int = 2
    batch_size: int = 32
    rate: float = 2e-5
    negatives: int = 4
    must_generalise: bool = False
    seed: int = 0
    _tuned: E | None = field(default=None, init=False)
    _report: AdapterReport | None = field(default=None, init=False)

    @property
    def report(self) -> AdapterReport:
        """What came out of `fit`; `strength` is 1 or 0.

        Raises:
            UsageError: Before `fit`.
        """
        if self._report is None:
            raise UsageError("FineTuning has no report yet: call `fit(queries, relevant, documents)` first")
        return self._report

    @property
    def tuned(self) -> E:
        """The tuned embedder, over `folder`; the embedder as it was where tuning did not win.

        Raises:
            UsageError: Before `fit`.
        """
        return self.embedder if not self.report.kept or self._tuned is None else self._tuned

    def fit(
        self,
        queries: Sequence[str],
        relevant: Sequence[Collection[str]],
        documents: Sequence[Document],
        *,
        progress: bool | None = None,
    ) -> Self:
        """Train on labelled queries, judge, and return the tuning itself.

        Args:
            queries: Questions as users ask them; some hundreds or more.
            relevant: Per query, the ids of the documents that answer it, at least one.
            documents: The corpus, the relevant ones among them; of more than 5,000 as many are drawn to
                rank and to find hard negatives in.
            progress: Show bars; None: on a terminal or in a notebook only.

        Raises:
            UsageError: When labels are missing, name documents that are not there or have no text.
            MissingExtraError: When the extra is not installed.
            TuningError: When the training fails.
            StorageError: When the folder cannot be written.
        """
        return run_sync(self.afit, queries, relevant, documents, progress=progress)

    async def afit(
        self,
        queries: Sequence[str],
        relevant: Sequence[Collection[str]],
        documents: Sequence[Document],
        *,
        progress: bool | None = None,
    ) -> Self:
        """Train on labelled queries and judge; the async twin of `fit`."""
        if self.negatives < 0:
            raise UsageError(f"FineTuning mines 0 or more negatives per query, got negatives={self.negatives}")
        texts = LabelledTexts.of("FineTuning.fit", queries, relevant, documents, most=_MOST_DOCUMENTS, seed=self.seed)
        before = await _embedded(self.embedder, texts)
        groups = groups_of(texts.positives, len(texts.documents))
        fold = folds_of(before, groups, self.seed)[0]
        self._tuned, everything = None, np.arange(len(texts.queries))
        unseen = seen = None
        if len(fold.train) and len(fold.unseen):
            with tempfile.TemporaryDirectory() as folder:
                trial = await self._trained(texts, before, fold.train, Path(folder) / "trial", progress)
                after = await _embedded(trial, texts)
            unseen, seen = (_held_out(before, after, chosen, groups) for chosen in (fold.unseen, fold.seen))
        self._report = judged(before, unseen, seen, 1.0, must_generalise=self.must_generalise)
        if self._report.kept:
            self._tuned = await self._trained(texts, before, everything, Path(self.folder), progress)
        return self

    async def _trained(
        self, texts: LabelledTexts, pairs: Pairs, chosen: Positions, folder: Path, progress: bool | None
    ) -> E:
        numbers: list[int] = chosen.tolist()
        train = partial(
            self.embedder.trained,
            epochs=self.epochs,
            batch_size=self.batch_size,
            rate=self.rate,
            seed=self.seed,
            progress=progress,
        )
        return await call(
            train,
            [texts.queries[number] for number in numbers],
            [[texts.documents[place] for place in texts.positives[number]] for number in numbers],
            [[texts.documents[place] for place in places] for places in _mined(pairs, chosen, self.negatives)],
            folder,
        )


async def _embedded(embedder: TrainableEmbedder, texts: LabelledTexts) -> Pairs:
    return Pairs.of(
        await embedder.aencode(texts.queries, kind="query"),
        await embedder.aencode(texts.documents, kind="document"),
        texts.positives,
    )


def _mined(pairs: Pairs, chosen: Positions, count: int) -> list[list[int]]:
    """Return per query the places of the documents that are nearest to it and do not answer it."""
    if count == 0:
        return [[] for _ in chosen]
    mined: list[list[int]] = []
    for start in range(0, len(chosen), _QUERIES_PER_BLOCK):
        part = chosen[start : start + _QUERIES_PER_BLOCK]
        scores = pairs.queries[part] @ pairs.documents.T
        scores[pairs.labels(part)] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        for row, best in zip(scores, order, strict=True):
            mined.append([place for place in best.tolist() if row[place] > -np.inf])
    return mined


def _held_out(before: Pairs, after: Pairs, chosen: Positions, groups: Positions) -> HeldOut | None:
    pool = np.arange(len(before.documents))
    names = [str(group) for group in groups[chosen].tolist()]
    return HeldOut.of(before.gains(chosen, None, pool), after.gains(chosen, None, pool), names)
