"""Passages that end where the meaning turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .._sync import call
from ..errors import UsageError
from ..interfaces import Chunker, Embedder
from ..types import Matrix, Span
from .measuring import ruler_for
from .ruler import Ruler
from .sentence import pieces
from .walk import check_budget

__all__ = ["Semantic"]


@dataclass(repr=False)
class Semantic(Chunker):
    """Passages of whole sentences that end where the next sentences are about something else.

    At every place between two sentences the `window` sentences before it and after it are embedded; where
    the cosine distance of the two is among the largest of the text, a passage ends. Passages over the budget
    are cut again at the largest distance in the second half of what fits. About one embedding per sentence.

    The idea is Kamradt's "5 levels of text splitting" (2023); his windows overlap, which dulls the distance.

    Args:
        embedder: Embeds the windows, as documents.
        max_tokens: Budget of a passage, at least 4. Counted by the model's vocabulary where it is on disk, else by
            the estimate.
        window: Sentences on each side that are compared, at least 1.
        percentile: 0 to 100: places with a distance above this percentile of the text's end a passage.
        model: The model whose tokens count; None for o200k_base.

    Raises:
        UsageError: On use, when a number is out of its range.

    Example:
        >>> from llmopt.types import Document
        >>> class Animals(Embedder):
        ...     def embed(self, texts: Sequence[str], kind: str) -> Matrix:
        ...         return np.array([[text.count("cat"), text.count("dog")] for text in texts], np.float32)
        >>> chunker = Semantic(Animals(), window=1, percentile=80)
        >>> text = "A cat sat. The cat ate. A dog ran. The dog bit."
        >>> [passage.text for passage in chunker.chunk(Document("d", text))]
        ['A cat sat. The cat ate.', 'A dog ran. The dog bit.']
    """

    embedder: Embedder
    max_tokens: int = 512
    window: int = 3
    percentile: float = 90.0
    model: str | None = None

    async def spans(self, text: str) -> list[Span]:
        """Return the passages."""
        check_budget("Semantic", self.max_tokens, 0)
        if self.window < 1 or not 0 <= self.percentile <= 100:
            raise UsageError(
                "`Semantic` needs a window of at least 1 sentence and a percentile from 0 to 100, got "
                f"window={self.window} and percentile={self.percentile}"
            )
        ruler = ruler_for(text, self.model)
        sentences = await call(lambda: list(pieces(ruler, self.max_tokens)))
        if len(sentences) < 2:
            return sentences
        rows = await self.embedder.aencode(_windows(text, sentences, self.window), kind="document")
        distances = _distances(rows, self.window)
        limit = float(np.percentile(distances, self.percentile))
        return await call(lambda: list(_joined(ruler.of(text), sentences, distances, limit, self.max_tokens)))


def _windows(text: str, sentences: Sequence[Span], window: int) -> list[str]:
    """Return window - 1 growing windows at the beginning, then the `window` sentences from each one on."""
    last = len(sentences) - 1
    bounds = [(max(at, 0), min(at + window - 1, last)) for at in range(1 - window, last + 1)]
    return [text[sentences[first].start : sentences[end].end] for first, end in bounds]


def _distances(rows: Matrix, window: int) -> Matrix:
    """Return the cosine distance between what stands before and after each place between two sentences."""
    after = rows[window:]
    distances: Matrix = np.float32(1) - (rows[: len(after)] * after).sum(axis=1)
    return distances


def _joined(
    ruler: Ruler, sentences: Sequence[Span], distances: Matrix, limit: float, max_tokens: int
) -> Iterator[Span]:
    """Yield passages of sentences that end at distances above the limit, or where the budget says so."""
    first = 0
    while first < len(sentences):
        end = _last_that_fits(ruler, sentences, distances, first, limit, max_tokens)
        yield Span(sentences[first].start, sentences[end - 1].end)
        first = end


def _last_that_fits(
    ruler: Ruler,
    sentences: Sequence[Span],
    distances: Matrix,
    first: int,
    limit: float,
    max_tokens: int,
) -> int:
    """Return one past the last sentence of the passage that begins with sentence `first`."""
    start, end = sentences[first].start, first + 1
    reach = ruler.reach(start, max_tokens)
    while end < len(sentences) and distances[end - 1] <= limit:
        if sentences[end].end > reach or ruler.excess(start, sentences[end].end, max_tokens) > 0:
            half = (first + end + 1) // 2
            return half + int(np.argmax(distances[half - 1 : end]))
        end += 1
    return end
