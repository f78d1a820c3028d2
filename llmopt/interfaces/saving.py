"""Saving a component with everything inside it: parameters as JSON, learnt state in folders of its own.

The folder that `save` writes holds `component.json` (see `config`) and, for every component in it that
has learnt or indexed something, a folder `state/<path of parameters>`, e.g. `state/retriever.embedder`.
Loading rebuilds the components from the JSON and hands each its folder, the inner ones first. Nothing
in the folder is executed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from .._files import read_folder, write_folder
from .._sync import call_sync
from ..errors import StorageError
from ..types import MaybeAwaitable
from .config import Json, Named, dump, load

__all__ = ["Stateful", "load_component", "save_component"]


@runtime_checkable
class Stateful(Protocol):
    """A component as saving sees it."""

    def params(self) -> dict[str, object]:
        """Return the constructor arguments by name."""
        ...

    def write_state(self, folder: Path) -> None:
        """Write what was learnt into an empty folder."""
        ...

    def read_state(self, folder: Path) -> MaybeAwaitable[None]:
        """Take up what `write_state` wrote."""
        ...


@dataclass(frozen=True, slots=True)
class _Place:
    name: str
    component: Stateful


def save_component(component: Stateful, path: Path) -> None:
    """Write a component and all inside it into the folder `path`, all or nothing.

    Raises:
        UsageError: When a parameter has no JSON form.
        StorageError: When the folder cannot be written.
    """
    described = json.dumps(dump(component), ensure_ascii=False, indent=1)

    def fill(folder: Path) -> None:
        (folder / "component.json").write_text(described, encoding="utf-8")
        written: set[int] = set()
        for place in _places("", component):
            if id(place.component) in written:
                continue
            written.add(id(place.component))
            state = folder / "state" / (place.name or "self")
            state.mkdir(parents=True)
            place.component.write_state(state)
            if not any(state.iterdir()):
                state.rmdir()

    write_folder(path, fill)


def load_component(path: Path, allow: Iterable[Named]) -> object:
    """Return the component that `save_component` wrote, with all that it had learnt.

    Raises:
        StorageError: When a file is missing or damaged.
        UsageError: When it names a class that is neither llmopt's nor allowed.
    """
    folder = read_folder(path)
    try:
        data = cast(Json, json.loads((folder / "component.json").read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise StorageError(f"{path} holds no component: {error}") from error
    component = load(data, allow=allow)
    for place in _places("", component):
        state = folder / "state" / (place.name or "self")
        if state.is_dir():
            call_sync(place.component.read_state, state)
    return component


def _places(name: str, value: object) -> Iterator[_Place]:
    """Yield every component in the value, inner ones first, with the path of parameters that leads to it."""
    if isinstance(value, Stateful) and not isinstance(value, type):
        for key, item in value.params().items():
            yield from _places(f"{name}.{key}" if name else key, item)
        yield _Place(name, value)
    elif isinstance(value, Mapping):
        for label, item in cast("Mapping[object, object]", value).items():
            yield from _places(f"{name}.{_safe(label)}", item)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(cast("Iterable[object]", value)):
            yield from _places(f"{name}.{number}", item)


def _safe(key: object) -> str:
    return "".join(c if c.isalnum() else f"%{ord(c):x}" for c in str(key))
