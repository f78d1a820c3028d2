"""Collects the words of a page into lines and blocks of Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["Writer"]

_SPACE = re.compile(r"\s+")
_INVISIBLE = str.maketrans("", "", "\u00ad\u200b\ufeff")  # soft hyphen, zero-width space, byte order mark
_BLANK_LINES = re.compile(r"\n{3,}")
_FENCES = re.compile(r"`{3,}")
_DEEPEST_ITEM = 8


@dataclass(slots=True)
class _Table:
    rows: list[list[str]] = field(default_factory=list[list[str]])
    outer: list[str] = field(default_factory=list[str])
    loose: list[str] = field(default_factory=list[str])
    in_cell: bool = False


class Writer:
    """Text with its white space collapsed; a pending break is written when the next word comes.

    Attributes:
        titled: Whether a heading of level 1 was written.
    """

    def __init__(self) -> None:
        self.titled = False
        self._parts: list[str] = []
        self._break = ""
        self._mark = ""
        self._tables: list[_Table] = []
        self._code: list[str] | None = None

    def text(self) -> str:
        """Return all that was written, without white space around it."""
        return _BLANK_LINES.sub("\n\n", "".join(self._parts)).strip()

    def data(self, data: str) -> None:
        """Add running text, or code as it stands."""
        if self._code is not None:
            self._code.append(data)
            return
        words = _SPACE.sub(" ", data.translate(_INVISIBLE))
        if words.startswith(" "):
            self._break = self._break or " "
        if words.strip():
            self._write(words.strip())
            self._break = " " if words.endswith(" ") else ""

    def line(self) -> None:
        """End the line."""
        if self._break != "\n\n" and not self._mark:
            self._break = "\n"

    def paragraph(self) -> None:
        """End the block."""
        if not self._mark:
            self._break = "\n\n"

    def heading(self, level: int) -> None:
        """Begin a heading."""
        self._mark = ""
        self.paragraph()
        self._mark = "#" * level + " "

    def item(self, depth: int, *, ordered: bool) -> None:
        """Begin a list item."""
        self._mark = ""
        self.line()
        self._mark = "  " * (min(max(depth, 1), _DEEPEST_ITEM) - 1) + ("1. " if ordered else "- ")

    def end_heading(self) -> None:
        """End a heading; one without words leaves no trace."""
        self._mark = ""
        self.paragraph()

    def end_item(self) -> None:
        """End a list item; one without words leaves no trace."""
        self._mark = ""
        self.line()

    def begin_code(self) -> None:
        """Begin text that is taken as it stands."""
        self._code = self._code or []

    def end_code(self) -> None:
        """Write the code in a fence that it cannot close."""
        code, self._code = "".join(self._code or []).strip("\n"), None
        if not code.strip():
            return
        fence = "`" * max([3, *(len(run) + 1 for run in _FENCES.findall(code))])
        self.paragraph()
        self._write(f"{fence}\n{code}\n{fence}")
        self.paragraph()

    def begin_table(self) -> None:
        """Begin a table, which may stand within a cell of another."""
        self._mark = ""
        self._tables.append(_Table(outer=self._parts))
        self._parts, self._break = [], ""

    def row(self) -> None:
        """Begin a row."""
        if self._tables:
            self._tables[-1].rows.append([])

    def begin_cell(self) -> None:
        """Begin a cell."""
        if self._tables:
            self._tables[-1].loose.append(self.text())
            self._parts, self._break, self._tables[-1].in_cell = [], "", True

    def end_cell(self) -> None:
        """End a cell."""
        if self._tables and self._tables[-1].in_cell:
            table = self._tables[-1]
            table.rows = table.rows or [[]]
            table.rows[-1].append(self.text())
            self._parts, self._mark, table.in_cell = [], "", False

    def end_table(self) -> None:
        """Write the table as rows, or as paragraphs when it only lays out the page."""
        if not self._tables:
            return
        table = self._tables.pop()
        loose = [*table.loose, self.text()]
        self._parts, self._break = table.outer, "\n\n"
        for block in (*loose, *_blocks([row for row in table.rows if any(row)])):
            if block:
                self._write(block)
            self.paragraph()

    def _write(self, words: str) -> None:
        if self._parts:
            self._parts.append(self._break)
        self.titled = self.titled or self._mark == "# "
        self._parts.append(self._mark + words)
        self._break = self._mark = ""


def _blocks(rows: list[list[str]]) -> list[str]:
    """Return one Markdown table, or of a table for layout the texts of its cells."""
    columns = max((len(row) for row in rows), default=0)
    if columns < 2 or any("\n" in cell or cell.startswith("#") for row in rows for cell in row):
        return [cell for row in rows for cell in row]
    lines = [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in (*row, *[""] * (columns - len(row)))) + " |"
        for row in rows
    ]
    return ["\n".join([lines[0], "|" + " --- |" * columns, *lines[1:]])]
