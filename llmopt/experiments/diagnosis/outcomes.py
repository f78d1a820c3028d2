"""Which samples of a report fail, which pass, and of which nobody can say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import UsageError
from ...evaluation import Evaluator, Report, Row
from ...types import Sample

__all__ = ["Outcomes", "check_arguments", "check_report", "outcomes_of"]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The rows of a report, sorted.

    Attributes:
        failed: Below the passing figure, broken, or with an empty answer.
        passed: At the passing figure or above.
        left_out: Without a figure by the definition of the metric.
    """

    failed: Sequence[Row]
    passed: Sequence[Row]
    left_out: Sequence[Row]


def outcomes_of(report: Report, target: str, passing: float) -> Outcomes:
    """Sort the rows of a report by what a metric says of them."""
    failed: list[Row] = []
    passed: list[Row] = []
    left_out: list[Row] = []
    for row in report.rows:
        score = row.scores[target]
        silent = row.run is not None and not row.sample.answer.strip()
        if score.value is not None:
            (passed if score.value >= passing else failed).append(row)
        elif score.status == "failed" or silent:
            failed.append(row)
        else:
            left_out.append(row)
    return Outcomes(failed, passed, left_out)


def check_arguments(evaluator: Evaluator, target: str, **numbers: int) -> None:
    """Refuse a target that is not measured, and numbers below 1.

    Raises:
        UsageError: With what came and what was expected.
    """
    names = [metric.name for metric in evaluator.metrics]
    if target not in names:
        raise UsageError(f"the diagnosis' target {target!r} is not measured; the evaluator has {names}")
    for name, value in numbers.items():
        if value < 1:
            raise UsageError(f"`{name}` must be at least 1, got {value}")


def check_report(report: Report, samples: Sequence[Sample], target: str) -> None:
    """Refuse a report of other samples, or without the metric.

    Raises:
        UsageError: With how many do not fit.
    """
    report.summary(target)
    told, asked = {row.sample.id for row in report.rows}, {sample.id for sample in samples}
    if told != asked:
        raise UsageError(
            f"the report is not about these samples: {len(told - asked)} of its {len(told)} rows are about others, and "
            f"{len(asked - told)} of {len(asked)} samples are not in it. Give the samples that it was made from"
        )
