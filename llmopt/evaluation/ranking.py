"""Ranking formulas: document ids in rank order against those that are relevant.

Equal to trec_eval (and so to pytrec_eval) on rankings without repeats. An id that comes again, as when
two passages of one document are found, counts once, at its best rank; the ids below move up.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from ..errors import UsageError

__all__ = [
    "average_precision_of_ranking",
    "distinct",
    "hit_rate_at",
    "ndcg_at",
    "precision_at",
    "recall_at",
    "reciprocal_rank",
]


def distinct(ranking: Iterable[str]) -> list[str]:
    """Return the ids in rank order, each at its best rank only."""
    return list(dict.fromkeys(ranking))


def recall_at(ranking: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Return the share of the relevant documents that are among the first `k`, 0 to 1.

    Example:
        >>> recall_at(["a", "b", "c"], {"a", "c", "d"}, 2)
        0.3333333333333333
    """
    wanted = _some(relevant)
    return sum(_found(ranking, wanted)[: _rank(k)]) / len(wanted)


def precision_at(ranking: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Return the share of the first `k` places that hold a relevant document, 0 to 1; an empty place holds none."""
    return sum(_found(ranking, _some(relevant))[: _rank(k)]) / k


def hit_rate_at(ranking: Sequence[str], relevant: Collection[str], k: int) -> float:
    """Return 1 when a relevant document is among the first `k`, else 0."""
    return float(any(_found(ranking, _some(relevant))[: _rank(k)]))


def reciprocal_rank(ranking: Sequence[str], relevant: Collection[str]) -> float:
    """Return 1 over the rank of the first relevant document, 0 when there is none."""
    found = _found(ranking, _some(relevant))
    return 1.0 / (found.index(True) + 1) if True in found else 0.0


def average_precision_of_ranking(ranking: Sequence[str], relevant: Collection[str]) -> float:
    """Return the mean, over the relevant documents, of the precision at their rank; 0 for one not found."""
    wanted = _some(relevant)
    total, seen = 0.0, 0
    for rank, found in enumerate(_found(ranking, wanted), 1):
        if found:
            seen += 1
            total += seen / rank
    return total / len(wanted)


def ndcg_at(ranking: Sequence[str], gains: Mapping[str, float], k: int) -> float:
    """Return the normalised discounted cumulative gain of the first `k`, 0 to 1.

    The gain is linear and the discount log2(rank + 1), as in trec_eval; gains below 0 count as 0.

    Args:
        ranking: Ids in rank order.
        gains: Per relevant id its grade; with 1 for each it is the binary measure.
        k: How many ranks count.

    Source: Järvelin and Kekäläinen (2002), ACM TOIS 20.

    Example:
        >>> ndcg_at(["b", "a"], {"a": 3, "b": 1}, 10)
        0.7967075809905066
    """
    _some([id for id, gain in gains.items() if gain > 0])
    reached = [gains.get(id, 0.0) for id in distinct(ranking)[: _rank(k)]]
    return _discounted(reached) / _discounted(sorted(gains.values(), reverse=True)[:k])


def _discounted(gains: Sequence[float]) -> float:
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1) if gain > 0)


def _found(ranking: Sequence[str], relevant: Collection[str]) -> list[bool]:
    return [id in relevant for id in distinct(ranking)]


def _some(relevant: Collection[str]) -> set[str]:
    if not relevant:
        raise UsageError("a ranking cannot be measured against no relevant document at all")
    return set(relevant)


def _rank(k: int) -> int:
    if k < 1:
        raise UsageError(f"`k` is a number of ranks and must be at least 1, got {k}")
    return k
