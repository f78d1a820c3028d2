"""A study: everything that was tried and found, as one value to keep, to show and to check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from ...errors import UsageError
from ...evaluation import Comparison, Report
from ...evaluation.assertions import Unclear
from ..diagnosis import Diagnosis
from ..ladder import Rung
from .content import StudyContent
from .junit import write_junit
from .page import write_page
from .saved import read_study, write_study
from .variant import Variant, variants_of_reports, variants_of_rungs

__all__ = ["Study"]


@dataclass(frozen=True)
class Study(StudyContent):
    """What was tried, what it brought, and why samples still fail: a page for people, JSON, and JUnit for CI.

    It holds no pipelines, only what was measured of them, so a file brings all of it back.

    Example:
        >>> from llmopt.evaluation import Evaluator, ExactMatch
        >>> from llmopt.types import Sample
        >>> samples = [Sample(question=f"{n} + 1?", reference=f"{n + 1}", id=str(n)) for n in range(20)]
        >>> answered = {
        ...     name: Evaluator([ExactMatch()], progress=False).run(
        ...         [replace(sample, answer=str(int(sample.id) + add)) for sample in samples]
        ...     )
        ...     for name, add in (("old", 0), ("new", 1))
        ... }
        >>> study = Study.of_reports(answered, "exact_match", title="Sums")
        >>> study.variants[study.top].name, study.variants[1].comparison.significant
        ('new', True)
    """

    @classmethod
    def of_rungs(
        cls,
        rungs: Sequence[Rung],
        target: str,
        *,
        title: str = "",
        confirmation: Comparison | None = None,
        diagnosis: Diagnosis | None = None,
    ) -> Study:
        """Gather a climb: the rungs of a ladder or of a search.

        Args:
            rungs: In the order in which they were tried, the baseline first: `ladder.rungs`.
            target: The name of the metric that decides: `ladder.target`.
            title: What was studied, for people.
            confirmation: What `confirm` said: `ladder.confirmed`.
            diagnosis: Of the pipeline that stands.

        Raises:
            UsageError: When there are no rungs, or one was not measured by the target metric.
        """
        return cls._made(variants_of_rungs(rungs), target, title, confirmation, diagnosis)

    @classmethod
    def of_reports(
        cls, reports: Mapping[str, Report], target: str, *, title: str = "", diagnosis: Diagnosis | None = None
    ) -> Study:
        """Gather reports by name, each compared with the first; a diagnosis alone goes with its own report.

        The p-values are adjusted for the number of comparisons (Holm). A report of other samples than the
        first one's is shown and not compared.

        Args:
            reports: One or more.
            target: The name of the metric that is compared.
            title: What was studied, for people.
            diagnosis: Of one of them.

        Raises:
            UsageError: When there are no reports, or one has no such metric.
        """
        _check({name: report.metrics for name, report in reports.items()}, target)
        return cls._made(variants_of_reports(reports, target), target, title, None, diagnosis)

    @classmethod
    def from_json(cls, path: str | PathLike[str]) -> Study:
        """Read a study that `to_json` wrote.

        Raises:
            StorageError: When it is not one, or of a version that this llmopt does not know.
        """
        return read_study(cls, Path(path))

    def to_json(self, path: str | PathLike[str]) -> None:
        """Write everything to a JSON file, atomically; `from_json` reads an equal study back.

        Raises:
            UsageError: When a sample's metadata or a score's details hold what has no JSON form.
            StorageError: When the file cannot be written.
        """
        write_study(Path(path), self)

    def to_html(self, path: str | PathLike[str]) -> None:
        """Write one HTML file that needs nothing else: opened from the disk, in any browser of since 2023.

        It shows the climb, the map of the two axes, quality against cost, metrics, categories, what to try
        next, and every sample down to its prompts. Whatever a sample holds shows as text; nothing is sent
        anywhere.

        Raises:
            StorageError: When the file cannot be written.
        """
        write_page(Path(path), self)

    def to_junit(
        self,
        path: str | PathLike[str],
        required: Mapping[str, str] | None = None,
        *,
        unclear: Unclear = "fail",
        passing: float | None = None,
    ) -> None:
        """Write test results in the form that CI services read, atomically.

        There is a suite for the steps (dropped and undecided ones are skipped tests), one for the
        requirements on what stands, and, where asked for, one for its samples.

        Args:
            path: The file.
            required: Bounds on means by the metric's name, as for `assert_evaluation`: `{"faithfulness": ">=0.8"}`.
            unclear: What becomes of a requirement of which so few samples cannot tell.
            passing: Write a test per sample too, failed where its target metric is lower than this.

        Raises:
            UsageError: When a requirement cannot be read, or was not measured.
            StorageError: When the file cannot be written.
        """
        write_junit(Path(path), self, required or {}, unclear, passing)

    @classmethod
    def _made(
        cls,
        variants: Sequence[Variant],
        target: str,
        title: str,
        confirmation: Comparison | None,
        diagnosis: Diagnosis | None,
    ) -> Study:
        _check({variant.name: variant.report.metrics for variant in variants}, target)
        plain = None if diagnosis is None else _plain(diagnosis)
        return cls(title or f"Study of {target}", target, tuple(variants), confirmation, plain)

    def __repr__(self) -> str:
        """Say how big it is."""
        names = ", ".join(variant.name for variant in self.variants)
        return f"<Study {self.title!r} of {len(self.variants)} variants by {self.target}: {names}>"


def _check(metrics: Mapping[str, Sequence[str]], target: str) -> None:
    if not metrics:
        raise UsageError(
            "a study needs something that was evaluated: give the rungs of a ladder that was begun, or reports"
        )
    for name, measured in metrics.items():
        if target not in measured:
            raise UsageError(f"{name!r} was not measured by {target!r}; it has {', '.join(measured) or 'no metrics'}")


def _plain(diagnosis: Diagnosis) -> Diagnosis:
    """Return the diagnosis without pipelines in it and without a second copy of the samples."""
    return replace(
        diagnosis,
        report=replace(diagnosis.report, rows=()),
        findings=tuple(diagnosis.findings),
        shares=tuple(diagnosis.shares),
        suggestions=tuple(replace(suggestion, changes={}) for suggestion in diagnosis.suggestions),
        categories=tuple(diagnosis.categories),
        caveats=tuple(diagnosis.caveats),
    )
