"""Reports as a table: CSV for spreadsheets, a frame for pandas."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from .._files import write_text
from ..errors import LlmoptError, MissingExtraError, StorageError
from ..types import Outcome, Sample, Score
from .codec import decode, encode
from .plain import Json
from .report_json import ReportData
from .row import Row, Run, Spent
from .tabular import csv_header, csv_records

if TYPE_CHECKING:
    from pandas import DataFrame  # pyright: ignore[reportMissingImports, reportUnknownVariableType]

__all__ = ["guarded", "read_csv", "to_frame", "unguarded", "write_csv"]

_TEXTS = ("id", "question", "answer", "reference", "category", "group")
_JSONS = ("contexts", "context_ids", "gold", "answerable", "abstained", "metadata")
_RUN = ("failure", "seconds", "cost")
_COLUMNS = (*_TEXTS, *_JSONS, *_RUN)
_PARTS = ("", ":status", ":reason", ":verdicts", ":details")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def write_csv(path: Path, rows: Sequence[Row], metrics: Sequence[str]) -> None:
    """Write the table, atomically, with the mark by which spreadsheets know UTF-8."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    names = _names(metrics)
    writer.writerow([guarded(name) for name in names])
    for row in rows:
        cells = _cells(row, metrics)
        writer.writerow([_written(cells[name]) for name in names])
    broken = text.getvalue().encode("utf-8", "backslashreplace")  # half a surrogate pair has no UTF-8 form
    write_text(path, "\ufeff" + broken.decode())


def read_csv(path: Path) -> ReportData:
    """Read the table.

    Raises:
        StorageError: When it is not one that `write_csv` wrote; the message names the line.
    """
    try:
        header = [unguarded(name) for name in csv_header(path)]
        metrics = [name.removesuffix(":status") for name in header if name.endswith(":status")]
        if header != _names(metrics):
            raise StorageError(f"{path} is not a table that `Report.to_csv` wrote: its columns are {header[:20]}")
        rows = [
            _row(dict(zip(header, map(unguarded, record.cells.values()), strict=True)), metrics, record.line, path)
            for record in csv_records(path)
        ]
    except StorageError:
        raise
    except (LlmoptError, ValueError) as error:
        raise StorageError(f"{path} is not a table that `Report.to_csv` wrote: {error}") from error
    return ReportData(tuple(rows), tuple(metrics))


def to_frame(rows: Sequence[Row], metrics: Sequence[str]) -> DataFrame:  # pyright: ignore[reportUnknownParameterType]
    """Return the table as a pandas frame.

    Raises:
        MissingExtraError: When pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingExtraError("`to_pandas` needs pandas, which is not installed: pip install pandas") from error
    cells = [_cells(row, metrics) for row in rows]
    columns = {name: [cell[name] for cell in cells] for name in _names(metrics)}
    return pd.DataFrame(columns)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]


def guarded(text: str) -> str:
    """Return the text with an apostrophe in front where a spreadsheet would run it as a formula."""
    return "'" + text if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """Return the text that `guarded` got."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _names(metrics: Sequence[str]) -> list[str]:
    return [*_COLUMNS, *(metric + part for metric in metrics for part in _PARTS)]


def _cells(row: Row, metrics: Sequence[str]) -> dict[str, object]:
    sample, run = row.sample, row.run
    listed = {"contexts": list(sample.contexts), "context_ids": list(sample.context_ids), "gold": list(sample.gold)}
    cells: dict[str, object] = {name: getattr(sample, name) for name in _TEXTS}
    cells |= listed | {"answerable": sample.answerable, "abstained": sample.abstained}
    data = cast("dict[str, Json]", encode(sample, f"sample {sample.id!r}"))
    cells["metadata"] = data.get("metadata", {})
    cells["failure"] = run.failure if run else ""
    cells["seconds"], cells["cost"] = (run.spent.seconds, run.spent.cost) if run else (None, None)
    for metric in metrics:
        score = row.scores[metric]
        data = cast("dict[str, Json]", encode(score, f"sample {sample.id!r}: {metric}"))
        parts = (score.value, score.status, score.reason, data.get("verdicts", []), data.get("details", {}))
        cells |= {metric + part: value for part, value in zip(_PARTS, parts, strict=True)}
    return cells


def _written(cell: object) -> object:
    if cell is None or cell in ([], {}):
        return ""
    if isinstance(cell, str):
        return guarded(cell)
    return repr(cell) if isinstance(cell, float) else json.dumps(cell, ensure_ascii=False)


def _row(cells: Mapping[str, str], metrics: Sequence[str], line: int, path: Path) -> Row:
    where = f"{path}, line {line}"
    fields: dict[str, Json] = {name: cells[name] for name in _TEXTS if cells[name]}
    fields |= {name: cast(Json, _json(cells[name])) for name in _JSONS if cells[name]}
    sample = decode(Sample, {"question": "", **fields}, where)
    run = None
    if cells["seconds"]:
        cost = float(cells["cost"]) if cells["cost"] else None
        outcome: Outcome = "abstained" if sample.abstained else "answered"
        run = Run(Spent(float(cells["seconds"]), cost=cost, paid=cost), outcome, failure=cells["failure"])
    return Row(sample, {metric: _score(cells, metric, f"{where}: {metric}") for metric in metrics}, run)


def _score(cells: Mapping[str, str], metric: str, where: str) -> Score:
    value, status, reason, verdicts, details = (cells[metric + part] for part in _PARTS)
    data: dict[str, object] = {"value": float(value) if value else None, "status": status, "reason": reason}
    data |= {name: _json(cell) for name, cell in (("verdicts", verdicts), ("details", details)) if cell}
    return decode(Score, data, where)


def _json(cell: str) -> object:
    return cast(object, json.loads(cell))
