"""Passages of whole sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from .._text import sentences
from ..errors import UsageError
from ..interfaces import Chunker
from ..types import Span
from .cuts import last_cut
from .measuring import ruler_for
from .ruler import Ruler
from .walk import Walk, check_budget

__all__ = ["Sentence", "pieces"]


@dataclass(repr=False)
class Sentence(Chunker):
    """Passages of as many whole sentences as the budget holds, repeating the last ones of the passage before.

    A sentence that alone exceeds the budget is cut as `Recursive` would cut it. With `max_sentences=1` every
    sentence is a passage, which is what a sentence-window retriever indexes.

    Args:
        max_tokens: Budget of a passage, at least 4. Counted by the model's vocabulary where it is on disk, else by
            the estimate.
        overlap_sentences: Sentences that two neighbours share, fewer where they leave no room.
        max_sentences: Most sentences in a passage; None for as many as fit.
        model: The model whose tokens count; None for o200k_base.

    Raises:
        UsageError: On use, when the numbers leave no room.

    Example:
        >>> from llmopt.types import Document
        >>> chunker = Sentence(max_sentences=2, overlap_sentences=1)
        >>> [passage.text for passage in chunker.chunk(Document("d", "It rains. It pours! 天晴了。"))]
        ['It rains. It pours!', 'It pours! 天晴了。']
    """

    max_tokens: int = 512
    overlap_sentences: int = 1
    max_sentences: int | None = None
    model: str | None = None

    def spans(self, text: str) -> list[Span]:
        """Return the passages."""
        check_budget("Sentence", self.max_tokens, 0)
        most = self.overlap_sentences + 1 if self.max_sentences is None else self.max_sentences
        if not 0 <= self.overlap_sentences < most:
            raise UsageError(
                f"`Sentence.overlap_sentences` must be at least 0 and below max_sentences ({self.max_sentences}), "
                f"got {self.overlap_sentences}"
            )
        return list(self._packed(ruler_for(text, self.model)))

    def _packed(self, ruler: Ruler) -> Iterator[Span]:
        window: list[Span] = []
        for piece in pieces(ruler, self.max_tokens):
            if window and not self._fits(ruler, window, piece):
                yield Span(window[0].start, window[-1].end)
                window = window[len(window) - self.overlap_sentences :] if self.overlap_sentences else []
                while window and not self._fits(ruler, window, piece):
                    window = window[1:]
            window.append(piece)
        if window:
            yield Span(window[0].start, window[-1].end)

    def _fits(self, ruler: Ruler, window: list[Span], piece: Span) -> bool:
        if self.max_sentences is not None and len(window) >= self.max_sentences:
            return False
        start = window[0].start
        return ruler.reach(start, self.max_tokens) >= piece.end and (
            ruler.excess(start, piece.end, self.max_tokens) <= 0
        )


def pieces(ruler: Ruler, max_tokens: int) -> Iterator[Span]:
    """Yield the sentences of the ruler's text, those over the budget cut into parts that hold it."""
    for sentence in sentences(ruler.text):
        start, end = sentence.start, sentence.end
        if 4 * (end - start) <= max_tokens or ruler.excess(start, end, max_tokens) <= 0:
            yield sentence
            continue
        text = ruler.text[start:end]
        walk = Walk(ruler.of(text), max_tokens, partial(last_cut, text), lambda _, __, fresh: fresh)
        yield from (Span(start + first, start + last) for first, last in walk.passages(0, len(text)))
