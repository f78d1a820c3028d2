"""Whether a map of the queries is worth keeping, and what it brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._stats import Estimate, paired_difference
from ..types import Matrix
from ._labels import Floats
from ._pairs import Pairs, folds_of
from ._top import Positions
from .maps import Learning

__all__ = ["AdapterReport", "HeldOut", "Trial", "judged", "validated"]

_LEAST_QUERIES = 20


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Queries that were not learnt from, ranked without and with the map.

    Attributes:
        before: Mean nDCG@10 without.
        after: Mean nDCG@10 with.
        gain: The difference with its interval; queries that share documents count as one group.
    """

    before: float
    after: float
    gain: Estimate

    @classmethod
    def of(cls, before: Floats, after: Floats, groups: Sequence[str]) -> HeldOut | None:
        """Compare the gains of queries; None where there are none."""
        if not len(before):
            return None
        return cls(float(before.mean()), float(after.mean()), paired_difference(before, after, groups=groups))

    @property
    def harmed(self) -> bool:
        """Whether the mean falls."""
        return self.gain.value is not None and self.gain.value < 0

    @property
    def wins(self) -> bool:
        """Whether the gain is beyond its error bar, on queries enough."""
        # What is judged was often picked for its gain, which with a handful of queries makes luck look like one.
        return self.gain.n >= _LEAST_QUERIES and self.gain.low is not None and self.gain.low > 0

    def __str__(self) -> str:
        """Write both figures and the gain."""
        return f"nDCG@10 {self.before:.3f} -> {self.after:.3f}, gain {self.gain} over {self.gain.n} queries"


@dataclass(frozen=True, slots=True)
class AdapterReport:
    """What came out of fitting an adapter.

    Attributes:
        kept: Whether the map is used; if not, the embedder is used as it is.
        reason: Why.
        strength: How far along its path the map goes, 0 to 1; the strongest that does unseen documents
            no harm on average.
        unseen: Held-out queries about documents that no query learnt from is about: what new documents
            may expect. None where there were none.
        seen: Held-out queries about documents that other queries, learnt from, are about: what new
            questions on known documents may expect. None where there were none.
        queries: Labelled queries.
        documents: Documents that were ranked.
    """

    kept: bool
    reason: str
    strength: float
    unseen: HeldOut | None
    seen: HeldOut | None
    queries: int
    documents: int

    def __str__(self) -> str:
        """Say in a few lines what a user must know."""
        return "\n".join([
            f"{'kept' if self.kept else 'not kept'}: {self.reason}",
            f"questions on documents without labelled questions: {self.unseen or 'none held out'}",
            f"questions on documents with labelled questions: {self.seen or 'none held out'}",
        ])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trial:
    """The report, how many points of the path to go, and the map of the last fold there."""

    report: AdapterReport
    points: int
    map: Matrix | None


@dataclass(slots=True)
class _Measured:
    """Gains of held-out queries: without a map, and per point of the path with it."""

    groups: list[str]
    before: list[Floats]
    after: list[list[Floats]]

    def held_out(self, point: int) -> HeldOut | None:
        """Return what the map at a point does to these queries; None where there are none."""
        after = [gains[point] for gains in self.after]
        return HeldOut.of(np.concatenate(self.before), np.concatenate(after), self.groups) if after else None


def validated(pairs: Pairs, groups: Positions, learning: Learning, seed: int, *, must_generalise: bool) -> Trial:
    """Learn with queries held out and return how far to go, if at all.

    The point of the path is the one of the best mean gain over a mix of both kinds of queries, as
    frequent as among the labels, among the points that do queries on unseen documents no harm on average.
    """
    unseen, seen = _Measured([], [], []), _Measured([], [], [])
    last: list[Matrix] = []
    for fold in folds_of(pairs, groups, seed):
        pool = pairs.validated(np.concatenate([fold.unseen, fold.seen]), seed)
        last = list(learning.path(pairs, fold.train, learning.points)) if len(fold.train) else []
        for measured, chosen in ((unseen, fold.unseen), (seen, fold.seen)):
            if len(chosen) and last:
                measured.groups += [str(group) for group in groups[chosen].tolist()]
                measured.before.append(pairs.gains(chosen, None, pool))
                measured.after.append([pairs.gains(chosen, map, pool) for map in last])
    mix = _share_seen(pairs)
    trials = [(unseen.held_out(point), seen.held_out(point)) for point in range(learning.points)]
    harmless = [point for point, (held, _) in enumerate(trials) if held is not None and not held.harmed]
    values = [mix * _value(known) + (1 - mix) * _value(new) for new, known in trials]
    best = max(harmless, key=values.__getitem__, default=0)
    report = judged(pairs, *trials[best], (best + 1) / learning.points, must_generalise=must_generalise)
    return Trial(report, best + 1, last[best] if last else None)


def _value(held: HeldOut | None) -> float:
    return 0.0 if held is None or held.gain.value is None else held.gain.value


def _share_seen(pairs: Pairs) -> float:
    """Return the share of queries all of whose documents have another query, too."""
    everything = np.arange(len(pairs.starts) - 1)
    places, documents = pairs.labels(everything)
    alone = np.bincount(documents, minlength=len(pairs.documents))[documents] < 2
    return 1 - len(np.unique(places[alone])) / len(everything)


def judged(
    pairs: Pairs, unseen: HeldOut | None, seen: HeldOut | None, strength: float, *, must_generalise: bool
) -> AdapterReport:
    """Return whether what did this to held-out queries is kept, and why.

    Args:
        pairs: All labelled queries.
        unseen: Queries about unseen documents; where the mean falls nothing is kept.
        seen: Queries about documents that other queries, learnt from, are about.
        strength: For the report.
        must_generalise: Keep only what wins on unseen documents.
    """
    generalises, remembers = (held is not None and held.wins for held in (unseen, seen))
    harmless = unseen is not None and not unseen.harmed
    kept = harmless and (generalises or (remembers and not must_generalise))
    if unseen is None:
        reason = "all labelled queries share documents, so none can be held out with unseen ones"
    elif unseen.harmed:
        reason = "it harms queries on unseen documents"
    elif generalises:
        reason = f"it helps on documents {'with and ' if remembers else ''}without labelled questions"
    elif remembers:
        reason = "it helps on documents with labelled questions, by remembering them; on others no gain is shown"
    elif max(held.gain.n if held else 0 for held in (unseen, seen)) < _LEAST_QUERIES:
        reason = f"fewer than {_LEAST_QUERIES} labelled queries to hold out show nothing"
    else:
        reason = "no gain beyond the error bar on queries that were held out"
    sizes = len(pairs.starts) - 1, len(pairs.documents)
    return AdapterReport(kept, reason, strength if kept else 0.0, unseen, seen, *sizes)
