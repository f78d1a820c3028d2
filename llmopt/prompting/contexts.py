"""Retrieved text in a prompt: numbered, fenced, verbatim, within a budget of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from .._fences import Fenced, fence_all
from .._replies import cited_numbers
from .._tokens import count_tokens, estimate_tokens
from .._trace import note
from ..errors import UsageError
from ..types import Citation, Hit

__all__ = ["citations_of", "fenced_contexts", "within_budget"]

# The estimate is at most half too low, for random letters: what it says fits twice over needs no counting.
_SAFELY = 2


def fenced_contexts(contexts: Sequence[Hit]) -> str:
    """Return the contexts, numbered from 1 in their order, each between fences that it cannot forge."""
    return fence_all([Fenced(f"context {number}", hit.document.text) for number, hit in enumerate(contexts, 1)])


def citations_of(text: str, contexts: Sequence[Hit]) -> list[Citation]:
    """Return the contexts whose numbers the text cites in brackets; numbers out of range are left out."""
    return [
        Citation(number, contexts[number - 1].document.id)
        for number in cited_numbers(text)
        if 1 <= number <= len(contexts)
    ]


def within_budget(contexts: Sequence[Hit], max_tokens: int | None) -> Sequence[Hit]:
    """Return the best contexts that fit, in their order; what does not fit is noted in the trace.

    The lowest ranked are dropped first. When not even the first fits, its text is cut.

    Args:
        contexts: Best first.
        max_tokens: Tokens of all texts together; None: no limit.

    Raises:
        UsageError: When the budget is below 1.
    """
    if max_tokens is None or not contexts:
        return contexts
    if max_tokens < 1:
        raise UsageError(f"`max_context_tokens` must be at least 1, got {max_tokens}")
    if _SAFELY * sum(_estimated(hit.document.text) for hit in contexts) <= max_tokens:
        return contexts
    kept: list[Hit] = []
    left = max_tokens
    for hit in contexts:
        left -= _counted(hit.document.text)
        if left < 0:
            break
        kept.append(hit)
    if not kept:
        best = contexts[0].document
        kept = [replace(contexts[0], document=replace(best, text=_cut(best.text, max_tokens)))]
        note("context cut", f"{best.id}: {len(kept[0].document.text)} of {len(best.text)} characters")
    if len(kept) < len(contexts):
        note("contexts dropped", [hit.document.id for hit in contexts[len(kept) :]])
    return kept


# A text is asked for twice per question, for the prompt and for the answer's contexts, and comes again in others.
@lru_cache(maxsize=1024)
def _estimated(text: str) -> int:
    return estimate_tokens(text)


@lru_cache(maxsize=1024)
def _counted(text: str) -> int:
    return count_tokens(text).count


def _cut(text: str, max_tokens: int) -> str:
    """Return the longest beginning that takes at most so many tokens, by halving."""
    fits, fails = 0, len(text)
    while fails - fits > 1:
        middle = (fits + fails) // 2
        if count_tokens(text[:middle]).count <= max_tokens:
            fits = middle
        else:
            fails = middle
    return text[:fits]
