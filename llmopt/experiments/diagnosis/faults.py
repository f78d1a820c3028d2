"""What is visibly wrong with an answer's form or manner, without a judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..._replies import is_noncommittal
from ..._text import is_cjk
from ...evaluation import ContextPrecision, ContextRecall, FormatValidity
from ...evaluation.lexical import normalised, token_f1, tokens
from ...interfaces import Metric
from ...types import Sample
from .tree import Fault

__all__ = ["Flaw", "flaw_of", "is_abstention", "looks_at_answers", "says_the_same"]

_SAME = 0.9
_SHORTEST = 2
_PART, _CLEAN = 0.6, 0.9
_BRIEF = 30


@dataclass(frozen=True, slots=True)
class Flaw:
    """A fault with what was seen of it; none: an empty fault."""

    fault: Fault = ""
    reason: str = ""


def flaw_of(answered: Sequence[Sample], without: Sequence[Sample], metrics: Sequence[Metric]) -> Flaw:
    """Return the fault that most of the answers show.

    Args:
        answered: The wrong answers to one question, with the gold passages where they could be given.
        without: Answers to the same question without any contexts.
        metrics: Those of the evaluator; a `FormatValidity` among them says what form is asked for.
    """
    found = [_flaw(sample, without, metrics) for sample in answered]
    kinds = [flaw.fault for flaw in found]
    for flaw in found:
        if flaw.fault and 2 * kinds.count(flaw.fault) >= len(kinds):
            return flaw
    return Flaw()


def looks_at_answers(metric: Metric) -> bool:
    """Return whether what the model says can change a metric: not that of one which sees only what was found."""
    return not (isinstance(metric, ContextPrecision | ContextRecall) or "context_ids" in metric.needs)


def is_abstention(sample: Sample) -> bool:
    """Return whether the answer says that it does not know, as marked or plainly."""
    return bool(sample.abstained) or is_noncommittal(sample.answer)


def says_the_same(one: Sample, other: Sample) -> bool:
    """Return whether two answers have the same words, nearly."""
    return bool(one.answer.strip()) and token_f1(one.answer, other.answer) >= _SAME


def _flaw(sample: Sample, without: Sequence[Sample], metrics: Sequence[Metric]) -> Flaw:
    if not sample.answer.strip():
        return Flaw("format", "the answer is empty or could not be read")
    for metric in metrics:
        if isinstance(metric, FormatValidity):
            score = metric.score(sample)
            if score.value == 0:
                return Flaw("format", score.reason)
    if is_abstention(sample):
        return Flaw("refusal", "it says that it does not know")
    return _against_reference(sample) or _unmoved(sample, without)


def _against_reference(sample: Sample) -> Flaw | None:
    """Return what comparing with the reference shows: right content in a wrong shape, a part, another language."""
    reference = sample.reference or ""
    if not normalised(reference):
        return None
    said, wanted = tokens(sample.answer), tokens(reference)
    brief = len(said) <= _BRIEF + 3 * len(wanted)
    holds = f" {normalised(reference)} " in f" {normalised(sample.answer)} " or _holds_cjk(sample.answer, reference)
    if brief and holds:
        return Flaw("format", "the answer holds the reference, in a form that the metric does not accept")
    if is_cjk(reference) != is_cjk(sample.answer):
        return Flaw("instruction", "it answers in another language than the reference")
    shared = [word for word in said if word in wanted]
    precise = bool(said) and len(shared) >= _CLEAN * len(said)
    if precise and len(wanted) >= _SHORTEST and len(set(shared)) <= _PART * len(set(wanted)):
        return Flaw("instruction", "it gives a part of what the reference says and nothing else")
    return None


def _holds_cjk(answer: str, reference: str) -> bool:
    return is_cjk(reference) and normalised(reference).replace(" ", "") in normalised(answer).replace(" ", "")


def _unmoved(sample: Sample, without: Sequence[Sample]) -> Flaw:
    if any(says_the_same(sample, other) for other in without):
        return Flaw("instruction", "it says the same without any contexts: it does not use them")
    return Flaw()
