"""Our frozen values as JSON and back, driven by their type hints: every field checked, none unknown.

A dataclass becomes an object without the fields that have their default, a sequence a list, and a field
of type `object` (metadata, details) whatever `to_plain` makes of it.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from ..errors import StorageError
from .plain import Json, from_plain, to_plain

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["decode", "encode"]

T = TypeVar("T")
Reader: TypeAlias = Callable[[Json, str], object]

_AS_THEY_ARE = frozenset({str, bool, int})
_NONE = cast(Hashable, type(None))
_SCALARS: Mapping[object, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def encode(value: object, where: str, *, lenient: bool = False) -> Json:
    """Return one of our values as JSON.

    Args:
        value: An instance of a dataclass whose fields are texts, numbers, such dataclasses, sequences and
            mappings of them, or `object`.
        where: What the value is, for the message of an error.
        lenient: Write the `repr` of what has no JSON form.

    Raises:
        UsageError: When something in it has no JSON form and `lenient` is off.
    """
    return _encode(type(value), value, where, lenient)


def decode(kind: type[T], data: object, where: str) -> T:
    """Return the value that `encode` wrote.

    Args:
        kind: The dataclass.
        data: The JSON.
        where: What is read, for the message of an error.

    Raises:
        StorageError: When a field has the wrong type or is not known.
    """
    return cast(T, _reader(cast(Hashable, kind))(cast(Json, data), where))


def _encode(hint: object, value: object, where: str, lenient: bool) -> Json:
    if value is None or type(value) in _AS_THEY_ARE:
        return cast(Json, value)
    if hint is object or hint == Mapping[str, object]:
        return to_plain(value, where, lenient=lenient)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            name: _encode(field_hint, item, f"{where}.{name}", lenient)
            for name, field_hint, default in _fields(type(value))
            if (item := getattr(value, name)) != default
        }
    if isinstance(value, Mapping):
        inner = get_args(hint)[1]
        items = cast("Mapping[str, object]", value).items()
        return {key: _encode(inner, item, f"{where}[{key!r}]", lenient) for key, item in items}
    if isinstance(value, list | tuple):
        inner = get_args(hint)[0]
        listed = enumerate(cast("Sequence[object]", value))
        return [_encode(inner, item, f"{where}[{number}]", lenient) for number, item in listed]
    return to_plain(value, where, lenient=lenient)


@cache
def _fields(kind: type[DataclassInstance]) -> list[tuple[str, Hashable, object]]:
    hints = get_type_hints(kind)
    return [(field.name, cast(Hashable, hints[field.name]), _default(field)) for field in dataclasses.fields(kind)]


def _default(field: dataclasses.Field[object]) -> object:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


@cache
def _reader(hint: Hashable) -> Reader:
    if hint in _SCALARS:
        return _scalar(cast("type[object]", hint))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _dataclass(hint)
    if hint is object or hint == Mapping[str, object]:
        return from_plain if hint is object else _mapping_of_anything
    inner = cast("tuple[Hashable, ...]", get_args(hint))
    return _GENERIC[cast(Hashable, get_origin(hint))](inner)


def _scalar(kind: type[object]) -> Reader:
    accepted = (int, float) if kind is float else kind

    def read(data: Json, where: str) -> object:
        if (type(data) is bool and kind is not bool) or not isinstance(data, accepted):
            raise _wrong(data, where, _SCALARS[kind])
        return float(cast(float, data)) if kind is float else data

    return read


def _choice(allowed: tuple[Hashable, ...]) -> Reader:
    def read(data: Json, where: str) -> object:
        if data not in allowed:
            raise _wrong(data, where, f"one of {', '.join(repr(item) for item in allowed)}")
        return data

    return read


def _union(options: tuple[Hashable, ...]) -> Reader:
    readers = [(option, _reader(option)) for option in options if option is not _NONE]

    def read(data: Json, where: str) -> object:
        if data is None and _NONE in options:
            return None
        for option, reader in readers[:-1]:
            if get_origin(option) is Literal and data in get_args(option):
                return reader(data, where)
        return readers[-1][1](data, where)

    return read


def _sequence(inner: tuple[Hashable, ...]) -> Reader:
    item = _reader(inner[0])

    def read(data: Json, where: str) -> object:
        if not isinstance(data, list):
            raise _wrong(data, where, "a list")
        return tuple(item(value, f"{where}[{number}]") for number, value in enumerate(data))

    return read


def _mapping(inner: tuple[Hashable, ...]) -> Reader:
    item = _reader(inner[1])

    def read(data: Json, where: str) -> object:
        if not isinstance(data, dict):
            raise _wrong(data, where, "an object")
        return {key: item(value, f"{where}[{key!r}]") for key, value in data.items()}

    return read


def _mapping_of_anything(data: Json, where: str) -> object:
    found = from_plain(data, where)
    if not isinstance(found, dict):
        raise _wrong(data, where, "an object")
    return cast("dict[str, object]", found)


def _dataclass(kind: type[DataclassInstance]) -> Reader:
    known = {name: _reader(hint) for name, hint, _ in _fields(kind)}
    required = {name for name, _, default in _fields(kind) if default is dataclasses.MISSING}

    def read(data: Json, where: str) -> object:
        if not isinstance(data, dict):
            raise _wrong(data, where, "an object")
        if unknown := sorted(data.keys() - known.keys()):
            raise StorageError(f"{where} has the field {unknown[0]!r}, which this version of llmopt does not know")
        if missing := sorted(required - data.keys()):
            raise StorageError(f"{where} lacks the field {missing[0]!r}")
        values = {name: known[name](value, f"{where}.{name}") for name, value in data.items()}
        try:
            return kind(**values)
        except ValueError as error:
            raise StorageError(f"{where}: {error}") from error

    return read


_GENERIC: Mapping[Hashable, Callable[[tuple[Hashable, ...]], Reader]] = {
    Literal: _choice,
    Union: _union,
    types.UnionType: _union,
    Sequence: _sequence,
    Mapping: _mapping,
}


def _wrong(data: Json, where: str, expected: str) -> StorageError:
    return StorageError(f"{where} must be {expected}, got {type(data).__name__} {str(data)[:40]!r}")
