"""What metrics need and samples have: checked for a whole set before anything is paid for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import cast

from ..errors import SampleError
from ..interfaces import Metric
from ..types import Need, Sample, Score
from .row import canonical_sample
from .table import shortened

__all__ = ["FILLED_BY_PIPELINE", "check_needs", "excused", "numbered", "prepared"]

FILLED_BY_PIPELINE: frozenset[Need] = frozenset({"answer", "contexts", "context_ids"})
_TRUTH: frozenset[Need] = frozenset({"reference", "gold"})
_NAMED, _LONGEST = 5, 60


def numbered(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Yield the samples; one without an id gets its number in the set, from 1.

    Raises:
        SampleError: When something else is among them, or a file's name is given.
    """
    given = cast("Iterable[object]", samples)
    for number, sample in enumerate([given] if isinstance(given, str) else given, 1):
        if not isinstance(sample, Sample):
            said = shortened(repr(sample), _LONGEST)
            raise SampleError(f"`samples` must be `Sample`s, number {number} is {said}; load_samples(path) reads files")
        yield canonical_sample(sample if sample.id else replace(sample, id=str(number)))


def prepared(samples: Iterable[Sample]) -> list[Sample]:
    """Return the samples with ids, each id once.

    Raises:
        SampleError: When there are no samples, or two have one id.
    """
    listed = list(numbered(samples))
    if not listed:
        raise SampleError("there are no samples to evaluate")
    places: dict[str, int] = {}
    for number, sample in enumerate(listed, 1):
        if sample.id in places:
            raise SampleError(
                f"samples {places[sample.id]} and {number} both have the id {sample.id!r}: ids must be unique in a "
                "set; leave them empty to have them numbered"
            )
        places[sample.id] = number
    return listed


def check_needs(
    samples: Iterable[Sample], metrics: Sequence[Metric], *, filled: frozenset[Need], partial: bool
) -> None:
    """Hold every sample to have what every metric needs.

    Args:
        samples: The samples, before a pipeline ran.
        metrics: The metrics.
        filled: What the pipeline will fill.
        partial: Whether single samples may lack something; a need that no sample meets is still refused.

    Raises:
        SampleError: With the metrics, what they need, and the samples that lack it.
    """
    total = 0
    lacking: dict[tuple[str, Need], list[str]] = {}
    for sample in samples:
        total += 1
        for metric in metrics:
            for need in metric.missing(sample):
                if need not in filled and not _is_unanswerable_truth(sample, need):
                    lacking.setdefault((metric.name, need), []).append(sample.id)
    refused = {key: ids for key, ids in lacking.items() if not partial or len(ids) == total}
    if refused:
        lines = [
            f"`{name}` needs `{need}`, which {len(ids)} of {total} samples lack ({_names(ids)})"
            for (name, need), ids in refused.items()
        ]
        raise SampleError(
            "; ".join(lines) + ". Nothing was run. Fill it in, leave the metric out, or set `partial=True` on the "
            "evaluator to count such samples as undefined"
        )


def excused(metric: Metric, sample: Sample, *, partial: bool) -> Score | None:
    """Return the undefined score of a sample that may lack what the metric needs; None when it is to be measured."""
    missing = metric.missing(sample)
    if not missing:
        return None
    words = " and no ".join(missing)
    if all(_is_unanswerable_truth(sample, need) for need in missing):
        return Score(None, f"the sample is marked unanswerable and has no {words}", "undefined")
    return Score(None, f"the sample has no {words}", "undefined") if partial else None


def _is_unanswerable_truth(sample: Sample, need: Need) -> bool:
    return sample.answerable is False and need in _TRUTH


def _names(ids: Sequence[str]) -> str:
    return ", ".join(repr(id) for id in ids[:_NAMED]) + (" ..." if len(ids) > _NAMED else "")
