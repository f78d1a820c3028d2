"""What an evaluation found: every sample with its scores, and what they add up to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from .comparison import Comparison, compare_rows
from .overview import overview_html, overview_text
from .plotting import plot_scores
from .repeats import Noise, noise_of
from .report_csv import read_csv, to_frame, write_csv  # pyright: ignore[reportUnknownVariableType]
from .report_json import read_json, write_json
from .row import Row, Spent
from .summary import Latency, Summary, by_category, latency_of, summarise

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

__all__ = ["Report"]


@dataclass(frozen=True)
class Report:
    """Samples with their scores, and the statistics over them. Printing it draws a table.

    Attributes:
        rows: One per sample, in the samples' order.
        metrics: The names of the metrics; every row has a score for each.
        title: What was evaluated, for people.
        settings: How it was made: the evaluator and the pipeline, as text.

    Example:
        >>> from llmopt.types import Sample, Score
        >>> rows = [Row(Sample(question=q, id=q), {"right": Score(v)}) for q, v in (("a", 1.0), ("b", 0.0))]
        >>> report = Report(tuple(rows), ("right",))
        >>> report.summary("right").mean, report.summary("right").scored
        (0.5, 2)
    """

    rows: Sequence[Row]
    metrics: Sequence[str]
    title: str = ""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])

    def summary(self, metric: str) -> Summary:
        """Return what one metric says: its mean with interval, n scored of n total, and why some are missing.

        Raises:
            UsageError: When the report has no such metric.
        """
        return summarise(self._known(metric), self.rows)

    def summaries(self) -> list[Summary]:
        """Return what every metric says, in the order of the metrics."""
        return [summarise(metric, self.rows) for metric in self.metrics]

    def by_category(self, metric: str) -> dict[str, Summary]:
        """Return what one metric says within each category of question, in the order of their names."""
        return by_category(self._known(metric), self.rows)

    def compare(self, baseline: Report, metric: str, *, seed: int = 0) -> Comparison:
        """Return how much better this report is than another one of the same samples.

        Samples that have no figure on one side are left out on both, and counted.

        Args:
            baseline: The report to compare with.
            metric: The metric; both must have it.
            seed: For the permutation test.

        Raises:
            UsageError: When one of the two has no such metric.
            SampleError: When the two are not about the same samples.
        """
        return compare_rows(metric, baseline._rows_with(metric), self._rows_with(metric), seed=seed)

    def noise(self, metric: str) -> Noise:
        """Return how much of a metric's spread is the judge's, from a run with `Evaluator(repeats=...)`.

        Raises:
            UsageError: When samples were measured only once, or the report has no such metric.
        """
        return noise_of(self._known(metric), self.rows)

    def where(self, keep: Callable[[Row], bool]) -> Report:
        """Return the report of the rows that `keep` wants."""
        return replace(self, rows=tuple(row for row in self.rows if keep(row)))

    def failures(self) -> list[Row]:
        """Return the rows in which the pipeline or a metric failed."""
        return [row for row in self.rows if row.failed]

    def worst(self, metric: str, count: int = 10) -> list[Row]:
        """Return the rows with the lowest scores, lowest first, ties by id; rows without a score are not among them."""
        known = self._known(metric)
        scored = [(value, row.sample.id, row) for row in self.rows if (value := row.scores[known].value) is not None]
        return [row for _, _, row in sorted(scored, key=lambda item: item[:2])[:count]]

    def latency(self) -> Latency:
        """Return how long the pipeline's runs took; failed ones and those with answers from a cache are left out."""
        timed = (row.run for row in self.rows if row.run and not row.cached)
        return latency_of(run.spent.seconds for run in timed if not run.failure)

    def spent(self) -> Spent:
        """Return what the pipeline's runs took together."""
        return sum((row.run.spent for row in self.rows if row.run), Spent())

    def judging(self) -> Spent:
        """Return what the metrics took together."""
        return sum((row.judging for row in self.rows), Spent())

    def to_json(self, path: str | PathLike[str]) -> None:
        """Write everything to a JSON file, atomically; `from_json` reads an equal report back.

        Raises:
            UsageError: When a sample's metadata or a score's details hold what has no JSON form.
            StorageError: When the file cannot be written.
        """
        write_json(Path(path), self.rows, self.metrics, self.title, self.settings)

    @classmethod
    def from_json(cls, path: str | PathLike[str]) -> Report:
        """Read a report that `to_json` wrote.

        Raises:
            StorageError: When it is not one, or of a version that this llmopt does not know.
        """
        found = read_json(Path(path))
        return cls(found.rows, found.metrics, found.title, found.settings)

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write a table with a line per sample; prompts, costs and the title are not in it.

        Per metric there are the columns `<name>`, `<name>:status`, `<name>:reason`, `<name>:verdicts` and
        `<name>:details`. Lists are JSON. A text that a spreadsheet would take for a formula gets an
        apostrophe in front, which `from_csv` takes off.
        """
        write_csv(Path(path), self.rows, self.metrics)

    @classmethod
    def from_csv(cls, path: str | PathLike[str]) -> Report:
        """Read a table that `to_csv` wrote.

        Raises:
            StorageError: When it is not one; the message names the line.
        """
        found = read_csv(Path(path))
        return cls(found.rows, found.metrics)

    def to_pandas(self) -> DataFrame:  # pyright: ignore[reportUnknownParameterType]
        """Return a pandas table with a line per sample and the columns of `to_csv`.

        Raises:
            MissingExtraError: When pandas is not installed.
        """
        return to_frame(self.rows, self.metrics)  # pyright: ignore[reportUnknownVariableType]

    def plot(self) -> Figure:
        """Return a picture of how the scores of each metric are spread, with their means.

        Raises:
            MissingExtraError: When matplotlib is not installed.
        """
        scores = {metric: [row.scores[metric].value for row in self.rows] for metric in self.metrics}
        return plot_scores({metric: [v for v in values if v is not None] for metric, values in scores.items()})

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        """Walk the rows."""
        return iter(self.rows)

    def __str__(self) -> str:
        """Draw the table of the metrics, what is missing and why, and the breakdown by category."""
        return overview_text(self)

    def __repr__(self) -> str:
        """Say how big it is; `print` it to see the table."""
        return f"<Report of {len(self.rows)} samples: {', '.join(self.metrics) or 'no metrics'}>"

    def _repr_html_(self) -> str:
        return overview_html(self)

    def _known(self, metric: str) -> str:
        if metric not in self.metrics:
            raise UsageError(f"the report has no metric {metric!r}; it has {', '.join(self.metrics) or 'none'}")
        return metric

    def _rows_with(self, metric: str) -> Sequence[Row]:
        self._known(metric)
        return self.rows
