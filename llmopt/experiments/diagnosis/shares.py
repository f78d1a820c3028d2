"""Shares of the causes and the axes, with intervals that hold together and count the doubt about single labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..._stats import Estimate, clustered_mean
from .finding import AXIS_OF, Axis, Cause, CauseShare, Finding
from .posterior import Counts

__all__ = ["Tally", "axis_shares", "cause_shares"]

_LEVEL = 0.95
_DRAWS = 40_000
_AXES: tuple[Axis, ...] = ("context", "behaviour", "measurement")


@dataclass(frozen=True)
class Tally:
    """The failed samples, counted.

    Attributes:
        findings: One per failed sample.
        scores: The target metric of each; None where it has none.
        counts: Per cause, how many of the samples have it, once per draw of what the readings allow.
        total: All samples, those that pass included.
        right: What a right sample scores: the mean of those that pass.
        groups: Per cause, the divisor for samples of one group that fail alike; 1 where there are no groups.
    """

    findings: Sequence[Finding]
    scores: Sequence[float | None]
    counts: Mapping[Cause, Counts]
    total: int
    right: float
    groups: Sequence[str] | None = None


def cause_shares(tally: Tally, *, seed: int = 0) -> list[CauseShare]:
    """Return one share per cause that a sample may have, the largest first, equal ones in the order of the tree.

    The intervals are Clopper's and Pearson's, mixed over the draws of the counts, so that they carry both
    the doubt about the labels and the chance of the sample; they are widened (Bonferroni) to hold all at
    once with 95 %. Samples that have groups count as fewer (design effect).

    Source: Clopper and Pearson (1934), Biometrika 26.
    """
    level = 1 - (1 - _LEVEL) / max(1, len(tally.counts))
    found = [_share(cause, tally, level, seed) for cause in AXIS_OF if cause in tally.counts]
    return sorted(found, key=lambda each: -(each.share.value or 0.0))


def axis_shares(tally: Tally, *, seed: int = 0) -> dict[Axis, Estimate]:
    """Return the share of all samples that fail on each axis, with intervals that hold together."""
    level = 1 - (1 - _LEVEL) / len(_AXES)
    found: dict[Axis, Estimate] = {}
    for axis in _AXES:
        members = [counts for cause, counts in tally.counts.items() if AXIS_OF[cause] == axis]
        drawn = sum(members, np.zeros(1, np.int64))
        fails = [finding.axis == axis for finding in tally.findings]
        found[axis] = _interval(drawn, tally, level, fails, seed)
    return found


def _share(cause: Cause, tally: Tally, level: float, seed: int) -> CauseShare:
    fails = [finding.cause == cause for finding in tally.findings]
    share = _interval(tally.counts[cause], tally, level, fails, seed)
    scores = [score or 0.0 for score, failed in zip(tally.scores, fails, strict=True) if failed]
    lift = max(0.0, tally.right - (sum(scores) / len(scores) if scores else 0.0))
    return CauseShare(cause, sum(fails), share, _scaled(share, lift))


def _interval(drawn: Counts, tally: Tally, level: float, fails: Sequence[bool], seed: int) -> Estimate:
    """Return the mean of the counts as a share, and the ends that 95 % of all possible worlds lie between."""
    value = float(drawn.mean()) / tally.total
    effect = _design_effect(fails, tally)
    random = np.random.default_rng(seed)
    hits = np.resize(drawn, max(_DRAWS, len(drawn))) / effect
    misses = tally.total / effect - hits
    lows = np.where(hits > 0, random.beta(np.maximum(hits, 1e-9), misses + 1), 0.0)
    highs = np.where(misses > 0, random.beta(hits + 1, np.maximum(misses, 1e-9)), 1.0)
    low = float(np.quantile(lows, (1 - level) / 2))
    high = float(np.quantile(highs, (1 + level) / 2))
    return Estimate(value, min(low, value), max(high, value), tally.total, "simultaneous", _LEVEL)


def _design_effect(fails: Sequence[bool], tally: Tally) -> float:
    """Return by how much samples that come in groups say less than as many independent ones; at least 1."""
    if tally.groups is None or len(set(tally.groups)) in {0, 1, len(tally.groups)}:
        return 1.0
    values = [*map(float, fails), *[0.0] * (tally.total - len(fails))]
    clustered, plain = clustered_mean(values, tally.groups), clustered_mean(values, list(map(str, range(tally.total))))
    if None in {clustered.low, clustered.high, plain.low, plain.high}:
        return 1.0
    width, usual = (clustered.high or 0.0) - (clustered.low or 0.0), (plain.high or 0.0) - (plain.low or 0.0)
    return max(1.0, (width / usual) ** 2) if usual > 0 else 1.0


def _scaled(share: Estimate, lift: float) -> Estimate:
    ends = [None if end is None else end * lift for end in (share.value, share.low, share.high)]
    return Estimate(ends[0], ends[1], ends[2], share.n, share.method, share.level)
