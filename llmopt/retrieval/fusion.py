"""Several rankings of the same documents made one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import mul

from ..errors import UsageError
from ..types import Document, Hit

__all__ = ["Scales", "fuse_ranks", "fuse_scores", "normalised", "take_turns"]


def fuse_ranks(
    lists: Sequence[Sequence[Hit]],
    *,
    weights: Sequence[float] | None = None,
    constant: float = 60.0,
    names: Sequence[str] | None = None,
) -> list[Hit]:
    """Return the documents of all lists by reciprocal rank fusion, best first, ties by id.

    The score is the sum over the lists of `weight / (constant + rank)`, with the rank from 1; a list
    without the document adds nothing (Cormack, Clarke and Büttcher 2009,
    https://doi.org/10.1145/1571941.1572114). Scores of the lists need not be comparable.

    Args:
        lists: Rankings, best first, each without repeated documents.
        weights: One per list, 0 or more; all 1 by default.
        constant: How little the first ranks stand out, 0 or more; 60 in the paper.
        names: One per list: a document's signals then hold its score in the list under that name,
            beside the signals that its hits carried already (those of the first list that has it).

    Raises:
        UsageError: When a weight or the constant is negative or not finite, or the numbers of lists,
            weights and names differ.
    """
    weighted = _checked(weights, len(lists), constant)
    if names is not None and len(names) != len(lists):
        raise UsageError(f"rank fusion needs a name per list, got {len(names)} names for {len(lists)} lists")
    scores: dict[str, float] = {}
    documents: dict[str, Document] = {}
    signals: dict[str, dict[str, float]] = {}
    for number, (hits, weight) in enumerate(zip(lists, weighted, strict=True)):
        for rank, hit in enumerate(hits, start=1):
            id = hit.document.id
            scores[id] = scores.get(id, 0.0) + weight / (constant + rank)
            documents.setdefault(id, hit.document)
            known = signals.setdefault(id, {})
            for name, value in hit.signals.items():
                known.setdefault(name, value)
            if names is not None:
                known[names[number]] = hit.score
    ranked = sorted(scores, key=lambda name: (-scores[name], name))
    return [Hit(documents[name], scores[name], signals[name]) for name in ranked]


def take_turns(lists: Sequence[Sequence[Hit]]) -> list[Hit]:
    """Return the documents of all lists: the best of each, then the second of each that is new, and so on.

    No list can crowd out another, as it can in `fuse_ranks`. The scores are 1, 1/2, 1/3 ...; signals are
    those of the list that had the turn.

    Args:
        lists: Rankings, best first; the first list has the first turn.
    """
    taken: dict[str, Hit] = {}
    places = [iter(hits) for hits in lists]
    while places:
        still: list[Iterator[Hit]] = []
        for place in places:
            new = next((hit for hit in place if hit.document.id not in taken), None)
            if new is not None:
                taken[new.document.id] = replace(new, score=1 / (len(taken) + 1))
                still.append(place)
        places = still
    return list(taken.values())


@dataclass(frozen=True, slots=True)
class Scales:
    """What it takes to make the scores of several retrievers comparable.

    Attributes:
        floors: Per retriever, the lowest score that it could give to any document.
        depth: Hits that each was asked for; one that brought fewer has no others to bring.
    """

    floors: tuple[float, ...]
    depth: int


def normalised(lists: Sequence[Sequence[Hit]], scales: Scales) -> dict[str, list[float]]:
    """Return by document its score in every list, from 0 (the retriever's floor) to 1 (the best of the list).

    A document that a list does not have gets the list's worst score, or 0 where the list is complete.

    Source: the convex combination TM2C2 of Bruch, Gai and Ingber 2022, "An Analysis of Fusion Functions
    for Hybrid Retrieval".
    """
    worst = [
        _share(hits[-1].score, hits[0].score, floor) if hits and len(hits) >= scales.depth else 0.0
        for hits, floor in zip(lists, scales.floors, strict=True)
    ]
    table: dict[str, list[float]] = {}
    for number, (hits, floor) in enumerate(zip(lists, scales.floors, strict=True)):
        for hit in hits:
            table.setdefault(hit.document.id, list(worst))[number] = _share(hit.score, hits[0].score, floor)
    return table


def _share(score: float, best: float, floor: float) -> float:
    return (score - floor) / (best - floor) if best > floor else 1.0


def fuse_scores(
    lists: Sequence[Sequence[Hit]], weights: Sequence[float], scales: Scales, names: Sequence[str]
) -> list[Hit]:
    """Return the documents of all lists by the weighted sum of their normalised scores, best first, ties by id."""
    table = normalised(lists, scales)
    by_rank = fuse_ranks(lists, names=names)
    scored = [replace(hit, score=sum(map(mul, weights, table[hit.document.id]))) for hit in by_rank]
    return sorted(scored, key=lambda hit: (-hit.score, hit.document.id))


def _checked(weights: Sequence[float] | None, count: int, constant: float) -> Sequence[float]:
    if not 0 <= constant < float("inf"):
        raise UsageError(f"the constant of rank fusion must be 0 or more, got {constant}")
    if weights is None:
        return [1.0] * count
    if len(weights) != count:
        raise UsageError(f"rank fusion needs a weight per list, got {len(weights)} weights for {count} lists")
    if not all(0 <= weight < float("inf") for weight in weights):
        raise UsageError(f"the weights of rank fusion must be 0 or more and finite, got {list(weights)}")
    return weights
