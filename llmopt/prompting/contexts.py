"""Retrieved text in a prompt: numbered, fenced, verbatim."""

from __future__ import annotations

from collections.abc import Sequence

from .._fences import Fenced, fence_all
from .._replies import cited_numbers
from ..types import Citation, Hit

__all__ = ["citations_of", "fenced_contexts"]


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
