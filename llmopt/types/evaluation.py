"""What is measured, and what a measurement says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from ..errors import SampleError
from .answer import Answer
from .chat import Usage

__all__ = ["ImpliedQuestion", "Need", "Planned", "Sample", "Score", "ScoreStatus", "Verdict"]

Need: TypeAlias = Literal["answer", "contexts", "context_ids", "reference", "gold"]
ScoreStatus: TypeAlias = Literal["scored", "undefined", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A question with what is known of it: its answer, its contexts, its truth.

    Attributes:
        question: What was asked.
        id: Unique within a set; empty is filled by the loader or the evaluator.
        answer: What the feature answered; empty before it ran.
        contexts: The texts that the answer was made from, best first.
        context_ids: Their document ids, in the same order, where known.
        reference: The right answer, where known.
        gold: Ids of the documents that hold the answer, where known.
        answerable: Whether the corpus holds the answer; None when nobody said.
        category: Kind of question, for the breakdown.
        group: Samples that belong together (one document, one user): clustered in the statistics.
        abstained: Whether the answer says that it does not know; None when nobody said.
        metadata: Anything else.

    Raises:
        SampleError: When one text stands where a list of texts belongs.
    """

    question: str
    id: str = ""
    answer: str = ""
    contexts: Sequence[str] = ()
    context_ids: Sequence[str] = ()
    reference: str | None = None
    gold: Sequence[str] = ()
    answerable: bool | None = None
    category: str = ""
    group: str = ""
    abstained: bool | None = None
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])

    def __post_init__(self) -> None:
        """Refuse a single text in the place of several: its characters would count."""
        for name in ("contexts", "context_ids", "gold"):
            given: object = getattr(self, name)
            if isinstance(given, str):
                raise SampleError(f"`Sample.{name}` takes a list of texts, got {given!r:.100}: put it into a list")

    def answered(self, answer: Answer) -> Sample:
        """Return the same sample with a pipeline's answer and contexts in it."""
        return replace(
            self,
            answer=answer.text,
            contexts=tuple(hit.document.text for hit in answer.contexts),
            context_ids=tuple(hit.document.source for hit in answer.contexts),
            abstained=answer.outcome == "abstained",
        )


@dataclass(frozen=True, slots=True)
class Planned:
    """Calls that are going to be made: an upper bound, repairs and retries not counted.

    Attributes:
        what: Who makes them and what for ("faithfulness: claims").
        usage: Calls, and tokens as far as they can be estimated before.
        cost: US dollars; None when the price is not known.
    """

    what: str
    usage: Usage
    cost: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's word on one statement or one context.

    Attributes:
        statement: What was judged.
        holds: Yes or no; None when the judge gave no usable verdict, even when asked again.
        reason: Why, in a short sentence.
        probability: Of yes, 0 to 1, where the judge has one.
    """

    statement: str
    holds: bool | None
    reason: str = ""
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class ImpliedQuestion:
    """A question that an answer would answer, and whether that answer is non-committal."""

    question: str
    noncommittal: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """A metric's verdict on one sample.

    Attributes:
        value: Higher is better, mostly 0 to 1; None when it is undefined or the measurement failed.
        reason: Why, in a sentence; never empty when the value is None.
        status: `scored`, `undefined` (the definition gives no number here), or `failed` (the
            measurement broke). Derived from `value` when not given.
        verdicts: What the judge said, for the drill-down.
        details: Further named figures (coverage, counts ...).
    """

    value: float | None
    reason: str = ""
    status: ScoreStatus | Literal[""] = ""
    verdicts: Sequence[Verdict] = ()
    details: Mapping[str, object] = field(default_factory=dict[str, object])

    def __post_init__(self) -> None:
        """Derive the status and hold value and status together."""
        status = self.status or ("undefined" if self.value is None else "scored")
        if (status == "scored") == (self.value is None):
            raise ValueError(f"a score of {self.value} cannot have the status {status!r}")
        object.__setattr__(self, "status", status)
