"""Diagnosing a pipeline: evaluate, ask the failed samples again under other conditions, name the causes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..._sync import call, run_sync
from ...errors import LlmoptError
from ...evaluation import Answering, Evaluator, Report
from ...evaluation.needs import prepared
from ...interfaces import Embedder, Judge
from ...types import Document, Sample
from .categories import categories_of
from .caveats import caveats_of
from .corpus import Corpus
from .diagnosis import Diagnosis
from .finding import Finding
from .investigation import Investigation
from .judging import judge_of, mark_supported
from .outcomes import Outcomes, check_arguments, check_report, outcomes_of
from .posterior import Inferred, infer
from .ruling import case_of, finding_of
from .shares import Tally, axis_shares, cause_shares
from .suggest import suggestions_for

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
    found = report or await evaluator.arun(listed, pipeline=pipeline, title="as it is")
    check_report(found, listed, target)
    parts = outcomes_of(found, target, passing)
    known = Corpus.of(pipeline, corpus)
    investigation = Investigation(
        pipeline, evaluator, target, known, passing=passing, repeats=repeats, gold_tokens=gold_tokens
    )
    dossiers = await investigation.of(parts.failed)
    judge = judge or judge_of(evaluator)
    spent = await mark_supported(dossiers, judge, passing)
    cases = [case_of(dossier, evaluator.metrics, passing) for dossier in dossiers]
    inferred = await call(infer, [case.case for case in cases], exact=investigation.exact, seed=seed)
    findings = [
        finding_of(dossier, case, chances, target)
        for dossier, case, chances in zip(dossiers, cases, inferred.chances, strict=True)
    ]
    tally = _tally(findings, inferred, parts, target)
    shares = cause_shares(tally, seed=seed) if findings else []
    caveats = caveats_of(pipeline, dossiers, parts.left_out, target, same=investigation.same, corpus=known, judge=judge)
    try:
        categories = await categories_of(found, findings, target, embedder, seed=seed)
    except LlmoptError as error:  # what was paid for is not thrown away for want of names
        categories = []
        caveats.append(f"The questions could not be grouped: {type(error).__name__}: {error}")
    return Diagnosis(
        target=target,
        total=tally.total,
        failed=len(findings),
        findings=findings,
        shares=shares,
        axes=axis_shares(tally, seed=seed) if findings else {},
        report=found,
        suggestions=await call(suggestions_for, pipeline, dossiers, findings, shares, known, found),
        categories=categories,
        caveats=caveats,
        spent=investigation.spent + spent,
    )


def _tally(findings: Sequence[Finding], inferred: Inferred, parts: Outcomes, target: str) -> Tally:
    rows = [*parts.failed, *parts.passed]
    groups = [row.sample.group or f"\0{number}" for number, row in enumerate(rows)]
    passed = [row.scores[target].value or 0.0 for row in parts.passed]
    return Tally(
        findings,
        [row.scores[target].value for row in parts.failed],
        inferred.counts,
        total=len(rows),
        right=sum(passed) / len(passed) if passed else 1.0,
        groups=groups,
    )
