"""A file as its check reads it: every line with its value or with what is wrong with it."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from .lines import BrokenJsonError, decode_line, encoding_of, line_blocks, open_data, stream_records
from .plain import plain_run
from .rules import Fault
from .structure import Method

__all__ = ["Read", "read_file"]

_HEAD = 1 << 16


@dataclass(slots=True)
class Read:
    """One line, or one record that begins on it.

    Attributes:
        line: Its number from 1.
        text: Its text; empty for a record of a file that is not in lines.
        size: Its bytes, about.
        value: Its JSON value.
        parsed: Whether there is a value.
        faults: What is wrong with the line as such.
        raw: Whether `text` is the line as it stands in the file.
        run: Above 0: it stands for so many lines, of which this is the last, all plain chats without a fault.
    """

    line: int
    text: str = ""
    size: int = 0
    value: object = None
    parsed: bool = False
    faults: Sequence[Fault] = ()
    raw: bool = True
    run: int = 0


def read_file(path: Path, *, longest_plain: int = 0, method: Method = "supervised") -> Iterator[Read]:
    """Yield the lines of a JSONL file, or the records of a file that holds them in another form.

    Args:
        path: The file.
        longest_plain: Plain chats of up to so many bytes may come as runs, not line by line.
        method: What is plain: chats or preference pairs.

    Raises:
        StorageError: When the file cannot be read.
    """
    with open_data(path) as file:
        head = file.read(_HEAD)
        file.seek(0)
        form = _form(path, head, encoding_of(file))
        if form is not None:
            yield Read(1, faults=[form])
            yield from _streamed(path)
            return
        number = 0
        for block in line_blocks(file):
            if block is None:
                number += 1
                yield Read(number, faults=[Fault("line-too-long", "the line is longer than 64 MiB")])
                continue
            for read in _block(block, number, longest_plain, method):
                number = read.line
                yield read


def _block(block: bytes, number: int, longest_plain: int, method: Method) -> Iterator[Read]:
    at = 0
    while at < len(block):
        end = plain_run(block, at, longest_plain, method) if longest_plain else at
        if end > at:
            count = block.count(b"\n", at, end)
            number += count
            yield Read(number, parsed=True, run=count)
        else:
            number += 1
            end = block.index(b"\n", at) + 1
            yield _read(number, block[at : end - 1])
        at = end


def _form(path: Path, head: bytes, encoding: str) -> Fault | None:
    """Return what is wrong with the file's form as a whole; None for lines."""
    if encoding != "utf-8":
        return Fault("utf-16", "the file is UTF-16")
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if start.startswith(b"["):
        return Fault("json-array", "the file is one JSON list")
    first = start.split(b"\n", 1)[0].strip()
    if not first.startswith(b"{") or first.endswith(b"}") or len(first) == len(start):
        return None
    try:
        next(stream_records(path), None)
    except (BrokenJsonError, UnicodeDecodeError):
        return None
    return Fault("multi-line", "the objects are printed over several lines")


def _streamed(path: Path) -> Iterator[Read]:
    try:
        for line, value in stream_records(path):
            text = str(value)
            yield Read(line, text, len(text), value, parsed=True, raw=False)
    except BrokenJsonError as error:
        yield Read(error.line, faults=[Fault("not-json", str(error.what))])


def _read(number: int, content: bytes) -> Read:
    faults: list[Fault] = []
    if number == 1 and content.startswith(codecs.BOM_UTF8):
        faults.append(Fault("bom", "the file begins with a byte order mark"))
        content = content.removeprefix(codecs.BOM_UTF8)
    if content.endswith(b"\r"):
        faults.append(Fault("crlf", "the line ends with a carriage return"))
        content = content[:-1]
    if not content or content.isspace():
        faults.append(Fault("blank-line", "the line is empty"))
        return Read(number, faults=faults)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        faults.append(Fault("not-utf8", f"byte {error.start + 1} is not UTF-8"))
        return Read(number, content.decode(errors="surrogateescape"), faults=faults)
    try:
        value = decode_line(text)
    except ValueError as error:
        faults.append(Fault("not-json", f"this is not JSON: {error}; it begins {text[:60]!r}"))
        return Read(number, text, len(content), faults=faults)
    if "\\ud" in text or "\\uD" in text:
        faults.extend(_surrogates(value))
    return Read(number, text, len(content), value, parsed=True, faults=faults)


def _surrogates(value: object) -> Iterator[Fault]:
    try:
        _all_text(value).encode()
    except UnicodeEncodeError:
        yield Fault("lone-surrogate", "a \\ud... escape is half of a pair")


def _all_text(value: object) -> str:
    """Return all the strings in a JSON value, joined, nothing escaped."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
        return "".join(_all_text(key) + _all_text(item) for key, item in members)
    return "".join(map(_all_text, cast("list[object]", value))) if isinstance(value, list) else ""
