"""Conditions on the metadata of documents: plain values that can be combined, compared and saved."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from ..errors import UsageError
from ..types import Document

__all__ = ["AllOf", "AnyOf", "Between", "Condition", "Equals", "Not", "OneOf", "both"]


class Condition(ABC):
    """Says of a document whether it may be found; always the same of the same document."""

    __slots__ = ()

    @abstractmethod
    def __call__(self, document: Document) -> bool:
        """Return whether the document may be found."""


@dataclass(frozen=True, slots=True)
class Equals(Condition):
    """The metadata field has this value; a document without the field does not fit.

    Example:
        >>> Equals("language", "zh")(Document("d", "text", {"language": "zh"}))
        True
    """

    field: str
    value: object

    def __call__(self, document: Document) -> bool:
        """Return whether the field is there and equal."""
        return self.field in document.metadata and document.metadata[self.field] == self.value


@dataclass(frozen=True, slots=True)
class OneOf(Condition):
    """The metadata field has one of these values, or holds one of them if it is a list."""

    field: str
    values: tuple[object, ...]

    def __call__(self, document: Document) -> bool:
        """Return whether the field is there and fits.

        Raises:
            UsageError: When `values` is one str.
        """
        if isinstance(cast(object, self.values), str):
            raise UsageError(f"`OneOf.values` are several, got one str: wrap it, ({self.values!r},)")
        if self.field not in document.metadata:
            return False
        found = document.metadata[self.field]
        if isinstance(found, list | tuple | frozenset | set):
            return any(item in self.values for item in cast("Iterable[object]", found))
        return found in self.values


@dataclass(frozen=True, slots=True)
class Between(Condition):
    """The metadata field lies between two values, both included; None leaves an end open.

    Dates as ISO texts ("2026-11-22") compare as they should.

    Example:
        >>> Between("date", at_least="2026-01-01")(Document("d", "text", {"date": "2026-11-22"}))
        True
    """

    field: str
    at_least: object = None
    at_most: object = None

    def __call__(self, document: Document) -> bool:
        """Return whether the field is there and in the range.

        Raises:
            UsageError: When the value cannot be compared with the ends.
        """
        found = document.metadata.get(self.field)
        if found is None:
            return False
        return self._in_order(document, self.at_least, found) and self._in_order(document, found, self.at_most)

    def _in_order(self, document: Document, low: object, high: object) -> bool:
        if low is None or high is None:
            return True
        try:
            return bool(low <= high)  # type: ignore[operator]  # any values that can be compared
        except TypeError as error:
            raise UsageError(
                f"the field {self.field!r} of document {document.id!r} cannot be compared: {error}; "
                "write it alike in all documents and in the condition"
            ) from error


@dataclass(frozen=True, slots=True)
class AllOf(Condition):
    """Every one of the conditions holds."""

    conditions: tuple[Condition, ...]

    def __call__(self, document: Document) -> bool:
        """Return whether all hold."""
        return all(condition(document) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class AnyOf(Condition):
    """At least one of the conditions holds."""

    conditions: tuple[Condition, ...]

    def __call__(self, document: Document) -> bool:
        """Return whether one holds."""
        return any(condition(document) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """The condition does not hold."""

    condition: Condition

    def __call__(self, document: Document) -> bool:
        """Return whether it does not hold."""
        return not self.condition(document)


def both(one: Callable[[Document], bool], other: Callable[[Document], bool]) -> Callable[[Document], bool]:
    """Return what holds where both hold; a condition where both are."""
    if isinstance(one, Condition) and isinstance(other, Condition):
        return AllOf((one, other))
    return lambda document: one(document) and other(document)
