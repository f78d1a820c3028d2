"""A retriever from a plain function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from ..errors import ContractError
from ..interfaces import Retriever
from ..types import Document, Hit, MaybeAwaitable
from ._later import then

__all__ = ["FunctionRetriever"]


@dataclass(repr=False, eq=False)
class FunctionRetriever(Retriever):
    """Searches by a function of yours: a database, a web service, a table.

    Args:
        function: Takes the query and the number of hits wanted; `def` or `async def`. It gives hits with
            scores, higher is better, or documents, best first, whose scores are then 1, 1/2, 1/3 and so on.

    Example:
        >>> def by_number(query: str, k: int) -> list[Document]:
        ...     return [Document("42", "The answer.")] if "42" in query else []
        >>> [hit.document.text for hit in FunctionRetriever(by_number).retrieve("What is 42?")]
        ['The answer.']
    """

    function: Callable[[str, int], MaybeAwaitable[Iterable[Hit | Document]]]

    def search(self, query: str, k: int) -> MaybeAwaitable[list[Hit]]:
        """Return what the function finds.

        Raises:
            ContractError: When it gives something else than hits or documents.
        """
        return then(self.function(query, k), _hits)


def _hits(found: object) -> list[Hit]:
    items = list(cast("Iterable[object]", found)) if isinstance(found, Iterable) else [found]
    hits: list[Hit] = []
    for rank, item in enumerate(items, start=1):
        if not isinstance(item, Hit | Document):
            raise ContractError(
                "the function of a `FunctionRetriever` must give hits or documents, like `Document(id, text)`, got "
                f"{repr(item)[:80]}"
            )
        hits.append(item if isinstance(item, Hit) else Hit(item, 1 / rank))
    return hits
