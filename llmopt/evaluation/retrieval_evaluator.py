"""Retrieval measured on its own: no model, no answers, only what was found and what should have been."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from .._progress import progress_bar
from .._sync import run_sync
from ..errors import SampleError, UsageError
from ..interfaces import Component, Metric, Retriever
from ..types import Hit, Sample
from .evaluator import Evaluator
from .ranking_metrics import NDCG, HitRate, Recall, ReciprocalRank
from .report import Report

__all__ = ["RetrievalEvaluator"]

_QUERIES_AT_A_TIME = 256


def _usual_metrics() -> Sequence[Metric]:
    return (NDCG(10), Recall(10), HitRate(5), ReciprocalRank())


@dataclass(repr=False, eq=False)
class RetrievalEvaluator(Component):
    """Measures a retriever on questions whose relevant documents are known, without any model.

    The report has every question's figures, means with intervals, and compares two retrievers question by
    question (`report.compare`). Passages count for the document that they were cut from, each document
    once, at its best rank.

    Args:
        metrics: What to measure; they need `gold` and `context_ids` only.
        k: How many hits are fetched; at least the largest k of the metrics.
        progress: Show a bar; None: on a terminal or in a notebook only.

    Example:
        >>> from llmopt import BM25, Document
        >>> retriever = BM25().index([Document("a", "a cat"), Document("b", "a dog")])
        >>> samples = [Sample(question="cat", gold=["a"]), Sample(question="dog", gold=["b"])]
        >>> RetrievalEvaluator().run(retriever, samples).summary("ndcg@10").mean
        1.0
    """

    metrics: Sequence[Metric] = field(default_factory=_usual_metrics)
    k: int = 100
    progress: bool | None = None

    def run(self, retriever: Retriever, samples: Iterable[Sample], *, title: str = "") -> Report:
        """Search for every question and return the report; questions without gold documents are refused.

        A BEIR folder is `load_samples(folder)` with `beir_corpus(folder)` as the documents.

        Raises:
            SampleError: When a sample has no gold documents, or there are no samples.
            UsageError: When `k` is below 1.
        """
        return run_sync(self.arun, retriever, samples, title=title)

    async def arun(self, retriever: Retriever, samples: Iterable[Sample], *, title: str = "") -> Report:
        """Search for every question and return the report; the async twin of `run`."""
        listed = _with_gold(samples)
        if self.k < 1:
            raise UsageError(f"`RetrievalEvaluator` fetches `k` hits, at least 1, got {self.k}")
        found: list[Sample] = []
        with progress_bar(len(listed), title or "queries", self.progress) as bar:
            queries = iter(listed)
            while batch := list(islice(queries, _QUERIES_AT_A_TIME)):
                hits = await retriever.aretrieve_many([sample.question for sample in batch], k=self.k)
                found += [_filled(sample, each) for sample, each in zip(batch, hits, strict=True)]
                bar.advance(len(batch))
        return await Evaluator(self.metrics, progress=False).arun(found, title=title or repr(retriever)[:80])


def _with_gold(samples: Iterable[Sample]) -> list[Sample]:
    listed = list(samples)
    for sample in listed:
        if not sample.gold:
            raise SampleError(
                f"the sample {sample.id or sample.question[:60]!r} has no gold documents, so its retrieval cannot be "
                "measured: give `gold`, or leave it out"
            )
    return listed


def _filled(sample: Sample, hits: Sequence[Hit]) -> Sample:
    texts: dict[str, str] = {}
    gold = set(sample.gold)
    for hit in hits:  # gold may name passages or whole documents
        document = hit.document
        texts.setdefault(document.id if document.id in gold else document.source, document.text)
    return replace(sample, contexts=tuple(texts.values()), context_ids=tuple(texts))
