"""Which documents of an index a filter allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ..types import Document
from .conditions import Condition

__all__ = ["Mask", "Masks"]

Mask: TypeAlias = npt.NDArray[np.bool_]

_MOST_KEPT = 64


class Masks:
    """The masks of one state of an index; those of conditions, which are plain values, are kept.

    A function may say something else next time, so it is asked again at every search.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents
        self._kept: dict[Condition, Mask] = {}

    def of(self, allowed: Callable[[Document], bool]) -> Mask:
        """Return for every document whether it is allowed."""
        if not isinstance(allowed, Condition):
            return self._made(allowed)
        try:
            mask = self._kept.get(allowed)
        except TypeError:  # a condition with a list in it has no hash
            return self._made(allowed)
        if mask is None:
            mask = self._made(allowed)
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[allowed] = mask
        return mask

    def _made(self, allowed: Callable[[Document], bool]) -> Mask:
        return np.fromiter((allowed(document) for document in self._documents), np.bool_, len(self._documents))
