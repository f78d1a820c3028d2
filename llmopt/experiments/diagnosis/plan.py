"""What a diagnosis will take, before anything is spent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ...evaluation import Answering, Evaluator, Plan, Report
from ...evaluation.needs import prepared
from ...pipeline import Pipeline
from ...types import Planned, Sample, Usage
from .outcomes import check_arguments, check_report, outcomes_of

__all__ = ["plan_diagnosis"]


def plan_diagnosis(
    pipeline: Answering,
    samples: Iterable[Sample],
    evaluator: Evaluator,
    target: str,
    *,
    passing: float = 0.5,
    repeats: int = 3,
    report: Report | None = None,
) -> Plan:
    """Return the calls, tokens and money that `diagnose` with the same arguments will take at most.

    Without a report nobody knows yet how many samples fail: the plan takes all of them. A pipeline that
    says the same word by word takes about a third of it. What the search for lost passages and the judge
    of suspect labels take is not counted.

    Raises:
        UsageError: When the evaluator has no such metric, or the report is about other samples.
        SampleError: When there are no samples, or they lack what a metric needs.
    """
    listed = prepared(samples)
    check_arguments(evaluator, target, repeats=repeats)
    failed, items = listed, list[Planned]()
    if report is None:
        items += evaluator.plan(listed, pipeline=pipeline).items
        known = "How many samples fail is not known yet: the reruns are counted for all of them."
    else:
        check_report(report, listed, target)
        failed = [row.sample for row in outcomes_of(report, target, passing).failed]
        known = f"{len(failed)} samples fail and are asked again."
    if failed:
        metric = next(metric for metric in evaluator.metrics if metric.name == target)
        once = replace(evaluator, metrics=[metric], partial=True).plan(failed, pipeline=pipeline)
        times = repeats * (3 if isinstance(pipeline, Pipeline) else 1)
        items += [_times(item, times) for item in once.items]
    return Plan(tuple(items), len(listed), (known, "Texts of usual length stand for answers and contexts."))


def _times(item: Planned, count: int) -> Planned:
    usage = Usage(item.usage.input_tokens * count, item.usage.output_tokens * count, calls=item.usage.calls * count)
    return Planned(f"reruns, {item.what}", usage, None if item.cost is None else item.cost * count)
