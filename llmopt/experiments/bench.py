"""Where pipelines are evaluated side by side: an equal request is asked once, whoever makes it."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from ..evaluation import Evaluator, Report
from ..evaluation.rewiring import Rewiring
from ..evaluation.table import shortened
from ..interfaces import ChatModel, Component, Embedder
from ..models import Budget, Cached
from ..models.wrappers.budgeted import Budgeted, BudgetedEmbedder
from ..models.wrappers.cached_embedder import CachedEmbedder
from ..models.wrappers.wrapping import bare
from ..pipeline import Pipeline
from ..types import Sample

__all__ = ["Bench"]

_REPLIES, _JOURNAL = "replies.db", "journal.db"
_LONGEST_SETTING = 2000


class Bench:
    """Evaluates pipelines; replies and vectors that one of them got are there for all others, and for the metrics.

    Args:
        evaluator: How answers are measured.
        folder: Where replies, vectors and finished work are kept; who takes up the folder again pays only for
            what is not in it. None: replies and vectors are kept for as long as the bench lives.
        budget: What models may take, all together; what comes from the folder costs nothing.
    """

    def __init__(
        self, evaluator: Evaluator, folder: str | PathLike[str] | None = None, budget: Budget | None = None
    ) -> None:
        self._kept = folder is not None
        self._folder = Path(tempfile.mkdtemp(prefix="llmopt-")) if folder is None else Path(folder)
        if folder is None:
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._budget = budget
        self._evaluator = evaluator
        self._wiring = Rewiring(self._model, self._embedder)

    async def report(self, samples: Sequence[Sample], pipeline: Pipeline, title: str) -> Report:
        """Return the pipeline's evaluation on the samples."""
        if self._kept:
            self._folder.mkdir(parents=True, exist_ok=True)
        wired = self._wiring.apply(pipeline)
        report = await self._wiring.apply(self._evaluator).arun(
            samples, pipeline=wired, title=title, journal=self._folder / _JOURNAL if self._kept else None
        )
        named = {
            "evaluator": shortened(repr(self._evaluator), _LONGEST_SETTING),
            "pipeline": shortened(repr(pipeline), _LONGEST_SETTING),
            "fingerprint": pipeline.fingerprint(),
        }
        return replace(report, settings={**report.settings, **named})

    def _model(self, model: ChatModel) -> ChatModel:
        asked = model if self._budget is None else Budgeted(model, self._budget)
        return Cached(asked, self._folder / _REPLIES)

    def _embedder(self, embedder: Embedder) -> Embedder:
        asked = embedder if self._budget is None else BudgetedEmbedder(embedder, self._budget)
        # What an embedder has learnt is not in its parameters, so its vectors cannot be told from another one's.
        learns = type(bare(embedder)).write_state is not Component.write_state
        return asked if learns else CachedEmbedder(asked, self._folder / _REPLIES)
