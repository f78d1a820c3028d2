"""What a diagnosis found: the two axes, the causes, the kinds of question, and what to try next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..._stats import Estimate
from ...evaluation import Report, Spent
from ...evaluation.table import Table, shortened
from .finding import Axis, CategoryFailures, Cause, CauseShare, Finding, Suggestion

__all__ = ["Diagnosis"]

_SUGGESTED, _CAUSES = 5, 3
_SHOWN = 0.005


@dataclass(frozen=True)
class Diagnosis:
    """Why a pipeline fails where it fails. Printing it draws tables.

    Attributes:
        target: The metric that says what failed.
        total: Samples with a figure or a failure, passed ones included.
        failed: Samples below the passing figure, or whose run failed.
        findings: One per failed sample, in the samples' order.
        shares: One per cause that occurs, the largest first. The intervals hold together: in 95 of 100
            diagnoses every one of them holds the true share.
        axes: Share of all samples that fail on each axis, with its interval.
        suggestions: Experiments to try next, by expected gain per cost.
        categories: How the kinds of question fare, the worst first.
        caveats: What this diagnosis cannot tell, and why, in sentences.
        report: The evaluation of the pipeline as it is.
        spent: What the reruns and their measurement took, the report not counted.
    """

    target: str
    total: int
    failed: int
    findings: Sequence[Finding]
    shares: Sequence[CauseShare]
    axes: Mapping[Axis, Estimate]
    report: Report
    suggestions: Sequence[Suggestion] = ()
    categories: Sequence[CategoryFailures] = ()
    caveats: Sequence[str] = ()
    spent: Spent = field(default_factory=Spent)

    def by_cause(self, cause: Cause) -> list[Finding]:
        """Return the failed samples with one cause, in the samples' order."""
        return [finding for finding in self.findings if finding.cause == cause]

    def share(self, cause: Cause) -> Estimate:
        """Return the share of all samples that fail for one cause; of one that does not occur: 0, no interval."""
        found = [each.share for each in self.shares if each.cause == cause]
        return found[0] if found else Estimate(0.0, None, None, self.total)

    def table(self) -> Table:
        """Return the causes as a table, the largest share first."""
        rows = [
            [share.cause, share.axis, str(share.count), _percent(share.share), _signed(share.gain)]
            for share in self.shares
            if share.count or (share.share.value or 0.0) >= _SHOWN
        ]
        headings = ("cause", "axis", "failed", "share of all [95 %]", "largest gain")
        caption = f"{self.failed} of {self.total} samples fail on {self.target}"
        return Table(headings, rows, numbers=3, caption=caption, notes=self._axes_notes())

    def __len__(self) -> int:
        """Return how many samples failed."""
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        """Walk the findings."""
        return iter(self.findings)

    def __str__(self) -> str:
        """Draw the causes, the categories, what to try next and what could not be told."""
        if not self.total:
            parts = [f"no sample has a figure of {self.target}"]
        elif not self.failed:
            parts = [f"none of {self.total} samples fails on {self.target}"]
        else:
            parts = [str(self.table()), *map(str, self._further_tables())]
        if self.caveats:
            parts.append("\n".join(["What this cannot tell:", *(f"- {caveat}" for caveat in self.caveats)]))
        return "\n\n".join(parts)

    def __repr__(self) -> str:
        """Say how big it is; `print` it to see the tables."""
        return f"<Diagnosis of {self.total} samples, {self.failed} failed on {self.target}>"

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in (self.table(), *self._further_tables()))

    def _axes_notes(self) -> list[str]:
        return [f"{axis}: {_percent(share)} of all samples" for axis, share in self.axes.items() if share.value]

    def _further_tables(self) -> Iterator[Table]:
        if self.categories:
            yield self._category_table()
        if self.suggestions:
            yield self._suggestion_table()

    def _category_table(self) -> Table:
        rows = [
            [
                shortened(category.name, 40) or "(no category)",
                _most(category.causes),
                str(category.samples),
                str(category.score),
            ]
            for category in self.categories
        ]
        given = any(category.given for category in self.categories)
        caption = "By category" if given else "By kind of question, found by clustering"
        return Table(("category", "failures", "samples", self.target), rows, numbers=2, caption=caption)

    def _suggestion_table(self) -> Table:
        shown = list(enumerate(self.suggestions[:_SUGGESTED], 1))
        rows = [
            [f"{number}. {each.name}", each.cause, f"{each.gain:+.3f}", f"{each.calls:+d}" if each.calls else "0"]
            for number, each in shown
        ]
        notes = [line for number, each in shown for line in (f"{number}. {each.why}", f"   {each.code}")]
        headings = ("next experiment", "against", "at most", "calls")
        return Table(headings, rows, numbers=2, caption="What to try next, by gain per cost", notes=notes)


def _most(causes: Mapping[Cause, int]) -> str:
    listed = [f"{count} {cause}" for cause, count in causes.items()]
    return ", ".join([*listed[:_CAUSES], *(["..."] if len(listed) > _CAUSES else [])]) or "-"


def _percent(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.0%}"
    return f"{estimate.value:.0%} [{estimate.low:.0%}, {estimate.high:.0%}]"


def _signed(estimate: Estimate) -> str:
    return "-" if estimate.value is None else f"{estimate.value:+.3f}"
