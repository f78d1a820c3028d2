"""The engine of the evaluator: runs the pipeline and the metrics on samples, side by side, in order."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from .._sync import call
from .._trace import Recorder, record
from ..errors import LlmoptError
from ..interfaces import Metric
from ..types import Answer, Sample, Score
from .needs import excused
from .ordered import side_by_side
from .row import ModelCall, Row, Run, Spent, canonical_score, model_calls

__all__ = ["Answering", "Immediate", "Measured", "Measuring"]


class Answering(Protocol):
    """What can be evaluated: a `Pipeline`, or anything of that shape."""

    async def arun(self, question: str) -> Answer:
        """Answer a question."""
        ...

    def fingerprint(self) -> str:
        """Return a hash that changes when answers may."""
        ...


_NOTHING = Spent()


@runtime_checkable
class Immediate(Protocol):
    """A metric that only computes, so quickly that handing it to a thread would cost more."""

    immediate: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric's score with what it took.

    Attributes:
        score: The score.
        spent: What it took.
        calls: The requests to chat models.
    """

    score: Score
    spent: Spent = _NOTHING
    calls: Sequence[ModelCall] = ()


class Measuring:
    """One run of an evaluator.

    Args:
        metrics: What to measure.
        pipeline: What answers; None when the samples come with answers.
        gate: How many pipeline runs and measurements go on at a time.
        prompts: Whether rows keep the requests to chat models.
        partial: Whether samples may lack what a metric needs.
    """

    def __init__(
        self,
        metrics: Sequence[Metric],
        pipeline: Answering | None,
        gate: asyncio.Semaphore,
        *,
        prompts: bool,
        partial: bool,
    ) -> None:
        self._pipeline = pipeline
        self._gate = gate
        self._prompts = prompts
        self._partial = partial
        self._metrics = metrics
        self._immediate = [metric for metric in metrics if isinstance(metric, Immediate) and metric.immediate]
        self._waiting = [metric for metric in metrics if inspect.iscoroutinefunction(metric.measure)]
        rest = [*self._immediate, *self._waiting]
        self._blocking = [metric for metric in metrics if not any(metric is other for other in rest)]

    async def row(self, sample: Sample) -> Row:
        """Answer one sample, where there is a pipeline, and measure it; whatever fails is a value in the row."""
        run, calls = None, list[ModelCall]()
        if self._pipeline is not None:
            sample, run, calls = await self._answered(self._pipeline, sample)
        if run is not None and run.failure:
            failed = Score(None, f"the pipeline failed: {run.failure}", "failed")
            return Row(sample, {metric.name: failed for metric in self._metrics}, run, calls=tuple(calls))
        found = await self._measured(sample)
        scores = {metric.name: found[metric.name].score for metric in self._metrics}
        spent = sum((measured.spent for measured in found.values() if measured.spent is not _NOTHING), _NOTHING)
        calls += [made for measured in found.values() for made in measured.calls]
        return Row(sample, scores, run, spent, tuple(calls))

    async def _answered(self, pipeline: Answering, sample: Sample) -> tuple[Sample, Run, list[ModelCall]]:
        async with self._gate:
            with record("answer", pipeline, sample.question) as recorder:
                try:
                    answer, failure = await pipeline.arun(sample.question), ""
                except Exception as error:  # noqa: BLE001 - a failure is a value in the report, whatever broke
                    answer, failure = None, _reason(error)
        spent, calls = self._accounted(recorder, "pipeline")
        if answer is None:
            return sample, Run(spent, failure=failure), calls
        return sample.answered(answer), Run(spent, answer.outcome, tuple(answer.citations)), calls

    async def _measured(self, sample: Sample) -> dict[str, Measured]:
        found = {metric.name: self._at_once(metric, sample) for metric in self._immediate}
        work = [self._awaited(metric, sample) for metric in self._waiting]
        if self._blocking:
            work.append(self._in_one_thread(sample))
        for part in await side_by_side(work):
            found |= part
        return found

    def _at_once(self, metric: Metric, sample: Sample) -> Measured:
        try:
            return Measured(canonical_score(excused(metric, sample, partial=self._partial) or metric.score(sample)))
        except Exception as error:  # noqa: BLE001 - a failure is a value in the report, whatever broke
            return Measured(Score(None, _reason(error), "failed"))

    async def _awaited(self, metric: Metric, sample: Sample) -> dict[str, Measured]:
        async with self._gate:
            with record("measure", metric, sample.id) as recorder:
                score = excused(metric, sample, partial=self._partial)
                try:
                    score = score or await metric.ascore(sample)
                except Exception as error:  # noqa: BLE001 - a failure is a value in the report, whatever broke
                    score = Score(None, _reason(error), "failed")
        return {metric.name: self._finished(metric, score, recorder)}

    async def _in_one_thread(self, sample: Sample) -> dict[str, Measured]:
        async with self._gate:
            return await call(self._directly, sample)

    def _directly(self, sample: Sample) -> dict[str, Measured]:
        return {metric.name: self._called(metric, sample) for metric in self._blocking}

    def _called(self, metric: Metric, sample: Sample) -> Measured:
        with record("measure", metric, sample.id) as recorder:
            score = excused(metric, sample, partial=self._partial)
            try:
                score = score or metric.score(sample)
            except Exception as error:  # noqa: BLE001 - a failure is a value in the report, whatever broke
                score = Score(None, _reason(error), "failed")
        return self._finished(metric, score, recorder)

    def _finished(self, metric: Metric, score: Score, recorder: Recorder) -> Measured:
        spent, calls = self._accounted(recorder, metric.name)
        return Measured(canonical_score(score), spent, tuple(calls))

    def _accounted(self, recorder: Recorder, purpose: str) -> tuple[Spent, list[ModelCall]]:
        step = recorder.frozen()
        return Spent.of(step), list(model_calls(step, purpose)) if self._prompts else []


def _reason(error: Exception) -> str:
    """Say what broke in one line; for what is not an error of ours also where, it is a mistake in code."""
    said = f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, LlmoptError) or not frames:
        return said
    return f"{said} (at {Path(frames[-1].filename).name}:{frames[-1].lineno})"
