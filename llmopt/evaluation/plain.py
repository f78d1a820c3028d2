"""Metadata and details as JSON and back, without loss.

JSON has no tuples, dates or infinities, and its keys are strings; these go as `{"$tuple": [...]}` and
the like, so that what is read is equal to what was written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import PurePath
from typing import TypeAlias, cast

import numpy as np

from ..errors import StorageError, UsageError

__all__ = ["Json", "from_plain", "to_plain"]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


def to_plain(value: object, where: str, *, lenient: bool = False) -> Json:
    """Return the value as JSON that `from_plain` turns back into an equal one.

    Args:
        value: None, numbers, texts, dates, paths, lists, tuples, sets and mappings of such.
        where: What the value is, for the message of an error.
        lenient: Write the `repr` of anything else, which comes back as that text.

    Raises:
        UsageError: When something in it has no JSON form and `lenient` is off.
    """
    if value is None or isinstance(value, bool | str) or type(value) is int:
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, Mapping):
        return _mapping(cast("Mapping[object, object]", value), where, lenient)
    if isinstance(value, list | tuple | set | frozenset):
        return _collection(cast("Sequence[object]", value), where, lenient)
    return _special(value, where, lenient)


def _mapping(value: Mapping[object, object], where: str, lenient: bool) -> Json:
    if all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {str(key): to_plain(item, f"{where}[{key!r}]", lenient=lenient) for key, item in value.items()}
    pairs: list[Json] = [
        [to_plain(key, where, lenient=lenient), to_plain(item, f"{where}[{key!r}]", lenient=lenient)]
        for key, item in value.items()
    ]
    return {"$dict": pairs}


def _collection(value: Sequence[object], where: str, lenient: bool) -> Json:
    ordered = value if isinstance(value, list | tuple) else sorted(value, key=repr)
    items = [to_plain(item, f"{where}[{number}]", lenient=lenient) for number, item in enumerate(ordered)]
    return items if isinstance(value, list) else {f"${type(value).__name__}": items}


def _special(value: object, where: str, lenient: bool) -> Json:
    if isinstance(value, np.generic | np.ndarray):
        return to_plain(cast("np.ndarray[tuple[int], np.dtype[np.generic]]", value).tolist(), where, lenient=lenient)
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            return write(value)
    if lenient:
        return {"$repr": repr(value)}
    raise UsageError(
        f"{where} is a {type(value).__module__}.{type(value).__qualname__}, which has no JSON form: put numbers, "
        "texts, lists, tuples and dicts there"
    )


_WRITERS: Sequence[tuple[type[object], Callable[[object], Json]]] = (
    (datetime, lambda value: {"$datetime": cast(datetime, value).isoformat()}),
    (date, lambda value: {"$date": cast(date, value).isoformat()}),
    (time, lambda value: {"$time": cast(time, value).isoformat()}),
    (PurePath, lambda value: {"$path": str(value)}),
    (bytes, lambda value: {"$bytes": cast(bytes, value).hex()}),
    (int, lambda value: int(cast(int, value))),
)


def from_plain(data: Json, where: str) -> object:
    """Return the value that `to_plain` wrote.

    Raises:
        StorageError: When it is not of `to_plain`'s making.
    """
    if isinstance(data, list):
        return [from_plain(item, where) for item in data]
    if not isinstance(data, dict):
        return data
    tags = [key for key in data if key.startswith("$")]
    if not tags:
        return {key: from_plain(item, f"{where}[{key!r}]") for key, item in data.items()}
    reader = _READERS.get(tags[0])
    if len(data) != 1 or reader is None:
        raise StorageError(f"{where} holds {sorted(data)}, which this version of llmopt cannot read")
    try:
        return reader(cast("list[object]", from_plain(data[tags[0]], where)))
    except (TypeError, ValueError) as error:
        raise StorageError(f"{where}: {str(data)[:80]} cannot be read: {error}") from error


def _text(make: Callable[[str], object]) -> Callable[[list[object]], object]:
    return lambda content: make(str(content))


def _dict(pairs: list[object]) -> dict[object, object]:
    return dict(cast("list[tuple[object, object]]", pairs))


_READERS: Mapping[str, Callable[[list[object]], object]] = {
    "$tuple": tuple,
    "$set": set,
    "$frozenset": frozenset,
    "$dict": _dict,
    "$float": _text(float),
    "$datetime": _text(datetime.fromisoformat),
    "$date": _text(date.fromisoformat),
    "$time": _text(time.fromisoformat),
    "$path": _text(PurePath),
    "$bytes": _text(bytes.fromhex),
    "$repr": _text(str),
}
