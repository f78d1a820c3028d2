"""JSON schemas: a small value that fits one, and what OpenAI's strict mode forbids in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .values import integer, mapping, sequence, text

__all__ = ["instance", "strict_problem"]

_MAX_DEPTH = 32


def instance(schema: Mapping[str, object], words: str) -> object:
    """Return a small value that fits a schema of the kind that strict mode allows.

    Args:
        schema: A JSON schema: types, properties, items, enum, const, anyOf, $ref into itself.
        words: The value of text fields.
    """
    return _instance(schema, schema, words, 0)


def _instance(schema: Mapping[str, object], root: Mapping[str, object], words: str, depth: int) -> object:
    schema = _resolved(schema, root)
    for fixed in ("const", "default"):
        if fixed in schema:
            return schema[fixed]
    if options := sequence(schema.get("enum")):
        return options[0]
    if options := sequence(schema.get("anyOf")) or sequence(schema.get("oneOf")):
        # The last choice of a recursive schema is the way out: by custom it is null.
        return _instance(mapping(options[-1 if depth > 3 else 0]), root, words, depth + 1)
    kind = schema.get("type")
    kinds = sequence(kind) or (kind,)
    if "object" in kinds or "properties" in schema:
        properties = mapping(schema.get("properties") if depth < _MAX_DEPTH else None)
        return {name: _instance(mapping(part), root, words, depth + 1) for name, part in properties.items()}
    if "array" in kinds:
        count = integer(schema.get("minItems"), 0)
        return [_instance(mapping(schema.get("items")), root, words, depth + 1) for _ in range(count)]
    return _scalar(kinds[0], schema, words)


def _scalar(kind: object, schema: Mapping[str, object], words: str) -> object:
    if kind in {"integer", "number"}:
        return integer(schema.get("minimum"), 0)
    return {"boolean": True, "null": None}.get(text(kind), words)


def _resolved(schema: Mapping[str, object], root: Mapping[str, object]) -> Mapping[str, object]:
    for _ in range(_MAX_DEPTH):
        reference = text(schema.get("$ref"))
        if not reference.startswith("#"):
            break
        schema = root
        for name in reference.split("/")[1:]:
            schema = mapping(schema.get(name.replace("~1", "/").replace("~0", "~")))
    return schema


def strict_problem(schema: Mapping[str, object]) -> str | None:
    """Return what OpenAI's strict mode says against a schema, or None.

    The rules: the root is an object; every object forbids further properties and requires all of its own.
    Source: OpenAI's guide to structured outputs.
    """
    root = _resolved(schema, schema)
    if root.get("type") != "object":
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{root.get('type')}\"'."
    for place, part in _parts(schema, ()):
        where = "(" + ", ".join(f"'{name}'" for name in place) + ")"
        if part.get("type") != "object" and "properties" not in part:
            continue
        if part.get("additionalProperties") is not False:
            return f"In context={where}, 'additionalProperties' is required to be supplied and to be false."
        names, required = list(mapping(part.get("properties"))), sequence(part.get("required"))
        missing = next((name for name in names if name not in required), None)
        if missing is not None:
            return (
                f"In context={where}, 'required' is required to be supplied and to be an array including every "
                f"key in properties. Missing '{missing}'."
            )
    return None


def _parts(schema: Mapping[str, object], place: Sequence[str]) -> Iterator[tuple[Sequence[str], Mapping[str, object]]]:
    """Return every schema inside a schema with its place, the schema itself first."""
    yield place, schema
    for group in ("properties", "$defs", "definitions"):
        for name, part in mapping(schema.get(group)).items():
            yield from _parts(mapping(part), (*place, group, name))
    if "items" in schema:
        yield from _parts(mapping(schema["items"]), (*place, "items"))
    for index, part in enumerate(sequence(schema.get("anyOf"))):
        yield from _parts(mapping(part), (*place, "anyOf", str(index)))
