"""From a dossier to a case for the statistics, and from what they say to a finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...interfaces import Metric
from ...types import Sample
from .faults import Flaw, flaw_of
from .finding import Cause, Condition, Finding
from .investigation import Dossier
from .posterior import CONDITIONS, Case, Reading
from .rerun import Asked
from .tree import Observed, Ruling, cause_of

__all__ = ["Docket", "case_of", "finding_of"]


@dataclass(frozen=True, slots=True)
class Docket:
    """A case with its rulings, one for each of the eight combinations of verdicts."""

    case: Case
    rulings: Sequence[Ruling]


def case_of(dossier: Dossier, metrics: Sequence[Metric], passing: float) -> Docket:
    """Return what the statistics need of a failed sample: its readings, and the cause for whatever they may mean."""
    possible = {condition: _possible(dossier, condition) for condition in CONDITIONS}
    seen = _observed(dossier, metrics, passing, asked_with_gold=possible["gold"])
    current, gold, none = (_reading(dossier.asked[condition], passing) for condition in CONDITIONS)
    known = (possible["current"], possible["gold"], possible["none"])
    blank = Case((current, gold, none), known, (), "")
    rulings = [cause_of(right, seen) for right in blank.verdicts]
    place = dossier.located.place
    stratum = place if place in {"in the prompt", "unknown"} else "lost"
    return Docket(Case((current, gold, none), known, tuple(ruling.cause for ruling in rulings), stratum), rulings)


def finding_of(dossier: Dossier, docket: Docket, chances: Sequence[float], target: str) -> Finding:
    """Return the likeliest cause, with the reason and the scores that speak for it."""
    by_cause: dict[Cause, float] = {}
    for ruling, chance in zip(docket.rulings, chances, strict=True):
        by_cause[ruling.cause] = by_cause.get(ruling.cause, 0.0) + float(chance)
    cause = max(by_cause, key=lambda each: by_cause[each])
    fitting = [pair for pair in zip(chances, docket.rulings, strict=True) if pair[1].cause == cause]
    reason = max(fitting, key=lambda pair: pair[0])[1].reason
    scores: dict[Condition, Sequence[float | None]] = {"current": (dossier.row.scores[target].value,)}
    for condition in CONDITIONS:
        values = tuple(asked.value for asked in dossier.asked[condition])
        if values:
            scores[condition] = (*scores.get(condition, ()), *values)
    return Finding(dossier.row.sample, cause, reason, scores, min(1.0, by_cause[cause]))


def _possible(dossier: Dossier, condition: Condition) -> bool:
    """Return whether it can be known if the pipeline is right under a condition."""
    asked = dossier.asked[condition]
    if dossier.failure or (asked and not any(each.tells for each in asked)):
        return False
    return {"current": True, "gold": not dossier.gold_reason, "none": dossier.none}[condition]


def _reading(asked: Sequence[Asked], passing: float) -> Reading:
    told = [each for each in asked if each.tells]
    return Reading(sum(each.is_right(passing) for each in told), len(told))


def _observed(dossier: Dossier, metrics: Sequence[Metric], passing: float, *, asked_with_gold: bool) -> Observed:
    reason = dossier.gold_reason
    if not reason and not asked_with_gold:
        broken = [each.failure for each in dossier.asked["gold"] if each.failure]
        reason = f"asking with the gold passages failed: {broken[0]}" if broken else "the metric has no figure there"
    flaw = _flaw(dossier, metrics, passing)
    return Observed(
        failure=dossier.failure,
        place=dossier.located.place,
        where=dossier.located.where,
        fault=flaw.fault,
        fault_reason=flaw.reason,
        supported=dossier.supported,
        answerable=dossier.row.sample.answerable,
        gold_reason=reason,
        guessed=dossier.guessed,
        of_contexts=dossier.of_contexts,
    )


def _flaw(dossier: Dossier, metrics: Sequence[Metric], passing: float) -> Flaw:
    """Look at the wrong answers given with the gold passages; where there are none, at those given as it is."""
    if dossier.failure or dossier.of_contexts:
        return Flaw()
    told = [each for each in dossier.asked["gold"] if each.tells]
    wrong = [each.sample for each in told if not each.is_right(passing)]
    if not told or dossier.guessed:
        wrong = [dossier.row.sample]
    without: list[Sample] = [each.sample for each in dossier.asked["none"] if each.tells]
    return flaw_of(wrong, [] if dossier.supported else without, metrics)
