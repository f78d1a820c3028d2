"""JSON lines and JSON arrays as records with line numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, cast

from ..errors import SampleError
from .plain import Json
from .sample_records import Record
from .tabular import not_utf8, open_text

__all__ = ["json_records"]

_SHOWN = 60


def json_records(path: Path) -> Iterator[Record]:
    """Yield the records of a file of JSON lines, or of one JSON array.

    A mark at the beginning, Windows line ends and blank lines are fine; a line may be of any length. An
    array is read whole, lines one at a time.

    Raises:
        SampleError: When a line is not a JSON object; the message names it.
        StorageError: When the file cannot be read.
    """
    with open_text(path) as file:
        if _first_character(path, file) == "[":
            yield from _array(path, file)
            return
        number = 0
        for line, text in _lines(path, file):
            if text.strip():
                number += 1
                yield _record(f"{path}, line {line}", number, _parsed(path, line, text))


def _array(path: Path, file: TextIO) -> Iterator[Record]:
    try:
        data = cast(Json, json.loads(file.read()))
    except UnicodeDecodeError as error:
        raise SampleError(not_utf8(path, 1, error)) from error
    except (json.JSONDecodeError, RecursionError) as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "the whole"
        raise SampleError(f"{path}, {where}: the file begins with '[' but is no JSON array: {error}") from error
    for number, item in enumerate(cast("list[Json]", data), 1):
        yield _record(f"{path}, item {number}", number, item)


def _record(place: str, number: int, value: Json) -> Record:
    if not isinstance(value, dict):
        shown = repr(value)[:_SHOWN]
        raise SampleError(
            f"{place}: expected an object like {{\"question\": ...}}, got {type(value).__name__} {shown}"
        )  # fmt: skip
    if value.get("format") == "llmopt report":
        raise SampleError(f"{place}: this is a saved report, not a list of samples; read it with Report.from_json")
    return Record(place, number, value)


def _parsed(path: Path, line: int, text: str) -> Json:
    try:
        return cast(Json, json.loads(text))
    except (json.JSONDecodeError, RecursionError) as error:
        begins = text.strip()
        hint = "write one object per line, or one array of objects"
        if begins == "{":
            hint = "the object goes over several lines: " + hint
        raise SampleError(f"{path}, line {line}: not JSON ({error}); it begins {begins[:_SHOWN]!r}; {hint}") from error


def _first_character(path: Path, file: TextIO) -> str:
    for _, text in _lines(path, file):
        if text.strip():
            file.seek(0)
            return text.lstrip()[0]
    return ""


def _lines(path: Path, file: TextIO) -> Iterator[tuple[int, str]]:
    line = 0
    while True:
        line += 1
        try:
            text = file.readline()
        except UnicodeDecodeError as error:
            raise SampleError(not_utf8(path, line, error)) from error
        if not text:
            return
        yield line, text
