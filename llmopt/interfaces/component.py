"""What every pluggable piece shares: parameters, a fingerprint, a readable repr."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Hashable, Iterable
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Self, cast, final

from ..errors import UsageError
from ..types import MaybeAwaitable
from .config import Named, described
from .saving import load_component, save_component
from .slots import check_slots

__all__ = ["Component"]


class Component:
    """A piece of a pipeline whose constructor arguments describe it completely.

    Store every constructor argument under its own name and do no work in `__init__` (a `@dataclass`
    does both for you); then `params`, `fingerprint`, `repr`, saving and experiments come for free.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(repr=False)
        ... class Greeter(Component):
        ...     name: str = "world"
        >>> Greeter("you")
        Greeter(name='you')
        >>> Greeter("you").fingerprint() == Greeter("you").fingerprint() != Greeter("me").fingerprint()
        True
    """

    secrets: ClassVar[frozenset[str]] = frozenset()
    """Parameters that are never shown, hashed or written (API keys)."""

    incidental: ClassVar[frozenset[str]] = frozenset()
    """Parameters that change how fast or how dear the work is, never what comes out (timeouts, prices):
    they are saved and shown, and do not count in the fingerprint, so that a cache outlives them."""

    def __post_init__(self) -> None:
        """Refuse what a slot for another component cannot take; called by the `__init__` of a dataclass.

        One of your own calls `super().__post_init__()`.

        Raises:
            UsageError: Names the slot, what came and what it takes.
        """
        check_slots(self, Component)

    def params(self) -> dict[str, object]:
        """Return the constructor arguments by name; `type(self)(**params)` rebuilds the component."""
        return {name: getattr(self, name) for name in _parameters(cast("Hashable", type(self)))}

    def fingerprint(self) -> str:
        """Return a hash of class and parameters that is the same in every process.

        Nested components count; secrets and incidental parameters do not; functions count by their source.
        """
        canonical = json.dumps(described(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def write_state(self, folder: Path) -> None:
        """Write what was learnt or indexed (not the parameters) into an empty folder; by default nothing.

        No pickle: numpy's `.npy` without objects, JSON, text.
        """

    def read_state(self, folder: Path) -> MaybeAwaitable[None]:
        """Take up what `write_state` wrote; components inside this one have theirs already."""

    @final
    def save(self, path: str | Path) -> None:
        """Write parameters and learnt state, nested components included, into a folder, all or nothing.

        Secrets are not written. A folder of ours that stands there is replaced.

        Raises:
            UsageError: When a parameter has no JSON form (a lambda, an object that is no component).
            StorageError: When the folder cannot be written.
        """
        save_component(self, Path(path))

    @final
    @classmethod
    def load(cls, path: str | Path, *, allow: Iterable[Named] = ()) -> Self:
        """Return the component that `save` wrote; nothing in the folder is executed.

        Args:
            path: The folder.
            allow: Classes and functions outside llmopt that it may name; `cls` itself is allowed.

        Raises:
            StorageError: When a file is missing or damaged (checksums).
            UsageError: When it holds another kind of component or names a class that is not allowed.
        """
        component = load_component(Path(path), (cls, *allow))
        if not isinstance(component, cls):
            raise UsageError(f"{path} holds a {type(component).__name__}, not a {cls.__name__}")
        return component

    def __repr__(self) -> str:
        """Show the class and those of its parameters that are not as by default, secrets masked."""
        usual = _defaults(cast("Hashable", type(self)))
        shown = (
            f"{name}={'***' if name in self.secrets else repr(value)}"
            for name, value in self.params().items()
            if name not in usual or described(value) != usual[name]
        )
        return f"{type(self).__name__}({', '.join(shown)})"


@lru_cache(maxsize=1024)
def _defaults(component: Hashable) -> dict[str, object]:
    """Return the described default of every parameter that has one."""
    parameters = inspect.signature(cast("type[object]", component)).parameters
    defaults = {name: each.default for name, each in parameters.items() if each.default is not each.empty}
    if is_dataclass(component):
        for field in fields(component):
            if field.default_factory is not MISSING and field.name in defaults:
                defaults[field.name] = field.default_factory()
    return {name: described(default) for name, default in defaults.items()}


@lru_cache(maxsize=1024)
def _parameters(component: Hashable) -> tuple[str, ...]:
    variadic = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    parameters = inspect.signature(cast("type[object]", component)).parameters.items()
    return tuple(name for name, parameter in parameters if parameter.kind not in variadic)
