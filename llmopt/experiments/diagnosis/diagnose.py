"""Diagnosing a pipeline: evaluate, ask the failed samples again under other conditions, name the causes."""

from __future__ import annotations

from collections.abc import Iterable

from ..._sync import run_sync
from ...evaluation import Answering, Evaluator, Report
from ...evaluation.needs import prepared
from ...interfaces import Embedder, Judge
from ...types import Document, Sample
from .assembly import Evidence, assemble
from .corpus import Corpus
from .diagnosis import Diagnosis
from .investigation import Investigation
from .judging import judge_of, mark_supported
from .outcomes import check_arguments, check_report, outcomes_of

__all__ = ["adiagnose", "diagnose"]


def diagnose(
    pipeline: Answering,
    samples: Iterable[Sample],
    evaluator: Evaluator,
    target: str,
    *,
    corpus: Iterable[Document] | None = None,
    passing: float = 0.5,
    repeats: int = 3,
    report: Report | None = None,
    judge: Judge | None = None,
    embedder: Embedder | None = None,
    gold_tokens: int = 1200,
    seed: int = 0,
) -> Diagnosis:
    """Return why the pipeline fails on the samples that it fails on, and what to try next.

    Every failed sample is asked again as it is, with the gold passages for contexts, and without contexts,
    `repeats` times each with fresh replies, and its gold passages are followed through corpus, index,
    search and prompt. A pipeline that says the same word by word is asked once. `plan_diagnosis` tells
    before what that takes at most.

    Args:
        pipeline: A `Pipeline`; of anything else that answers only little can be told.
        samples: Questions with what the metrics need; gold ids or evidence make the diagnosis sharp.
        evaluator: How answers are measured.
        target: The name of the metric that says what failed.
        corpus: The documents before they were cut into passages, and those that the index may lack; None: what
            the pipeline's retrievers hold.
        passing: A sample fails below this figure of the target.
        repeats: Reruns per condition. The run that failed is not one of them: it was picked for failing.
        report: The evaluation of this pipeline on these samples, where there is one: it is not made again.
        judge: Tells labels that are suspect; None: that of the evaluator's metrics, unless it is the
            heuristic one, which cannot.
        embedder: Groups questions that have no categories; None: one fitted on the questions.
        gold_tokens: How long the gold passages of one question may be together.
        seed: Of the draws.

    Raises:
        UsageError: When the evaluator has no such metric, or a figure is out of range.
        SampleError: When there are no samples, or they lack what a metric needs.

    Example:
        >>> from llmopt import BM25, Direct, ExactMatch, Pipeline
        >>> from llmopt.testing import FakeModel
        >>> documents = [Document("cat", "Cats sleep."), Document("dog", "Dogs bark all night.")]
        >>> model = FakeModel(lambda messages: "bark" if "Dogs bark" in messages[-1].content else "no idea")
        >>> pipeline = Pipeline(model=model, prompt=Direct(), retriever=BM25().index(documents), k=1, fetch=2)
        >>> samples = [Sample(question="What do they do when cats sleep?", reference="bark", gold=["dog"])]
        >>> [finding.cause for finding in diagnose(pipeline, samples, Evaluator([ExactMatch()]), "exact_match")]
        ['not fetched']
    """
    return run_sync(
        adiagnose, pipeline, samples, evaluator, target, corpus=corpus, passing=passing, repeats=repeats,
        report=report, judge=judge, embedder=embedder, gold_tokens=gold_tokens, seed=seed,
    )  # fmt: skip


async def adiagnose(
    pipeline: Answering,
    samples: Iterable[Sample],
    evaluator: Evaluator,
    target: str,
    *,
    corpus: Iterable[Document] | None = None,
    passing: float = 0.5,
    repeats: int = 3,
    report: Report | None = None,
    judge: Judge | None = None,
    embedder: Embedder | None = None,
    gold_tokens: int = 1200,
    seed: int = 0,
) -> Diagnosis:
    """Return why the pipeline fails; the async twin of `diagnose`."""
    listed = prepared(samples)
    check_arguments(evaluator, target, repeats=repeats, gold_tokens=gold_tokens)
    if report is None:
        report = await evaluator.arun(listed, pipeline=pipeline, title="as it is")
    check_report(report, listed, target)
    outcomes, known = outcomes_of(report, target, passing), Corpus.of(pipeline, corpus)
    investigation = Investigation(
        pipeline, evaluator, target, known, passing=passing, repeats=repeats, gold_tokens=gold_tokens
    )
    dossiers = await investigation.of(outcomes.failed)
    judge = judge or judge_of(evaluator)
    judged = await mark_supported(dossiers, judge, passing)
    evidence = Evidence(
        pipeline, evaluator, target, passing, report, outcomes, known, dossiers,
        same=investigation.same, judge=judge, embedder=embedder, spent=investigation.spent + judged,
    )  # fmt: skip
    return await assemble(evidence, seed=seed)
