"""Chats as ShareGPT and its relatives write them: `from` and `value`, or pairs of `human` and `assistant`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import cast

from ..errors import SampleError
from ..types import Message, Role, ToolCall
from .raw import Record, as_list, as_record, as_text, json_text

__all__ = ["sharegpt_messages", "turns_of_pairs"]

_ROLES: dict[str, Role] = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "model": "assistant",
    "system": "system",
    "function_call": "assistant",
    "observation": "tool",
    "tool": "tool",
}


def sharegpt_messages(record: Record) -> list[Message]:
    """Return the turns of `conversations`, with `system` before them; calls get the ids that they lack.

    Raises:
        SampleError: When the speaker of a turn is not known or a call is not JSON.
    """
    system = as_text(record.get("system"))
    messages = [Message("system", system)] if system else []
    open_calls: list[str] = []
    for number, turn in enumerate(map(as_record, as_list(record.get("conversations")))):
        speaker = as_text(turn.get("from") or turn.get("role"))
        text = as_text(turn.get("value")) or as_text(turn.get("content"))
        role = _ROLES.get(speaker.lower())
        if role is None:
            raise SampleError(f"turn {number + 1} is from {speaker!r}; known are {', '.join(sorted(_ROLES))}")
        if speaker == "function_call":
            calls = tuple(_calls(text, number))
            open_calls = [call.id for call in calls]
            messages.append(Message("assistant", "", calls))
        elif role == "tool":
            messages.append(Message("tool", text, (), open_calls.pop(0) if open_calls else f"call_{number - 1}_0"))
        else:
            messages.append(Message(role, text))
    return messages


def _calls(text: str, number: int) -> Iterator[ToolCall]:
    try:
        value: object = json.loads(text)
    except ValueError as error:
        raise SampleError(f"turn {number + 1} is a function call but not JSON: {error}") from error
    calls = cast("list[object]", value) if isinstance(value, list) else [value]
    for place, call in enumerate(map(as_record, calls)):
        yield ToolCall(f"call_{number}_{place}", as_text(call.get("name")), json_text(call.get("arguments")))


def turns_of_pairs(record: Record) -> list[Message]:
    """Return the turns of `conversation`, a list of `{human, assistant}` (Firefly) or of messages."""
    messages: list[Message] = []
    for turn in map(as_record, as_list(record.get("conversation"))):
        if "role" in turn or "from" in turn:
            return sharegpt_messages({"conversations": record["conversation"], "system": record.get("system")})
        for key, value in turn.items():
            if key in _ROLES:
                messages.append(Message(_ROLES[key], as_text(value)))
    return messages
