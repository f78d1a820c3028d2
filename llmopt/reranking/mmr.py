"""Diversity: relevant hits that say something the earlier ones do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from ..interfaces import Embedder, Reranker
from ..interfaces.planning import planned_embedding
from ..types import Hit, Matrix, Planned

__all__ = ["MMR", "maximal_marginal_relevance"]


@dataclass(repr=False)
class MMR(Reranker):
    """Picks hits one by one: like the query, unlike what was picked before; the first is the most relevant.

    Costs one embedding request for query and hits. The scores of the result are the places in the order,
    from 1 down. Source: Carbonell and Goldstein 1998, "The use of MMR".

    Args:
        embedder: Gives the vectors of query and hits.
        trade_off: 1: relevance only; 0: difference only.

    Raises:
        UsageError: When `trade_off` is not from 0 to 1.

    Example:
        >>> from llmopt.testing import FakeEmbedder
        >>> from llmopt.types import Document
        >>> texts = ["a cat", "a cat", "a cat and a dog"]
        >>> hits = [Hit(Document(str(n), text), 1.0 - n / 10) for n, text in enumerate(texts)]
        >>> [hit.document.id for hit in MMR(FakeEmbedder(), trade_off=0.4).rerank("a cat", hits, k=2)]
        ['0', '2']
    """

    embedder: Embedder
    trade_off: float = 0.7

    async def score(self, query: str, hits: Sequence[Hit]) -> list[float]:
        """Return a falling score in the order of picking."""
        if not 0 <= self.trade_off <= 1:
            raise UsageError(f"`MMR` needs a trade-off from 0 to 1, got {self.trade_off}")
        rows = await self.embedder.aencode([hit.document.text for hit in hits], kind="document")
        asked = await self.embedder.aencode([query], kind="query")
        order = maximal_marginal_relevance(asked, rows, trade_off=self.trade_off)
        places = np.empty(len(order))
        places[order] = 1 - np.arange(len(order)) / len(order)
        return [float(place) for place in places]

    def plan(self, query: str, hits: Sequence[Hit]) -> Sequence[Planned]:
        """Return two embedding requests, for the hits and for the query."""
        texts = [hit.document.text for hit in hits]
        return [planned_embedding(self.embedder, "embeddings", asked) for asked in (texts, [query])]


def maximal_marginal_relevance(query: Matrix, rows: Matrix, *, trade_off: float) -> list[int]:
    """Return the rows' numbers in the order of picking; equal values go to the earlier row.

    Args:
        query: One unit row, shape (1, d).
        rows: Unit rows, shape (n, d).
        trade_off: `lambda` of the paper, 0 to 1.
    """
    relevance = (rows @ query.T)[:, 0].astype(np.float64)
    nearest = np.full(len(rows), -np.inf)
    left = np.ones(len(rows), bool)
    order: list[int] = []
    while len(order) < len(rows):
        value = relevance if not order else trade_off * relevance - (1 - trade_off) * nearest
        picked = int(np.argmax(np.where(left, value, -np.inf)))
        order.append(picked)
        left[picked] = False
        nearest = np.maximum(nearest, rows @ rows[picked])
    return order
