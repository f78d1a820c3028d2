"""Passages along the outline of a Markdown text."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import cast

from .._tokens import count_tokens
from ..interfaces import Chunker
from ..types import Span
from .cuts import last_cut, last_word, next_visible, overlap_start
from .measuring import ruler_for
from .outline import Section, sections
from .ruler import Ruler
from .walk import LEAST_TOKENS, Walk, check_budget

__all__ = ["Markdown"]


@dataclass(repr=False)
class Markdown(Chunker):
    r"""Passages that never cross a heading and know the headings above them.

    What stands under a heading is packed within the budget and cut as `Recursive` cuts. Code fences and
    tables stay whole where they fit; a larger one is cut between its lines. The metadata of a passage hold
    `headings`, the titles from the outermost heading to its own.

    With `with_headings` the text of a passage begins with the path of its headings and a blank line, "Guide >
    Install > Linux", for search and prompt to see. The path counts within the budget. The span is that of
    what follows it, as ever.

    Args:
        max_tokens: Budget of a passage, at least 4. Counted by the model's vocabulary where it is on disk, else by
            the estimate.
        overlap: Most tokens that two neighbours under one heading share, below `max_tokens`.
        model: The model whose tokens count; None for o200k_base.
        with_headings: Put the headings in front of the texts. They take at most half of the budget that the overlap
            leaves; where they are longer, those next to the passage are kept.

    Raises:
        UsageError: On use, when the two numbers leave no room.

    Example:
        >>> from llmopt.types import Document
        >>> text = "# Cats\nThey sleep.\n## Food\nFish.\n# Dogs\nThey run."
        >>> for passage in Markdown().chunk(Document("d", text)):
        ...     print(passage.metadata["headings"], repr(passage.text))
        ['Cats'] '# Cats\nThey sleep.'
        ['Cats', 'Food'] '## Food\nFish.'
        ['Dogs'] '# Dogs\nThey run.'
        >>> Markdown(with_headings=True).chunk(Document("d", text))[1].text
        'Cats > Food\n\n## Food\nFish.'
    """

    max_tokens: int = 512
    overlap: int = 0
    model: str | None = None
    with_headings: bool = False

    def spans(self, text: str) -> list[Span]:
        """Return the passages; what stands in front of their texts is not in them."""
        check_budget("Markdown", self.max_tokens, self.overlap)
        return list(self._along(text))

    def _along(self, text: str) -> Iterator[Span]:
        ruler = ruler_for(text, self.model)
        for section in sections(text):
            metadata = {"headings": list(section.headings)}
            budget = self.max_tokens - _tokens(self._path(section.headings), self.model)
            resume = partial(_resume, ruler, self.overlap, section)
            walk = Walk(ruler, budget, partial(_best_cut, text, section), resume)
            for start, end in walk.passages(section.start, section.end):
                yield Span(start, end, metadata)

    def prefix(self, span: Span) -> str:
        """Return the path of the headings above a passage and a blank line, where it is wanted."""
        return self._path(cast("Sequence[str]", span.metadata["headings"]))

    def _path(self, headings: Sequence[str]) -> str:
        most = min((self.max_tokens - self.overlap) // 2, self.max_tokens - LEAST_TOKENS)
        return _path_within(most, tuple(headings), self.model) if self.with_headings else ""


@lru_cache(maxsize=256)  # the passages under one heading follow each other
def _path_within(most: int, headings: tuple[str, ...], model: str | None) -> str:
    """Return the path of these headings, or of the last of them that there is room for."""
    kept: list[str] = []
    path = ""
    for title in reversed(headings):
        longer = " > ".join([title, *kept]) + "\n\n"
        if title and _tokens(longer, model) <= most:
            kept, path = [title, *kept], longer
    return path


def _tokens(path: str, model: str | None) -> int:
    # One more: the mark that ends a title may share a token with the "/" of a passage that begins with "/path".
    return count_tokens(path, model).count + 1 if path else 0


def _best_cut(text: str, section: Section, start: int, fresh: int, limit: int) -> int | None:
    block = _around(section, limit)
    if block is not None:
        # The block goes on beyond the budget: end before it, or when it began this passage, between its lines.
        if block[0] > fresh:
            return block[0]
        line = text.rfind("\n", fresh + 1, limit + 1)
        return line if line > 0 else last_word(text, fresh, limit)
    found = last_cut(text, start, fresh, limit)
    block = None if found is None else _around(section, found)
    if block is None:
        return found
    return block[0] if block[0] > fresh else block[1]


def _around(section: Section, place: int) -> tuple[int, int] | None:
    """Return the block that is to stay whole and that a cut at `place` would cut."""
    at = bisect.bisect_left(section.whole, (place, 0)) - 1
    return section.whole[at] if at >= 0 and place < section.whole[at][1] else None


def _resume(ruler: Ruler, overlap: int, section: Section, start: int, end: int, fresh: int) -> int:
    back = max(start + 1, ruler.back(end, overlap))
    if overlap == 0 or back >= end:
        return fresh
    block = _around(section, back)
    return overlap_start(ruler.text, back, end) if block is None else next_visible(ruler.text, block[1])
