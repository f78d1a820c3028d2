"""One line of a report: a sample, its scores, and what it took to get them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from ..types import Citation, Completion, Message, Outcome, Sample, Score, Step, Usage

__all__ = ["ModelCall", "Row", "Run", "Spent", "canonical_sample", "canonical_score", "model_calls"]


@dataclass(frozen=True, slots=True)
class Spent:
    """What some work took.

    Attributes:
        seconds: Wall time; of many pieces of work: their sum, even where they ran side by side.
        usage: Calls and tokens.
        cost: US dollars as if nothing had come from a cache; None when a price is not known.
        paid: US dollars really paid; None when a price is not known.
    """

    seconds: float = 0.0
    usage: Usage = Usage()
    cost: float | None = 0.0
    paid: float | None = 0.0

    @classmethod
    def of(cls, step: Step) -> Spent:
        """Return what a finished step took."""
        return cls(step.seconds, step.usage, step.cost, step.paid)

    def __add__(self, other: Spent) -> Spent:
        """Add up; an unknown price makes the sum unknown."""
        return Spent(
            self.seconds + other.seconds,
            self.usage + other.usage,
            None if self.cost is None or other.cost is None else self.cost + other.cost,
            None if self.paid is None or other.paid is None else self.paid + other.paid,
        )


@dataclass(frozen=True, slots=True)
class Run:
    """A pipeline's run on one question.

    Attributes:
        spent: What it took.
        outcome: Whether it answered, abstained or answered some parts only.
        citations: The contexts that the answer points to.
        failure: The class and message of the error that ended it; empty when it gave an answer.
    """

    spent: Spent = Spent()
    outcome: Outcome = "answered"
    citations: Sequence[Citation] = ()
    failure: str = ""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One request to a chat model, as it was rendered, with the reply.

    Attributes:
        purpose: Who asked: a metric's name, or "pipeline".
        component: The class of the model, below all wrappers.
        messages: The prompt.
        reply: The reply's text; empty when the call failed.
        cached: Whether the reply came from a cache.
        error: The error that ended it, or an empty string.
    """

    purpose: str
    component: str
    messages: Sequence[Message]
    reply: str
    cached: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A sample with its scores.

    Attributes:
        sample: As it was scored: with the pipeline's answer in it, where one ran.
        scores: By the metric's name; every metric of the report is in it.
        run: The pipeline's run; None when the sample came with its answer.
        judging: What the metrics took.
        calls: Every request to a chat model that was made for this sample.
    """

    sample: Sample
    scores: Mapping[str, Score] = field(default_factory=dict[str, Score])
    run: Run | None = None
    judging: Spent = Spent()
    calls: Sequence[ModelCall] = ()

    @property
    def failed(self) -> bool:
        """Whether the pipeline or a metric failed here."""
        return bool(self.run and self.run.failure) or any(score.status == "failed" for score in self.scores.values())

    @property
    def cached(self) -> bool:
        """Whether a cache spared the pipeline a call to a model, so that its time says nothing."""
        if any(call.cached for call in self.calls if call.purpose == "pipeline"):
            return True
        spent = self.run.spent if self.run else Spent()
        return spent.cost is not None and spent.paid is not None and spent.paid < spent.cost


def canonical_sample(sample: Sample) -> Sample:
    """Return the sample with tuples for its sequences, so that equal samples compare as equal."""
    if all(isinstance(listed, tuple) for listed in (sample.contexts, sample.context_ids, sample.gold)):
        return sample
    return replace(
        sample,
        contexts=tuple(sample.contexts),
        context_ids=tuple(sample.context_ids),
        gold=tuple(sample.gold),
    )


def canonical_score(score: Score) -> Score:
    """Return the score with a plain float and a tuple of verdicts."""
    if type(score.value) in {float, type(None)} and isinstance(score.verdicts, tuple):
        return score
    value = None if score.value is None else float(score.value)
    return replace(score, value=value, verdicts=tuple(score.verdicts))


def model_calls(step: Step, purpose: str) -> Iterator[ModelCall]:
    """Yield the chat requests below a step; of nested wrappers only the outermost."""
    if step.name != "model":
        for child in step.children:
            yield from model_calls(child, purpose)
        return
    messages = tuple(item for item in _listed(step.inputs) if isinstance(item, Message))
    component = next(below.component for below in reversed(list(step.walk())) if below.name == "model")
    if isinstance(step.output, Completion):
        yield ModelCall(purpose, component, messages, step.output.text, step.output.cached, step.error)
    else:
        yield ModelCall(purpose, component, messages, "", error=step.error or "no reply")


def _listed(value: object) -> Sequence[object]:
    return cast("Sequence[object]", value) if isinstance(value, list | tuple) else ()
