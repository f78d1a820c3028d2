"""From a record of a file to a sample: which column is which field, and what is wrong with it."""

from __future__ import annotations

import ast
import io
import json
import math
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from ..errors import SampleError, StorageError
from ..types import Sample
from .plain import Json, from_plain

__all__ = ["FIELDS", "Columns", "Record", "sample_of"]

# Our names first, then those of Ragas (new and old) and DeepEval.
_NAMES: Mapping[str, Sequence[str]] = {
    "id": ("id", "_id"),
    "question": ("question", "user_input", "input"),
    "answer": ("answer", "response", "actual_output"),
    "contexts": ("contexts", "retrieved_contexts", "retrieval_context"),
    "context_ids": ("context_ids", "retrieved_context_ids"),
    "reference": ("reference", "ground_truth", "ground_truths", "expected_output"),
    "gold": ("gold", "reference_context_ids"),
    "answerable": ("answerable",),
    "category": ("category",),
    "group": ("group",),
    "abstained": ("abstained",),
    "metadata": ("metadata",),
}
FIELDS = tuple(_NAMES)
_LISTS = ("contexts", "context_ids", "gold")
_TEXTS = ("id", "answer", "category", "group")
_FLAGS = ("answerable", "abstained")
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Record:
    """What stands in one place of a file.

    Attributes:
        place: File and line, for errors.
        number: Which record of the file it is, from 1.
        values: By column.
        written: Whether all values are text, as in CSV, so that lists and flags are to be read from it.
    """

    place: str
    number: int
    values: Mapping[str, Json]
    written: bool = False


class Columns:
    """Which column holds which field.

    Args:
        renamed: By field, the column that holds it, where the file uses a name that we do not know.

    Raises:
        SampleError: When a field is not one of a sample.
    """

    def __init__(self, renamed: Mapping[str, str] | None = None) -> None:
        for field in renamed or {}:
            if field not in _NAMES:
                raise SampleError(f"`columns` names the field {field!r}; a sample has {', '.join(FIELDS)}")
        self._renamed = dict(renamed or {})
        taken = set(self._renamed.values())
        self._names = {
            field: [self._renamed[field]] if field in self._renamed else [n for n in names if n not in taken]
            for field, names in _NAMES.items()
        }

    def split(self, record: Record) -> tuple[dict[str, Json], dict[str, Json]]:
        """Return what the record says of our fields, and the rest.

        Raises:
            SampleError: When two columns say the same field, or there is no question.
        """
        fields: dict[str, Json] = {}
        used: set[str] = set()
        for field, names in self._names.items():
            there = [name for name in names if not _empty(record.values.get(name))]
            if len(there) > 1:
                raise SampleError(
                    f"{record.place}: both {there[0]!r} and {there[1]!r} hold the {field}; keep one, or say which by "
                    f"`columns={{{field!r}: ...}}`"
                )
            used.update(names)
            if there:
                fields[field] = record.values[there[0]]
        if "question" not in fields:
            raise SampleError(self._no_question(record))
        rest = {name: value for name, value in record.values.items() if name not in used and not _empty(value)}
        return fields, rest

    def _no_question(self, record: Record) -> str:
        expected = " or ".join(repr(name) for name in self._names["question"])
        there = [name for name in self._names["question"] if name in record.values]
        if there:
            return f"{record.place}: the {there[0]!r} is empty; every sample asks something"
        columns = ", ".join(repr(name) for name in record.values) or "nothing"
        return (
            f"{record.place}: there is no question: expected {expected}, got {columns}; name the right one: "
            "load_samples(path, columns={'question': ...})"
        )


def sample_of(record: Record, columns: Columns) -> Sample:
    """Return the sample that a record describes.

    Raises:
        SampleError: When a field has the wrong type; the message names the place, what came and what to do.
    """
    given, rest = columns.split(record)
    reference, others = _references(record, given.get("reference"))
    texts = {name: _text(record, name, given[name]) for name in _TEXTS if name in given}
    lists = {name: _list(record, name, given[name]) for name in _LISTS if name in given}
    flags = {name: _flag(record, name, given[name]) for name in _FLAGS if name in given}
    metadata = {**rest, **_metadata(record, given.get("metadata"))}
    return Sample(
        question=_question(record, given["question"]),
        id=texts.get("id", "") or str(record.number),
        answer=texts.get("answer", ""),
        contexts=lists.get("contexts", ()),
        context_ids=lists.get("context_ids", ()),
        reference=reference,
        gold=lists.get("gold", ()),
        answerable=flags.get("answerable"),
        category=texts.get("category", ""),
        group=texts.get("group", ""),
        abstained=flags.get("abstained"),
        metadata={**metadata, "references": others} if others else metadata,
    )


