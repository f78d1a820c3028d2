"""Examples from what a feature has done: the data flywheel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, cast

from ..errors import SampleError
from ..types import Answer, Completion, Example, Message, Sample, Step

__all__ = ["example_of_trace", "examples_from_samples", "examples_from_traces"]


def examples_from_traces(
    answers: Iterable[Answer],
    *,
    keep: Callable[[Answer], bool] = lambda answer: answer.outcome == "answered",
    learn: Literal["call", "answer"] = "call",
    system: str = "",
) -> list[Example]:
    """Return an example for every answer that is kept, in order.

    Keep what is known to be good: by a metric's score, by a person's label. A model that is trained on
    everything learns the faults, too.

    Args:
        answers: With their traces, as a pipeline gives them.
        keep: Whether an answer is good enough to learn from.
        learn: `call`: the last call of the model, prompt and contexts included, to make the same prompt work
            in a smaller model; `answer`: the bare question and the final answer, to put the work of a whole
            pipeline into one call without its prompt.
        system: For `answer`: the system message to train with, the same that is used later.

    Raises:
        SampleError: When an answer that is kept has no trace.

    Example:
        >>> from llmopt.pipeline import Pipeline
        >>> from llmopt.prompting import Direct
        >>> from llmopt.testing import FakeModel
        >>> answers = [Pipeline(model=FakeModel("4"), prompt=Direct()).run("2 + 2?")]
        >>> example = examples_from_traces(answers, keep=lambda answer: answer.text == "4", learn="answer")[0]
        >>> [message.content for message in example.messages]
        ['2 + 2?', '4']
    """
    kept = [answer for answer in answers if keep(answer)]
    if learn == "call":
        return [example_of_trace(answer) for answer in kept]
    return [_question_and_answer(_trace(answer), answer, system) for answer in kept]


def example_of_trace(answer: Answer) -> Example:
    """Return the last call of a model in an answer's trace as an example.

    Raises:
        SampleError: When there is no trace, or no call in it that succeeded.
    """
    calls = [
        step
        for step in _trace(answer).walk()
        if step.name == "model" and isinstance(step.output, Completion) and not step.error
    ]
    if not calls:
        raise SampleError(f"the trace of {answer.text[:60]!r} holds no call of a model that succeeded")
    last = calls[-1]
    completion = cast(Completion, last.output)
    reply = Message("assistant", completion.text, tuple(completion.tool_calls))
    return Example((*cast("Sequence[Message]", last.inputs), reply))


def _trace(answer: Answer) -> Step:
    if answer.trace is None:
        raise SampleError(f"the answer {answer.text[:60]!r} has no trace: take the answers as the pipeline gave them")
    return answer.trace


def _question_and_answer(trace: Step, answer: Answer, system: str) -> Example:
    asked = next((step.inputs for step in trace.walk() if isinstance(step.inputs, str)), None)
    if asked is None:
        raise SampleError(f"the trace of {answer.text[:60]!r} does not say what was asked")
    return _chat(asked, answer.text, system, "")


def _chat(question: str, answer: str, system: str, group: str) -> Example:
    before = (Message("system", system),) if system else ()
    return Example((*before, Message("user", question), Message("assistant", answer)), group=group)


def examples_from_samples(samples: Iterable[Sample], *, system: str = "") -> list[Example]:
    """Return an example for every sample: its question, and its reference as the answer.

    Never train on the samples that you measure on: cut them apart before.

    Args:
        samples: Each with a reference.
        system: The system message to train with, the same that is used later.

    Raises:
        SampleError: When a sample has no reference.
    """
    examples: list[Example] = []
    for number, sample in enumerate(samples, start=1):
        if not sample.reference:
            raise SampleError(f"sample {sample.id or number} has no reference, so there is no answer to learn")
        examples.append(_chat(sample.question, sample.reference, system, sample.group))
    return examples
