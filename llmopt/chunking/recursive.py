"""Passages of a token budget, cut at the best place that the text offers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ..interfaces import Chunker
from ..types import Span
from .cuts import begins_with_heading, last_cut, overlap_start
from .measuring import ruler_for
from .ruler import Ruler
from .walk import Walk, check_budget

__all__ = ["Recursive"]


@dataclass(repr=False)
class Recursive(Chunker):
    r"""Passages of at most `max_tokens`, as full as they get without cutting through a paragraph or a sentence.

    The last heading, blank line, sentence, line or clause in the second half of the budget ends a passage,
    in this order; else the last word. A word is torn apart only when it alone is longer than the budget.
    The next passage repeats the last whole sentences of up to `overlap` tokens, except after a heading's
    break. Works for Chinese as for English; takes time in proportion to the text, and memory for one block.

    Args:
        max_tokens: Budget of a passage, at least 4. Counted by the model's vocabulary where it is on disk, else by
            the estimate.
        overlap: Most tokens that two neighbours share, below `max_tokens`.
        model: The model whose tokens count; None for o200k_base.

    Raises:
        UsageError: On use, when the two numbers leave no room.

    Example:
        >>> from llmopt.types import Document
        >>> text = "One cat sat here.\n\nTwo dogs ran off.\n\nThree birds flew up."
        >>> [passage.text for passage in Recursive(max_tokens=12, overlap=0).chunk(Document("d", text))]
        ['One cat sat here.\n\nTwo dogs ran off.', 'Three birds flew up.']
    """

    max_tokens: int = 512
    overlap: int = 64
    model: str | None = None

    def spans(self, text: str) -> list[Span]:
        """Return the passages."""
        check_budget("Recursive", self.max_tokens, self.overlap)
        ruler = ruler_for(text, self.model)
        walk = Walk(ruler, self.max_tokens, partial(last_cut, text), partial(_resume, ruler, self.overlap))
        return [Span(start, end) for start, end in walk.passages(0, len(text))]


def _resume(ruler: Ruler, overlap: int, start: int, end: int, fresh: int) -> int:
    back = max(start + 1, ruler.back(end, overlap))
    if overlap == 0 or back >= end or begins_with_heading(ruler.text, fresh):
        return fresh
    return overlap_start(ruler.text, back, end)
