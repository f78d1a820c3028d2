"""The walk along a text that every chunker with a token budget shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..errors import UsageError
from .cuts import hard_cut, next_visible, next_word, trimmed_end
from .ruler import Ruler

__all__ = ["LEAST_TOKENS", "Walk", "check_budget"]

LEAST_TOKENS = 4
_LITTLE = 64


def check_budget(name: str, max_tokens: int, overlap: int) -> None:
    """Raise unless passages of `max_tokens` that repeat `overlap` tokens can be made.

    Raises:
        UsageError: When there is no room for one character, or for anything new beside the overlap.
    """
    if max_tokens < LEAST_TOKENS:
        raise UsageError(
            f"`{name}.max_tokens` must be at least {LEAST_TOKENS}, which one character can take, got {max_tokens}"
        )
    if not 0 <= overlap < max_tokens:
        raise UsageError(
            f"`{name}.overlap` must be at least 0 and below max_tokens ({max_tokens}), got {overlap}: a passage "
            "that only repeats the one before would never end"
        )


@dataclass(frozen=True, slots=True)
class Walk:
    """Cuts a range of a text into passages of at most `max_tokens`, in order, leaving out nothing visible.

    Attributes:
        ruler: Measures the text.
        max_tokens: The budget of a passage, counted as the passage alone would be.
        cut: (start, fresh, limit) to the best end in (fresh, limit] of a passage from `start`, or None when
            only tearing a word apart would do; `fresh` is where the new text begins.
        resume: (start, end, fresh) to where the passage after the one from `start` to `end` may begin to repeat
            it, `fresh`, where the new text begins, for nowhere.
    """

    ruler: Ruler
    max_tokens: int
    cut: Callable[[int, int, int], int | None]
    resume: Callable[[int, int, int], int]

    def passages(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield (start, end) of the passages of text[start:stop], white space at both ends left out."""
        text = self.ruler.text
        start = fresh = next_visible(text, start)
        while fresh < stop:
            end = self._end(start, fresh, stop)
            if end is None:  # what is repeated leaves no room for the next word
                start = fresh
                continue
            yield start, end
            fresh = next_visible(text, end)
            again = self.resume(start, end, fresh) if fresh < stop else fresh
            start = again if start < again < end else fresh

    def _end(self, start: int, fresh: int, stop: int) -> int | None:
        text, budget = self.ruler.text, self.max_tokens
        while True:
            # A slice may have more tokens than it had within the text, so look before it is taken.
            limit = self.ruler.reach(start, budget) if budget > 0 else start + self.max_tokens // LEAST_TOKENS
            end = stop if limit >= stop else self.cut(start, fresh, limit) if limit > fresh else None
            if end is None:
                if fresh > start:
                    return None
                end = self._whole_word(start, limit) or hard_cut(text, start, limit)
            if text[end - 1].isspace():
                end = trimmed_end(text, start, end)
            excess = self.ruler.excess(start, end, self.max_tokens)
            if excess <= 0:
                return end
            budget -= excess

    def _whole_word(self, start: int, limit: int) -> int | None:
        """Return the end of the word that goes on at the limit when, taken by itself, it fits after all."""
        end = next_word(self.ruler.text, max(start, limit), limit + _LITTLE)
        return end if end is not None and self.ruler.excess(start, end, self.max_tokens) <= 0 else None
