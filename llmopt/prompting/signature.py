"""What a function takes, as a model is told: a JSON schema from its signature and its docstring."""

from __future__ import annotations

import functools
import inspect
import json
import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Annotated, Any, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError

from ..errors import ModelOutputError, UsageError

__all__ = ["FunctionSignature", "signature_of"]

_SECTION = re.compile(r"^(?:Args|Arguments|Parameters|Returns?|Raises|Yields|Examples?|Notes?):\s*$", re.MULTILINE)
_PARAMETERS = re.compile(r"^(?:Args|Arguments|Parameters):\s*\n(?P<all>(?:[ \t]+\S.*(?:\n|$)|[ \t]*\n)*)", re.MULTILINE)
_PARAMETER = re.compile(r"^(?P<indent>[ \t]+)\*{0,2}(?P<name>\w+)(?: ?\([^)]*\))?:\s*(?P<text>.*)$")
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True)
class FunctionSignature:
    """A function's parameters and description.

    Attributes:
        name: The function's.
        description: Its docstring up to the first section.
        schema: JSON schema of an object with its parameters.
        parameters: Their names, in order.
        model: Checks arguments; its fields are named `argument_0`, `argument_1` ...
        signature: Python's own.
    """

    name: str
    description: str
    schema: Mapping[str, object]
    parameters: tuple[str, ...]
    model: type[BaseModel]
    signature: inspect.Signature

    def read(self, arguments: str) -> inspect.BoundArguments:
        """Return the arguments, checked and converted.

        Args:
            arguments: A JSON text, as a model wrote it; an empty one and null are no arguments.

        Raises:
            ModelOutputError: When they are not JSON or do not fit; the message says what is wrong.
        """
        try:
            given: object = json.loads(arguments, strict=False) if arguments.strip() else {}
            given = {} if given is None else given  # some servers send null for a tool without parameters
        except (ValueError, RecursionError) as error:
            raise ModelOutputError(f"the arguments are not JSON ({error}): {arguments[:200]!r}") from error
        try:
            checked = self.model.model_validate(given)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, problem['loc'])) or 'arguments'}: {problem['msg']}"
                for problem in error.errors(include_url=False, include_input=False)[:5]
            )
            expected = json.dumps(self.schema, ensure_ascii=False)
            raise ModelOutputError(f"the arguments do not fit: {wrong}. Expected: {expected}") from error
        bound = self.signature.bind_partial()
        for number, name in enumerate(self.parameters):
            bound.arguments[name] = getattr(checked, f"argument_{number}")
        return bound


def signature_of(function: Callable[..., object]) -> FunctionSignature:
    """Return what the function takes.

    Raises:
        UsageError: When a parameter has no usable type, or the function takes any number of arguments.
    """
    return _signature_of(cast(Hashable, function))


@functools.lru_cache(maxsize=256)
def _signature_of(hashable: Hashable) -> FunctionSignature:
    function = cast("Callable[..., object]", hashable)
    name = _name(function)
    signature = inspect.signature(function)
    documentation = inspect.getdoc(_routine(function)) or ""
    described = _described(documentation)
    hints = _hints(function, name)
    fields: dict[str, object] = {}
    for number, parameter in enumerate(signature.parameters.values()):
        if parameter.kind in _VARIADIC:
            raise UsageError(f"the tool {name} takes any number of arguments ({parameter}): name them one by one")
        if parameter.name not in hints:
            raise UsageError(f"the tool {name} does not say the type of {parameter.name!r}: annotate it")
        default: object = ... if parameter.default is inspect.Parameter.empty else parameter.default
        field: object = Field(default, alias=parameter.name)
        if parameter.name in described:  # else one in the annotation itself stands
            field = Field(default, alias=parameter.name, description=described[parameter.name])
        fields[f"argument_{number}"] = (Annotated[hints[parameter.name], field], default)
    model = _model(name, fields)
    schema = model.model_json_schema()
    schema.pop("title", None)
    for item in schema.get("properties", {}).values():
        item.pop("title", None)
    description = " ".join(_SECTION.split(documentation, maxsplit=1)[0].split())
    return FunctionSignature(name, description, schema, tuple(signature.parameters), model, signature)


def _model(name: str, fields: Mapping[str, object]) -> type[BaseModel]:
    make = cast("Callable[..., type[BaseModel]]", create_model)
    try:
        model = make(name, __config__=ConfigDict(extra="forbid"), **fields)
        model.model_json_schema()
    except PydanticUserError as error:
        raise UsageError(f"the tool {name} has a parameter that no JSON schema describes: {error.message}") from error
    return model


def _inner(function: Callable[..., object]) -> object:
    return function.func if isinstance(function, functools.partial) else function


def _name(function: Callable[..., object]) -> str:
    inner = _inner(function)
    return str(getattr(inner, "__name__", type(inner).__name__))


def _routine(function: Callable[..., object]) -> object:
    """Return the function or method that is run in the end: of an object, its `__call__`."""
    inner = _inner(function)
    return inner if inspect.isroutine(inner) else type(inner).__call__


def _hints(function: Callable[..., object], name: str) -> Mapping[str, object]:
    """Return the parameters' types; the result's is not needed and may be one that cannot be looked up."""
    routine = inspect.unwrap(cast("Callable[..., object]", _routine(function)))
    written = {key: value for key, value in getattr(routine, "__annotations__", {}).items() if key != "return"}
    space: dict[str, Any] = getattr(routine, "__globals__", {})
    try:
        return get_type_hints(SimpleNamespace(__annotations__=written), space, include_extras=True)
    except NameError as error:
        raise UsageError(f"the tool {name} has an annotation that cannot be looked up: {error}") from error


def _described(documentation: str) -> Mapping[str, str]:
    """Return the descriptions of the parameters in a Google-style docstring."""
    section = _PARAMETERS.search(documentation)
    found: dict[str, str] = {}
    last, indent = "", ""
    for line in section["all"].splitlines() if section else ():
        match = _PARAMETER.match(line)
        if match is not None and (not indent or match["indent"] == indent):
            last, indent = match["name"], match["indent"]
            found[last] = match["text"].strip()
        elif last:
            found[last] = f"{found[last]} {line.strip()}".strip()
    return found
