"""Studies as JSON: versioned, strict, a line per variant's sample."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar, cast

from ..._files import write_text
from ..._version import __version__
from ...errors import StorageError
from ...evaluation import Row
from ...evaluation.codec import decode, encode
from .content import StudyContent

__all__ = ["read_study", "write_study"]

_FORMAT, _VERSION = "llmopt study", 1

StudyT = TypeVar("StudyT", bound=StudyContent)


def write_study(path: Path, study: StudyContent) -> None:
    """Write a study, atomically.

    Raises:
        UsageError: When something in it has no JSON form; the message says where.
        StorageError: When the file cannot be written.
    """
    variants = tuple(replace(v, report=replace(v.report, rows=())) for v in study.variants)
    content = StudyContent(study.title, study.target, variants, study.confirmation, study.diagnosis)
    head = {"format": _FORMAT, "version": _VERSION, "llmopt": __version__, "study": encode(content, "the study")}
    blocks = [
        "[" + ",\n".join(_dumped(encode(row, f"{v.name}, sample {row.sample.id!r}")) for row in v.report.rows) + "]"
        for v in study.variants
    ]
    write_text(path, _dumped(head)[:-1] + ', "rows": [\n' + ",\n".join(blocks) + "\n]}\n")


def read_study(kind: type[StudyT], path: Path) -> StudyT:
    """Read a study.

    Args:
        kind: The class to make.
        path: The file.

    Raises:
        StorageError: When the file is not a study of ours, or of a version that is not known.
    """
    content = _content(path)
    study = decode(kind, content.get("study"), str(path))
    rows = content.get("rows")
    listed = cast("list[object]", rows) if isinstance(rows, list) else []
    if len(listed) != len(study.variants):
        raise StorageError(f"{path} has rows of {len(listed)} variants, expected those of {len(study.variants)}")
    variants = tuple(
        replace(
            variant, report=replace(variant.report, rows=decode(_Rows, {"rows": block}, f"{path}: {variant.name}").rows)
        )
        for variant, block in zip(study.variants, listed, strict=True)
    )
    return replace(study, variants=variants)


@dataclass(frozen=True, slots=True)
class _Rows:
    rows: Sequence[Row]


def _content(path: Path) -> dict[str, object]:
    try:
        data: object = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {path} as a study: {error}") from error
    content = cast("dict[str, object]", data) if isinstance(data, dict) else {}
    if content.get("format") != _FORMAT:
        raise StorageError(f"{path} is not a study that `Study.to_json` wrote")
    if content.get("version") != _VERSION:
        raise StorageError(
            f"{path} is a study of version {content.get('version')!r}, this llmopt reads version {_VERSION}: "
            f"it was written by llmopt {content.get('llmopt')}"
        )
    return content


def _dumped(data: object) -> str:
    text = json.dumps(data, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which models do emit, has no UTF-8 form
        return json.dumps(data, allow_nan=False)
    return text
