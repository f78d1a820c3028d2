"""Reports as JSON: versioned, strict, a line per sample."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from .._files import write_text
from .._version import __version__
from ..errors import StorageError
from .codec import decode, encode
from .row import Row

__all__ = ["ReportData", "check_rows", "read_json", "write_json"]

_FORMAT = "llmopt report"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class ReportData:
    """What a report file holds.

    Attributes:
        rows: One per sample.
        metrics: The names of the metrics.
        title: What was evaluated.
        settings: How it was made.
    """

    rows: Sequence[Row]
    metrics: Sequence[str]
    title: str = ""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class _Head:
    format: str
    version: int
    llmopt: str
    metrics: Sequence[str]
    title: str = ""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])


def write_json(
    path: Path, rows: Sequence[Row], metrics: Sequence[str], title: str, settings: Mapping[str, str]
) -> None:  # fmt: skip
    """Write a report, atomically.

    Raises:
        UsageError: When something in it has no JSON form; the message says where.
        StorageError: When the file cannot be written.
    """
    head = _Head(_FORMAT, _VERSION, __version__, tuple(metrics), title, dict(settings))
    lines = [_dumped(encode(row, f"sample {row.sample.id!r}")) for row in rows]
    top = _dumped(encode(head, "the report"))[:-1]
    write_text(path, top + ', "rows": [\n' + ",\n".join(lines) + "\n]}\n")


def read_json(path: Path) -> ReportData:
    """Read a report.

    Raises:
        StorageError: When the file is not a report of ours, or of a version that is not known.
    """
    try:
        data: object = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error}") from error
    except ValueError as error:
        raise StorageError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict) or cast("dict[str, object]", data).get("format") != _FORMAT:
        raise StorageError(f"{path} is not a report that `Report.to_json` wrote")
    content = cast("dict[str, object]", data)
    if content.get("version") != _VERSION:
        raise StorageError(
            f"{path} is a report of version {content.get('version')!r}, this llmopt reads version {_VERSION}: "
            f"it was written by llmopt {content.get('llmopt')}"
        )
    listed = content.pop("rows", None)
    if not isinstance(listed, list):
        raise StorageError(f"{path}: `rows` must be a list, got {type(listed).__name__}")
    head = decode(_Head, content, str(path))
    rows = [decode(Row, row, f"{path}: row {n}") for n, row in enumerate(cast("list[object]", listed), 1)]
    check_rows(rows, head.metrics, path)
    return ReportData(tuple(rows), head.metrics, head.title, head.settings)


def check_rows(rows: Sequence[Row], metrics: Sequence[str], path: Path) -> None:
    """Hold every row to have a score for each metric of the report.

    Raises:
        StorageError: When one has not.
    """
    for number, row in enumerate(rows, 1):
        if set(row.scores) != set(metrics):
            raise StorageError(f"{path}: row {number} has scores for {sorted(row.scores)}, expected {sorted(metrics)}")


def _dumped(data: object) -> str:
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which models do emit, has no UTF-8 form
        return json.dumps(data, allow_nan=False)
    return text
