"""Replies as JSON and back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import cast

from ...types import Completion, TokenChance, ToolCall, Usage

__all__ = ["from_json", "to_json"]

_FIELDS = tuple(field.name for field in dataclasses.fields(Completion) if field.name != "cached")


def to_json(completion: Completion) -> bytes:
    """Return everything that a reply holds except whether it came from a cache."""
    values = {name: getattr(completion, name) for name in _FIELDS}
    return json.dumps(values, separators=(",", ":"), default=_json_form).encode("ascii")


def from_json(text: bytes) -> Completion:
    """Return the reply that `to_json` wrote, marked as coming from a cache.

    Raises:
        ValueError: When the text is not of its making.
    """
    try:
        values: dict[str, object] = json.loads(text)
        return dataclasses.replace(
            Completion(**values),  # type: ignore[arg-type]
            usage=Usage(**cast("Mapping[str, int]", values["usage"])),
            tool_calls=tuple(ToolCall(**call) for call in cast("Sequence[Mapping[str, str]]", values["tool_calls"])),
            logprobs=tuple(_chance(chance) for chance in cast("Sequence[Mapping[str, object]]", values["logprobs"])),
            notes=tuple(cast("Sequence[str]", values["notes"])),
            cached=True,
        )
    except (TypeError, KeyError) as error:
        raise ValueError(f"not a reply that was written here: {error}") from error


def _chance(values: Mapping[str, object]) -> TokenChance:
    return TokenChance(**values)  # type: ignore[arg-type]


def _json_form(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, object]", value))
    return list(cast("Sequence[object]", value))
