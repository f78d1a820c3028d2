"""JSON as models write it: schemas to ask with, and tolerant parsing of the reply."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TypeVar, cast

from pydantic import BaseModel, ValidationError

from .errors import ModelOutputError
from .types import JsonSchema

__all__ = ["find_json", "parse_into", "schema_of"]

M = TypeVar("M", bound=BaseModel)

_FENCE = re.compile(r"```[a-zA-Z]*\s*\n(.*?)```", re.DOTALL)
_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_MOST_ATTEMPTS = 40


@lru_cache(maxsize=256)
def schema_of(into: type[BaseModel]) -> JsonSchema:
    """Return the model's JSON schema in the strict form that providers ask for.

    Every object is closed and all of its properties are required (a field with a default is asked for
    all the same).
    """
    return JsonSchema(into.__name__, cast("dict[str, object]", _strict(into.model_json_schema())))


def _strict(node: object) -> object:
    if isinstance(node, list):
        return [_strict(item) for item in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    closed = {key: _strict(value) for key, value in cast("dict[str, object]", node).items() if key != "default"}
    properties = closed.get("properties")
    if isinstance(properties, dict):
        closed["additionalProperties"] = False
        closed["required"] = list(cast("dict[str, object]", properties))
    return closed


def parse_into(text: str, into: type[M]) -> M:
    """Return the pydantic model that the text holds as JSON, bare, fenced or among prose.

    Raises:
        ModelOutputError: When nothing in the text fits; the message says what is wrong with the best try.
    """
    complaint = "there is no JSON in it"
    for candidate in _candidates(text):
        try:
            return into.model_validate(candidate)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            complaint = f"{where + ': ' if where else ''}{first['msg']}"
    raise ModelOutputError(f"expected JSON of `{into.__name__}`, {complaint}; the reply begins {text[:120]!r}")


def find_json(text: str) -> object:
    """Return the first JSON value in the text: the whole, a fenced block, or the first object or array.

    Raises:
        ModelOutputError: When there is none.
    """
    for candidate in _candidates(text):
        return candidate
    raise ModelOutputError(f"expected JSON, there is none in the reply, which begins {text[:120]!r}")


def _candidates(text: str) -> Iterator[object]:
    text = _THOUGHT.sub("", text).strip()
    pieces = [text, *(match.group(1).strip() for match in _FENCE.finditer(text))]
    for piece in pieces:
        for attempt in (piece, _TRAILING_COMMA.sub(r"\1", piece)):
            try:
                yield json.loads(attempt, strict=False)
                break
            except (ValueError, RecursionError):
                continue
    yield from _embedded(text)


def _embedded(text: str) -> Iterator[object]:
    decoder = json.JSONDecoder(strict=False)
    at, attempts = 0, 0
    while attempts < _MOST_ATTEMPTS and (start := _next_bracket(text, at)) >= 0:
        attempts += 1
        try:
            value, at = decoder.raw_decode(text, start)
            yield value
        except (ValueError, RecursionError):
            at = start + 1


def _next_bracket(text: str, at: int) -> int:
    places = [place for place in (text.find("{", at), text.find("[", at)) if place >= 0]
    return min(places, default=-1)
