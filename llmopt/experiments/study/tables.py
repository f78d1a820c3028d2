"""Tables of the page: the first cell of a row names it, figures are aligned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .markup import Markup, element, joined

__all__ = ["Column", "table"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: Its heading.
        number: Whether it holds figures, aligned to the right.
    """

    name: str
    number: bool = False


def table(caption: str, columns: Sequence[Column], rows: Sequence[Sequence[str]], marks: Sequence[str] = ()) -> Markup:
    """Return a table.

    Args:
        caption: What it shows.
        columns: The first one names the rows.
        rows: As many cells each as there are columns; `Markup` goes in as it is.
        marks: A class for each row, or nothing.
    """
    head = joined(element("th", {"scope": "col", "class": _kind(column)}, column.name) for column in columns)
    body: list[Markup] = []
    for number, row in enumerate(rows):
        cells = [
            element("td" if place else "th", {"scope": None if place else "row", "class": _kind(column)}, cell)
            for place, (cell, column) in enumerate(zip(row, columns, strict=True))
        ]
        body.append(element("tr", {"class": marks[number] or None if marks else None}, *cells))
    parts = element("caption", {}, caption), element("thead", {}, element("tr", {}, head)), element("tbody", {}, *body)
    return element("div", {"class": "scroll", "role": "group", "aria-label": caption}, element("table", {}, *parts))


def _kind(column: Column) -> str | None:
    return "number" if column.number else None
