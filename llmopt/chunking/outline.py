"""The outline of a Markdown text: sections under their headings, and the blocks that should stay whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Section", "sections"]

_LINE = re.compile(r"[^\n]*\n?")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+|$)")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_NOT_A_TITLE = re.compile(r"\s*(?:$|[-*+>|]\s|\d{1,9}[.)]\s|```|~~~| {4}|\t)")
_DELIMITERS = frozenset("|-: \t")


@dataclass(frozen=True, slots=True)
class Section:
    """A range of the text under one path of headings.

    Attributes:
        start: Where it begins, its own heading included.
        end: One past its last character.
        headings: From the outermost heading to its own, without marks; empty before the first heading.
        whole: The ranges of its code fences and tables, in order.
    """

    start: int
    end: int
    headings: tuple[str, ...]
    whole: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])


@dataclass(slots=True)
class _Line:
    start: int
    end: int
    text: str


def sections(text: str) -> Iterator[Section]:
    """Yield the sections of a Markdown text in order; together they are the whole text.

    ATX and underlined headings count, not those inside fences. A heading with nothing below it but a
    deeper heading belongs to the section of that one.
    """
    path: list[tuple[int, str]] = []
    start, body, whole = 0, 0, list[tuple[int, int]]()
    for part in _parts(text):
        if isinstance(part, tuple):
            whole.append(part)
            continue
        bare = bool(path) and not text[body : part.start].strip()
        if not (bare and part.level > path[-1][0]):
            if text[start : part.start].strip():
                yield Section(start, part.start, tuple(title for _, title in path), whole)
            start, whole = part.start, []
        body = part.end
        path = [outer for outer in path if outer[0] < part.level]
        path.append((part.level, part.title))
    yield Section(start, len(text), tuple(title for _, title in path), whole)


@dataclass(frozen=True, slots=True)
class _Heading:
    start: int
    end: int
    level: int
    title: str


def _parts(text: str) -> Iterator[_Heading | tuple[int, int]]:
    """Yield the headings and, as ranges, the blocks that stay whole, in order."""
    lines = _lines(text)
    at = _after_front_matter(lines)
    fences = True
    while at < len(lines):
        line = lines[at]
        fence = _FENCE.match(line.text) if fences else None
        if fence:
            close = _closing(lines, at, fence.group(1))
            if close is None:
                fences = False  # nothing closes it, nor what opens later: read on as plain text
                continue
            yield line.start, lines[close].end
            at = close + 1
        elif (rows := _table_rows(lines, at)) > 1:
            yield line.start, lines[at + rows - 1].end
            at += rows
        else:
            heading = _heading(lines, at)
            if heading is not None:
                yield heading
            at += 1 if heading is None or heading.end == line.end else 2


def _lines(text: str) -> list[_Line]:
    return [
        _Line(match.start(), match.end(), match.group().rstrip()) for match in _LINE.finditer(text) if match.group()
    ]


def _after_front_matter(lines: list[_Line]) -> int:
    if not lines or lines[0].text != "---":
        return 0
    return next((at + 1 for at in range(1, min(len(lines), 200)) if lines[at].text in {"---", "..."}), 0)


def _closing(lines: list[_Line], at: int, opening: str) -> int | None:
    for later in range(at + 1, len(lines)):
        mark = lines[later].text.strip(" ")
        if len(mark) >= len(opening) and mark == opening[0] * len(mark):
            return later
    return None


def _table_rows(lines: list[_Line], at: int) -> int:
    """Return how many lines from here on are rows of a table; 0 when none begins here."""
    first = lines[at].text
    if not (first.lstrip().startswith("|") or ("|" in first and at + 1 < len(lines) and _is_delimiter(lines[at + 1]))):
        return 0
    rows = 1
    while at + rows < len(lines) and "|" in lines[at + rows].text:
        rows += 1
    return rows


def _is_delimiter(line: _Line) -> bool:
    return "|" in line.text and "-" in line.text and _DELIMITERS.issuperset(line.text)


def _heading(lines: list[_Line], at: int) -> _Heading | None:
    line = lines[at]
    atx = _ATX.match(line.text)
    if atx:
        title = line.text[atx.end() :].strip()
        closed = title.rstrip("#")
        title = closed.rstrip() if not closed or closed[-1] in " \t" else title
        return _Heading(line.start, line.end, len(atx.group(1)), title)
    under = _SETEXT.match(lines[at + 1].text) if at + 1 < len(lines) and not _NOT_A_TITLE.match(line.text) else None
    if under is None or (at > 0 and lines[at - 1].text and not _ATX.match(lines[at - 1].text)):
        return None
    return _Heading(line.start, lines[at + 1].end, 1 if under.group(1)[0] == "=" else 2, line.text.strip())
