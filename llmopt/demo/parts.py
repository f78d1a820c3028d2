"""A retriever of one's own: a question of two parts is searched for part by part."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..interfaces import Retriever
from ..retrieval import take_turns
from ..types import Hit

__all__ = ["PartByPart", "split_question"]

_SEAM = re.compile(
    r"[,;]?\s+and\s+(?=(?:what|which|who|how|why|where|when|do|does|is|are|can|may)\b)|(?<=[?？])\s*", re.I
)
_FEWEST_WORDS = 3


def split_question(question: str) -> list[str]:
    """Return what is asked, part by part; the whole when it is one question.

    Example:
        >>> split_question("What does pop() return, and which error does it raise when empty?")
        ['What does pop() return', 'which error does it raise when empty?']
    """
    parts = [part.strip() for part in _SEAM.split(question) if len(part.split()) >= _FEWEST_WORDS]
    return parts if len(parts) > 1 else [question]


@dataclass(repr=False, eq=False)
class PartByPart(Retriever):
    """Searches for every part of a question and lets the parts take turns.

    What `SubQuestions` does with a model, by a rule; the demo has it to show how a retriever is written.

    Args:
        retriever: Searches for a part; it must be indexed.
    """

    retriever: Retriever

    async def search(self, query: str, k: int) -> Sequence[Hit]:
        """Return the best `k`: first the best of every part, then the second."""
        parts = split_question(query)
        queries = [query] if len(parts) == 1 else [*parts, query]
        return take_turns(await self.retriever.aretrieve_many(queries, k=k))[:k]
