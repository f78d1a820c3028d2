"""Retrieval metrics: a sample's `context_ids` against its `gold`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

from ..errors import SampleError
from ..interfaces import Metric
from ..types import Need, Sample, Score
from .ranking import (
    average_precision_of_ranking,
    distinct,
    hit_rate_at,
    ndcg_at,
    precision_at,
    recall_at,
    reciprocal_rank,
)

__all__ = ["NDCG", "AveragePrecision", "HitRate", "Precision", "Recall", "ReciprocalRank"]

_GOLD: frozenset[Need] = frozenset({"gold"})


@dataclass(repr=False, eq=False)
class Recall(Metric):
    """The share of the gold documents among the first `k` contexts; `recall@5`.

    Example:
        >>> sample = Sample(question="q", context_ids=("a", "b"), gold=("b", "c"))
        >>> Recall(k=2).score(sample).value
        0.5
    """

    needs: ClassVar[frozenset[Need]] = _GOLD
    immediate: ClassVar[bool] = True
    k: int = 5

    @property
    def name(self) -> str:
        """The name in reports."""
        return f"recall@{self.k}"

    def measure(self, sample: Sample) -> Score:
        """Return the share, 0 when nothing was retrieved."""
        return _score(sample, self.k, lambda: recall_at(sample.context_ids, sample.gold, self.k))


@dataclass(repr=False, eq=False)
class Precision(Metric):
    """The share of the first `k` places that hold a gold document; `precision@5`."""

    needs: ClassVar[frozenset[Need]] = _GOLD
    immediate: ClassVar[bool] = True
    k: int = 5

    @property
    def name(self) -> str:
        """The name in reports."""
        return f"precision@{self.k}"

    def measure(self, sample: Sample) -> Score:
        """Return the share, 0 when nothing was retrieved."""
        return _score(sample, self.k, lambda: precision_at(sample.context_ids, sample.gold, self.k))


@dataclass(repr=False, eq=False)
class HitRate(Metric):
    """Whether a gold document is among the first `k` contexts; `hit_rate@5`."""

    needs: ClassVar[frozenset[Need]] = _GOLD
    immediate: ClassVar[bool] = True
    k: int = 5

    @property
    def name(self) -> str:
        """The name in reports."""
        return f"hit_rate@{self.k}"

    def measure(self, sample: Sample) -> Score:
        """Return 1 or 0."""
        return _score(sample, self.k, lambda: hit_rate_at(sample.context_ids, sample.gold, self.k))


@dataclass(repr=False, eq=False)
class ReciprocalRank(Metric):
    """1 over the rank of the first gold document; its mean is the MRR."""

    needs: ClassVar[frozenset[Need]] = _GOLD
    immediate: ClassVar[bool] = True

    def measure(self, sample: Sample) -> Score:
        """Return the reciprocal rank, 0 when no gold document was retrieved."""
        return _score(sample, None, lambda: reciprocal_rank(sample.context_ids, sample.gold))


@dataclass(repr=False, eq=False)
class AveragePrecision(Metric):
    """The mean of the precision at every gold document's rank; its mean is the MAP."""

    needs: ClassVar[frozenset[Need]] = _GOLD
    immediate: ClassVar[bool] = True

    def measure(self, sample: Sample) -> Score:
        """Return the average precision, 0 when no gold document was retrieved."""
        return _score(sample, None, lambda: average_precision_of_ranking(sample.context_ids, sample.gold))


@dataclass(repr=False, eq=False)
class NDCG(Metric):
    """The normalised discounted cumulative gain of the first `k` contexts; `ndcg@10`.

    Args:
        k: How many ranks count.
        gains: The grade of every relevant document of a sample, by id; None: the sample's metadata
            `qrels`, where it has them (BEIR sets do), else 1 for every gold document.

    Example:
        >>> sample = Sample(question="q", context_ids=("a", "b"), gold=("b",))
        >>> round(NDCG(k=10).score(sample).value, 4)
        0.6309
    """

    needs: ClassVar[frozenset[Need]] = _GOLD
    immediate: ClassVar[bool] = True
    k: int = 10
    gains: Callable[[Sample], Mapping[str, float]] | None = None

    @property
    def name(self) -> str:
        """The name in reports."""
        return f"ndcg@{self.k}"

    def measure(self, sample: Sample) -> Score:
        """Return the gain, 0 when no relevant document was retrieved."""
        gains = _grades(sample) if self.gains is None else self.gains(sample)
        return _score(sample, self.k, lambda: ndcg_at(sample.context_ids, gains, self.k))


def _grades(sample: Sample) -> Mapping[str, float]:
    given = sample.metadata.get("qrels")
    if given is None:
        return dict.fromkeys(sample.gold, 1.0)
    if not isinstance(given, Mapping):
        raise SampleError(
            f"the sample {sample.id!r} has metadata `qrels` of type {type(given).__name__}, expected a mapping of "
            "document ids to grades"
        )
    return {str(id): float(cast(float, grade)) for id, grade in cast("Mapping[object, object]", given).items()}


def _score(sample: Sample, k: int | None, formula: Callable[[], float]) -> Score:
    if sample.contexts and not sample.context_ids:
        return Score(None, "the sample has contexts but not their ids", "undefined")
    value = formula()
    if not sample.context_ids:
        return Score(value, "nothing was retrieved")
    wanted = set(sample.gold)
    ranks = [rank for rank, id in enumerate(distinct(sample.context_ids)[:k], 1) if id in wanted]
    places = f"at rank {', '.join(map(str, ranks))}" if ranks else "among them"
    return Score(value, f"{len(ranks) or 'no'} of {len(wanted)} gold documents {places}")
