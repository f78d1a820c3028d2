"""Counterfactual reruns: the same pipeline with other contexts, each time with fresh replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..._progress import Progress, progress_bar
from ..._sync import gather_bounded
from ..._trace import record
from ...evaluation import Answering, Evaluator, Spent
from ...evaluation.repeats import ReplicatedModel
from ...evaluation.rewiring import Rewiring
from ...interfaces import Metric
from ...pipeline import Pipeline
from ...types import Answer, Hit, Sample
from .finding import Condition

__all__ = ["Asked", "Rerun", "Rerunner"]

_UNREADABLE = "ModelOutputError"


@dataclass(frozen=True, slots=True)
class Rerun:
    """One question to be asked again.

    Attributes:
        sample: The sample.
        condition: Under which condition.
        number: Of the repeat, from 1; 0 takes what a cache may have.
        contexts: To answer from; None: what the pipeline finds by itself.
    """

    sample: Sample
    condition: Condition
    number: int
    contexts: Sequence[Hit] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a rerun.

    Attributes:
        sample: With the answer in it.
        value: The target metric; None where it has no figure.
        failure: The class and message of the error that ended the run, else empty.
        spent: What the run and its measurement took.
    """

    sample: Sample
    value: float | None = None
    failure: str = ""
    spent: Spent = field(default_factory=Spent)

    @property
    def tells(self) -> bool:
        """Whether it says something about being right: an empty or unreadable answer is wrong, a broken run is not."""
        empty = not self.failure and not self.sample.answer.strip()
        return self.value is not None or empty or self.failure.startswith(_UNREADABLE)

    def is_right(self, passing: float) -> bool:
        """Return whether the answer passes."""
        return self.value is not None and self.value >= passing


class Rerunner:
    """Runs and measures reruns side by side; what fails is a value.

    Args:
        pipeline: What answers. Only a `Pipeline` takes contexts.
        evaluator: Measures; only the target metric is used.
        target: The metric's name.
    """

    def __init__(self, pipeline: Answering, evaluator: Evaluator, target: str) -> None:
        self._pipeline = pipeline
        self._metric = next(metric for metric in evaluator.metrics if metric.name == target)
        self._evaluator = replace(evaluator, metrics=[self._metric], progress=False, prompts=False, partial=True)
        self._progress = evaluator.progress
        self._fresh: dict[int, Answering] = {0: pipeline}
        self.spent = Spent()

    @property
    def metric(self) -> Metric:
        """The target metric."""
        return self._metric

    async def run(self, reruns: Sequence[Rerun]) -> list[Asked]:
        """Return what became of each, in order; costs go into `spent`."""
        if not reruns:
            return []
        with progress_bar(len(reruns), f"diagnose: {reruns[0].condition}", self._progress) as bar:
            answered = await gather_bounded(
                lambda rerun: self._answered(rerun, bar), reruns, limit=self._evaluator.concurrency
            )
        measured = await self._measured(answered)
        self.spent = sum((asked.spent for asked in measured), self.spent)
        return measured

    async def _answered(self, rerun: Rerun, bar: Progress) -> Asked:
        pipeline = self._variant(rerun.number)
        with record("rerun", pipeline, rerun.sample.question) as recorder:
            try:
                answer, failure = await _answer(pipeline, rerun), ""
            except Exception as error:  # noqa: BLE001 - a failure is a value here, whatever broke
                answer, failure = None, f"{type(error).__name__}: {error}"
        bar.advance()
        bare = replace(rerun.sample, answer="", contexts=(), context_ids=(), abstained=None)
        sample = bare if answer is None else bare.answered(answer)
        return Asked(sample, failure=failure, spent=Spent.of(recorder.frozen()))

    def _variant(self, number: int) -> Answering:
        """Return the pipeline whose replies no cache takes for those of another repeat."""
        if number not in self._fresh:
            rewiring = Rewiring(lambda model: ReplicatedModel(model, number), lambda embedder: embedder)
            self._fresh[number] = rewiring.apply(self._pipeline)
        return self._fresh[number]

    async def _measured(self, answered: Sequence[Asked]) -> list[Asked]:
        places = [at for at, asked in enumerate(answered) if not (asked.failure or self._metric.missing(asked.sample))]
        if not places:
            return list(answered)
        samples = [replace(answered[at].sample, id=str(at)) for at in places]
        report = await self._evaluator.arun(samples)
        found = list(answered)
        for at, row in zip(places, report.rows, strict=True):
            score = row.scores[self._metric.name]
            found[at] = replace(found[at], value=score.value, spent=found[at].spent + row.judging)
        return found


async def _answer(pipeline: Answering, rerun: Rerun) -> Answer:
    if rerun.contexts is None:
        return await pipeline.arun(rerun.sample.question)
    if not isinstance(pipeline, Pipeline):
        raise TypeError("only a Pipeline can be asked with given contexts")
    return await pipeline.arun(rerun.sample.question, contexts=rerun.contexts)
