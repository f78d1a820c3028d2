"""Which JSON schemas OpenAI's strict mode takes, and how one is put into words for a server without it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from ...types import JsonSchema
from .values import as_mapping, as_sequence, as_text

__all__ = ["asked_in_words", "is_strict", "schema_name"]

_TAKEN = frozenset({
    "$defs", "$ref", "additionalProperties", "anyOf", "const", "definitions", "description", "enum", "exclusiveMaximum",
    "exclusiveMinimum", "format", "items", "maximum", "maxItems", "maxLength", "minimum", "minItems", "minLength",
    "multipleOf", "pattern", "properties", "required", "title", "type",
})  # fmt: skip
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")


def is_strict(schema: Mapping[str, object]) -> bool:
    """Return whether strict mode can hold a model to the schema.

    The root must be an object, every object closed with all its properties required, and only a part of
    the keywords is known. Source: OpenAI's guide to structured outputs.
    """
    return schema.get("type") == "object" and all(map(_is_strict_part, _parts(schema)))


def _is_strict_part(part: Mapping[str, object]) -> bool:
    if not _TAKEN.issuperset(part):
        return False
    if part.get("type") != "object" and "properties" not in part:
        return True
    properties = as_mapping(part.get("properties"))
    return part.get("additionalProperties") is False and set(as_sequence(part.get("required"))) == set(properties)


def _parts(schema: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Yield every schema inside a schema, itself first."""
    yield schema
    for group in ("properties", "$defs", "definitions"):
        for part in as_mapping(schema.get(group)).values():
            yield from _parts(as_mapping(part))
    if "items" in schema:
        yield from _parts(as_mapping(schema["items"]))
    for part in as_sequence(schema.get("anyOf")):
        yield from _parts(as_mapping(part))


def schema_name(schema: JsonSchema) -> str:
    """Return the schema's name in the letters that OpenAI takes (`Pair[int]` has others)."""
    return _NOT_IN_A_NAME.sub("_", schema.name)[:64] or "reply"


def asked_in_words(turns: Sequence[object], schema: JsonSchema) -> list[object]:
    """Return the turns with a request for JSON of the schema at the end of what the user says last."""
    body = json.dumps(dict(schema.body), ensure_ascii=False)
    words = f"Reply with nothing but one JSON value that fits this JSON schema:\n{body}"
    last = as_mapping(turns[-1] if turns else None)
    if last.get("role") != "user":  # some chat templates refuse two turns of the user in a row
        return [*turns, {"role": "user", "content": words}]
    return [*turns[:-1], {**last, "content": f"{as_text(last.get('content'))}\n\n{words}"}]
