"""What every pluggable piece shares: parameters, a fingerprint, a readable repr."""

from __future__ import annotations

import hashlib
import inspect
import json
from typing import ClassVar

from .config import described

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

    def params(self) -> dict[str, object]:
        """Return the constructor arguments by name; `type(self)(**params)` rebuilds the component."""
        names = [
            name
            for name, parameter in inspect.signature(type(self)).parameters.items()
            if parameter.kind not in {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
        ]
        return {name: getattr(self, name) for name in names}

    def fingerprint(self) -> str:
        """Return a hash of class and parameters that is the same in every process.

        Nested components count, secrets do not; functions count by their source.
        """
        canonical = json.dumps(described(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        """Show the class and its parameters, secrets masked."""
        shown = (
            f"{name}={'***' if name in self.secrets and value is not None else repr(value)}"
            for name, value in self.params().items()
        )
        return f"{type(self).__name__}({', '.join(shown)})"
