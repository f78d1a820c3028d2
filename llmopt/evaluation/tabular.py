"""CSV files as records with line numbers, whatever a spreadsheet made of them."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ..errors import SampleError, StorageError

__all__ = ["CsvRecord", "csv_header", "csv_records", "not_utf8", "open_text"]

_LONGEST_CELL = min(sys.maxsize, 2**31 - 1)
_DELIMITERS = {".tsv": "\t", ".tab": "\t"}


@dataclass(frozen=True, slots=True)
class CsvRecord:
    """A line of a table.

    Attributes:
        line: The line of the file on which it begins, from 1.
        cells: By the column's heading.
    """

    line: int
    cells: Mapping[str, str]


def csv_header(path: Path) -> list[str]:
    """Return the headings; none for an empty file."""
    with open_text(path) as file:
        return _first(_rows(path, file))


def csv_records(path: Path) -> Iterator[CsvRecord]:
    """Yield the lines below the headings; lines without any text are left out.

    A tab separates the cells of a `.tsv` file, a comma those of any other. A cell may hold line breaks
    and be of any length.

    Raises:
        SampleError: When a heading is given twice or a line has another number of cells; the message
            names the line.
        StorageError: When the file cannot be read.
    """
    with open_text(path) as file:
        rows = _rows(path, file)
        header = _first(rows)
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise SampleError(f"{path}, line 1: the column {twice[0]!r} is there twice; name every column once")
        for line, row in rows:
            if len(row) != len(header):
                raise SampleError(
                    f"{path}, line {line}: {len(row)} cells, the first line names {len(header)} columns; put text that "
                    "holds commas, quotes or line breaks in double quotes"
                )
            yield CsvRecord(line, dict(zip(header, row, strict=True)))


def open_text(path: Path) -> TextIO:
    """Open a UTF-8 file, with or without its mark.

    Raises:
        StorageError: When it cannot be opened.
    """
    try:
        return path.open("r", encoding="utf-8-sig", newline="")
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error


def _rows(path: Path, file: TextIO) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(file, delimiter=_DELIMITERS.get(path.suffix.lower(), ","), strict=True)
    line = 1
    while True:
        # The limit is one for the process: it is raised for our own step and put back.
        limit = csv.field_size_limit(_LONGEST_CELL)
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise SampleError(f"{path}, line {line}: not CSV: {error}") from error
        except UnicodeDecodeError as error:
            raise SampleError(not_utf8(path, line, error)) from error
        finally:
            csv.field_size_limit(limit)
        if row is None:
            return
        if any(cell.strip() for cell in row):
            yield line, row
        line = reader.line_num + 1


def _first(rows: Iterator[tuple[int, list[str]]]) -> list[str]:
    for _, row in rows:
        return [name.strip() for name in row]
    return []


def not_utf8(path: Path, line: int, error: UnicodeDecodeError) -> str:
    """Return what to say of a file that is not UTF-8."""
    byte = error.object[error.start]
    return (
        f"{path}, line {line} or after: not UTF-8 text (byte 0x{byte:02x}); save the file as UTF-8 (in Excel: "
        "'CSV UTF-8'), or convert it, for example from GB18030: iconv -f GB18030 -t UTF-8"
    )
