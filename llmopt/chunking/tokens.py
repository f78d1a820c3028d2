"""Passages of an even number of tokens, wherever they end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ..interfaces import Chunker
from ..types import Span
from .cuts import hard_cut, next_visible
from .measuring import ruler_for
from .walk import Walk, check_budget

__all__ = ["Tokens"]


@dataclass(repr=False)
class Tokens(Chunker):
    """Passages of `max_tokens` each, the next one beginning `overlap` tokens before the last one's end.

    Words and sentences are cut where the budget ends; a character never is. The plain baseline that other
    chunkers are compared with.

    Args:
        max_tokens: Budget of a passage, at least 4. Counted by the model's vocabulary where it is on disk, else by
            the estimate.
        overlap: Tokens that two neighbours share, below `max_tokens`.
        model: The model whose tokens count; None for o200k_base.

    Raises:
        UsageError: On use, when the two numbers leave no room.

    Example:
        >>> from llmopt.types import Document
        >>> passages = Tokens(max_tokens=4, overlap=0).chunk(Document("d", "one two three four five six"))
        >>> "".join(passage.text for passage in passages).replace(" ", "")
        'onetwothreefourfivesix'
    """

    max_tokens: int = 512
    overlap: int = 64
    model: str | None = None

    def spans(self, text: str) -> list[Span]:
        """Return the passages."""
        check_budget("Tokens", self.max_tokens, self.overlap)
        ruler = ruler_for(text, self.model)

        def resume(start: int, end: int, fresh: int) -> int:
            return next_visible(text, max(start + 1, ruler.back(end, self.overlap))) if self.overlap else fresh

        walk = Walk(ruler, self.max_tokens, partial(_whole_character, text), resume)
        return [Span(start, end) for start, end in walk.passages(0, len(text))]


def _whole_character(text: str, start: int, fresh: int, limit: int) -> int:  # noqa: ARG001 - the signature of a cut
    return hard_cut(text, fresh, limit)
