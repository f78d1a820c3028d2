"""Tables for a terminal, aligned also where characters are two columns wide, and for a notebook."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Table", "display_width", "shortened"]

_ELLIPSIS = "..."


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under headings.

    Attributes:
        headings: One per column.
        rows: As many cells each as there are headings.
        numbers: How many columns, counted from the right, are aligned to the right.
        caption: A line above the table, or an empty string.
        notes: Lines below it.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: int = 0
    caption: str = ""
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        """Draw it for a terminal with a font of fixed width."""
        cells = [[_one_line(cell) for cell in row] for row in (self.headings, *self.rows)]
        widths = [max(display_width(row[column]) for row in cells) for column in range(len(self.headings))]
        left = len(self.headings) - self.numbers
        lines = [
            "  ".join(
                _padded(cell, width, to_the_right=column >= left)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in cells
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([*([self.caption] if self.caption else []), *lines, *self.notes])

    def html(self) -> str:
        """Draw it for a notebook; everything in it is escaped."""
        head = self._html_row("th", self.headings)
        body = "".join(self._html_row("td", row) for row in self.rows)
        caption = f"<caption>{_escaped(self.caption)}</caption>" if self.caption else ""
        notes = "".join(f"<div>{_escaped(note)}</div>" for note in self.notes)
        return f"<table>{caption}<thead>{head}</thead><tbody>{body}</tbody></table>{notes}"

    def _html_row(self, tag: str, cells: Sequence[str]) -> str:
        left = len(self.headings) - self.numbers
        sides = ("left" if column < left else "right" for column in range(len(cells)))
        return (
            "<tr>"
            + "".join(
                f'<{tag} style="text-align:{side}">{_escaped(cell)}</{tag}>'
                for side, cell in zip(sides, cells, strict=True)
            )
            + "</tr>"
        )


def display_width(text: str) -> int:
    """Return how many columns of a terminal the text takes: Chinese characters take two, accents none."""
    if text.isascii():
        return len(text)
    return sum(_character_width(character) for character in text)


def shortened(text: str, width: int) -> str:
    """Return the text on one line in at most so many columns, with dots where it was cut."""
    text = _one_line(text)
    if display_width(text) <= width:
        return text
    kept, room = "", width - len(_ELLIPSIS)
    for character in text:
        room -= _character_width(character)
        if room < 0:
            break
        kept += character
    return kept.rstrip() + _ELLIPSIS


def _character_width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Cf", "Me", "Mn"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split()) if not text.isprintable() else text


def _padded(text: str, width: int, *, to_the_right: bool) -> str:
    gap = " " * (width - display_width(text))
    return gap + text if to_the_right else text + gap


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)
