"""The next experiments: which change may mend which cause, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...evaluation import Answering, Report
from ...pipeline import Pipeline
from ..difference import differences
from .behaviour_steps import BEHAVIOUR_STEPS
from .context_steps import CONTEXT_STEPS
from .corpus import Corpus
from .finding import Cause, CauseShare, Finding, Suggestion
from .investigation import Dossier
from .scene import Scene, Step

__all__ = ["suggestions_for"]

_STEPS = {**CONTEXT_STEPS, **BEHAVIOUR_STEPS}


def suggestions_for(
    pipeline: Answering,
    dossiers: Sequence[Dossier],
    findings: Sequence[Finding],
    shares: Sequence[CauseShare],
    corpus: Corpus,
    report: Report,
) -> list[Suggestion]:
    """Return the experiments worth trying on this pipeline, by largest possible gain per cost.

    The cost is the model calls per answer, those of today included. Changes are ready for `Ladder.step`:
    each is one change, and nothing was paid to build it.

    Args:
        pipeline: What failed; for anything but a `Pipeline` there is nothing to suggest.
        dossiers: What is known of the failed samples.
        findings: Why they failed, in the same order.
        shares: How much each cause weighs.
        corpus: The documents that are known.
        report: The evaluation of the pipeline as it is.
    """
    if not isinstance(pipeline, Pipeline):
        return []
    failed: dict[Cause, list[Dossier]] = {}
    for dossier, finding in zip(dossiers, findings, strict=True):
        failed.setdefault(finding.cause, []).append(dossier)
    ids = {finding.sample.id for finding in findings}
    scene = Scene(pipeline, corpus, failed, [row.sample for row in report.rows if row.sample.id not in ids])
    made = [
        _suggestion(step, share, scene)
        for share in shares
        if share.cause in failed
        for step in _steps(share.cause, scene)
    ]
    today = max(1.0, report.spent().usage.calls / max(1, len(report)))
    return _distinct(sorted(made, key=lambda each: -each.gain / (today + each.calls)))


def _steps(cause: Cause, scene: Scene) -> list[Step]:
    try:
        return list(_STEPS[cause](scene)) if cause in _STEPS else []
    except Exception:  # noqa: BLE001 - a part of the user's that cannot be rebuilt must not end the diagnosis
        return []


def _suggestion(step: Step, share: CauseShare, scene: Scene) -> Suggestion:
    nothing: Mapping[str, object] = {}
    changes = step.made if step.made and _is_one_change(scene.pipeline, step.made) else nothing
    written = ", ".join(f"{slot}={value}" for slot, value in step.changes.items())
    return Suggestion(
        step.name,
        share.cause,
        step.why,
        step.code or f'ladder.step("{step.name}", {written})',
        changes,
        gain=(share.gain.value or 0.0) * step.share,
        calls=step.calls,
    )


def _is_one_change(pipeline: Pipeline, changes: Mapping[str, object]) -> bool:
    return len(differences(pipeline, pipeline.but(**changes))) == 1


def _distinct(suggestions: Sequence[Suggestion]) -> list[Suggestion]:
    """Return each experiment once, for the cause against which it gains most."""
    kept: dict[str, Suggestion] = {}
    for suggestion in suggestions:
        kept.setdefault(suggestion.name, suggestion)
    return list(kept.values())
