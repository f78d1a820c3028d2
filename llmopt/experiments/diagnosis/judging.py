"""Labels that are suspect: the contexts support what the answer says, and the reference says otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from ..._sync import gather_bounded
from ..._trace import record
from ...evaluation import Evaluator, HeuristicJudge, Spent
from ...interfaces import Judge
from .faults import is_abstention, says_the_same
from .investigation import Dossier

__all__ = ["judge_of", "mark_supported"]

_IN_FLIGHT = 8


def judge_of(evaluator: Evaluator) -> Judge | None:
    """Return the judge of the evaluator's metrics; None where there is none but the heuristic one.

    The heuristic judge sees words, not meaning: a quotation that misses the question is supported to it.
    """
    found = (value for metric in evaluator.metrics for value in metric.params().values())
    return next((each for each in found if isinstance(each, Judge) and not isinstance(each, HeuristicJudge)), None)


async def mark_supported(dossiers: Sequence[Dossier], judge: Judge | None, passing: float) -> Spent:
    """Mark the dossiers whose answer stands against the reference and has the contexts on its side.

    It must be wrong with the gold passages as well, mostly, and the same as without them: an answer that
    changes with the contexts is the model's doing. A judge that fails marks nothing.
    """
    if judge is None:
        return Spent()
    wanted = [dossier for dossier in dossiers if _stands(dossier, passing)]
    with record("support", judge, len(wanted)) as recorder:
        found = await gather_bounded(lambda dossier: _supported(dossier, judge), wanted, limit=_IN_FLIGHT)
    for dossier, supported in zip(wanted, found, strict=True):
        dossier.supported = supported
    return Spent.of(recorder.frozen())


def _stands(dossier: Dossier, passing: float) -> bool:
    sample = dossier.row.sample
    if dossier.failure or dossier.of_contexts or is_abstention(sample) or not sample.answer.strip():
        return False
    if sample.answerable is False:
        return bool(sample.contexts)
    asked = [each for each in dossier.asked["gold"] if each.tells]
    wrong = [each for each in asked if not each.is_right(passing)]
    return 2 * len(wrong) > len(asked) and any(says_the_same(sample, each.sample) for each in wrong)


async def _supported(dossier: Dossier, judge: Judge) -> bool:
    sample = dossier.row.sample
    gold = [hit.document.text for hit in dossier.contexts("gold") or ()]
    try:
        claims = await judge.asplit(sample.question, sample.answer)
        verdicts = await judge.averify(claims, gold or list(sample.contexts)) if claims else []
    except Exception:  # noqa: BLE001 - a judge that fails marks nothing, whatever broke
        return False
    return bool(verdicts) and all(verdict.holds for verdict in verdicts)
