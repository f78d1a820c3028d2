"""Queries that share documents, directly or by way of others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ._top import Positions

__all__ = ["groups_of"]


def groups_of(positives: Sequence[Sequence[int]], documents: int) -> Positions:
    """Return the group of every query: the same for queries that are linked by documents.

    Args:
        positives: Per query, the numbers of its documents, at least one.
        documents: How many documents there are.
    """
    parents = list(range(documents))

    def root(document: int) -> int:
        while parents[document] != document:
            parents[document] = parents[parents[document]]
            document = parents[document]
        return document

    for first, *others in positives:
        for other in others:
            parents[root(other)] = root(first)
    return np.array([root(first) for first, *_ in positives], np.intp)
