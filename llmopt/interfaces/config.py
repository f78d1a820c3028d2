"""Components as plain JSON and back, without executing anything that a file names.

`described` is the one-way form for fingerprints; `dump` and `load` are the round trip. A file can only
name classes of llmopt itself; classes and functions of the user come back only from an explicit
allow-list. Secrets are never written.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import FunctionType
from typing import Protocol, TypeAlias, cast, runtime_checkable

import numpy as np

from ..errors import StorageError, UsageError

__all__ = ["Json", "Named", "described", "dump", "load"]

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Named: TypeAlias = "type[object] | Callable[..., object]"


@runtime_checkable
class _Parametrised(Protocol):
    secrets: frozenset[str]
    incidental: frozenset[str]

    def params(self) -> dict[str, object]: ...


def dump(value: object) -> Json:
    """Return the value as JSON that `load` turns back into an equal one.

    Raises:
        UsageError: When something in it has no JSON form; the message names it.
    """
    return _encode(value, _reference)


def described(value: object) -> Json:
    """Return the value as JSON that tells different values apart; there is no way back."""
    return _encode(value, _digest)


def load(data: Json, *, allow: Iterable[Named] = ()) -> object:
    """Return what `dump` described.

    Args:
        data: The JSON.
        allow: Classes and functions outside llmopt that the JSON may name.

    Raises:
        UsageError: When the JSON names something that is neither llmopt's nor allowed.
        StorageError: When it is not of `dump`'s making.
    """
    return _decode(data, {_path(item): item for item in allow})


def _encode(value: object, leaf: Callable[[object], Json]) -> Json:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return {"$path": str(value)}
    if isinstance(value, list | tuple | frozenset | set | Mapping):
        return _encode_collection(cast("Iterable[object]", value), leaf)
    if isinstance(value, _Parametrised) and not isinstance(value, type):
        hidden = value.secrets | value.incidental if leaf is _digest else value.secrets
        shown = {name: item for name, item in value.params().items() if name not in hidden}
        return _instance(value, shown, leaf)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
        return _instance(value, fields, leaf)
    return leaf(value)


def _encode_collection(value: Iterable[object], leaf: Callable[[object], Json]) -> Json:
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return {"$dict": [[_encode(key, leaf), _encode(item, leaf)] for key, item in pairs]}
    ordered = value if isinstance(value, list | tuple) else sorted(value, key=repr)
    items: list[Json] = [_encode(item, leaf) for item in cast("Iterable[object]", ordered)]
    return items if isinstance(value, list) else {"$" + type(value).__name__: items}


def _instance(value: object, params: Mapping[str, object], leaf: Callable[[object], Json]) -> Json:
    return {
        "$class": _path(type(value)),
        "params": {name: _encode(item, leaf) for name, item in params.items()},
    }


def _reference(value: object) -> Json:
    if isinstance(value, type) or inspect.isfunction(value) or inspect.isbuiltin(value):
        if "<" in _path(value):
            raise UsageError(
                f"{_path(value)} cannot be saved: a lambda or a local function has no name to find it by. "
                "Define it at the top level of a module and allow it in `load`"
            )
        return {"$name": _path(value)}
    raise UsageError(
        f"a {type(value).__module__}.{type(value).__qualname__} cannot be saved as JSON; make it a Component or a "
        "dataclass of plain values"
    )


def _digest(value: object) -> Json:
    if isinstance(value, np.ndarray):
        array = cast("np.ndarray[tuple[int, ...], np.dtype[np.generic]]", value)
        content = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        return {"$array": [str(array.dtype), str(array.shape), content]}
    if inspect.isfunction(value):
        return {"$name": _path(value), "body": _body(value)}
    if isinstance(value, type) or callable(value):
        return {"$name": _path(value)}
    # A default repr holds an address, which would differ in every process.
    return {"$class": _path(type(value)), "repr": _ADDRESS.sub("", repr(value))}


def _body(function: FunctionType) -> Json:
    """Return what tells the function from another of its name: code, constants, defaults, captured values."""
    code = function.__code__
    constants = repr([constant for constant in code.co_consts if not inspect.iscode(constant)])
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    captured = [None if cell is function else described(cell) for cell in cells]
    return [
        hashlib.sha256(code.co_code + constants.encode()).hexdigest(),
        described(function.__defaults__),
        list(captured),
    ]


def _path(item: object) -> str:
    name: object = getattr(item, "__qualname__", type(item).__qualname__)
    module: object = getattr(item, "__module__", type(item).__module__)
    return f"{module}:{name}"


def _decode(data: Json, allowed: Mapping[str, Named]) -> object:
    if isinstance(data, list):
        return [_decode(item, allowed) for item in data]
    if not isinstance(data, dict):
        return data
    match data:
        case {"$class": str(path), "params": dict(params)}:
            return _build(path, {name: _decode(item, allowed) for name, item in params.items()}, allowed)
        case {"$name": str(path)}:
            return _find(path, allowed)
        case _ if len(data) == 1:
            ((tag, content),) = data.items()
            return _decode_plain(tag, _decode(content, allowed))
        case _:
            raise StorageError(f"not a saved component: unexpected keys {sorted(data)} in the JSON")


def _decode_plain(tag: str, content: object) -> object:
    maker = _PLAIN.get(tag)
    if maker is None:
        raise StorageError(f"not a saved component: unexpected key {tag!r} in the JSON")
    try:
        return maker(cast("list[object]", content))
    except (TypeError, ValueError) as error:
        raise StorageError(f"not a saved component: {tag} of {str(content)[:80]}: {error}") from error


def _path_of(content: object) -> Path:
    return Path(str(content))


def _dict_of(pairs: list[object]) -> dict[object, object]:
    return dict(cast("list[tuple[object, object]]", pairs))


_PLAIN: Mapping[str, Callable[[list[object]], object]] = {
    "$path": _path_of,
    "$tuple": tuple,
    "$set": set,
    "$frozenset": frozenset,
    "$dict": _dict_of,
}


def _build(path: str, params: Mapping[str, object], allowed: Mapping[str, Named]) -> object:
    found = _find(path, allowed)
    if not isinstance(found, type) or not (_is_component(found) or dataclasses.is_dataclass(found)):
        raise UsageError(f"the saved pipeline names {path}, which is neither a component nor a value class")
    try:
        return found(**params)
    except TypeError as error:
        raise StorageError(f"{path} does not take the saved parameters {sorted(params)}: {error}") from error


def _is_component(found: type[object]) -> bool:
    return hasattr(found, "params") and hasattr(found, "secrets")


def _find(path: str, allowed: Mapping[str, Named]) -> Named:
    if path in allowed:
        return allowed[path]
    module, _, name = path.partition(":")
    if module.split(".")[0] != "llmopt" or not name.isidentifier():
        raise UsageError(
            f"the saved pipeline names {path}, which is not part of llmopt; if you trust the file, pass the "
            f"class itself: load(..., allow=[{name or 'TheClass'}])"
        )
    try:
        found: object = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise StorageError(f"this version of llmopt has no {path}, which the saved pipeline names") from error
    if not isinstance(found, type) or found.__module__ != module:
        raise UsageError(f"the saved pipeline names {path}, which is not a class that llmopt defines there")
    return found
