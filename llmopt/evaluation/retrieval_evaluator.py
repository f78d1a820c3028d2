"""Retrieval measured on its own: no model, no answers, only what was found and what should have been."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from .._progress import progress_bar
from .._sync import run_sync
from ..errors import SampleError, UsageError
from ..interfaces import Component, IndexedRetriever, Metric, Retriever
from ..types import Hit, Sample
from .evaluator import Evaluator
from .ranking_metrics import NDCG, HitRate, Precision, Recall, ReciprocalRank
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
        k: How many hits are fetched, passages included; at least the largest k of the metrics.
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

        A gold document that the retriever does not have counts as not found, as in trec_eval.

        A BEIR folder is `load_samples(folder)` with `beir_corpus(folder)` as the documents.

        Raises:
            SampleError: When a sample has no gold documents, there are no samples, or the retriever holds its
                documents itself and they are other ones than the samples name.
            UsageError: When `k` is below 1, or below that of a metric.
        """
        return run_sync(self.arun, retriever, samples, title=title)

    async def arun(self, retriever: Retriever, samples: Iterable[Sample], *, title: str = "") -> Report:
        """Search for every question and return the report; the async twin of `run`."""
        listed = _with_gold(samples)
        ranks = [metric.k for metric in self.metrics if isinstance(metric, NDCG | HitRate | Precision | Recall)]
        if self.k < max(ranks, default=1):
            raise UsageError(
                "`RetrievalEvaluator` must fetch at least as many hits as its metrics look at: "
                f"got k={self.k}, needed {max(ranks, default=1)}"
            )
        _refuse_strangers(retriever, listed)
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


def _refuse_strangers(retriever: Retriever, samples: Sequence[Sample]) -> None:
    """Raise when none of the gold documents is one of the retriever's: every figure would be a meaningless 0."""
    if not isinstance(retriever, IndexedRetriever) or not retriever.is_indexed or not samples:
        return
    known = {id for document in retriever.documents for id in (document.id, document.source)}
    # Gold may name the passages that a retriever cuts itself, by the document's id, "#" and a number.
    if not any(id in known or id.rpartition("#")[0] in known for sample in samples for id in sample.gold):
        raise SampleError(
            f"no gold document of {len(samples)} samples is among the {len(retriever.documents)} of "
            f"{type(retriever).__name__}: gold {samples[0].gold[0]!r}, documents like {retriever.documents[0].id!r}; "
            "compare how the two write their ids"
        )


def _filled(sample: Sample, hits: Sequence[Hit]) -> Sample:
    texts: dict[str, str] = {}
    gold = set(sample.gold)
    for hit in hits:  # gold may name passages or whole documents
        document = hit.document
        texts.setdefault(document.id if document.id in gold else document.source, document.text)
    return replace(sample, contexts=tuple(texts.values()), context_ids=tuple(texts))
