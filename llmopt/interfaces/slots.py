"""Refusing what cannot work in a slot of a component when the component is made, not when it is used."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from typing import Any, cast

from ..errors import UsageError

__all__ = ["check_slots"]

_SLOT = re.compile(r"(?P<many>Sequence\[)?(?P<name>[A-Za-z]\w*)(?(many)\])(?P<optional> \| None)?")
_LONGEST = 100
_MAKERS = {"ChatModel": "chat_model", "Embedder": "embedder"}


@dataclass(frozen=True, slots=True)
class _Slot:
    """What a field is annotated to take."""

    name: str
    kind: type
    is_many: bool
    is_optional: bool


def check_slots(component: object, interface: type) -> None:
    """Refuse values that their slot cannot take; only slots annotated with an interface, or a list of one, count.

    Objects of foreign classes pass: a stand-in in a unit test need not inherit from an interface.

    Args:
        component: A dataclass; anything else is left alone.
        interface: The base class of all interfaces.

    Raises:
        UsageError: Names the slot, what came, what it takes and what to do.
    """
    for slot in _slots(cast("Hashable", type(component)), interface):
        value = getattr(component, slot.name)
        if value is None and slot.is_optional:
            continue
        where = f"{type(component).__name__}.{slot.name}"
        if not slot.is_many:
            article = "an" if slot.kind.__name__[0] in "AEIO" else "a"
            _check(value, slot.kind, interface, f"`{where}` takes {article} {slot.kind.__name__}")
            continue
        takes = f"`{where}` takes a list of {slot.kind.__name__}"
        if isinstance(value, slot.kind):
            raise UsageError(f"{takes}, got {_shown(value)}: put it into a list")
        if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
            raise UsageError(f"{takes}, got {_shown(cast('object', value))}")
        if isinstance(value, list | tuple):  # what comes in another shape may be there only once
            for each in cast("list[object]", value):
                _check(each, slot.kind, interface, takes)


def _check(value: Any, kind: type, interface: type, takes: str) -> None:
    if isinstance(value, kind):
        return
    if isinstance(value, type):
        made = f": make one, `{value.__name__}(...)`" if issubclass(value, kind) else ""
        raise UsageError(f"{takes}, got the class {value.__name__}{made}")
    if isinstance(value, str) and kind.__name__ in _MAKERS:
        raise UsageError(f"{takes}, got {_shown(value)}: `llmopt.{_MAKERS[kind.__name__]}({value!r})` makes one")
    if value is None or isinstance(value, interface | str | int | float | list | tuple | dict):
        judge = kind.__name__ == "Judge" and hasattr(value, "acomplete")
        raise UsageError(f"{takes}, got {_shown(value)}" + ": put it into a judge, `ModelJudge(model)`" * judge)


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


@lru_cache(maxsize=1024)
def _slots(component: Hashable, interface: type) -> tuple[_Slot, ...]:
    """Return the slots of a class of components whose annotations name an interface."""
    owner = cast("type[object]", component)
    return tuple(_slots_of(owner, interface)) if is_dataclass(owner) else ()


def _slots_of(owner: type[object], interface: type) -> Iterable[_Slot]:
    for field in fields(cast("type[_Slot]", owner)):  # of any dataclass
        match = _SLOT.fullmatch(field.type) if isinstance(field.type, str) and field.init else None
        if match is None:
            continue
        home = next(base for base in owner.__mro__ if field.name in inspect.get_annotations(base))
        kind = getattr(sys.modules.get(home.__module__), match["name"], None)
        if isinstance(kind, type) and issubclass(kind, interface):
            yield _Slot(field.name, kind, bool(match["many"]), bool(match["optional"]))
