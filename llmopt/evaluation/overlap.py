"""Samples that ask nearly the same, within a set and between sets.

Two texts are as like as the share of their words and word pairs that they have in common (Jaccard). All
pairs above the threshold are found, without comparing all pairs: two sets that are so alike must share one
of their rarest members (prefix filtering). Source: Chaudhuri, Ganti and Kaushik (2006), A Primitive
Operator for Similarity Joins in Data Cleaning; Bayardo, Ma and Srikant (2007).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .._text import words
from ..errors import UsageError
from ..types import Sample
from .needs import numbered

__all__ = ["Overlap", "find_duplicates", "find_leaks", "question_of"]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two samples that ask nearly the same.

    Attributes:
        first: Id of the one: in the set that was given first, or earlier in the one set.
        second: Id of the other.
        likeness: Share of words and word pairs in common, 0 to 1; 1 for the same words in another order of
            sentences, too.
    """

    first: str
    second: str
    likeness: float


def question_of(sample: Sample) -> str:
    """Return the sample's question, which is what is compared unless you say otherwise."""
    return sample.question


def find_duplicates(
    samples: Sequence[Sample], *, threshold: float = 0.8, text: Callable[[Sample], str] = question_of
) -> list[Overlap]:
    """Return the pairs within a set that ask nearly the same, most alike first.

    Args:
        samples: The set; a sample without an id goes by its number.
        threshold: How alike two must be, above 0 and at most 1.
        text: What is compared.

    Example:
        >>> samples = [Sample(question=q, id=q[:5]) for q in ("How old is the cat?", "How Old is the cat", "Why?")]
        >>> [(overlap.first, overlap.second, overlap.likeness) for overlap in find_duplicates(samples)]
        [('How o', 'How O', 1.0)]
    """
    samples = list(numbered(samples))
    found = _alike([_shingles(text(sample)) for sample in samples], _checked(threshold))
    return _sorted(Overlap(samples[i].id, samples[j].id, likeness) for i, j, likeness in found)


def find_leaks(
    training: Sequence[Sample],
    test: Sequence[Sample],
    *,
    threshold: float = 0.8,
    text: Callable[[Sample], str] = question_of,
) -> list[Overlap]:
    """Return the pairs of a training and a test sample that ask nearly the same, most alike first.

    A figure measured on a test sample that has such a twin says how well it was remembered.

    Args:
        training: What the system was fitted on: examples, few-shot samples, training questions.
        test: What it is measured on.
        threshold: How alike two must be, above 0 and at most 1.
        text: What is compared.
    """
    both = [*numbered(training), *numbered(test)]
    shingles = [_shingles(text(sample)) for sample in both]
    found = _alike(shingles, _checked(threshold))
    return _sorted(
        Overlap(both[i].id, both[j].id, likeness) for i, j, likeness in found if i < len(training) <= j
    )  # fmt: skip


def _alike(sets: Sequence[frozenset[str]], threshold: float) -> Iterator[tuple[int, int, float]]:
    """Yield all pairs at or above the threshold, the earlier place first."""
    counts = Counter(member for members in sets for member in members)
    # Rare members first: then few sets share a prefix.
    ordered = [sorted(members, key=lambda member: (counts[member], member)) for members in sets]
    index: defaultdict[str, list[int]] = defaultdict(list)
    for place in sorted(range(len(sets)), key=lambda place: (len(sets[place]), place)):
        size = len(sets[place])
        if not size:
            continue
        prefix = ordered[place][: size - math.ceil(threshold * size - 1e-9) + 1]
        for other in {other for member in prefix for other in index[member]}:
            if len(sets[other]) >= threshold * size - 1e-9:
                shared = len(sets[place] & sets[other])
                likeness = shared / (size + len(sets[other]) - shared)
                if likeness >= threshold - 1e-9:
                    yield min(place, other), max(place, other), likeness
        for member in prefix:
            index[member].append(place)


def _shingles(text: str) -> frozenset[str]:
    found = words(text)
    return frozenset(found) | {f"{first} {second}" for first, second in pairwise(found)}


def _sorted(overlaps: Iterable[Overlap]) -> list[Overlap]:
    return sorted(overlaps, key=lambda overlap: (-overlap.likeness, overlap.first, overlap.second))


def _checked(threshold: float) -> float:
    if not 0 < threshold <= 1:
        raise UsageError(f"`threshold` is a share of words and must be above 0 and at most 1, got {threshold}")
    return threshold
