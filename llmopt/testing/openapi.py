"""Does a request or a response fit OpenAI's published API schema?

The schema is OpenAI's own (MIT licence), as JSON and repaired to valid JSON Schema 2020-12; it is not
part of this package. `jsonschema` comes with the extra `test`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Protocol, cast

from llmopt.errors import MissingExtraError, UsageError

__all__ = ["response_errors", "schema_errors"]

_ROOT = "urn:llmopt:openapi"
_LONGEST = 300


class _Error(Protocol):
    """What we use of `jsonschema.ValidationError`."""

    json_path: str
    message: str


_Validator = Callable[[object], Iterable[_Error]]


def schema_errors(spec: Mapping[str, object], path: str, method: str, body: Mapping[str, object]) -> list[str]:
    """Return what is wrong with a request's body, one line per error; empty if nothing is.

    Args:
        spec: The OpenAPI document.
        path: Of the request, with or without `/v1`: `/v1/chat/completions`.
        method: `POST` for example.
        body: The request's JSON.

    Raises:
        UsageError: If the document has no such request.
        MissingExtraError: If jsonschema is not installed.
    """
    document = _document(_ById(spec))
    operation, place = document.operation(path, method)
    request, place = document.resolved(operation.get("requestBody"), f"{place}/requestBody")
    content = _object(request.get("content"))
    if "application/json" not in content:
        raise UsageError(f"schema_errors: {method} {path} takes no JSON, but {', '.join(content) or 'no body'}.")
    return document.errors(f"{place}/content/application~1json/schema", body)


def response_errors(
    spec: Mapping[str, object], path: str, method: str, body: Mapping[str, object], *, status: int = 200
) -> list[str]:
    """Return what is wrong with a response's body, one line per error; empty if nothing is.

    Args:
        spec: The OpenAPI document.
        path: Of the request, with or without `/v1`.
        method: Of the request.
        body: The response's JSON, or that of one chunk of a chat stream.
        status: The HTTP status; every one from 400 has the schema `ErrorResponse`.

    Raises:
        UsageError: If the document has no such response.
        MissingExtraError: If jsonschema is not installed.
    """
    document = _document(_ById(spec))
    operation, place = document.operation(path, method)
    if status >= 400:
        return document.errors("/components/schemas/ErrorResponse", body)
    declared = _object(operation.get("responses")).get(str(status))
    response, place = document.resolved(declared, f"{place}/responses/{status}")
    content = _object(response.get("content"))
    streamed = str(body.get("object", "")).endswith(".chunk")
    wanted = "text/event-stream" if streamed else "application/json"
    if wanted not in content:
        raise UsageError(f"response_errors: {method} {path} has no {wanted} response of status {status}.")
    return document.errors(f"{place}/content/{_escaped(wanted)}/schema", body)


class _ById:
    """A document as a cache's key: equal only to itself."""

    def __init__(self, spec: Mapping[str, object]) -> None:
        self.spec = spec

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ById) and other.spec is self.spec

    def __hash__(self) -> int:
        return id(self.spec)


class _Document:
    """An OpenAPI document with the validators that were made from it."""

    def __init__(self, spec: Mapping[str, object]) -> None:
        self._spec = spec
        self._validators: dict[str, _Validator] = {}

    def operation(self, path: str, method: str) -> tuple[Mapping[str, object], str]:
        """Return an operation and its place in the document."""
        short = path.removeprefix("/v1")
        paths = _object(self._spec.get("paths"))
        # A path without placeholders goes before one whose placeholder it also fits.
        for template in sorted(paths, key=lambda template: "{" in template):
            pattern = re.sub(r"\\\{[^/]*?\\\}", "[^/]+", re.escape(template))
            operation = _object(_object(paths[template]).get(method.lower()))
            if operation and re.fullmatch(pattern, short):
                return operation, f"/paths/{_escaped(template)}/{method.lower()}"
        raise UsageError(f"the schema has no {method} {path}.")

    def resolved(self, value: object, place: str) -> tuple[Mapping[str, object], str]:
        """Return an object of the document and its place, or those of the one that it refers to."""
        reference = _object(value).get("$ref")
        if not isinstance(reference, str):
            return _object(value), place
        place = reference.removeprefix("#")
        found = self._spec
        for name in place.split("/")[1:]:
            found = _object(found.get(name.replace("~1", "/").replace("~0", "~")))
        return found, place

    def errors(self, place: str, body: Mapping[str, object]) -> list[str]:
        """Return what keeps a body from fitting the schema at a place."""
        validator = self._validators.get(place)
        if validator is None:
            validator = self._validators[place] = _validator(self._spec, place)
        return [f"{error.json_path}: {error.message[:_LONGEST]}" for error in validator(body)]


@lru_cache(maxsize=4)
def _document(key: _ById) -> _Document:
    return _Document(key.spec)


def _validator(spec: Mapping[str, object], place: str) -> _Validator:
    try:
        jsonschema = importlib.import_module("jsonschema")
        referencing = importlib.import_module("referencing")
        draft = importlib.import_module("referencing.jsonschema").DRAFT202012
    except ImportError as error:
        message = f"schema_errors needs jsonschema: pip install 'llmopt[test]' ({error})."
        raise MissingExtraError(message) from error
    resource = referencing.Resource.from_contents(dict(spec), default_specification=draft)
    registry = referencing.Registry().with_resource(_ROOT, resource)
    validator = jsonschema.Draft202012Validator({"$ref": f"{_ROOT}#{place}"}, registry=registry)
    best_match = jsonschema.exceptions.best_match

    def errors(body: object) -> Iterable[_Error]:
        # Of a failed anyOf, the error inside the choice that fits best says more than "fits none".
        return [best_match([error]) for error in validator.iter_errors(body)]

    return errors


def _escaped(name: str) -> str:
    """Return a name as part of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _object(value: object) -> Mapping[str, object]:
    """Return the value if it is a JSON object, or an empty one."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
