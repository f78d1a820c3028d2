"""Labelled queries as texts: each once, with the texts that answer it among those to rank."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from ..types import Document
from ._labels import checked_labels

__all__ = ["LabelledTexts"]


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """Different queries, different texts to rank, and which texts answer which query.

    Attributes:
        queries: Each once, in the order in which they came.
        documents: The texts that answer a query first, then others.
        positives: Per query, the places in `documents` of the texts that answer it, ascending.
    """

    queries: Sequence[str]
    documents: Sequence[str]
    positives: Sequence[Sequence[int]]

    @classmethod
    def of(
        cls,
        what: str,
        queries: Sequence[str],
        relevant: Sequence[Collection[str]],
        documents: Sequence[Document],
        *,
        most: int,
        seed: int,
    ) -> LabelledTexts:
        """Check and arrange labels as users give them.

        Args:
            what: The method that got them, for messages.
            queries: Equal ones count once, with what is relevant to any of them.
            relevant: Per query, the ids of the documents that answer it.
            documents: Equal texts count once.
            most: Texts to rank; those without a label are drawn until there are as many.
            seed: For the draw.

        Raises:
            UsageError: When labels are missing, name documents that are not there or have no text.
        """
        texts = {document.id: document.text for document in documents}
        wanted: dict[str, set[str]] = {}
        for query, ids in zip(queries, checked_labels(what, queries, relevant, texts), strict=True):
            blank = [f"the document {id!r}" for id in ids if not texts[id].strip()]
            if blank or not query.strip():
                named = blank[0] if blank else "a query"
                raise UsageError(f"`{what}`: {named} has no text, so there is nothing to learn: leave it out")
            wanted.setdefault(query, set()).update(texts[id] for id in ids)
        labelled = dict.fromkeys(text for found in wanted.values() for text in sorted(found))
        others = list(dict.fromkeys(text for text in texts.values() if text.strip() and text not in labelled))
        room = max(0, most - len(labelled))
        if len(others) > room:
            drawn: list[int] = np.sort(np.random.default_rng(seed).choice(len(others), room, replace=False)).tolist()
            others = [others[number] for number in drawn]
        ranked = [*labelled, *others]
        places = {text: place for place, text in enumerate(ranked)}
        return cls(list(wanted), ranked, [sorted(places[text] for text in found) for found in wanted.values()])
