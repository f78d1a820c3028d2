"""Asking a model for further queries, and what its failures mean for a search."""

from __future__ import annotations

from pydantic import BaseModel, Field

from .._trace import note
from ..errors import (
    ContentFilteredError,
    ModelError,
    ModelOutputError,
    ModelRefusedError,
    ModelUnavailableError,
    OutputCutError,
    RateLimitError,
)
from ..interfaces import ChatModel
from ..types import Message, Options

__all__ = ["PASSING_ERRORS", "further_queries"]

PASSING_ERRORS = (
    ModelUnavailableError,
    RateLimitError,
    ModelRefusedError,
    ContentFilteredError,
    OutputCutError,
    ModelOutputError,
)
"""What may befall a single request. A wrong key, an unknown model or an empty account hits every request: it is
raised, for a search that quietly does without its model would look like a technique that does not help."""


class _Queries(BaseModel):
    queries: list[str] = Field(description="The queries, each complete by itself.")


async def further_queries(model: ChatModel, instructions: str, query: str, *, most: int, options: Options) -> list[str]:
    """Return at most `most` queries that the model makes of one, without blanks, repeats and the query itself.

    When the request fails in a way that may pass, there are none, and the trace says why.

    Raises:
        ModelError: When the failure is one that every request will have.
    """
    try:
        messages = [Message("system", instructions), Message("user", query)]
        found = (await model.aextract(messages, _Queries, options)).queries
    except PASSING_ERRORS as error:
        note("failed", _described(error))
        return []
    different = {item.strip().casefold(): item.strip() for item in reversed(found) if item.strip()}
    different.pop(query.strip().casefold(), None)
    return list(reversed(different.values()))[:most]


def _described(error: ModelError) -> str:
    return f"{type(error).__name__}: {error}"
