"""Counting votes: who leads, and how many votes must still come before it can be settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Tally", "tally"]


@dataclass(frozen=True, slots=True)
class Tally:
    """The votes so far.

    Attributes:
        counts: Votes by answer, the leader first; among equals the answer that was given first.
        drawn: Votes drawn, spoiled ones included.
        further: The least number of further votes after which the winner may be settled; 0: it is.
    """

    counts: dict[str, int]
    drawn: int
    further: int

    @property
    def tied(self) -> tuple[str, ...]:
        """The answers that share the lead, when there are several."""
        best = max(self.counts.values(), default=0)
        leaders = tuple(key for key, count in self.counts.items() if count == best)
        return leaders if len(leaders) > 1 else ()


def tally(votes: Sequence[str | None], total: int) -> Tally:
    """Count the votes.

    The winner is the answer with most votes; of those with equally many, the one that was given first.

    Args:
        votes: The answers in the order in which they were drawn; None is a spoiled vote.
        total: Votes that will have been drawn in the end.
    """
    first: dict[str, int] = {}
    counts: dict[str, int] = {}
    for place, vote in enumerate(votes):
        if vote is not None:
            first.setdefault(vote, place)
            counts[vote] = counts.get(vote, 0) + 1
    ranked = dict(sorted(counts.items(), key=lambda item: (-item[1], first[item[0]])))
    return Tally(ranked, len(votes), _further(ranked, first, total - len(votes)))


def _further(ranked: dict[str, int], first: dict[str, int], left: int) -> int:
    """Return how many more votes for the leader, at the least, put it out of reach of all others."""
    if not ranked:
        return left
    leader, lead = next(iter(ranked.items()))
    # A rival that was given earlier wins a tie; an answer that nobody gave yet loses it.
    rivals = [0, *(count + (first[key] < first[leader]) for key, count in ranked.items() if key != leader)]
    behind = max(rivals) + left - lead
    # Each vote for the leader takes one from those left and adds one to the lead.
    return 0 if behind <= 0 else min(left, (behind + 1) // 2)
