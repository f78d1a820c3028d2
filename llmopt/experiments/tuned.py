"""A fine-tuned model as one step of a ladder, on samples that are not in its training data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .._sync import run_sync
from ..errors import SampleError, UsageError
from ..evaluation import Comparison, find_leaks
from ..finetuning.leaks import Questions
from ..interfaces import FineTuneJob
from ..pipeline import Pipeline
from ..types import Example, Sample
from .ladder import Ladder
from .rung import Rung
from .verdict import samples_needed

__all__ = ["afine_tune_step", "fine_tune_step", "refuse_leaks", "samples_that_would_tell", "tuning_of"]

_SHOWN = 5


def refuse_leaks(training: Sequence[Example], samples: Sequence[Sample], *, threshold: float = 0.9) -> None:
    """Raise when examples ask what samples ask: a figure on those would be for remembering.

    A question leaks when an example is it, ends or begins with it (instructions or contexts around it do not
    hide it), or asks nearly the same.

    Args:
        training: The examples, those for validation included.
        samples: What the tuned model is to be measured on.
        threshold: Share of words and word pairs from which two questions are nearly the same; see `find_leaks`.

    Raises:
        SampleError: When a question leaks; the message names examples and samples.

    Example:
        >>> from llmopt.types import Message
        >>> example = Example((Message("user", "Where is the parcel now?"), Message("assistant", "in Rome")))
        >>> refuse_leaks([example], [Sample(question="What does it cost?")])
        >>> refuse_leaks([example], [Sample(question="where is the parcel now", id="s1")])
        Traceback (most recent call last):
        ...
        llmopt.errors.SampleError: 1 of 1 samples is in the training data: ...
    """
    found: dict[str, str] = {}
    for sample, example in _leaks(training, samples, threshold):
        found.setdefault(sample, example)
    if not found:
        return
    shown = "; ".join(f"sample {sample} by example {example}" for sample, example in list(found.items())[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    raise SampleError(
        f"{len(found)} of {len(samples)} samples {'is' if len(found) == 1 else 'are'} in the training data: {shown}"
        f"{more}. A figure measured on them would be for remembering: take them out of one of the two sets"
    )


def _leaks(training: Sequence[Example], samples: Sequence[Sample], threshold: float) -> Iterator[tuple[str, str]]:
    """Yield sample and example of each leak, the samples by their ids, the examples by their numbers."""
    ids = [sample.id or str(number) for number, sample in enumerate(samples, start=1)]
    by_question = {sample.question: id for id, sample in zip(ids, samples, strict=True)}
    questions = Questions({"evaluation": by_question}, inside=["evaluation"])
    asked = ["\n".join(turn.content for turn in example.messages[:-1] if turn.role == "user") for example in training]
    for number, text in enumerate(asked, start=1):
        held = questions.asked_in(text)
        if held is not None and held.place != "inside":
            yield by_question[held.question], str(number)
    trained = [Sample(question=text, id=str(number)) for number, text in enumerate(asked, start=1)]
    for overlap in find_leaks(trained, samples, threshold=threshold):
        yield overlap.second, overlap.first


def fine_tune_step(
    ladder: Ladder, training: Sequence[Example], validation: Sequence[Example] = (), *, name: str = "fine-tuned"
) -> Rung:
    """Train by the job in the pipeline's `tuning` slot and return the ladder's rung of tuned against untuned.

    Everything but the model stays as it stands; the samples are compared pair by pair, with cost and time. Nothing
    is trained, and nothing paid for, when a sample of the ladder is in the training data.

    Args:
        ladder: Its top must have a job in the slot `tuning`.
        training: To learn from.
        validation: For the job, to stop early; not what decides.
        name: Of the step.

    Raises:
        SampleError: When samples of the ladder, the held-out ones included, are in the training data.
        UsageError: When there is no job.
        TuningError: When the job fails.
    """
    return run_sync(afine_tune_step, ladder, training, validation, name=name)


async def afine_tune_step(
    ladder: Ladder, training: Sequence[Example], validation: Sequence[Example] = (), *, name: str = "fine-tuned"
) -> Rung:
    """Train and compare; the async twin of `fine_tune_step`."""
    refuse_leaks([*training, *validation], ladder.samples)
    stands = ladder.top.pipeline if ladder.rungs else ladder.baseline
    tuning_of(stands)
    await ladder.abegin()
    tuned = await stands.atune(training, validation)
    return await ladder.astep(name, model=tuned.model)


def tuning_of(pipeline: Pipeline) -> FineTuneJob:
    """Return the job in the pipeline's `tuning` slot.

    Raises:
        UsageError: When there is none.
    """
    if pipeline.tuning is None:
        raise UsageError("the pipeline has no job in its `tuning` slot: `pipeline.but(tuning=LoRAFineTune(...))`")
    return pipeline.tuning


def samples_that_would_tell(comparison: Comparison, effect: float) -> int | None:
    """Return how many samples would show so small a change at the 5 % level; None where the spread is not known."""
    change = comparison.difference
    if change.low is None or change.high is None:
        return None
    spread = (change.high - change.low) / (2 * 1.96)
    return samples_needed(effect, spread**2 * change.n, threshold=0.05, exact=comparison.method == "mcnemar")
