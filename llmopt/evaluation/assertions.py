"""Requirements on a report, for tests: they hold, they do not hold, or so few samples cannot tell."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .._stats import normal_quantile
from ..errors import UsageError
from .report import Report
from .summary import Summary
from .table import shortened

__all__ = ["Check", "Requirement", "Unclear", "assert_evaluation", "check_evaluation"]

Unclear: TypeAlias = Literal["fail", "pass"]
Outcome: TypeAlias = Literal["holds", "does not hold", "cannot be told"]

_REQUIREMENT = re.compile(r"\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?|-?\.\d+)\s*(%?)\s*")
_SHOWN = 3
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Requirement:
    """A bound on the mean of a metric.

    Attributes:
        metric: The metric's name.
        operator: ">=", ">", "<=" or "<".
        bound: The number.
    """

    metric: str
    operator: str
    bound: float

    @classmethod
    def parse(cls, metric: str, text: str) -> Requirement:
        """Read a bound such as ">=0.8", "> 80 %" or "<0.1".

        Raises:
            UsageError: When it is none.
        """
        match = _REQUIREMENT.fullmatch(str(text))
        if match is None:
            raise UsageError(f"the requirement on {metric!r} must be like '>=0.8' or '<5%', got {text!r}")
        operator, number, percent = match.groups()
        return cls(metric, operator, float(number) / 100 if percent else float(number))

    def met_by(self, value: float) -> bool:
        """Return whether a single number meets it."""
        match self.operator:
            case ">=":
                return value >= self.bound
            case ">":
                return value > self.bound
            case "<=":
                return value <= self.bound
            case _:
                return value < self.bound

    def __str__(self) -> str:
        """Write it as one would."""
        return f"{self.metric} {self.operator} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Check:
    """What a report says of a requirement.

    Attributes:
        requirement: What was required.
        outcome: Whether the whole interval meets it, none of it does, or only a part.
        summary: The metric's figures.
        needed: About how many samples would tell, at this mean and spread; None when it is told already, or
            when the mean lies on the bound.
        lowest: Ids of the samples that speak most against it.
    """

    requirement: Requirement
    outcome: Outcome
    summary: Summary
    needed: int | None
    lowest: Sequence[str]

    def __str__(self) -> str:
        """Write it in one line."""
        line = f"{self.requirement} {self.outcome}: {self.summary}"
        if self.outcome == "cannot be told" and self.needed is not None:
            line += f"; about {self.needed:,} samples would tell"
        if self.outcome != "holds" and self.lowest:
            line += f"; look at {', '.join(self.lowest)}"
        return line


def check_evaluation(report: Report, requirements: Mapping[str, str]) -> list[Check]:
    """Return what the report says of each requirement; see `assert_evaluation`.

    Raises:
        UsageError: When a requirement is none, or the report has no such metric.
    """
    return [_check(report, Requirement.parse(metric, text)) for metric, text in requirements.items()]


def assert_evaluation(
    report: Report,
    required: Mapping[str, str] | None = None,
    /,
    *,
    unclear: Unclear = "fail",
    failed_at_most: float = 0.0,
    **requirements: str,
) -> None:
    """Assert that means meet bounds, their 95 % intervals taken into account.

    A requirement holds when the whole interval meets it and does not hold when none of it does. In between
    so few samples cannot tell, which is a failure of the test as well unless you say otherwise: a figure
    that could as well be on the other side of the bound is no evidence.

    Args:
        report: The report.
        required: Requirements by the metric's name, for names that are no Python names: `{"recall@5": ">0.9"}`.
        unclear: What becomes of a requirement of which so few samples cannot tell. With "pass" the mean
            itself must meet it.
        failed_at_most: Share of the samples that may have failed, for each of these metrics, 0 to 1.
        requirements: The same by name: `faithfulness=">=0.8"`.

    Raises:
        AssertionError: With a first line that says how many requirements are not met, then a line for each.
        UsageError: When there is no requirement, one cannot be read, or the report has no such metric.

    Example:
        >>> from llmopt.evaluation import Evaluator, ExactMatch
        >>> from llmopt.types import Sample
        >>> report = Evaluator([ExactMatch()]).run([Sample(question="q", answer="a", reference="a")])
        >>> print(check_evaluation(report, {"exact_match": ">=0.9"})[0])
        exact_match >= 0.9 cannot be told: exact_match 1.000 [0.207, 1.000] (1 of 1 scored); about 35 samples would tell
    """
    checks = check_evaluation(report, {**(required or {}), **requirements})
    if not checks:
        raise UsageError("nothing is required: assert_evaluation(report, faithfulness='>=0.8')")
    complaints = [complaint for check in checks if (complaint := _complaint(check, unclear, failed_at_most))]
    if complaints:
        lines = [f"{len(complaints)} of {len(checks)} requirements not met", *complaints]
        raise AssertionError("\n".join(lines))


def _check(report: Report, requirement: Requirement) -> Check:
    summary = report.summary(requirement.metric)
    low, high = summary.estimate.low, summary.estimate.high
    outcome: Outcome = "cannot be told"
    if low is not None and high is not None:
        met = requirement.met_by(low), requirement.met_by(high)
        outcome = "holds" if all(met) else "cannot be told" if any(met) else "does not hold"
    rows = report.worst(requirement.metric, len(report))
    against = rows if requirement.operator.startswith(">") else rows[::-1]
    wrong = [row for row in against if not requirement.met_by(row.scores[requirement.metric].value or 0.0)]
    needed = _needed(summary, requirement) if outcome == "cannot be told" else None
    return Check(requirement, outcome, summary, needed, [row.sample.id for row in wrong[:_SHOWN]])


def _needed(summary: Summary, requirement: Requirement) -> int | None:
    estimate = summary.estimate
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    gap = abs(estimate.value - requirement.bound)
    reach = estimate.value - estimate.low if estimate.value > requirement.bound else estimate.high - estimate.value
    if gap == 0:
        return None
    # Wilson's interval ends at n / (n + z^2) where all succeed; other intervals shrink with 1 / sqrt(n).
    all_or_none = estimate.method == "wilson" and estimate.value in {0.0, 1.0}
    needed = normal_quantile(0.975) ** 2 * (1 - gap) / gap if all_or_none else estimate.n * (reach / gap) ** 2
    return math.ceil(needed) if needed <= _MOST else None


def _complaint(check: Check, unclear: Unclear, failed_at_most: float) -> str:
    summary = check.summary
    if summary.failed > failed_at_most * summary.total:
        reason = next((reason for reason in summary.reasons if reason.startswith("failed")), "")
        return f"{check.requirement}: {summary.failed} of {summary.total} samples {shortened(reason, 200)}"
    if check.outcome == "holds":
        return ""
    mean = summary.mean
    tolerated = unclear == "pass" and check.outcome == "cannot be told"
    if tolerated and mean is not None and check.requirement.met_by(mean):
        return ""
    return str(check)
