"""One thing that was tried, with all that was measured of it, as a plain value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias

from ...errors import SampleError
from ...evaluation import Comparison, Report, Summary, with_holm
from ..ladder import Rung

__all__ = ["Decided", "Variant", "variants_of_reports", "variants_of_rungs"]

Decided: TypeAlias = Literal["keep", "drop", "undecided", ""]


@dataclass(frozen=True)
class Variant:
    """A pipeline that was evaluated.

    Attributes:
        name: What was tried.
        report: Its evaluation, with every sample; `report.settings` says how it was made.
        change: The one thing that differs from what stood, as text; empty for a baseline.
        decision: "keep", "drop" or "undecided"; empty where nobody decided.
        reason: Why.
        comparison: Of the target metric with `against`; None for a baseline, or where the samples differ.
        against: The name of the variant that it was compared with.
    """

    name: str
    report: Report
    change: str = ""
    decision: Decided = ""
    reason: str = ""
    comparison: Comparison | None = None
    against: str = ""

    @cached_property
    def seconds(self) -> float | None:
        """Median wall time of an answer; None when no pipeline ran."""
        return self.report.latency().median

    @cached_property
    def dollars(self) -> float | None:
        """Mean cost of an answer, our cache disregarded; None when no pipeline ran or a price is unknown."""
        ran = sum(row.run is not None for row in self.report.rows)
        cost = self.report.spent().cost
        return None if cost is None or not ran else cost / ran

    @cached_property
    def summaries(self) -> Mapping[str, Summary]:
        """What each metric says, by its name."""
        return {summary.metric: summary for summary in self.report.summaries()}

    def summary(self, metric: str) -> Summary | None:
        """Return what a metric says; None when it was not measured here."""
        return self.summaries.get(metric)


def variants_of_rungs(rungs: Sequence[Rung]) -> list[Variant]:
    """Return the rungs of a ladder or a search as plain values, each compared with what stood below it."""
    found: list[Variant] = []
    stands = ""
    for rung in rungs:
        change = "" if rung.change is None else str(rung.change)
        against = "" if rung.comparison is None else stands
        verdict = rung.verdict
        found.append(
            Variant(rung.name, rung.report, change, verdict.decision, verdict.reason, rung.comparison, against)
        )
        if verdict.decision == "keep":
            stands = rung.name
    return found


def variants_of_reports(reports: Mapping[str, Report], target: str) -> list[Variant]:
    """Return reports as variants, each compared with the first; the p-values are adjusted for their number (Holm)."""
    (first, baseline), *others = reports.items()
    found = [Variant(first, baseline)]
    for name, report in others:
        try:
            comparison = report.compare(baseline, target)
        except SampleError as error:
            found.append(Variant(name, report, reason=f"not compared: {error}"))
        else:
            found.append(Variant(name, report, comparison=comparison, against=first))
    adjusted = iter(with_holm([variant.comparison for variant in found if variant.comparison is not None]))
    return [replace(v, comparison=None if v.comparison is None else next(adjusted)) for v in found]
