"""What a diagnosis says: why each sample failed, what share each cause has, and what to try next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from ..._stats import Estimate
from ...types import Sample

__all__ = ["AXIS_OF", "Axis", "CategoryFailures", "Cause", "CauseShare", "Condition", "Finding", "Suggestion"]

Axis: TypeAlias = Literal["context", "behaviour", "measurement"]
Condition: TypeAlias = Literal["current", "gold", "none"]
Cause: TypeAlias = Literal[
    "missing from corpus",
    "cut by chunking",
    "not fetched",
    "ranked below k",
    "drowned",
    "distracting",
    "context, place unknown",
    "format",
    "instruction",
    "reasoning",
    "refusal",
    "noise",
    "suspect label",
    "error",
    "undetermined",
]

AXIS_OF: Final[Mapping[Cause, Axis]] = {
    "missing from corpus": "context",
    "cut by chunking": "context",
    "not fetched": "context",
    "ranked below k": "context",
    "drowned": "context",
    "distracting": "context",
    "context, place unknown": "context",
    "format": "behaviour",
    "instruction": "behaviour",
    "reasoning": "behaviour",
    "refusal": "behaviour",
    "noise": "measurement",
    "suspect label": "measurement",
    "error": "measurement",
    "undetermined": "measurement",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Why one sample failed.

    Attributes:
        sample: As the pipeline answered it, its contexts in it.
        cause: The first cause of the tree that fits.
        reason: What was seen, in a sentence.
        scores: The target metric under each condition, one value per repeat; None where it has no figure. The
            first of "current" is the run that failed.
        chance: How sure the cause is, 0 to 1, given the readings of this sample and of all others.
    """

    sample: Sample
    cause: Cause
    reason: str
    scores: Mapping[Condition, Sequence[float | None]] = field(
        default_factory=dict["Condition", "Sequence[float | None]"]
    )
    chance: float = 1.0

    @property
    def axis(self) -> Axis:
        """Which of the two axes it lies on, or "measurement" when neither is to blame."""
        return AXIS_OF[self.cause]


@dataclass(frozen=True, slots=True)
class CauseShare:
    """How much one cause weighs.

    Attributes:
        cause: The cause.
        count: Failed samples with it.
        share: Of all samples, with its 95 % interval: inferred from all readings, so that it may differ a
            little from `count`, which only takes each sample's likeliest cause.
        gain: How much the target metric's mean over all samples would rise if every sample with this cause
            became as right as those that pass, with its 95 % interval.
    """

    cause: Cause
    count: int
    share: Estimate
    gain: Estimate

    @property
    def axis(self) -> Axis:
        """Which of the two axes it lies on."""
        return AXIS_OF[self.cause]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An experiment worth trying next.

    Attributes:
        name: The step's name.
        cause: What it is meant to mend.
        why: In a sentence.
        code: The call to write, for example `ladder.step("fetch more", k=10)`.
        changes: The slots of the pipeline to change, for `ladder.step(suggestion.name, **suggestion.changes)`;
            empty when the user must supply a part (a label, a document, a model).
        gain: The largest gain that mending the cause could bring.
        calls: Model calls per answer beyond those of today; the list is sorted by gain per cost.
    """

    name: str
    cause: Cause
    why: str
    code: str
    changes: Mapping[str, object] = field(default_factory=dict[str, object])
    gain: float = 0.0
    calls: int = 0


@dataclass(frozen=True, slots=True)
class CategoryFailures:
    """How one kind of question fares.

    Attributes:
        name: The category, given or made of the words that set its questions apart.
        given: Whether the samples carried it; else it was found by clustering.
        samples: How many samples it has.
        score: Mean of the target metric, with its 95 % interval.
        causes: How many of its failures each cause has.
        examples: Questions that stand for its failures, the most typical first.
    """

    name: str
    given: bool
    samples: int
    score: Estimate
    causes: Mapping[Cause, int]
    examples: Sequence[str] = ()
