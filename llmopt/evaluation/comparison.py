"""Two reports of the same samples: what changed, with an interval and the chance of a coincidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .._stats import Estimate, holm, mcnemar, mean, minimum_detectable_effect, paired_difference, permutation_test
from ..errors import SampleError
from .plotting import plot_comparison
from .row import Row
from .table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Comparison", "compare_rows", "comparison_table", "gain_text", "with_holm"]

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Comparison:
    """A metric on two reports of the same samples.

    Attributes:
        metric: The metric's name.
        baseline: Its mean on the baseline, over the samples that count.
        candidate: Its mean on the other one, over the same samples.
        difference: Candidate less baseline, paired, with its 95 % interval.
        p: Chance of a difference at least so large if the two were interchangeable.
        method: The test that gave `p`: "mcnemar" where every score is 0 or 1, else "permutation".
        better: Samples on which the candidate is better.
        worse: Samples on which it is worse.
        ties: Samples on which both are equal.
        left_out: Samples without a figure on one side or both.
        detectable: The smallest difference that so many samples show four times of five; None for fewer
            than two samples, and where samples have groups.
        adjusted: `p` adjusted for the number of comparisons made together; equal to `p` for one.
    """

    metric: str
    baseline: Estimate
    candidate: Estimate
    difference: Estimate
    p: float
    method: str
    better: int
    worse: int
    ties: int
    left_out: int
    detectable: float | None
    adjusted: float

    @property
    def significant(self) -> bool:
        """Whether the difference is more than chance at the 5 % level, all comparisons taken together."""
        return self.adjusted <= 0.05

    def plot(self) -> Figure:
        """Return a picture: both means, the paired difference with its interval, and the counts.

        Raises:
            MissingExtraError: When matplotlib is not installed.
        """
        return plot_comparison(self)

    def __str__(self) -> str:
        """Write it in one line."""
        line = f"{self.metric}: {gain_text(self.difference)}, {_chance(self.adjusted)} over {self.difference.n} samples"
        return line + (f", {self.left_out} left out" if self.left_out else "")


def compare_rows(metric: str, baseline: Sequence[Row], candidate: Sequence[Row], *, seed: int = 0) -> Comparison:
    """Return how a metric differs between two lists of rows of the same samples.

    Raises:
        SampleError: When the two are not about the same samples.
    """
    before, after = ({row.sample.id: row for row in rows} for rows in (baseline, candidate))
    _same_samples(before, after)
    pairs = [
        (first, second, before[id].sample.group or f"\0{id}")
        for id in before
        if (first := before[id].scores[metric].value) is not None
        and (second := after[id].scores[metric].value) is not None
    ]
    return _compared(metric, pairs, len(before) - len(pairs), seed)


def _compared(metric: str, pairs: Sequence[tuple[float, float, str]], left_out: int, seed: int) -> Comparison:
    first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    groups = [pair[2] for pair in pairs]
    clustered = groups if len(set(groups)) < len(groups) else None
    differences = [after - before for before, after in zip(first, second, strict=True)]
    better, worse = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    exact = clustered is None and {*first, *second} <= {0.0, 1.0}
    p = mcnemar(better, worse) if exact else permutation_test(differences, groups=clustered, seed=seed)
    return Comparison(
        metric,
        baseline=mean(first, groups=clustered),
        candidate=mean(second, groups=clustered),
        difference=paired_difference(first, second, groups=clustered),
        p=p,
        method="mcnemar" if exact else "permutation",
        better=better,
        worse=worse,
        ties=len(pairs) - better - worse,
        left_out=left_out,
        detectable=None if clustered else _detectable(differences),
        adjusted=p,
    )


def with_holm(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons with `adjusted` for having made all of them (Holm 1979)."""
    adjusted = holm([comparison.p for comparison in comparisons])
    return [replace(comparison, adjusted=p) for comparison, p in zip(comparisons, adjusted, strict=True)]


def comparison_table(comparisons: Mapping[str, Comparison], *, caption: str = "") -> Table:
    """Return the comparisons as a table, a named candidate a line."""
    rows = [
        [
            name,
            _figure(c.candidate.value),
            gain_text(c.difference),
            _chance(c.adjusted).removeprefix("p = ").removeprefix("p "),
            f"{c.better}/{c.ties}/{c.worse}",
            str(c.left_out),
        ]
        for name, c in comparisons.items()
    ]
    headings = ("candidate", "mean", "difference [95 % interval]", "p", "better/equal/worse", "left out")
    return Table(headings, rows, numbers=5, caption=caption)


def _same_samples(before: Mapping[str, Row], after: Mapping[str, Row]) -> None:
    for here, there, where in ((before, after, "candidate"), (after, before, "baseline")):
        if missing := [id for id in here if id not in there]:
            names = ", ".join(repr(id) for id in missing[:_NAMED])
            raise SampleError(
                f"a comparison needs the same samples on both sides; the {where} lacks {len(missing)} of {len(here)}: "
                f"{names}{' ...' if len(missing) > _NAMED else ''}. Evaluate both on one set"
            )
    changed = [id for id in before if before[id].sample.question != after[id].sample.question]
    if changed:
        raise SampleError(
            f"the sample {changed[0]!r} asks {before[changed[0]].sample.question[:60]!r} in the baseline and "
            f"{after[changed[0]].sample.question[:60]!r} in the candidate: give different samples different ids"
        )


def _detectable(differences: Sequence[float]) -> float | None:
    n = len(differences)
    if n < 2:
        return None
    middle = sum(differences) / n
    return minimum_detectable_effect(n, sum((d - middle) ** 2 for d in differences) / (n - 1))


def _chance(p: float) -> str:
    return "p < 0.001" if p < 0.0005 else f"p = {p:.3f}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def gain_text(estimate: Estimate) -> str:
    """Return a difference with its sign and its interval."""
    if estimate.value is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:+.3f}"
    return f"{estimate.value:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"
