"""Turns and tools in OpenAI's form, read into values and written again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import cast, get_args

from ..errors import SampleError
from ..types import Message, Role, ToolCall, ToolSpec
from .raw import Record, as_list, as_record, as_text, content_text, json_text

__all__ = ["message_of", "message_record", "messages_of", "tool_record", "tools_of"]

_ROLES: frozenset[str] = frozenset(get_args(Role))
_OTHER_NAMES: dict[str, Role] = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}


def messages_of(value: object) -> list[Message]:
    """Return the turns of a list of messages.

    Raises:
        SampleError: When it is no list or a turn cannot be read.
    """
    if not isinstance(value, list | tuple):
        raise SampleError(f"`messages` must be a list of turns, got {type(value).__name__}")
    return [message_of(as_record(item)) for item in as_list(cast(object, value))]


def message_of(turn: Record) -> Message:
    """Return one turn; text parts are joined.

    Raises:
        SampleError: When the role is not known or the content is not text (an image, sound).
    """
    given = as_text(turn.get("role", turn.get("from")))
    role = _OTHER_NAMES.get(given, given)
    if role not in _ROLES:
        raise SampleError(f"unknown role {given!r}: use one of {', '.join(sorted(_ROLES))}")
    content = turn.get("content", turn.get("value"))
    for part in map(as_record, as_list(content)):
        if not isinstance(part.get("text", part.get("value")), str):
            kind = as_text(part.get("type")) or "nameless"
            raise SampleError(f"a turn has a part of type {kind!r}; examples hold text only, use the file as it is")
    calls = tuple(_call_of(as_record(call)) for call in as_list(turn.get("tool_calls")))
    answered = turn.get("tool_call_id")
    return Message(cast(Role, role), content_text(content), calls, answered if isinstance(answered, str) else None)


def _call_of(call: Record) -> ToolCall:
    function = as_record(call.get("function"))
    return ToolCall(as_text(call.get("id")), as_text(function.get("name")), json_text(function.get("arguments")))


def tools_of(value: object) -> tuple[ToolSpec, ...]:
    """Return the tools; a list, or the list as JSON text (as LLaMA-Factory writes it)."""
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except ValueError as error:
            raise SampleError(f"`tools` is text but not JSON: {error}") from error
    found: list[ToolSpec] = []
    for tool in map(as_record, as_list(value)):
        function = as_record(tool.get("function")) or tool
        if not as_text(function.get("name")):
            raise SampleError("a tool has no name")
        found.append(
            ToolSpec(
                as_text(function["name"]),
                as_text(function.get("description")),
                as_record(function.get("parameters")) or {"type": "object", "properties": {}},
            )
        )
    return tuple(found)


def message_record(message: Message) -> dict[str, object]:
    """Return a turn in OpenAI's form; an empty text beside tool calls is null."""
    turn: dict[str, object] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        turn["content"] = message.content or None
        turn["tool_calls"] = [_call_record(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    return turn


def _call_record(call: ToolCall) -> dict[str, object]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def tool_record(tools: Sequence[ToolSpec]) -> list[object]:
    """Return the tools in OpenAI's form."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
        }
        for tool in tools
    ]
