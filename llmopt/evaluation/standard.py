"""The usual metrics, as far as samples allow them."""

from __future__ import annotations

from collections.abc import Iterable

from ..interfaces import Embedder, Judge, Metric
from ..types import Need, Sample
from .context import ContextPrecision, ContextRecall
from .correctness import AnswerCorrectness
from .faithfulness import Faithfulness
from .ranking_metrics import HitRate, ReciprocalRank
from .relevancy import AnswerRelevancy

__all__ = ["standard_metrics"]


def standard_metrics(
    samples: Iterable[Sample], judge: Judge, embedder: Embedder, *, filled: Iterable[Need] = (), k: int = 5
) -> list[Metric]:
    """Return the metrics of a question-answering feature that at least one of the samples has the data for.

    Of correctness, faithfulness, context precision, context recall, relevancy, hit rate at `k` and
    reciprocal rank, in this order. Evaluate with `Evaluator(..., partial=True)`: samples that lack what a
    metric needs are then counted as undefined.

    Args:
        samples: As they will be evaluated.
        judge: For the metrics that ask one.
        embedder: For the relevancy of answers.
        filled: What a pipeline will fill in: "answer", "contexts", "context_ids".
        k: Hits that count for the hit rate.

    Example:
        >>> from llmopt.evaluation import HeuristicJudge
        >>> from llmopt.testing import FakeEmbedder
        >>> samples = [Sample(question="1+1?", answer="2", reference="2")]
        >>> [metric.name for metric in standard_metrics(samples, HeuristicJudge(), FakeEmbedder())]
        ['answer_correctness', 'answer_relevancy']
    """
    listed, given = list(samples), frozenset(filled)
    searched = "contexts" in given or any(sample.contexts for sample in listed)
    of_contexts: list[Metric] = [Faithfulness(judge), ContextPrecision(judge), ContextRecall(judge)]
    metrics: list[Metric] = [
        AnswerCorrectness(judge),
        *(of_contexts if searched else ()),
        AnswerRelevancy(judge, embedder),
        HitRate(k),
        ReciprocalRank(),
    ]
    return [metric for metric in metrics if any(given.issuperset(metric.missing(sample)) for sample in listed)]
