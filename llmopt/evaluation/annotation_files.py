"""Annotation sets as a page for the browser or a sheet for a spreadsheet, and what people filled in."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import cast

from .._files import write_text
from ..errors import SampleError, StorageError
from .annotation import Annotation, AnnotationItem, AnnotationSet, annotation_of
from .codec import decode
from .plain import Json
from .report_csv import guarded, unguarded
from .tabular import csv_records

__all__ = ["read_annotations", "write_annotation_page", "write_annotation_sheet"]

_TEMPLATE = "annotation_page.html"
_FORMAT, _VERSION = "llmopt annotations", 1


@dataclass(frozen=True, slots=True)
class _Label:
    item: str
    label: str
    note: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class _Saved:
    format: str
    version: int
    set: str
    annotator: str
    labels: Sequence[_Label] = ()


def write_annotation_page(path: str | PathLike[str], annotations: AnnotationSet, *, title: str = "Annotation") -> None:
    """Write one HTML file that needs nothing else: opened from the disk it shows the items and saves JSON.

    Work is kept in the browser as it goes; digits choose a label, the arrows go back and forth, `n` writes
    a note, `s` saves. Which system gave an answer is not in the file. Nothing is sent anywhere.

    Args:
        path: The file.
        annotations: What to judge; keep it by `AnnotationSet.save` to read what people said.
        title: Shown above.

    Raises:
        StorageError: When the file cannot be written.
    """
    data = {
        "set": annotations.fingerprint,
        "title": title,
        "instruction": annotations.instruction,
        "labels": list(annotations.labels),
        "items": [_shown(item) for item in annotations.items],
    }
    # No "<" in the data: it could end the script element that holds it.
    text = json.dumps(data, ensure_ascii=True).replace("<", "\\u003c")
    template = files("llmopt.evaluation").joinpath(_TEMPLATE).read_text("utf-8")
    write_text(Path(path), template.replace("/*DATA*/", text))


def write_annotation_sheet(path: str | PathLike[str], annotations: AnnotationSet) -> None:
    """Write a CSV file with a line per item and empty cells for `label`, `annotator` and `note`.

    Raises:
        StorageError: When the file cannot be written.
    """
    two = any(len(item.answers) == 2 for item in annotations.items)
    fingerprint = annotations.fingerprint
    answers = ["first", "second"] if two else ["answer"]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["item", "label", "annotator", "note", "question", *answers, "contexts", "reference", "set"])
    for item in annotations.items:
        contexts = "\n\n".join(item.contexts)
        cells = [item.key, "", "", "", item.question, *item.answers, contexts, item.reference, fingerprint]
        writer.writerow([guarded(cell) for cell in cells])
    content = text.getvalue().encode("utf-8", "backslashreplace").decode()
    write_text(Path(path), "\ufeff" + content)


def read_annotations(annotations: AnnotationSet, *paths: str | PathLike[str]) -> list[Annotation]:
    """Return what people said, from files that the page saved (JSON) or sheets that they filled in (CSV).

    Items without a label are left out. Of an item that one annotator labelled in two files the last counts.

    Raises:
        SampleError: When a file was made for another set, or a label is none of the set's.
        StorageError: When a file cannot be read.
    """
    items = {item.key: item for item in annotations.items}
    found: dict[tuple[str, str], Annotation] = {}
    for path in map(Path, paths):
        read = _from_sheet if path.suffix.lower() == ".csv" else _from_page
        for annotator, said in read(path, annotations.fingerprint):
            if said.item not in items:
                raise SampleError(f"{path}: there is no item {said.item!r} in this annotation set")
            try:
                found[annotator, said.item] = annotation_of(
                    items[said.item], annotations.labels, said.label, annotator, said.note, said.seconds
                )
            except SampleError as error:
                raise SampleError(f"{path}: {error}") from error
    return list(found.values())


def _shown(item: AnnotationItem) -> Mapping[str, Json]:
    return {
        "key": item.key,
        "question": item.question,
        "answers": list(item.answers),
        "contexts": list(item.contexts),
        "reference": item.reference,
    }


def _from_page(path: Path, fingerprint: str) -> Iterator[tuple[str, _Label]]:
    try:
        data = cast(object, json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {path} as annotations: {error}") from error
    saved = decode(_Saved, data, str(path))
    if (saved.format, saved.version) != (_FORMAT, _VERSION):
        raise StorageError(f"{path} is {saved.format!r} of version {saved.version}, expected {_FORMAT!r} {_VERSION}")
    _same_set(path, saved.set, fingerprint)
    return ((saved.annotator, label) for label in saved.labels)


def _same_set(path: Path, found: str, expected: str) -> None:
    if found != expected:
        raise SampleError(f"{path} was filled in for another annotation set ({found or 'unknown'}, not {expected})")


def _from_sheet(path: Path, fingerprint: str) -> Iterator[tuple[str, _Label]]:
    for record in csv_records(path):
        cells = {name: unguarded(cell) for name, cell in record.cells.items()}
        missing = [name for name in ("set", "item", "label", "annotator") if name not in cells]
        if missing:
            raise SampleError(f"{path}: the column {missing[0]!r} is missing; it is part of the sheet that was written")
        _same_set(path, cells["set"].strip(), fingerprint)
        if cells["label"].strip():
            note = cells.get("note", "")
            yield cells["annotator"].strip() or path.stem, _Label(cells["item"].strip(), cells["label"].strip(), note)
