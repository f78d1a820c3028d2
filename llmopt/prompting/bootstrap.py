"""Examples from a feature's own right answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from .._sync import call, gather_bounded, run_sync
from ..errors import LlmoptError, UsageError
from ..types import Answer, Completion, Failure, MaybeAwaitable, Sample
from .shot import Shot
from .thoughts import without_thoughts

__all__ = ["Answering", "Bootstrapped", "abootstrap_shots", "bootstrap_shots"]


class Answering(Protocol):
    """What answers questions: a pipeline, or anything with its `arun`."""

    async def arun(self, question: str) -> Answer:
        """Answer one question."""
        ...


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """What came of asking a feature the questions of some samples.

    Attributes:
        shots: The questions that it answered right, with its replies and their contexts. Where there was but
            one reply it is taken as the model wrote it, steps to the answer included, so that an example for
            `ChainOfThought` shows how to reason; of several replies it is the answer alone.
        wrong: The ids (else the questions) of those that it answered wrong.
        failures: Those that it could not answer.
    """

    shots: tuple[Shot, ...]
    wrong: tuple[str, ...]
    failures: tuple[Failure, ...]


def bootstrap_shots(
    pipeline: Answering,
    samples: Iterable[Sample],
    is_right: Callable[[Sample, Answer], MaybeAwaitable[bool]],
    *,
    concurrency: int = 8,
) -> Bootstrapped:
    """Return examples made of a pipeline's own right answers, in the order of the samples.

    Take samples that no evaluation uses, else the examples give its answers away.

    Args:
        pipeline: Answers the questions.
        samples: Questions with what is needed to tell whether an answer is right.
        is_right: Tells it, `def` or `async def`: by the reference, a metric, a person.
        concurrency: Questions under way at a time.

    Raises:
        UsageError: Without samples.

    Example:
        >>> from llmopt.pipeline import Pipeline
        >>> from llmopt.prompting import Direct
        >>> from llmopt.testing import FakeModel
        >>> samples = [Sample(question="2 + 2?", reference="4"), Sample(question="3 + 3?", reference="6")]
        >>> pipeline = Pipeline(model=FakeModel("4"), prompt=Direct())
        >>> found = bootstrap_shots(pipeline, samples, lambda sample, answer: answer.text == sample.reference)
        >>> [shot.question for shot in found.shots], found.wrong
        (['2 + 2?'], ('3 + 3?',))
    """
    return run_sync(abootstrap_shots, pipeline, samples, is_right, concurrency=concurrency)


async def abootstrap_shots(
    pipeline: Answering,
    samples: Iterable[Sample],
    is_right: Callable[[Sample, Answer], MaybeAwaitable[bool]],
    *,
    concurrency: int = 8,
) -> Bootstrapped:
    """Return examples made of a pipeline's own right answers; the async twin of `bootstrap_shots`."""

    async def ask(sample: Sample) -> Shot | Failure | str:
        try:
            answer = await pipeline.arun(sample.question)
        except LlmoptError as error:
            return Failure(sample.question, error)
        if await call(is_right, sample, answer):
            return Shot(sample.question, _said(answer), tuple(answer.contexts))
        return sample.id or sample.question

    found = await gather_bounded(ask, samples, limit=concurrency)
    if not found:
        raise UsageError("there are no samples to make examples of")
    return Bootstrapped(
        tuple(item for item in found if isinstance(item, Shot)),
        tuple(item for item in found if isinstance(item, str)),
        tuple(item for item in found if isinstance(item, Failure)),
    )


def _said(answer: Answer) -> str:
    """Return the reply that the answer was made of when there is but one, else the answer."""
    steps = () if answer.trace is None else answer.trace.walk()
    prompted = next((step for step in steps if step.name == "prompt"), None)
    if prompted is None:
        return answer.text
    replies = {step.output.text for step in prompted.walk() if isinstance(step.output, Completion)}
    return without_thoughts(replies.pop()).strip() if len(replies) == 1 else answer.text
