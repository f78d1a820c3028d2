"""Reading JSON whose shape nobody has promised: compatible servers differ from OpenAI in the details."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import cast

__all__ = ["as_mapping", "as_sequence", "as_text", "content_text", "count", "json_text", "number"]

_EMPTY: Mapping[str, object] = {}


def as_mapping(value: object) -> Mapping[str, object]:
    """Return the value if it is a JSON object, or an empty one."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else _EMPTY


def as_sequence(value: object) -> Sequence[object]:
    """Return the value if it is a JSON array, or an empty one."""
    return cast("list[object]", value) if isinstance(value, list | tuple) else ()


def as_text(value: object) -> str:
    """Return the value if it is a string, or an empty one."""
    return value if isinstance(value, str) else ""


def count(value: object) -> int:
    """Return the value if it is a number of something, or 0."""
    return int(value) if isinstance(value, int | float) and 0 <= value < math.inf else 0


def number(value: object) -> float | None:
    """Return the value if it is a number, or None."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def content_text(content: object) -> str:
    """Return the text of a message: itself, or that of its text parts (some servers send parts)."""
    if isinstance(content, str):
        return content
    parts = (as_mapping(part) for part in as_sequence(content))
    return "".join(as_text(part.get("text")) for part in parts if part.get("type", "text") == "text")


def json_text(value: object) -> str:
    """Return a JSON text as it is, and a JSON object (some servers send tool arguments so) as text."""
    return value or "{}" if isinstance(value, str) else json.dumps(value or {}, ensure_ascii=False)
