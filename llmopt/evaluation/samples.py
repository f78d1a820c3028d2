"""Samples from files and into files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import cast

from .._files import write_text
from ..errors import SampleError, StorageError
from ..types import Sample
from .beir import beir_records
from .codec import encode
from .plain import to_plain
from .sample_lines import json_records
from .sample_records import FIELDS, Columns, Record, sample_of
from .tabular import csv_records

__all__ = ["SampleFile", "load_samples", "read_samples", "save_samples"]

_JSON = {".jsonl", ".ndjson", ".json"}
_CSV = {".csv", ".tsv", ".tab"}
_HINTS = {
    ".xlsx": "save the sheet as 'CSV UTF-8'",
    ".xls": "save the sheet as 'CSV UTF-8'",
    ".parquet": "write it as JSON lines: pandas.read_parquet(path).to_json('x.jsonl', orient='records', lines=True)",
}


class SampleFile(Iterable[Sample]):
    """The samples of a file, read afresh, one at a time, whenever it is walked; `read_samples` makes one."""

    def __init__(self, path: Path, columns: Columns, split: str) -> None:
        self.path = path
        self._columns = columns
        self._split = split

    def __iter__(self) -> Iterator[Sample]:
        """Walk the samples in the order of the file."""
        return (sample for _, sample in self.placed())

    def placed(self) -> Iterator[tuple[str, Sample]]:
        """Walk the samples with the place where each stands."""
        for record in _records(self.path, self._split):
            yield record.place, sample_of(record, self._columns)


def read_samples(
    path: str | PathLike[str], *, columns: Mapping[str, str] | None = None, split: str = "test"
) -> SampleFile:
    """Return the samples of a file to walk one at a time, in constant memory; see `load_samples`.

    Ids are not checked to differ. Errors come when the line is reached.
    """
    return SampleFile(Path(path), Columns(columns), split)


def load_samples(
    path: str | PathLike[str], *, columns: Mapping[str, str] | None = None, split: str = "test"
) -> list[Sample]:
    """Return the samples of a file, or of a folder in the layout of BEIR.

    JSON lines, a JSON array, CSV or TSV, UTF-8. A column named as a field of `Sample` is that field, and so
    are the names that Ragas and DeepEval use (user_input, response, retrieved_contexts, ground_truth ...);
    any other goes to the metadata. In CSV lists are JSON or as Python prints them, a text that is no list is
    the only item. A sample without an id gets its number in the file, from 1.

    Args:
        path: The file or folder.
        columns: By field, the column that holds it, where the file names it otherwise:
            `{"question": "Frage", "reference": "answer"}`.
        split: Of a BEIR folder, which judgements.

    Raises:
        SampleError: When a line does not parse, a field has the wrong type, an id is given twice, or there
            are no samples; the message names the file and the line, what came and what to do.
        StorageError: When the file cannot be read.
    """
    places: dict[str, str] = {}
    samples: list[Sample] = []
    for place, sample in read_samples(path, columns=columns, split=split).placed():
        if sample.id in places:
            raise SampleError(f"{place}: the id {sample.id!r} is given twice, first in {places[sample.id]}")
        places[sample.id] = place
        samples.append(sample)
    if not samples:
        raise SampleError(f"{path} holds no samples")
    return samples


def save_samples(path: str | PathLike[str], samples: Iterable[Sample]) -> None:
    """Write samples as JSON lines (`.jsonl`) or as CSV (`.csv`), atomically; `load_samples` reads them back.

    CSV cannot tell an empty reference from none.

    Raises:
        UsageError: When a sample's metadata hold what has no JSON form.
        SampleError: When the file's name has another ending.
        StorageError: When it cannot be written.
    """
    target = Path(path)
    kind = target.suffix.lower()
    if kind not in {".jsonl", ".ndjson", ".csv"}:
        raise SampleError(f"samples are saved as .jsonl or .csv, got {target.name!r}")
    text = _as_csv(samples) if kind == ".csv" else "".join(_line(sample) for sample in samples)
    write_text(target, text)


def _records(path: Path, split: str) -> Iterator[Record]:
    kind = path.suffix.lower()
    if path.is_dir():
        if not (path / "queries.jsonl").is_file():
            raise SampleError(f"{path} is a folder without queries.jsonl, so not in BEIR's layout; name a file in it")
        return beir_records(path, split)
    if not path.exists():
        raise StorageError(f"there is no file {path}")
    if kind in _CSV:
        return _csv_records(path)
    if kind in _JSON:
        return json_records(path)
    hint = _HINTS.get(kind, "use a name that ends in .jsonl, .json, .csv or .tsv")
    raise SampleError(
        f"{path}: samples are read from JSON lines, a JSON array, CSV or TSV, not {kind or 'this'}; {hint}"
    )


def _csv_records(path: Path) -> Iterator[Record]:
    for number, record in enumerate(csv_records(path), 1):
        yield Record(f"{path}, line {record.line}", number, dict(record.cells), written=True)


def _line(sample: Sample) -> str:
    data = encode(sample, f"sample {sample.id or sample.question[:40]!r}")
    line = json.dumps(data, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which models do emit, has no UTF-8 form
        line = json.dumps(data)
    return line + "\n"


def _as_csv(samples: Iterable[Sample]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(FIELDS)
    for sample in samples:
        writer.writerow([_cell(name, getattr(sample, name), sample.id) for name in FIELDS])
    return "\ufeff" + text.getvalue().encode("utf-8", "backslashreplace").decode()


def _cell(name: str, value: object, id: str) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    listed = list(cast("tuple[str, ...]", value)) if isinstance(value, tuple) else value
    data = to_plain(listed, f"sample {id!r}: {name}")
    return json.dumps(data, ensure_ascii=False) if data else ""
