"""The same component with other models in it, however deep they sit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

from ..interfaces import ChatModel, Component, Embedder

__all__ = ["Rewiring"]

T = TypeVar("T")


class Rewiring:
    """Replaces the models and embedders inside components; what stays the same is not copied.

    A component that holds one is copied, with all that it has learnt, and gets the replacement under the
    parameter's name. A component that sits in two places is replaced by one and the same in both, so that
    judges go on sharing their work.

    Args:
        model: Makes the replacement of a chat model.
        embedder: Makes the replacement of an embedder.
    """

    def __init__(self, model: Callable[[ChatModel], ChatModel], embedder: Callable[[Embedder], Embedder]) -> None:
        self._model = model
        self._embedder = embedder
        self._done: dict[int, tuple[object, object]] = {}

    def apply(self, part: T) -> T:
        """Return the component with the replacements in it."""
        known = self._done.get(id(part))
        if known is None:
            # The original is kept beside the replacement: an id is unique only among what is alive.
            known = self._done[id(part)] = (part, self._made(part))
        return cast(T, known[1])

    def _made(self, part: object) -> object:
        if isinstance(part, ChatModel):
            return self._model(part)
        if isinstance(part, Embedder):
            return self._embedder(part)
        if isinstance(part, Component):
            return self._component(part)
        if isinstance(part, list | tuple):
            return self._sequence(cast("Sequence[object]", part))
        if isinstance(part, Mapping):
            return self._mapping(cast("Mapping[object, object]", part))
        return part

    def _component(self, part: Component) -> Component:
        changed = {
            name: made for name, value in part.params().items() if (made := self.apply(value)) is not value
        }  # fmt: skip
        if not changed:
            return part
        clone = copy.copy(part)
        for name, value in changed.items():
            object.__setattr__(clone, name, value)
        return clone

    def _sequence(self, part: Sequence[object]) -> Sequence[object]:
        made = [self.apply(item) for item in part]
        if all(new is old for new, old in zip(made, part, strict=True)):
            return part
        return tuple(made) if isinstance(part, tuple) else made

    def _mapping(self, part: Mapping[object, object]) -> Mapping[object, object]:
        made = {key: self.apply(item) for key, item in part.items()}
        return part if all(made[key] is item for key, item in part.items()) else made
