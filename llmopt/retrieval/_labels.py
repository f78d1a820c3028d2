"""Relevance labels as users give them, checked; and how well rankings do by them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from ..errors import UsageError

__all__ = ["DEPTH", "Floats", "checked_labels", "discounts", "ideal_gains"]

Floats = npt.NDArray[np.float64]

DEPTH = 10
"""Fits aim at nDCG of the first ten."""


def checked_labels(
    what: str, queries: Sequence[str], relevant: Sequence[Collection[str]], known: Collection[str]
) -> list[list[str]]:
    """Return the ids of the relevant documents of every query, sorted, each once.

    Args:
        what: The method that got the labels, for messages.
        queries: The queries.
        relevant: Per query, the ids of the documents that answer it.
        known: The ids of all documents; anything with a fast `in`.

    Raises:
        UsageError: When there are no queries, the numbers differ, a query has no relevant document, an id
            is not known, or `relevant` holds texts instead of collections.
    """
    if len(queries) != len(relevant) or not queries:
        raise UsageError(
            f"`{what}` needs the relevant ids of every query, got {len(queries)} queries and {len(relevant)} labels"
        )
    labels: list[list[str]] = []
    for query, ids in zip(queries, relevant, strict=True):
        if isinstance(ids, str):
            raise UsageError(f"`{what}`: the relevant ids of a query are a collection, got one str: wrap it, [{ids!r}]")
        if not ids:
            raise UsageError(f"`{what}`: the query {query[:80]!r} has no relevant document: leave it out")
        unknown = sorted(id for id in ids if id not in known)
        if unknown:
            raise UsageError(
                f"`{what}`: the labels of {query[:80]!r} name documents that are not there: {unknown[:5]} "
                f"({len(unknown)} unknown ids)"
            )
        labels.append(sorted(set(ids)))
    return labels


def discounts() -> Floats:
    """Return what a relevant document counts at the ranks 1 to `DEPTH`."""
    return 1 / np.log2(np.arange(2, DEPTH + 2))


def ideal_gains(counts: npt.NDArray[np.intp]) -> Floats:
    """Return the gain of the best ranking for queries with so many relevant documents."""
    best: Floats = np.cumsum(discounts())[np.minimum(counts, DEPTH) - 1]
    return best
