"""Reading and writing JSON whose shape nobody has promised."""

import json
from collections.abc import Mapping, Sequence
from typing import cast

__all__ = ["decode", "encode", "integer", "is_array", "is_object", "mapping", "sequence", "text"]

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def encode(value: object) -> bytes:
    """Return the value as compact UTF-8 JSON; half of a surrogate pair stays an escape."""
    encoded = _ENCODER.encode(value)
    try:
        return encoded.encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


def decode(content: bytes) -> object:
    """Return what the JSON says.

    Raises:
        ValueError: If it is not JSON, or not UTF-8.
    """
    return cast("object", json.loads(content))


def mapping(value: object) -> Mapping[str, object]:
    """Return the value if it is a JSON object, or an empty one."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def sequence(value: object) -> Sequence[object]:
    """Return the value if it is a JSON array, or an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else ()


def text(value: object) -> str:
    """Return the value if it is a string, or an empty one."""
    return value if isinstance(value, str) else ""


def is_array(value: object) -> bool:
    """Return whether the value is a JSON array."""
    return isinstance(value, list)


def is_object(value: object) -> bool:
    """Return whether the value is a JSON object."""
    return isinstance(value, dict)


def integer(value: object, default: int) -> int:
    """Return the value if it is a whole number, or the default."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default
