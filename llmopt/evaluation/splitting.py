"""Cutting a set of samples into parts that share nothing."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from ..errors import SampleError, UsageError
from ..types import Sample
from .needs import numbered
from .overlap import find_duplicates

__all__ = ["split_samples"]


def split_samples(
    samples: Sequence[Sample],
    shares: Mapping[str, float],
    *,
    apart: float | None = 0.8,
    seed: int = 0,
) -> dict[str, list[Sample]]:
    """Return the samples in parts, such that no group and no pair of near-duplicates is in two of them.

    Within that, every category is spread over the parts in the wanted shares. Where groups are large the
    shares cannot be met exactly. The order within a part is that of the samples, and each sample is in
    exactly one part; one without an id gets its number in the set.

    Args:
        samples: The samples; those with the same `group` stay together.
        shares: By the part's name, the share of the samples that it gets; they are made to sum to 1.
        apart: Samples whose questions are at least so alike stay together (see `find_duplicates`); None:
            do not look.
        seed: Another seed gives another split.

    Raises:
        UsageError: When there are no parts or a share is not above 0.
        SampleError: When two samples have one id.

    Example:
        >>> samples = [Sample(question=f"What is the number {n}?", id=str(n), group=str(n // 2)) for n in range(8)]
        >>> parts = split_samples(samples, {"train": 3, "test": 1}, apart=None)
        >>> len(parts["train"]), len(parts["test"])
        (6, 2)
    """
    wanted = _normal(shares)
    samples = list(numbered(samples))
    counts = Counter(sample.id for sample in samples)
    twice = [id for id, count in counts.items() if count > 1]
    if twice:
        raise SampleError(f"{len(twice)} ids are given twice, the first is {twice[0]!r}: a part could not be told")
    totals = Counter(sample.category for sample in samples)
    filled: dict[str, Counter[str]] = {part: Counter() for part in wanted}
    place: dict[str, str] = {}
    for cluster in _clusters(samples, apart, seed):
        part = max(wanted, key=lambda part: _lack(cluster, totals, filled[part], wanted[part]))
        filled[part].update(sample.category for sample in cluster)
        place |= {sample.id: part for sample in cluster}
    return {part: [sample for sample in samples if place[sample.id] == part] for part in wanted}


def _normal(shares: Mapping[str, float]) -> dict[str, float]:
    total = sum(shares.values())
    if not shares or not all(share > 0 for share in shares.values()):
        raise UsageError(f"`shares` names parts with shares above 0, got {dict(shares)}")
    return {part: share / total for part, share in shares.items()}


def _lack(cluster: Sequence[Sample], totals: Mapping[str, int], filled: Mapping[str, int], share: float) -> float:
    """How much of its share a part still lacks, in the cluster's categories."""
    return sum(share - filled[sample.category] / totals[sample.category] for sample in cluster)


def _clusters(samples: Sequence[Sample], apart: float | None, seed: int) -> list[list[Sample]]:
    """What must stay together, the largest first, else in an order that depends on the seed."""
    leader = {sample.id: sample.id for sample in samples}

    def lead(id: str) -> str:
        while leader[id] != id:
            leader[id] = id = leader[leader[id]]
        return id

    first_of: dict[str, str] = {}
    for sample in samples:
        if sample.group:
            leader[lead(sample.id)] = lead(first_of.setdefault(sample.group, sample.id))
    for pair in find_duplicates(samples, threshold=apart) if apart is not None else ():
        leader[lead(pair.first)] = lead(pair.second)
    members: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        members[lead(sample.id)].append(sample)
    return sorted(members.values(), key=lambda cluster: (-len(cluster), _order(cluster, seed)))


def _order(cluster: Sequence[Sample], seed: int) -> str:
    return hashlib.sha256(f"{seed}\0{min(sample.id for sample in cluster)}".encode()).hexdigest()
