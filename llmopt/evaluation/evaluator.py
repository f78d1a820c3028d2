"""The evaluator: metrics over samples, with the pipeline that answers them where there is one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import cast

from .._progress import Progress, progress_bar
from .._sync import iterate_sync, run_sync
from ..errors import UsageError
from ..interfaces import Component, Metric
from ..types import Need, Sample
from .journal import Journal
from .keeping import Keeping
from .measuring import Answering, Measuring
from .needs import FILLED_BY_PIPELINE, check_needs, numbered, prepared
from .ordered import in_order
from .overview import money
from .plan import Plan, plan_evaluation
from .report import Report
from .row import Row
from .table import shortened

__all__ = ["Evaluator"]

_OPEN_PER_PLACE = 4
_LONGEST_SETTING = 2000


@dataclass(repr=False, eq=False)
class Evaluator(Component):
    """Measures answered samples, or a pipeline on samples; whatever fails is counted with its reason.

    Args:
        metrics: What to measure; their names must differ.
        concurrency: Pipeline runs and measurements under way at a time, all together. While some wait for vectors that
            one request brings for many samples others begin in their places, so that it may be fewer than twice as
            many for a moment; with 1 it is strictly one after the other.
        repeats: How often every metric that asks a model measures a sample; the score is the mean, and
            `report.noise` tells the judge's noise from the samples' own spread.
        partial: Whether single samples may lack what a metric needs; such scores are undefined, and
            counted. A need that no sample meets is refused all the same.
        prompts: Whether the report keeps every request to a chat model with its reply.
        progress: Show a bar; None: on a terminal or in a notebook only.

    Example:
        >>> from llmopt.evaluation import ExactMatch
        >>> samples = [Sample(question="1+1?", answer="2", reference="2")]
        >>> Evaluator([ExactMatch()]).run(samples).summary("exact_match").mean
        1.0
    """

    metrics: Sequence[Metric]
    concurrency: int = 16
    repeats: int = 1
    partial: bool = False
    prompts: bool = True
    progress: bool | None = None

    def run(
        self,
        samples: Iterable[Sample],
        *,
        pipeline: Answering | None = None,
        title: str = "",
        journal: str | PathLike[str] | None = None,
        retry_failed: bool = False,
    ) -> Report:
        """Return the report on the samples.

        A pipeline run or a metric that fails is a failed score with its reason; the run goes on. A metric
        that fails because the model's replies could not be used is measured once more, with fresh replies. A sample
        marked unanswerable need have neither reference nor gold: metrics that need them are undefined
        there.

        Args:
            samples: Answered ones; with a pipeline: questions.
            pipeline: Runs first and fills answers and contexts.
            title: What is evaluated, for the report.
            journal: A file to which every finished run, score and model reply goes the moment it is there.
                Running again with the same file, after a crash, Ctrl-C or kill -9, takes up what is in it
                and pays only for what is missing; what was changed (the pipeline, its documents, a metric,
                a sample) is run anew.
            retry_failed: Ask models afresh where something failed before. Else what failed is tried again
                too, but from the replies that were already paid for.

        Raises:
            SampleError: When a metric needs what a sample lacks, ids are given twice, or there are no
                samples; nothing was run then.
            UsageError: When two metrics have one name, or there is none.
            StorageError: When the journal is in use by another run, is damaged, or the disk is full.
        """
        return run_sync(self.arun, samples, pipeline=pipeline, title=title, journal=journal, retry_failed=retry_failed)

    async def arun(
        self,
        samples: Iterable[Sample],
        *,
        pipeline: Answering | None = None,
        title: str = "",
        journal: str | PathLike[str] | None = None,
        retry_failed: bool = False,
    ) -> Report:
        """Return the report on the samples; the async twin of `run`."""
        listed = prepared(samples)
        with self._keeping(journal, pipeline, retry_failed=retry_failed) as keeping:
            rows = [row async for batch in self._batches(listed, pipeline, keeping) for row in batch]
        names = tuple(metric.name for metric in self.metrics)
        return Report(tuple(rows), names, title, self._settings(pipeline))

    def stream(
        self,
        samples: Iterable[Sample],
        *,
        pipeline: Answering | None = None,
        journal: str | PathLike[str] | None = None,
        retry_failed: bool = False,
    ) -> Iterator[Row]:
        """Yield one row per sample, in their order, in bounded memory however many there are.

        A set that can be walked twice (a list, `read_samples`) is checked before anything is run. Of a
        generator every sample is checked as it comes: where a metric needs what it lacks, that score fails.
        The arguments are those of `run`.
        """
        batches = iterate_sync(lambda: self._streamed(samples, pipeline, journal, retry_failed=retry_failed))
        return (row for batch in batches for row in batch)

    async def astream(
        self,
        samples: Iterable[Sample],
        *,
        pipeline: Answering | None = None,
        journal: str | PathLike[str] | None = None,
        retry_failed: bool = False,
    ) -> AsyncIterator[Row]:
        """Yield one row per sample, in their order; the async twin of `stream`."""
        async for batch in self._streamed(samples, pipeline, journal, retry_failed=retry_failed):
            for row in batch:
                yield row

    async def _streamed(
        self,
        samples: Iterable[Sample],
        pipeline: Answering | None,
        journal: str | PathLike[str] | None,
        *,
        retry_failed: bool,
    ) -> AsyncIterator[list[Row]]:
        with self._keeping(journal, pipeline, retry_failed=retry_failed) as keeping:
            async for batch in self._batches(_renumbered(samples), pipeline, keeping):
                yield batch

    @contextmanager
    def _keeping(
        self, journal: str | PathLike[str] | None, pipeline: Answering | None, *, retry_failed: bool
    ) -> Generator[Keeping | None, None, None]:
        self._check()
        if journal is None:
            yield None
            return
        with Journal(journal) as opened:
            yield Keeping(opened, self.metrics, pipeline, retry_failed=retry_failed)

    def plan(
        self,
        samples: Iterable[Sample],
        *,
        pipeline: Answering | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> Plan:
        """Return the calls, tokens and money that `run` will take at most; nothing is spent.

        Args:
            samples: As for `run`; they are checked as there.
            pipeline: As for `run`. Its answers are not known yet: texts of usual length stand for them.
            journal: As for `run`: what it holds already is not counted.

        Raises:
            SampleError: When a metric needs what a sample lacks.
            StorageError: When the journal cannot be used.
        """
        listed = prepared(samples)
        # A file that is not there holds nothing, and planning makes none.
        there = journal if journal is not None and Path(journal).exists() else None
        with self._keeping(there, pipeline, retry_failed=False) as keeping:
            check_needs(listed, self.metrics, filled=_filled_by(pipeline), partial=self.partial)
            return plan_evaluation(listed, self.metrics, pipeline, keeping, repeats=self.repeats, partial=self.partial)

    async def _batches(
        self, samples: Iterable[Sample], pipeline: Answering | None, keeping: Keeping | None
    ) -> AsyncIterator[list[Row]]:
        if not isinstance(samples, Iterator):
            check_needs(samples, self.metrics, filled=_filled_by(pipeline), partial=self.partial)
        measuring = Measuring(
            self.metrics,
            pipeline,
            keeping,
            repeats=self.repeats,
            concurrency=self.concurrency,
            prompts=self.prompts,
            partial=self.partial,
        )
        total = len(samples) if isinstance(samples, Sized) else None
        with progress_bar(total, "evaluate", self.progress) as bar:
            told = _Told(bar)
            async for batch in in_order(measuring.row, samples, window=_OPEN_PER_PLACE * self.concurrency):
                told.of(batch)
                yield batch

    def _check(self) -> None:
        for item in cast("Sequence[object]", self.metrics):
            if not isinstance(item, Metric):
                raise UsageError(f"`metrics` must be metrics, such as ExactMatch(), got {item!r}")
        names = [metric.name for metric in self.metrics]
        if not names:
            raise UsageError("an evaluator needs at least one metric")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UsageError(f"two metrics have the name {twice[0]!r}; the report could not tell them apart")
        for name, value in (("concurrency", self.concurrency), ("repeats", self.repeats)):
            if value < 1:
                raise UsageError(f"`{name}` must be at least 1, got {value}")

    def _settings(self, pipeline: Answering | None) -> dict[str, str]:
        settings = {"evaluator": shortened(repr(self), _LONGEST_SETTING)}
        if pipeline is not None:
            settings |= {"pipeline": shortened(repr(pipeline), _LONGEST_SETTING), "fingerprint": pipeline.fingerprint()}
        return settings


def _filled_by(pipeline: Answering | None) -> frozenset[Need]:
    return FILLED_BY_PIPELINE if pipeline is not None else frozenset()


class _Told:
    """What the bar says beside the count: money and failures so far."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._cost: float | None = 0.0
        self._failed = 0
        self._said = ""

    def of(self, rows: Sequence[Row]) -> None:
        for row in rows:
            costs = [row.judging.paid, row.run.spent.paid if row.run else 0.0]
            self._cost = None if self._cost is None or None in costs else self._cost + sum(filter(None, costs))
            self._failed += row.failed
        self._bar.advance(len(rows))
        parts = [money(self._cost)] if self._cost is None or self._cost > 0 else []
        parts += [f"{self._failed} failed"] if self._failed else []
        said = ", ".join(parts)
        if said != self._said:
            self._bar.say(said)
        self._said = said


class _Renumbered(Iterable[Sample]):
    """A set that can be walked again and again, with ids."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = samples

    def __iter__(self) -> Iterator[Sample]:
        return numbered(self._samples)


def _renumbered(samples: Iterable[Sample]) -> Iterable[Sample]:
    return numbered(samples) if isinstance(samples, Iterator) else _Renumbered(samples)
