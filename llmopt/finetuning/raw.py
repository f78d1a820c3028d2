"""Reading JSON records that nobody has promised the shape of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

__all__ = ["Record", "as_list", "as_record", "as_text", "content_text", "json_text"]

Record: TypeAlias = Mapping[str, object]
_EMPTY: Record = {}


def as_record(value: object) -> Record:
    """Return the value if it is a JSON object, or an empty one."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else _EMPTY


def as_list(value: object) -> Sequence[object]:
    """Return the value if it is a JSON array, or an empty one."""
    return cast("list[object]", value) if isinstance(value, list | tuple) else ()


def as_text(value: object) -> str:
    """Return the value if it is a string, or an empty one."""
    return value if isinstance(value, str) else ""


def content_text(content: object) -> str:
    """Return the text of a message: itself, or that of its text parts, joined."""
    if isinstance(content, str):
        return content
    parts = (as_record(part) for part in as_list(content))
    return "".join(as_text(part.get("text")) or as_text(part.get("value")) for part in parts)


def json_text(value: object) -> str:
    """Return a JSON text as it is, and any other value as JSON text."""
    return value if isinstance(value, str) else json.dumps({} if value is None else value, ensure_ascii=False)
