"""What a pipeline gives back: the answer, where it came from, and what happened on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .chat import Usage
from .text import Hit

__all__ = ["Answer", "AnswerDelta", "Citation", "Classification", "Failure", "Outcome", "Part", "Step"]

Outcome: TypeAlias = Literal["answered", "abstained", "partial"]


@dataclass(frozen=True, slots=True)
class Citation:
    """A context that the answer points to: its number in the prompt, from 1, and its id."""

    number: int
    document_id: str


@dataclass(frozen=True, slots=True)
class Classification:
    """A text's label with the score of every label.

    Attributes:
        label: The best one.
        scores: Per label; higher is better.
        margin: Best score less the second best; how sure the classifier is.
    """

    label: str
    scores: Mapping[str, float]
    margin: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """One stage of a run, as it happened; its children are the stages inside it.

    Attributes:
        name: What was done ("retrieve", "model" ...).
        component: The class that did it.
        seconds: Wall time.
        usage: Tokens of this stage, children included.
        cost: US dollars as if nothing had come from our cache; None when a price is not known.
        paid: US dollars really paid: replies from our cache are free.
        inputs: What went in, as the stage got it.
        output: What came out.
        notes: What the component said of its own work, by name.
        children: Stages inside this one, in the order in which they began.
        error: The error that ended it, or an empty string.
    """

    name: str
    component: str = ""
    seconds: float = 0.0
    usage: Usage = Usage()
    cost: float | None = 0.0
    paid: float | None = 0.0
    inputs: object = None
    output: object = None
    notes: Mapping[str, object] = field(default_factory=dict[str, object])
    children: Sequence[Step] = ()
    error: str = ""

    def walk(self) -> Iterator[Step]:
        """Yield this step and every one below it, depth first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def __str__(self) -> str:
        """Draw the tree with times and tokens, a line a step."""
        return "\n".join(_lines(self, 0))


def _lines(step: Step, depth: int) -> Iterator[str]:
    words = ["  " * depth + step.name, step.component, f"{step.seconds * 1000:.1f} ms"]
    if step.usage.total_tokens:
        words.append(f"{step.usage.input_tokens}+{step.usage.output_tokens} tokens")
    if step.cost:
        words.append(f"${step.cost:.6f}")
    words += [f"{name}={value!r}"[:120] for name, value in step.notes.items()]
    if step.error:
        words.append(f"failed: {step.error}")
    yield "  ".join(word for word in words if word)
    for child in step.children:
        yield from _lines(child, depth + 1)


@dataclass(frozen=True, slots=True)
class Failure:
    """A question that could not be answered, as a value: the batch goes on.

    Attributes:
        question: The question.
        error: The exception.
        trace: How far the run came.
    """

    question: str
    error: Exception
    trace: Step | None = None

    @property
    def reason(self) -> str:
        """The class and message of the error in one line."""
        return f"{type(self.error).__name__}: {self.error}"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with where it came from and what it took.

    Attributes:
        text: The answer itself, without reasoning or markup.
        contexts: What the model was given, in prompt order.
        citations: The contexts that the answer points to.
        usage: Tokens of all calls.
        cost: US dollars as if nothing had come from our cache; None when a price is not known.
        trace: What happened, stage by stage.
        outcome: Whether it answers, says that it does not know, or answers some parts only.
        confidence: 0 to 1 where the strategy has one (vote share), else None.
        value: The parsed object where the strategy makes one (a pydantic model), else None.
        parts: The parts of a question that was split, failed ones included.
    """

    text: str
    contexts: Sequence[Hit] = ()
    citations: Sequence[Citation] = ()
    usage: Usage = Usage()
    cost: float | None = 0.0
    trace: Step | None = None
    outcome: Outcome = "answered"
    confidence: float | None = None
    value: object | None = None
    parts: Sequence[Part] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One sub-question of a split question with what became of it."""

    question: str
    result: Answer | Failure


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """A piece of a streamed answer; the last one carries the whole answer."""

    text: str
    answer: Answer | None = None
