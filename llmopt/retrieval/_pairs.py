"""Labelled embeddings: splits that do not leak, and how well a map of the queries ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ContractError
from ..types import Matrix
from ._labels import DEPTH, Floats, ideal_gains
from ._top import Positions

__all__ = ["Fold", "Pairs", "folds_of", "unit"]

_FEW = 5_000
_FOLDS = 5
_MOST_HELD_OUT = 500
_SHARE_UNSEEN = 0.1
_SHARE_SEEN = 0.2
_QUERIES_PER_BLOCK = 128
_MOST_VALIDATED = 20_000


@dataclass(frozen=True, slots=True)
class Pairs:
    """Queries and documents as unit rows, and which document answers which query.

    Attributes:
        queries: Shape (queries, dimensions).
        documents: Shape (documents, dimensions); no two are the same text.
        starts: The positives of query i are `positives[starts[i]:starts[i + 1]]`.
        positives: Rows of `documents`.
    """

    queries: Matrix
    documents: Matrix
    starts: Positions
    positives: Positions

    @classmethod
    def of(cls, queries: Matrix, documents: Matrix, positives: Sequence[Sequence[int]]) -> Pairs:
        """Arrange the labels.

        Raises:
            ContractError: When queries and documents have vectors of different lengths.
        """
        if queries.shape[1] != documents.shape[1]:
            raise ContractError(
                f"the embedder gave queries {queries.shape[1]} dimensions and documents {documents.shape[1]}: "
                "both must lie in one space, or no cosine says anything"
            )
        starts = np.concatenate([[0], np.cumsum([len(rows) for rows in positives])]).astype(np.intp)
        flat = np.array([row for rows in positives for row in rows], np.intp)
        return cls(queries, documents, starts, flat)

    def counts(self, chosen: Positions) -> Positions:
        """Return the number of positives of some queries."""
        return self.starts[chosen + 1] - self.starts[chosen]

    def labels(self, chosen: Positions) -> tuple[Positions, Positions]:
        """Return, for every positive of some queries, the place of its query among them and its document."""
        counts = self.counts(chosen)
        places = np.repeat(np.arange(len(chosen)), counts)
        first = np.repeat(self.starts[chosen], counts)
        within = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
        return places, self.positives[first + within]

    def gains(self, chosen: Positions, map: Matrix | None, pool: Positions) -> Floats:
        """Return nDCG@10 of some queries among the documents of the pool, with or without the map.

        Of the documents that score alike half stand above: a query without a direction is no good query.

        Args:
            chosen: The queries.
            map: Applied to the queries; None leaves them as they are.
            pool: Documents to rank, ascending, all positives among them.
        """
        ranked = self.documents[pool]
        gains = np.zeros(len(chosen))
        for start in range(0, len(chosen), _QUERIES_PER_BLOCK):
            part = chosen[start : start + _QUERIES_PER_BLOCK]
            rows = self.queries[part] if map is None else unit(self.queries[part] @ map)
            scores = rows @ ranked.T
            places, documents = self.labels(part)
            own = scores[places, np.searchsorted(pool, documents)]
            # Those above, and half of those that score alike: (above + above or alike, itself left out) / 2.
            above = np.array(
                [
                    (np.count_nonzero(scores[place] > score) + np.count_nonzero(scores[place] >= score) - 1) / 2
                    for place, score in zip(places, own, strict=True)
                ]
            )
            found = np.where(above < DEPTH, 1 / np.log2(above + 2), 0.0)
            gains[start : start + len(part)] = np.bincount(places, found, len(part)) / ideal_gains(self.counts(part))
        return gains

    def validated(self, chosen: Positions, seed: int) -> Positions:
        """Return a pool to validate some queries in: their positives among at most 20,000 documents."""
        if len(self.documents) <= _MOST_VALIDATED:
            return np.arange(len(self.documents))
        others = np.random.default_rng(seed).choice(len(self.documents), _MOST_VALIDATED, replace=False)
        return np.union1d(others, self.labels(chosen)[1])


@dataclass(frozen=True, slots=True)
class Fold:
    """One way of holding queries out.

    Attributes:
        train: Queries to learn from.
        unseen: Held-out queries none of whose documents has a query in `train`.
        seen: Held-out queries all of whose documents have another query in `train`.
    """

    train: Positions
    unseen: Positions
    seen: Positions


def folds_of(pairs: Pairs, groups: Positions, seed: int) -> list[Fold]:
    """Hold out every group once where there are few queries, else a tenth of them (at most 500) once.

    Args:
        pairs: What is split.
        groups: The group of every query; queries that share a document, directly or by others, are of one.
        seed: For the order.
    """
    random = np.random.default_rng(seed)
    count = len(pairs.starts) - 1
    names, sizes = np.unique(groups, return_counts=True)
    parts: list[list[int]]
    if count <= _FEW:
        parts = [[] for _ in range(min(_FOLDS, len(names)))]
        held = [0] * len(parts)
        order = random.permutation(len(names))
        for name in order[np.argsort(-sizes[order], kind="stable")].tolist():
            part = held.index(min(held))  # the largest groups first, each to the smallest part
            parts[part].append(name)
            held[part] += int(sizes[name])
    else:
        order = random.permutation(len(names))
        wanted = min(_MOST_HELD_OUT, int(count * _SHARE_UNSEEN))
        parts = [order[: int(np.searchsorted(np.cumsum(sizes[order]), wanted)) + 1].tolist()]
    return [_fold(pairs, np.isin(groups, names[part]), random) for part in parts]


def _fold(pairs: Pairs, out: np.ndarray[tuple[int], np.dtype[np.bool_]], random: np.random.Generator) -> Fold:
    rest = np.flatnonzero(~out)
    uses = np.bincount(pairs.labels(rest)[1], minlength=len(pairs.documents))
    most = min(_MOST_HELD_OUT if len(rest) > _FEW else len(rest), int(len(rest) * _SHARE_SEEN))
    seen: list[int] = []
    for query in random.permutation(rest).tolist():
        own = pairs.positives[pairs.starts[query] : pairs.starts[query + 1]]
        if len(seen) < most and bool((uses[own] >= 2).all()):
            seen.append(query)
            uses[own] -= 1
    held = np.array(sorted(seen), np.intp)
    return Fold(np.setdiff1d(rest, held), np.flatnonzero(out), held)


def unit(rows: Matrix) -> Matrix:
    """Return the rows at length 1; zero rows stay zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Matrix = (rows / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return scaled
