"""What is different between two pipelines, down to nested parameters and indexed documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from ..interfaces import Component, IndexedRetriever
from ..interfaces.config import described
from ..pipeline import Pipeline

__all__ = ["TOGETHER", "Change", "differences"]

TOGETHER: Mapping[str, tuple[str, ...]] = {"classifier": ("routes", "margin"), "reranker": ("fetch",)}
"""Slots of a pipeline that mean nothing without another one: they come and go with it."""

_SHOWN = 80
_ABSENT = "(nothing)"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs.

    Attributes:
        path: Where: parameters joined by dots, for example `retriever.embedder.model`.
        before: What was there, as text.
        after: What is there now.
    """

    path: str
    before: str
    after: str

    def __str__(self) -> str:
        """Write it in one line."""
        return f"{self.path}: {self.before} -> {self.after}"


def differences(before: Component, after: Component) -> list[Change]:
    """Return what differs, each thing once, in the order of the parameters.

    Two components of one class are compared parameter by parameter; another class in the same place is one
    change. Documents of retrievers count: the same retriever over other passages is a change of its own. What
    only works together comes together: a classifier with its routes and margin, a reranker with the number of
    hits that it sees.
    """
    return _between("", before, after)


def _between(path: str, before: object, after: object) -> list[Change]:
    if before is after:
        return []
    if isinstance(before, Component) and isinstance(after, Component):
        return _between_components(path, before, after)
    mappings, sequences = _mappings(before, after), _sequences(before, after)
    if mappings is not None:
        return _between_mappings(path, *mappings)
    if sequences is not None:
        items = zip(*sequences, strict=True)
        return [change for number, pair in enumerate(items) for change in _between(f"{path}.{number}", *pair)]
    return [] if described(before) == described(after) else [Change(path, _shown(before), _shown(after))]


def _mappings(before: object, after: object) -> tuple[Mapping[object, object], Mapping[object, object]] | None:
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        return None
    return cast("Mapping[object, object]", before), cast("Mapping[object, object]", after)


def _sequences(before: object, after: object) -> tuple[Sequence[object], Sequence[object]] | None:
    """Return both when they are lists of one length, which are compared place by place."""
    if not (isinstance(before, list | tuple) and isinstance(after, list | tuple)):
        return None
    pair = cast("Sequence[object]", before), cast("Sequence[object]", after)
    return pair if len(pair[0]) == len(pair[1]) else None


def _between_components(path: str, before: Component, after: Component) -> list[Change]:
    documents = _between_documents(path, before, after)
    if type(before) is not type(after):
        return [Change(path, _shown(before), _shown(after)), *documents]
    theirs, implied = after.params(), _implied(before, after)
    found = [
        change
        for name, value in before.params().items()
        if name not in implied
        for change in _between(f"{path}.{name}" if path else name, value, theirs[name])
    ]
    inside = any(change.path.endswith(".documents") for change in found)  # parts of a hybrid share their documents
    return found if inside else [*found, *documents]


def _implied(before: Component, after: Component) -> frozenset[str]:
    """Return the slots that say nothing by themselves, because what they belong to comes or goes."""
    if not (isinstance(before, Pipeline) and isinstance(after, Pipeline)):
        return frozenset()
    theirs, ours = before.params(), after.params()
    changing = [slot for slot in TOGETHER if (theirs[slot] is None) != (ours[slot] is None)]
    return frozenset(implied for slot in changing for implied in TOGETHER[slot])


def _between_documents(path: str, before: Component, after: Component) -> list[Change]:
    if not (isinstance(before, IndexedRetriever) and isinstance(after, IndexedRetriever)):
        return []
    if not (before.is_indexed and after.is_indexed) or before.documents == after.documents:
        return []
    return [Change(f"{path}.documents", f"{len(before.documents)} passages", f"{len(after.documents)} passages")]


def _between_mappings(path: str, before: Mapping[object, object], after: Mapping[object, object]) -> list[Change]:
    changes: list[Change] = []
    for key in dict.fromkeys([*before, *after]):
        here = f"{path}.{key}"
        if key in before and key in after:
            changes += _between(here, before[key], after[key])
        else:
            old = _shown(before[key]) if key in before else _ABSENT
            changes.append(Change(here, old, _shown(after[key]) if key in after else _ABSENT))
    return changes


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
