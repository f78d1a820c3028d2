"""Lines and records of a file of any size, in bounded memory."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

from ..errors import SampleError, StorageError

__all__ = [
    "LONGEST_LINE",
    "BrokenJsonError",
    "decode_line",
    "encoding_of",
    "line_blocks",
    "open_data",
    "stream_records",
]

LONGEST_LINE = 64 << 20
"""Bytes of the longest line that is read; a longer one is reported and skipped."""

_CHUNK = 1 << 20
_BETWEEN = " \t\r\n,[]\ufeff\x1e"


class BrokenJsonError(SampleError):
    """A file holds something that is not JSON.

    Attributes:
        line: Where.
        what: What the parser said.
    """

    def __init__(self, path: Path, line: int, what: str) -> None:
        super().__init__(f"{path} line {line}: this is not JSON ({what}): correct or remove it")
        self.line = line
        self.what = what


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON: use null or a number")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def decode_line(text: str) -> object:
    """Return the JSON value that a text is; NaN and Infinity, which strict readers refuse, are errors.

    Raises:
        ValueError: When it is not JSON.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def open_data(path: Path) -> BinaryIO:
    """Open a file to read.

    Raises:
        StorageError: When that is not possible.
    """
    try:
        return path.open("rb")
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error}") from error


def line_blocks(file: BinaryIO) -> Iterator[bytes | None]:
    """Yield the file in blocks of whole lines; None stands for a line longer than `LONGEST_LINE`, left out.

    Every line ends with a line feed, the last one of the file included.
    """
    rest = b""
    while chunk := file.read(_CHUNK):
        cut = chunk.rfind(b"\n") + 1
        if cut:
            yield rest + chunk[:cut]
            rest = chunk[cut:]
        else:
            rest += chunk
        if len(rest) > LONGEST_LINE:
            yield None
            while (skipped := file.readline(_CHUNK)) and not skipped.endswith(b"\n"):
                pass
            rest = b""
    if rest:
        yield rest + b"\n"


def stream_records(path: Path) -> Iterator[tuple[int, object]]:
    """Yield every JSON value of a file with the line on which it begins.

    Reads JSONL, a JSON array, and objects printed over several lines, one after the other, with or without
    a byte order mark, in UTF-8 or UTF-16. Memory is bounded by the largest value.

    Raises:
        BrokenJsonError: When something between the values is not JSON; the message names the line.
        StorageError: When the file cannot be read.
    """
    with open_data(path) as file:
        encoding = encoding_of(file)
        decoder = codecs.getincrementaldecoder(encoding)()
        buffer, line, size = "", 1, _CHUNK
        while True:
            chunk = file.read(size)
            try:
                buffer += decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                raise BrokenJsonError(path, line, f"not {encoding} text: {error}") from error
            records, used, fault = _take(buffer, line, whole=not chunk)
            yield from records
            line += buffer.count("\n", 0, used)
            buffer = buffer[used:]
            if fault and (not chunk or len(buffer) > LONGEST_LINE):
                raise BrokenJsonError(path, line, fault)
            size = max(_CHUNK, len(buffer))  # doubling keeps the time linear in the size of a large value
            if not chunk:
                return


def encoding_of(file: BinaryIO) -> str:
    """Return the encoding that the byte order mark says, UTF-8 without one; the mark is still to be read."""
    start = file.read(4)
    file.seek(0)
    return "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"


def _take(buffer: str, line: int, *, whole: bool) -> tuple[list[tuple[int, object]], int, str]:
    """Return the values at the buffer's start, the characters that they take, and what stopped the reading."""
    records: list[tuple[int, object]] = []
    at, counted = 0, 0
    while True:
        start = at
        while start < len(buffer) and buffer[start] in _BETWEEN:
            start += 1
        if start == len(buffer):
            return records, start, ""
        try:
            value, end = _DECODER.raw_decode(buffer, start)
        except (ValueError, RecursionError) as error:
            return records, start, str(error).split(":")[0]
        if end == len(buffer) and not whole and not isinstance(value, dict | list):
            return records, start, "cut"  # a number may go on in the next chunk
        line += buffer.count("\n", counted, start)
        counted = start
        records.append((line, cast(object, value)))
        at = end
