"""Measures a text in tokens while a chunker walks along it."""

from __future__ import annotations

from abc import ABC, abstractmethod

__all__ = ["Ruler"]


class Ruler(ABC):
    """Positions against tokens, along one text.

    What lies before a `start` that `reach` was asked for is forgotten: ask for starts in order.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @abstractmethod
    def of(self, text: str) -> Ruler:
        """Return a ruler of the same kind for another text."""

    @abstractmethod
    def reach(self, start: int, budget: int) -> int:
        """Return how far `budget` tokens reach from `start`; near, since a slice may have other tokens."""

    @abstractmethod
    def back(self, end: int, budget: int) -> int:
        """Return how far `budget` tokens reach back from `end`; near, like `reach`."""

    @abstractmethod
    def count(self, start: int, end: int) -> int:
        """Return the tokens of text[start:end] taken by itself, as `count_tokens` counts them."""

    def excess(self, start: int, end: int, budget: int) -> int:
        """Return by how many tokens text[start:end], taken by itself, exceeds the budget; 0 or less when it fits."""
        return self.count(start, end) - budget
