"""Hits for labelled queries from retrievers that have not learnt from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

import numpy as np

from ..errors import UsageError
from ..interfaces import Retriever
from ..types import Hit

__all__ = ["held_out_hits"]

Fit: TypeAlias = Callable[[Sequence[str], Sequence[Collection[str]]], Retriever]
"""Takes labelled queries, gives a retriever that has learnt from them and from no others."""


def held_out_hits(
    fit: Fit,
    queries: Sequence[str],
    relevant: Sequence[Collection[str]],
    *,
    k: int = 100,
    folds: int = 5,
    seed: int = 0,
) -> list[list[Hit]]:
    """Return the hits of every query from a retriever that was fitted on other queries.

    What is fitted on the hits of a fitted retriever (a `Learned` reranker over an `Adapter` or `PastQuestions`)
    must not see it at work on its own training queries, where it is better than it will ever be again:
    the reranker would trust it too much. This is the cross-fitting of stacked generalization (Wolpert 1992).

    Args:
        fit: Fits a retriever on labelled queries; called once per fold. Let it use indexes that are built
            already, so that no document is embedded twice.
        queries: Questions as users ask them; equal ones are never on both sides.
        relevant: Per query, the ids of the documents that answer it.
        k: Hits per query.
        folds: How many parts the queries are split into; each is searched by the retriever fitted on the others.
        seed: For the split.

    Raises:
        UsageError: When the numbers of queries and labels differ, or there are fewer different queries than folds.

    Example:
        >>> from llmopt.retrieval import PastQuestions
        >>> from llmopt.testing import FakeEmbedder
        >>> from llmopt.types import Document
        >>> documents = [Document("cat", "It sleeps."), Document("dog", "It barks.")]
        >>> past = lambda queries, relevant: PastQuestions(FakeEmbedder()).index(documents).fit(queries, relevant)
        >>> hits = held_out_hits(past, ["what do cats do", "do cats sleep"], [["cat"], ["cat"]], folds=2)
        >>> [round(found[0].score, 2) for found in hits]
        [0.82, 0.82]
    """
    if len(queries) != len(relevant):
        raise UsageError(f"`held_out_hits` needs labels per query, got {len(queries)} queries and {len(relevant)}")
    texts = sorted(set(queries))
    if not 2 <= folds <= len(texts):
        raise UsageError(f"`held_out_hits` splits different queries into 2 folds or more, got {len(texts)} and {folds}")
    order: list[int] = np.random.default_rng(seed).permutation(len(texts)).tolist()
    part_of = {texts[number]: place % folds for place, number in enumerate(order)}
    found: dict[int, list[Hit]] = {}
    for part in range(folds):
        held = [number for number, query in enumerate(queries) if part_of[query] == part]
        kept = [number for number, query in enumerate(queries) if part_of[query] != part]
        retriever = fit([queries[number] for number in kept], [relevant[number] for number in kept])
        lists = retriever.retrieve_many([queries[number] for number in held], k=k)
        found.update(zip(held, lists, strict=True))
    return [found[number] for number in range(len(queries))]
