"""From what was found out about the failed samples to the diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..._sync import call
from ...errors import LlmoptError
from ...evaluation import Answering, Evaluator, Report, Spent
from ...interfaces import Embedder, Judge
from .categories import categories_of
from .caveats import caveats_of
from .corpus import Corpus
from .diagnosis import Diagnosis
from .finding import CategoryFailures, Finding
from .investigation import Dossier
from .outcomes import Outcomes
from .posterior import Inferred, infer
from .ruling import case_of, finding_of
from .shares import Tally, axis_shares, cause_shares
from .suggest import suggestions_for

__all__ = ["Evidence", "assemble"]


@dataclass(frozen=True)
class Evidence:
    """All that a diagnosis rests on.

    Attributes:
        pipeline: What was diagnosed.
        evaluator: What measured it.
        target: The metric that says what failed.
        passing: Figures from this on pass.
        report: The evaluation as it is.
        outcomes: Its rows, sorted.
        corpus: The documents that are known.
        dossiers: What was found out about each failed sample.
        same: Reruns that all said the same word by word; 0 when one did not.
        judge: Who could tell suspect labels.
        embedder: Groups the questions; None: one fitted on them.
        spent: What the reruns took.
    """

    pipeline: Answering
    evaluator: Evaluator
    target: str
    passing: float
    report: Report
    outcomes: Outcomes
    corpus: Corpus
    dossiers: Sequence[Dossier]
    same: int
    judge: Judge | None
    embedder: Embedder | None
    spent: Spent


async def assemble(evidence: Evidence, *, seed: int) -> Diagnosis:
    """Return the diagnosis: causes inferred, shares with intervals, kinds of question, and what to try next."""
    target, dossiers = evidence.target, evidence.dossiers
    dockets = [case_of(dossier, evidence.evaluator.metrics, evidence.passing) for dossier in dossiers]
    inferred = await call(infer, [docket.case for docket in dockets], exact=evidence.same > 0, seed=seed)
    told = zip(dossiers, dockets, inferred.chances, strict=True)
    findings = [finding_of(dossier, docket, chances, target) for dossier, docket, chances in told]
    tally = _tally(evidence, findings, inferred)
    shares = cause_shares(tally, seed=seed) if findings else []
    categories, trouble = await _categories(evidence, findings, seed)
    return Diagnosis(
        target=target,
        total=tally.total,
        failed=len(findings),
        findings=findings,
        shares=shares,
        axes=axis_shares(tally, seed=seed) if findings else {},
        report=evidence.report,
        suggestions=await call(
            suggestions_for, evidence.pipeline, dossiers, findings, shares, evidence.corpus, evidence.report
        ),
        categories=categories,
        caveats=[*_caveats(evidence), *trouble],
        spent=evidence.spent,
    )


async def _categories(
    evidence: Evidence, findings: Sequence[Finding], seed: int
) -> tuple[list[CategoryFailures], list[str]]:
    """Return the kinds of question, and what went wrong: what was paid for is not thrown away for want of names."""
    try:
        return await categories_of(evidence.report, findings, evidence.target, evidence.embedder, seed=seed), []
    except LlmoptError as error:
        return [], [f"The questions could not be grouped: {type(error).__name__}: {error}"]


def _caveats(evidence: Evidence) -> list[str]:
    if not evidence.dossiers and evidence.outcomes.passed:
        return [_nothing_fails(evidence.report, evidence.target), *_usual_caveats(evidence)]
    return _usual_caveats(evidence)


def _nothing_fails(report: Report, target: str) -> str:
    others = ((name, report.summary(name).estimate.value) for name in report.metrics if name != target)
    lowest = min(((value, name) for name, value in others if value is not None), default=None)
    if lowest is None or lowest[0] >= 1:
        return f"Nothing fails on {target}, so it has no more to tell: measure more than that, or add harder questions."
    return (
        f"Nothing fails on {target}, so it has no more to tell. Of the other metrics {lowest[1]} stands lowest "
        f"({lowest[0]:.3f}): make it the target, or add harder questions."
    )


def _usual_caveats(evidence: Evidence) -> list[str]:
    return caveats_of(
        evidence.pipeline,
        evidence.dossiers,
        evidence.outcomes.left_out,
        evidence.target,
        same=evidence.same,
        corpus=evidence.corpus,
        judge=evidence.judge,
    )


def _tally(evidence: Evidence, findings: Sequence[Finding], inferred: Inferred) -> Tally:
    failed, passed = evidence.outcomes.failed, evidence.outcomes.passed
    rows = [*failed, *passed]
    scores = [row.scores[evidence.target].value for row in rows]
    right = [score for score in scores[len(failed) :] if score is not None]
    return Tally(
        findings,
        scores[: len(failed)],
        inferred.counts,
        total=len(rows),
        right=sum(right) / len(right) if right else 1.0,
        groups=[row.sample.group or f"\0{number}" for number, row in enumerate(rows)],
    )
