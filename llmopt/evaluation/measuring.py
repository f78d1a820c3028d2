"""The engine of the evaluator: runs the pipeline and the metrics on one sample."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .._sync import call
from .._trace import Recorder, note, record
from ..errors import LlmoptError, ModelOutputError
from ..interfaces import Metric
from ..types import Answer, Sample, Score
from .coalesced import coalesced
from .gate import Gate
from .keeping import Keeping, KeptRun, Measured
from .needs import excused
from .ordered import side_by_side
from .repeats import merged, replicated
from .rewiring import Rewiring
from .row import ModelCall, Row, Run, Spent, canonical_score, model_calls

__all__ = ["Answering", "Measuring"]

_NOTHING = Spent()
_SPARE = 500  # repeats beyond this number are for measuring again


class Answering(Protocol):
    """What can be evaluated: a `Pipeline`, or anything of that shape."""

    async def arun(self, question: str) -> Answer:
        """Answer a question."""
        ...

    def fingerprint(self) -> str:
        """Return a hash that changes when answers may."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """A metric on its n-th time, from 0, and the same one with fresh replies where it asks a model."""

    metric: Metric
    repeat: int
    spare: Metric | None


@dataclass(frozen=True, slots=True)
class _Tried:
    """A score, and whether it is none because what the model said was of no use: it may say better."""

    score: Score
    useless: bool


def _tasks(metrics: Sequence[Metric], number: int) -> list[_Task]:
    spares = replicated(metrics, _SPARE + number)
    return [
        _Task(metric, number, spare if spare is not original else None)
        for original, metric, spare in zip(metrics, replicated(metrics, number), spares, strict=True)
    ]


class Measuring:
    """One run of an evaluator.

    Args:
        metrics: What to measure.
        pipeline: What answers; None when the samples come with answers.
        keeping: The journal; None: nothing is kept.
        repeats: How often every metric that does not only compute measures a sample.
        concurrency: How many pipeline runs and measurements go on at a time; those who wait for vectors that they ask
            for together with others lend their places, see `Gate`.
        prompts: Whether rows keep the requests to chat models.
        partial: Whether samples may lack what a metric needs.
    """

    def __init__(
        self,
        metrics: Sequence[Metric],
        pipeline: Answering | None,
        keeping: Keeping | None,
        *,
        repeats: int,
        concurrency: int,
        prompts: bool,
        partial: bool,
    ) -> None:
        self._keeping = keeping
        self._pipeline = pipeline if keeping is None else keeping.wired(pipeline)
        self._gate = Gate(concurrency)
        self._prompts = prompts
        self._partial = partial
        self._names = [metric.name for metric in metrics]
        together = Rewiring(lambda model: model, lambda embedder: coalesced(embedder, self._gate))
        wired = [together.apply(metric) for metric in metrics]
        if keeping is not None:
            wired = [keeping.wired(metric) for metric in wired]
        self._immediate = [metric for metric in wired if metric.immediate]
        rest = [metric for metric in wired if not metric.immediate]
        tasks = [task for number in range(repeats) for task in _tasks(rest, number)]
        self._waiting = [task for task in tasks if inspect.iscoroutinefunction(task.metric.measure)]
        self._blocking = [task for task in tasks if not inspect.iscoroutinefunction(task.metric.measure)]

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
        taken = [measured for parts in found.values() for measured in parts]
        spent = sum((measured.spent for measured in taken if measured.spent is not _NOTHING), _NOTHING)
        made = [made for measured in taken for made in measured.calls]
        scores = {name: merged([measured.score for measured in found[name]]) for name in self._names}
        return Row(sample, scores, run, spent, (*calls, *made))

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

    async def _measured(self, sample: Sample) -> dict[str, list[Measured]]:
        found = {metric.name: [self._at_once(metric, sample)] for metric in self._immediate}
        known: dict[_Task, Measured] = {}
        if self._keeping is not None:
            kept = (
                (t, self._keeping.score_of(sample, t.metric.name, t.repeat)) for t in self._waiting + self._blocking
            )
            known = {task: measured for task, measured in kept if measured is not None}
        work = [self._awaited(task, sample) for task in self._waiting if task not in known]
        blocking = [task for task in self._blocking if task not in known]
        if blocking:
            work.append(self._in_one_thread(blocking, sample))
        for part in await side_by_side(work):
            known |= part
        for task in self._waiting + self._blocking:
            found.setdefault(task.metric.name, []).append(known[task])
        return found

    def _at_once(self, metric: Metric, sample: Sample) -> Measured:
        return Measured(canonical_score(self._tried_directly(metric, sample).score))

    async def _awaited(self, task: _Task, sample: Sample) -> dict[_Task, Measured]:
        async with self._gate:
            with record("measure", task.metric, sample.id) as recorder:
                tried = await self._tried(task.metric, sample)
                if task.spare is not None and tried.useless:
                    note("measured again", tried.score.reason)
                    tried = await self._tried(task.spare, sample)
        return self._kept(sample, {task: self._finished(task.metric, tried.score, recorder)})

    async def _tried(self, metric: Metric, sample: Sample) -> _Tried:
        try:
            score = excused(metric, sample, partial=self._partial) or await metric.ascore(sample)
        except Exception as error:  # noqa: BLE001 - a failure is a value in the report, whatever broke
            return _failed(error)
        return _Tried(score, useless=score.status == "failed")

    async def _in_one_thread(self, tasks: Sequence[_Task], sample: Sample) -> dict[_Task, Measured]:
        async with self._gate:
            found = await call(self._directly, tasks, sample)
        return self._kept(sample, found)

    def _directly(self, tasks: Sequence[_Task], sample: Sample) -> dict[_Task, Measured]:
        return {task: self._called(task, sample) for task in tasks}

    def _called(self, task: _Task, sample: Sample) -> Measured:
        with record("measure", task.metric, sample.id) as recorder:
            tried = self._tried_directly(task.metric, sample)
            if task.spare is not None and tried.useless:
                note("measured again", tried.score.reason)
                tried = self._tried_directly(task.spare, sample)
        return self._finished(task.metric, tried.score, recorder)

    def _tried_directly(self, metric: Metric, sample: Sample) -> _Tried:
        try:
            score = excused(metric, sample, partial=self._partial) or metric.score(sample)
        except Exception as error:  # noqa: BLE001 - a failure is a value in the report, whatever broke
            return _failed(error)
        return _Tried(score, useless=score.status == "failed")

    def _kept(self, sample: Sample, found: dict[_Task, Measured]) -> dict[_Task, Measured]:
        if self._keeping is not None:
            for task, measured in found.items():
                self._keeping.keep_score(sample, task.metric.name, task.repeat, measured)
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


def _failed(error: Exception) -> _Tried:
    return _Tried(Score(None, _reason(error), "failed"), useless=isinstance(error, ModelOutputError))


def _reason(error: Exception) -> str:
    """Say what broke in one line; for what is not an error of ours also where, it is a mistake in code."""
    said = f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, LlmoptError) or not frames:
        return said
    return f"{said} (at {Path(frames[-1].filename).name}:{frames[-1].lineno})"
