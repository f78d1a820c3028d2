"""The tree of causes: from what was seen of a failed sample to why it failed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .finding import Cause

__all__ = ["Fault", "Observed", "Place", "Right", "Ruling", "cause_of"]

Place: TypeAlias = Literal[
    "missing from corpus", "cut by chunking", "not fetched", "ranked below k", "in the prompt", "lost", "unknown"
]
"""How far the gold passage came; "lost": not into the prompt, and nobody can tell how."""
Fault: TypeAlias = Literal["", "format", "instruction", "refusal"]

_LOST: Mapping[Place, Cause] = {
    "missing from corpus": "missing from corpus",
    "cut by chunking": "cut by chunking",
    "not fetched": "not fetched",
    "ranked below k": "ranked below k",
    "in the prompt": "drowned",
}
_FORMAT_ERRORS = ("ModelOutputError",)
_REFUSAL_ERRORS = ("ModelRefusedError", "ContentFilteredError")


@dataclass(frozen=True, slots=True)
class Right:
    """Whether the pipeline is right, more often than not, under each condition; None where nobody can tell.

    Attributes:
        current: As it is, asked again: the run that failed does not count.
        gold: With the gold passages for contexts.
        none: Without contexts.
    """

    current: bool | None = None
    gold: bool | None = None
    none: bool | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen of a failed sample besides its answers' being right or wrong.

    Attributes:
        failure: The class and message of the error that ended the run; empty when it gave an answer.
        place: How far the gold passage came on the way into the prompt.
        where: More about the place, in words.
        fault: What is visibly wrong with the answer's form or manner (with the gold passages, where it
            could be given them).
        fault_reason: More about the fault, in words.
        supported: Whether the answer, the same with the gold passages, is supported by the contexts.
        answerable: Whether the corpus holds the answer; None when nobody said.
        gold_reason: Why the pipeline could not be given the gold passages; empty when it could.
        guessed: Whether passages that share the reference's words stood in for the gold ones.
        of_contexts: Whether the metric sees only the contexts, whatever the answer is.
    """

    failure: str = ""
    place: Place = "unknown"
    where: str = ""
    fault: Fault = ""
    fault_reason: str = ""
    supported: bool = False
    answerable: bool | None = None
    gold_reason: str = ""
    guessed: bool = False
    of_contexts: bool = False


@dataclass(frozen=True, slots=True)
class Ruling:
    """A cause with what speaks for it, in a sentence."""

    cause: Cause
    reason: str


def cause_of(right: Right, seen: Observed) -> Ruling:
    """Return the first cause of the tree that fits; the order is the order of the questions asked.

    1. Did the run break off? A reply that could not be read is format, a refusal is refusal, else error.
    2. Is it right when simply asked again? Noise.
    3. Is the question marked unanswerable? Then it should have abstained: instruction.
    4. Is it right without contexts? The contexts distract.
    5. Is it right with the gold passages? The context is to blame, where the gold passage got lost.
    6. Does the metric see the contexts alone, and not like the gold ones either? The label is suspect. Is it wrong
       with them in a way that shows? Format, refusal or instruction.
    7. Do the contexts support what it says, all the same? The label is suspect. Else its reasoning is wrong.
    8. Else nobody can tell, but for a visible fault of form.
    """
    if seen.failure:
        return _broken(seen.failure)
    if right.current:
        return Ruling("noise", "right more often than not when asked again")
    if seen.answerable is False:
        return _unanswerable(seen)
    if right.none:
        return Ruling("distracting", "right without contexts, wrong with those that it gets")
    if right.gold:
        return _context(seen)
    return _without_gold(seen) if right.gold is None or seen.guessed else _behaviour(seen)


def _broken(failure: str) -> Ruling:
    if failure.startswith(_FORMAT_ERRORS):
        return Ruling("format", f"the reply could not be read: {failure}")
    if failure.startswith(_REFUSAL_ERRORS):
        return Ruling("refusal", f"the model refused: {failure}")
    return Ruling("error", failure)


def _unanswerable(seen: Observed) -> Ruling:
    if seen.fault == "refusal":
        return Ruling("undetermined", "it abstains, as it should, and the metric counts that as wrong")
    if seen.supported:
        return Ruling("suspect label", "marked unanswerable, yet the contexts support the answer")
    return Ruling("instruction", "answers a question that is marked unanswerable, where it should abstain")


def _context(seen: Observed) -> Ruling:
    beginning = "right with the gold passages, wrong now"
    cause = _LOST.get(seen.place)
    if seen.guessed or cause is None:
        return Ruling("context, place unknown", _joined(beginning, seen.where))
    if cause == "drowned":
        return Ruling(cause, f"{beginning}, though the gold passage is in the prompt")
    return Ruling(cause, _joined(beginning, seen.where))


def _behaviour(seen: Observed) -> Ruling:
    if seen.of_contexts:
        reason = "the metric looks at the contexts alone and fails the gold passages too: they do not say what the "
        return Ruling("suspect label", f"{reason}reference says, or the judge cannot see it")
    if seen.supported and not seen.fault:
        return Ruling("suspect label", "the contexts support the answer, and the reference says otherwise")
    said = seen.fault_reason or "it has the passages, keeps to the form, and concludes wrongly"
    lost = seen.place not in {"in the prompt", "unknown"}
    also = f" (and without them the passage is lost: {seen.place})" if lost else ""
    return Ruling(seen.fault or "reasoning", f"wrong with the gold passages too: {said}{also}")


def _without_gold(seen: Observed) -> Ruling:
    if seen.fault == "format":
        return Ruling("format", seen.fault_reason or "the answer is out of form")
    if seen.place == "missing from corpus":
        return Ruling("missing from corpus", _joined(seen.where, "it could not be tried with the passage"))
    if seen.place == "lost":
        reason = _joined("the gold passage was not in the prompt", seen.where)
        return Ruling("context, place unknown", f"{reason}; whether it would have helped is not known")
    if seen.place == "in the prompt" and seen.fault == "refusal":
        return Ruling("refusal", _joined("the gold passage was in the prompt", seen.fault_reason))
    return Ruling("undetermined", seen.gold_reason or "it was not asked with the gold passages")


def _joined(first: str, second: str) -> str:
    return f"{first}: {second}" if second else first
