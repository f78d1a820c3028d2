"""Sentences of a passage, as a reader may quote them: verbatim, code and tables kept apart from prose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..._text import sentences

__all__ = ["Sentence", "read_passage"]

Kind: TypeAlias = Literal["prose", "code", "table", "heading", "term"]

_BLANK = re.compile(r"\n[ \t\r]*\n")
_BULLET = re.compile(r"[ \t]*(?:[*\u2022\u00b7-]|\(?\d{1,2}[.)]|[a-z][.)])[ \t]+(?=\S)")
_HEADING = re.compile(r"[ \t]*#{1,6}[ \t]+")
_PROMPT = re.compile(r"[ \t]*(?:>>>|\.\.\.|\$|\(Pdb\)|```|~~~|@\w)")
_CODE_START = re.compile(
    r"[ \t]*(?:def|class|import|from|for|while|if|try|with|async|return|print|raise|except|else|match|case)\b[^.]*$"
)
_CODE_MARK = re.compile(r"[=(){}\[\]<>|;_]")
_END = re.compile(r"[.!?:;\u3002\uff01\uff1f\uff1b\uff1a][\"'\u201d\u2019)\]*]*\s*$")
_RULER_MARKS = frozenset("=-*~^#+\"'`|:")
_SHORTEST_RULER = 3
_LONGEST_LABEL = 160
_LONGEST_CODE = 160
_MOST_MARKS = 0.1


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, or what stands for one.

    Attributes:
        text: Verbatim, but every run of white space is one space.
        context: Number of the context, from 1.
        place: Number within the context, from 0.
        kind: Prose, or a block of code, or a row of a table; headings are no sentences.
        label: The heading, or the term that is being defined, that it stands under; may be empty.
        shown: What to quote: the sentence with the term that it defines before it, or with the short code
            that it announces by a colon after it.
    """

    text: str
    context: int
    place: int
    kind: Kind
    label: str
    shown: str


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    kind: Kind
    indent: int


def read_passage(text: str, context: int) -> list[Sentence]:
    """Return the sentences of a context in reading order."""
    found: list[Sentence] = []
    label, before = "", _Piece("", "heading", 0)
    for piece in _pieces(text):
        defined = ""
        if before.kind == "term":
            if piece.kind == "prose" and piece.indent > before.indent:
                defined = before.text
            else:  # it defined nothing, so it says something itself
                found.append(Sentence(before.text, context, len(found), "prose", "", before.text))
        if piece.kind in {"heading", "term"}:
            label = piece.text
        elif piece.kind == "code" and before.kind == "prose" and before.text.endswith(":"):
            _announce(found, piece.text)
        else:
            shown = f"{defined} {piece.text}".strip()
            found.append(Sentence(piece.text, context, len(found), piece.kind, label, shown))
        before = piece
    if before.kind == "term":
        found.append(Sentence(before.text, context, len(found), "prose", "", before.text))
    return found


def _announce(found: list[Sentence], code: str) -> None:
    """Put the code behind the sentence that announces it, if it is short enough to be quoted."""
    last = found[-1]
    if len(code) <= _LONGEST_CODE:
        found[-1] = Sentence(last.text, last.context, last.place, last.kind, last.label, f"{last.shown} {code}")


def _pieces(text: str) -> Iterator[_Piece]:
    for block in _BLANK.split(text):
        lines = [line for line in block.split("\n") if line.strip()]
        if lines:
            yield from _block(lines)


def _block(lines: list[str]) -> Iterator[_Piece]:
    # A bullet, a heading, a ruler, a table and most code show in the first character of a line.
    first = [line.lstrip()[0] for line in lines]
    indent = min(map(_indent, lines))
    rulers = [mark in _RULER_MARKS and _is_ruler(line) for mark, line in zip(first, lines, strict=True)]
    kept = [line for line, ruler in zip(lines, rulers, strict=True) if not ruler]
    if first[0] == "|" or (first[0] == "+" and rulers[0]):
        yield from (_Piece(_flat(row), "table", indent) for row in kept)
    elif len(kept) == len(lines) and _is_code(lines):
        yield _Piece(_flat(" ".join(lines)), "code", indent)
    else:
        for item in _items(kept):
            yield from _prose(item, indent, heading=len(kept) < len(lines))


def _is_ruler(line: str) -> bool:
    """Return whether a line only draws: under a heading, around a table, between sections."""
    drawn = line.strip()
    return len(drawn) >= _SHORTEST_RULER and _RULER_MARKS.issuperset(drawn.replace(" ", ""))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _items(lines: list[str]) -> Iterator[str]:
    """Split a block at its bullets and Markdown headings."""
    item: list[str] = []
    for line in lines:
        if item and (_BULLET.match(line) or _HEADING.match(line) or _HEADING.match(item[-1])):
            yield "\n".join(item)
            item = []
        item.append(line)
    if item:
        yield "\n".join(item)


def _prose(item: str, indent: int, *, heading: bool) -> Iterator[_Piece]:
    if len(item) <= 2 * _LONGEST_LABEL:
        flat = _flat(item)
        heading = heading or _HEADING.match(item) is not None
        if len(flat) <= _LONGEST_LABEL and (heading or not _END.search(flat)):
            yield _Piece(flat.lstrip("# ") if heading else flat, "heading" if heading else "term", indent)
            return
    for span in sentences(item):
        yield _Piece(_flat(item[span.start : span.end]), "prose", indent)


def _is_code(lines: list[str]) -> bool:
    if any(_PROMPT.match(line) or "::=" in line for line in lines):
        return True
    ending = _END.search(lines[-1])
    if ending is not None and ending.group()[0] not in ":;":
        return False
    if _CODE_START.match(lines[0]) and all(line[0] == " " or _CODE_START.match(line) for line in lines):
        return True
    whole = "".join(lines)
    return len(lines) > 1 and len(_CODE_MARK.findall(whole)) > _MOST_MARKS * len(whole)


def _flat(text: str) -> str:
    return " ".join(text.split())
