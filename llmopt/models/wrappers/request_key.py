"""One key for equal requests, different keys for different ones."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import cast

from ...errors import UsageError
from ...interfaces import Component
from ...types import Message, Options, TextKind
from .wrapping import bare

__all__ = ["chat_key", "text_keys"]

_NOT_ASKED = frozenset({"timeout"})
_ALWAYS_FLOAT = frozenset({"temperature", "top_p"})
_OPTIONS = tuple(field.name for field in dataclasses.fields(Options) if field.name not in _NOT_ASKED)


def chat_key(model: Component, messages: Sequence[Message], options: Options) -> bytes:
    """Return 32 bytes that tell this request from every other one.

    All of it counts: the model with its parameters (wrappers that do not change replies left out), every
    field of every message and every option, `replicate` included and `timeout` excluded.

    Raises:
        UsageError: When something in the request has no JSON form, so that it could not be sent either.
    """
    said = [[m.role, m.content, [[c.id, c.name, c.arguments] for c in m.tool_calls], m.tool_call_id] for m in messages]
    asked = {name: _plain(name, getattr(options, name)) for name in _OPTIONS}
    return _digest(["chat", bare(model).fingerprint(), said, asked])


def text_keys(embedder: Component, texts: Sequence[str], kind: TextKind) -> list[bytes]:
    """Return 32 bytes per text that tell it, for this embedder and kind, from every other one."""
    fingerprint = bare(embedder).fingerprint()
    return [_digest(["text", fingerprint, kind, text]) for text in texts]


def _plain(name: str, value: object) -> object:
    # 0 and -0.0 and 0.0 are one temperature.
    return float(value) + 0.0 if name in _ALWAYS_FLOAT and isinstance(value, int | float) else value


def _digest(request: object) -> bytes:
    try:
        # ASCII, so that half a surrogate pair, which some tokenizers leave behind, has a form too.
        text = json.dumps(request, sort_keys=True, separators=(",", ":"), default=_json_form)
    except (TypeError, ValueError) as error:
        raise UsageError(f"a request that is cached must have a JSON form: {error}") from error
    return hashlib.sha256(text.encode("ascii")).digest()


def _json_form(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(cast("Mapping[object, object]", value))
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return list(cast("Sequence[object]", value))
    raise TypeError(f"a {type(value).__module__}.{type(value).__qualname__} has none")
