"""The same pipeline with something else deep inside it: a parameter by its path, an index over other documents."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar, cast

from ..errors import UsageError
from ..interfaces import Component, IndexedRetriever
from ..pipeline import Pipeline
from .difference import TOGETHER, Change

__all__ = ["has_path", "taken_over", "value_at", "varied"]

P = TypeVar("P", bound=Component)

_DOCUMENTS = "documents"


async def varied(pipeline: Pipeline, changes: Mapping[str, object]) -> Pipeline:
    """Return the pipeline with these values in it; the given one stays as it is.

    Args:
        pipeline: Where to begin.
        changes: By path: a slot (`k`), or parameters joined by dots (`retriever.k1`, `reranker.rules.0.weight`). What a
            parameter belongs to is made anew; a retriever takes up its documents again.

    Raises:
        UsageError: When there is no such path, or it leads into a part that has learnt something, which would be lost.
    """
    # Slots go in together: some make sense only beside each other (a classifier and its routes).
    pipeline = pipeline.but(**{path: value for path, value in changes.items() if "." not in path})
    for path, value in changes.items():
        if "." in path:
            pipeline = await _with(pipeline, path, value)
    return pipeline


async def taken_over(before: Pipeline, after: Pipeline, change: Change) -> Pipeline:
    """Return `before` with one of the differences to `after` carried out, and none of the others.

    Raises:
        UsageError: When the difference cannot be carried out alone.
    """
    if change.path.rpartition(".")[2] == _DOCUMENTS and not has_path(before, change.path):
        path = change.path.rpartition(".")[0]
        old, new = value_at(before, path), value_at(after, path)
        return await _with(before, path, await _refilled(old, new))
    new = value_at(after, change.path)
    old = value_at(before, change.path) if has_path(before, change.path) else None
    if "." not in change.path and (old is None) != (new is None):
        return before.but(**{slot: value_at(after, slot) for slot in (change.path, *TOGETHER.get(change.path, ()))})
    return await _with(before, change.path, await _refilled(new, old))


def value_at(part: object, path: str) -> object:
    """Return what stands at the path.

    Raises:
        UsageError: When there is nothing.
    """
    for name in path.split("."):
        part = _inside(part, name, path)
    return part


def has_path(part: object, path: str) -> bool:
    """Return whether something stands at the path."""
    try:
        value_at(part, path)
    except UsageError:
        return False
    return True


async def _with(pipeline: Pipeline, path: str, value: object) -> Pipeline:
    made = await _replaced(pipeline, path.split("."), value, path)
    return cast(Pipeline, made)


async def _replaced(part: object, names: Sequence[str], value: object, path: str) -> object:
    name, *rest = names
    if rest or not isinstance(part, Mapping):  # a key may be new, a route for example
        present = _inside(part, name, path)
        value = await _replaced(present, rest, value, path) if rest else value
    if isinstance(part, Pipeline):
        return part.but(**{name: value})
    if isinstance(part, Component):
        return await _remade(part, name, value, path)
    if isinstance(part, Mapping):
        return {**cast("Mapping[object, object]", part), name: value}
    listed = list(cast("Sequence[object]", part))
    listed[int(name)] = value
    return tuple(listed) if isinstance(part, tuple) else listed


def _inside(part: object, name: str, path: str) -> object:
    known = _parts(part)
    if name not in known:
        has = ", ".join(known) or "nothing inside"
        kind = type(part).__name__
        raise UsageError(f"there is no {path!r}: a {kind} has no {name!r}; it has {has}")
    return known[name]


def _parts(part: object) -> Mapping[str, object]:
    if isinstance(part, Component):
        return part.params()
    if isinstance(part, Mapping):
        return cast("Mapping[str, object]", part)
    if isinstance(part, list | tuple):
        return {str(number): item for number, item in enumerate(cast("Sequence[object]", part))}
    return {}


async def _remade(part: Component, name: str, value: object, path: str) -> Component:
    """Return the part with another value of one parameter, indexed as it was."""
    if not isinstance(part, IndexedRetriever):
        if type(part).write_state is not Component.write_state:
            raise UsageError(
                f"{path!r} leads into a {type(part).__name__}, which has learnt something that a new one would not "
                "know: make and fit the new one yourself, and give it as a whole"
            )
        return _anew(part, {name: value})
    if any(_is_indexed(each) and each.documents == part.documents for each in _retrievers(part)):
        clone = copy.copy(part)  # what it searches is in its parts, which are indexed
        object.__setattr__(clone, name, value)
        return clone
    fresh = _unindexed(_anew(part, {name: value}))
    return await fresh.aindex(part.documents) if _is_indexed(part) else fresh


async def _refilled(part: object, like: object) -> object:
    """Return a retriever over the documents of another one; anything else as it is."""
    if not (isinstance(part, IndexedRetriever) and isinstance(like, IndexedRetriever)):
        return part
    if not _is_indexed(like) or (_is_indexed(part) and part.documents == like.documents):
        return part
    return await _unindexed(part).aindex(like.documents)


def _unindexed(part: IndexedRetriever) -> IndexedRetriever:
    """Return a retriever with the same parameters and no documents, the retrievers in it the same."""
    return _anew(part, {name: _emptied(value) for name, value in part.params().items()})


def _emptied(value: object) -> object:
    if isinstance(value, IndexedRetriever):
        return _unindexed(value)
    if isinstance(value, list | tuple):
        items = [_emptied(item) for item in cast("Sequence[object]", value)]
        return tuple(items) if isinstance(value, tuple) else items
    return value


def _anew(part: P, changes: Mapping[str, object]) -> P:
    make: Callable[..., P] = type(part)
    return make(**{**part.params(), **changes})


def _is_indexed(retriever: IndexedRetriever) -> bool:
    return retriever.is_indexed or any(_is_indexed(each) for each in _retrievers(retriever))


def _retrievers(part: Component) -> Iterator[IndexedRetriever]:
    for value in part.params().values():
        for item in cast("Sequence[object]", value) if isinstance(value, list | tuple) else (value,):
            if isinstance(item, IndexedRetriever):
                yield item