def _question(record: Record, value: Json) -> str:
    if isinstance(value, list):
        raise SampleError(
            f"{record.place}: the question is a list (a chat of several turns?), expected text; join the turns into "
            "one text, or keep the last"
        )
    return _text(record, "question", value)


def _text(record: Record, name: str, value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return json.dumps(value)
    raise _wrong(record, name, "text", value, "put it in quotes")


def _list(record: Record, name: str, value: Json) -> tuple[str, ...]:
    listed = _listed_cell(record, name, value) if record.written and isinstance(value, str) else value
    if not isinstance(listed, list):
        raise _wrong(record, name, "a list of texts", value, "wrap a single one in a list")
    for number, item in enumerate(listed):
        if not isinstance(item, str | int) or isinstance(item, bool):
            raise _wrong(record, f"{name}[{number}]", "text", item, "give the texts alone, without their metadata")
    return tuple(str(item) for item in listed)


def _listed_cell(record: Record, name: str, cell: str) -> Json:
    """Read a list from a cell of CSV: as JSON, as Python writes one, or as a single text."""
    if not cell.lstrip().startswith("["):
        return [cell]
    try:
        return cast(Json, json.loads(cell))
    except ValueError:
        pass
    try:
        found: object = ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        if cell.lstrip().startswith(("['", '["')):
            hint = "a spreadsheet cuts cells at 32,767 characters: save the table as JSON lines"
            raise _wrong(record, name, "a list", cell, f"it begins like one and does not parse; {hint}") from error
        return [cell]
    listed = cast("list[Json]", found) if isinstance(found, list) else []
    if _strings_in(cell) != sum(isinstance(item, str) for item in listed):
        raise SampleError(
            f"{record.place}: `{name}` is a numpy array as it prints itself, {cell[:_SHOWN]!r}, which has no commas "
            "and so no way back; write the column with .tolist(), or save the table as JSON lines"
        )
    return listed


def _strings_in(cell: str) -> int:
    try:
        return sum(token.type == tokenize.STRING for token in tokenize.generate_tokens(io.StringIO(cell).readline))
    except (tokenize.TokenError, SyntaxError):
        return -1


def _flag(record: Record, name: str, value: Json) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in _WORDS:
        raise _wrong(record, name, "true or false", value, "leave it empty where nobody knows")
    return _WORDS[word]


def _references(record: Record, value: Json) -> tuple[str | None, list[str]]:
    """Return the reference and, where a list of them came (Ragas' ground_truths), the others."""
    if value is None:
        return None, []
    if isinstance(value, list) or (record.written and isinstance(value, str) and value.startswith(("['", '["'))):
        first, *others = _list(record, "reference", value) or ("",)
        return first or None, others
    return _text(record, "reference", value), []


def _metadata(record: Record, value: Json) -> dict[str, object]:
    if record.written and isinstance(value, str):
        value = _object_cell(record, value)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(record, "metadata", "an object", value, "or use further columns")
    try:
        found = from_plain(value, "metadata")
    except StorageError:  # keys that begin with a dollar and are not ours
        found = value
    return cast("dict[str, object]", found) if isinstance(found, dict) else {**value}


def _object_cell(record: Record, cell: str) -> Json:
    """Read an object from a cell of CSV: as JSON, or as Python writes one."""
    try:
        return cast(Json, json.loads(cell))
    except ValueError:
        pass
    try:
        return cast(Json, ast.literal_eval(cell.strip()))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise _wrong(record, "metadata", "a JSON object", cell, "or use further columns") from None


def _empty(value: Json) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _wrong(record: Record, name: str, expected: str, value: Json, hint: str) -> SampleError:
    shown = repr(value)
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
    return SampleError(f"{record.place}: `{name}` must be {expected}, got {type(value).__name__} {shown}; {hint}")
