"""The engine of the evaluator: runs the pipeline and the metrics on one sample."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Protocol, runtime_checkable

from .._sync import call
from .._trace import Recorder, record
from ..errors import LlmoptError
from ..interfaces import Metric
from ..types import Answer, Sample, Score
from .keeping import Keeping, KeptRun, Measured
from .needs import excused
from .ordered import side_by_side
from .row import ModelCall, Row, Run, Spent, canonical_score, model_calls

__all__ = ["Answering", "Immediate", "Measuring"]

_NOTHING = Spent()


class Answering(Protocol):
    """What can be evaluated: a `Pipeline`, or anything of that shape."""

    async def arun(self, question: str) -> Answer:
        """Answer a question."""
        ...

    def fingerprint(self) -> str:
        """Return a hash that changes when answers may."""
        ...


@runtime_checkable
class Immediate(Protocol):
    """A metric that only computes, so quickly that handing it to a thread would cost more."""

    immediate: bool


class Measuring:
    """One run of an evaluator.

    Args:
        metrics: What to measure.
        pipeline: What answers; None when the samples come with answers.
        keeping: The journal; None: nothing is kept.
        concurrency: How many pipeline runs and measurements go on at a time.
        prompts: Whether rows keep the requests to chat models.
        partial: Whether samples may lack what a metric needs.
    """

    def __init__(
        self,
        metrics: Sequence[Metric],
        pipeline: Answering | None,
        keeping: Keeping | None,
        *,
        concurrency: int,
        prompts: bool,
        partial: bool,
    ) -> None:
        self._keeping = keeping
        self._pipeline = pipeline if keeping is None else keeping.wired(pipeline)
        self._gate = asyncio.Semaphore(concurrency)
        self._prompts = prompts
        self._partial = partial
        self._names = [metric.name for metric in metrics]
        wired = metrics if keeping is None else [keeping.wired(metric) for metric in metrics]
        self._immediate = [metric for metric in wired if isinstance(metric, Immediate) and metric.immediate]
        rest = [metric for metric in wired if not any(metric is other for other in self._immediate)]
        self._waiting = [metric for metric in rest if inspect.iscoroutinefunction(metric.measure)]
        self._blocking = [metric for metric in rest if not any(metric is other for other in self._waiting)]

    async def row(self, sample: Sample) -> Row:
        """Answer one sample, where there is a pipeline, and measure it; whatever fails is a value in the row."""
        with nullcontext() if self._keeping is None else self._keeping.scope(sample):
            if self._pipeline is None:
                return await self._row(sample, None)
            return await self._row(sample, await self._answered(self._pipeline, sample))

    async def _row(self, sample: Sample, kept: KeptRun | None) -> Row:
        run, calls = (None, ()) if kept is None else (kept.run, kept.calls)
        if kept is not None:
            sample = kept.into(sample)
        if run is not None and run.failure:
            failed = Score(None, f"the pipeline failed: {run.failure}", "failed")
            return Row(sample, dict.fromkeys(self._names, failed), run, calls=tuple(calls))
        found = await self._measured(sample)
        spent = sum((measured.spent for measured in found.values() if measured.spent is not _NOTHING), _NOTHING)
        made = [made for measured in found.values() for made in measured.calls]
        return Row(sample, {name: found[name].score for name in self._names}, run, spent, (*calls, *made))

    async def _answered(self, pipeline: Answering, sample: Sample) -> KeptRun:
        known = None if self._keeping is None else self._keeping.run_of(sample)
        if known is not None:
            return known
        async with self._gate:
            with record("answer", pipeline, sample.question) as recorder:
                try:
                    answer, failure = await pipeline.arun(sample.question), ""
                except Exception as error:  # noqa: BLE001 - a failure is a value in the report, whatever broke
                    answer, failure = None, _reason(error)
        spent, calls = self._accounted(recorder, "pipeline")
        kept = KeptRun(Run(spent, failure=failure), calls=calls) if answer is None else _kept(answer, spent, calls)
        if self._keeping is not None:
            self._keeping.keep_run(sample, kept)
        return kept

    async def _measured(self, sample: Sample) -> dict[str, Measured]:
        found = {metric.name: self._at_once(metric, sample) for metric in self._immediate}
        if self._keeping is not None:
            known = ((name, self._keeping.score_of(sample, name)) for name in self._names if name not in found)
            found |= {name: measured for name, measured in known if measured is not None}
        work = [self._awaited(metric, sample) for metric in self._waiting if metric.name not in found]
        blocking = [metric for metric in self._blocking if metric.name not in found]
        if blocking:
            work.append(self._in_one_thread(blocking, sample))
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
        return self._kept(sample, {metric.name: self._finished(metric, score, recorder)})

    async def _in_one_thread(self, metrics: Sequence[Metric], sample: Sample) -> dict[str, Measured]:
        async with self._gate:
            found = await call(self._directly, metrics, sample)
        return self._kept(sample, found)

    def _directly(self, metrics: Sequence[Metric], sample: Sample) -> dict[str, Measured]:
        return {metric.name: self._called(metric, sample) for metric in metrics}

    def _called(self, metric: Metric, sample: Sample) -> Measured:
        with record("measure", metric, sample.id) as recorder:
            score = excused(metric, sample, partial=self._partial)
            try:
                score = score or metric.score(sample)
            except Exception as error:  # noqa: BLE001 - a failure is a value in the report, whatever broke
                score = Score(None, _reason(error), "failed")
        return self._finished(metric, score, recorder)

    def _kept(self, sample: Sample, found: dict[str, Measured]) -> dict[str, Measured]:
        if self._keeping is not None:
            for name, measured in found.items():
                self._keeping.keep_score(sample, name, measured)
        return found

    def _finished(self, metric: Metric, score: Score, recorder: Recorder) -> Measured:
        spent, calls = self._accounted(recorder, metric.name)
        return Measured(canonical_score(score), spent, calls)

    def _accounted(self, recorder: Recorder, purpose: str) -> tuple[Spent, tuple[ModelCall, ...]]:
        step = recorder.frozen()
        return Spent.of(step), tuple(model_calls(step, purpose)) if self._prompts else ()


def _kept(answer: Answer, spent: Spent, calls: Sequence[ModelCall]) -> KeptRun:
    filled = Sample(question="").answered(answer)
    return KeptRun(
        Run(spent, answer.outcome, tuple(answer.citations)),
        answer=filled.answer,
        contexts=tuple(filled.contexts),
        context_ids=tuple(filled.context_ids),
        abstained=filled.abstained,
        calls=calls,
    )


def _reason(error: Exception) -> str:
    """Say what broke in one line; for what is not an error of ours also where, it is a mistake in code."""
    said = f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, LlmoptError) or not frames:
        return said
    return f"{said} (at {Path(frames[-1].filename).name}:{frames[-1].lineno})"
