"""Pictures for notebooks and papers, drawn by matplotlib, which is loaded only then."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Matplotlib's keyword arguments have no types.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from .._stats import Estimate
from ..errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Compared", "plot_comparison", "plot_scores"]

_ACCENT, _SOFT = "#0d6670", "#8a939c"
_BINS = 20
_ACROSS = 3


class Compared(Protocol):
    """What `plot_comparison` draws: a `Comparison`."""

    @property
    def metric(self) -> str:
        """The metric's name."""
        ...

    @property
    def baseline(self) -> Estimate:
        """Its mean on the baseline."""
        ...

    @property
    def candidate(self) -> Estimate:
        """Its mean on the candidate."""
        ...

    @property
    def difference(self) -> Estimate:
        """Candidate less baseline."""
        ...

    @property
    def better(self) -> int:
        """Samples on which the candidate is better."""
        ...

    @property
    def ties(self) -> int:
        """Samples on which both are equal."""
        ...

    @property
    def worse(self) -> int:
        """Samples on which it is worse."""
        ...


def plot_comparison(comparison: Compared) -> Figure:
    """Return both means, the paired difference with its interval, and on how many samples which one is better.

    Raises:
        MissingExtraError: When matplotlib is not installed.
    """
    figure, (means, difference, counts) = _figure(3, "Comparison.plot", widths=(2, 1, 2))
    _points(means, {"baseline": comparison.baseline, "candidate": comparison.candidate})
    means.set_title(f"mean {comparison.metric}")
    _points(difference, {"difference": comparison.difference})
    difference.axhline(0, color=_SOFT, linewidth=1)
    difference.set_title("paired difference")
    names = ("worse", "equal", "better")
    bars = counts.bar(names, (comparison.worse, comparison.ties, comparison.better), color=(_SOFT, "#d5d9dc", _ACCENT))
    counts.bar_label(bars)
    counts.margins(y=0.12)
    counts.set_title("samples")
    figure.suptitle(str(comparison), fontsize=10)
    return figure


def plot_scores(scores: Mapping[str, Sequence[float]]) -> Figure:
    """Return how the scores of each metric are spread, with their mean.

    Args:
        scores: By the metric's name; one without scores says so.

    Raises:
        MissingExtraError: When matplotlib is not installed.
    """
    figure, axes = _figure(len(scores), "Report.plot")
    for each, (metric, values) in zip(axes, scores.items(), strict=True):
        each.set_title(f"{metric}, n = {len(values)}")
        if not values:
            each.text(0.5, 0.5, "no figure", ha="center", transform=each.transAxes)
            continue
        low, high = min(0.0, *values), max(1.0, *values)
        each.hist(values, bins=_BINS, range=(low, high), color=_ACCENT)
        each.axvline(sum(values) / len(values), color="black", linewidth=1)
        each.set_ylabel("samples")
    return figure


def _figure(count: int, what: str, widths: Sequence[int] = ()) -> tuple[Figure, list[Axes]]:
    """Return a figure that a notebook shows once: as the value of its cell."""
    try:
        import matplotlib.pyplot as plt  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError(f"`{what}` needs matplotlib, which is not installed: pip install matplotlib") from error
    across = min(count, _ACROSS) or 1
    down = -(-count // across) or 1
    figure, grid = plt.subplots(
        down,
        across,
        figsize=(3.2 * across, 3.0 * down),
        layout="constrained",
        squeeze=False,
        width_ratios=widths or None,
    )
    plt.close(figure)
    axes: list[Axes] = list(grid.flat)
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
    for spare in axes[count:]:
        spare.set_axis_off()
    return figure, axes[:count]


def _points(axes: Axes, estimates: Mapping[str, Estimate]) -> None:
    for place, estimate in enumerate(estimates.values()):
        if estimate.value is None:
            continue
        low, high = (estimate.value if end is None else end for end in (estimate.low, estimate.high))
        axes.vlines(place, low, high, color=_ACCENT, linewidth=2)
        axes.plot(place, estimate.value, "o", color=_ACCENT, markersize=7)
        axes.annotate(f"{estimate.value:.3f}", (place, estimate.value), (8, 4), textcoords="offset points")
    axes.set_xticks(range(len(estimates)), list(estimates))
    axes.set_xlim(-0.6, len(estimates) - 0.4)
