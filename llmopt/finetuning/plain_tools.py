"""Chats with tools recognised in one pass when they break no rule, which nearly all of a good file do.

Going through the rules one by one takes several times as long. What this pass does not take as right is
left to them; the answer no says nothing.
"""

from __future__ import annotations

import json
from typing import cast

from .raw import Record, as_record
from .structure_tools import declared_names, tools_faults

__all__ = ["PlainTools"]

_CALL_KEYS = frozenset({"role", "content", "tool_calls"})


class PlainTools:
    """Recognises chats with tools without a fault; it remembers the last tools, which most records share."""

    def __init__(self) -> None:
        self._tools: object = None
        self._names: frozenset[str] = frozenset()

    def is_plain(self, record: Record) -> bool:
        """Return whether no rule of the structure can be broken; False says nothing."""
        turns = record.get("messages")
        if len(record) != 2 or "tools" not in record or not isinstance(turns, list) or not turns:
            return False
        return self._knows_tools(record) and self._follows(cast("list[object]", turns))

    def _knows_tools(self, record: Record) -> bool:
        tools = record["tools"]
        if tools != self._tools:
            if next(tools_faults(record), None) is not None:
                return False
            self._tools, self._names = tools, declared_names(record)
        return True

    def _follows(self, turns: list[object]) -> bool:
        waiting: set[str] = set()
        known: set[str] = set()
        asked, role = False, None
        for place, value in enumerate(turns):
            turn = as_record(value)
            role = turn.get("role")
            if role == "tool":
                if not _answers(turn, known):
                    return False
                waiting.discard(cast(str, turn["tool_call_id"]))
            elif waiting:
                return False
            elif "tool_calls" in turn:
                if role != "assistant" or not self._calls(turn, known, waiting):
                    return False
            elif not _speaks(turn, role, first=place == 0):
                return False
            asked = asked or role == "user"
        return asked and role == "assistant"

    def _calls(self, turn: Record, known: set[str], waiting: set[str]) -> bool:
        """Return whether a turn's calls are right, and note their ids."""
        calls, content = turn["tool_calls"], turn.get("content")
        said = content is None or (isinstance(content, str) and bool(content.strip()))
        if not said or not turn.keys() <= _CALL_KEYS or not isinstance(calls, list) or not calls:
            return False
        for call in map(as_record, cast("list[object]", calls)):
            id, function = call.get("id"), as_record(call.get("function"))
            if not isinstance(id, str) or not id or id in known or call.get("type") != "function":
                return False
            name = function.get("name")
            if not isinstance(name, str) or name not in self._names or not _is_object(function.get("arguments")):
                return False
            known.add(id)
            waiting.add(id)
        return True


def _answers(turn: Record, known: set[str]) -> bool:
    id, content = turn.get("tool_call_id"), turn.get("content")
    right = len(turn) == 3 and isinstance(id, str) and id in known and isinstance(content, str)
    return right and not cast(str, content).isspace()


def _speaks(turn: Record, role: object, *, first: bool) -> bool:
    content = turn.get("content")
    may_speak = role == "user" or role == "assistant" or (role == "system" and first)  # noqa: PLR1714 - fast
    return may_speak and len(turn) == 2 and isinstance(content, str) and bool(content.strip())


def _is_object(arguments: object) -> bool:
    if not isinstance(arguments, str):
        return False
    try:
        return isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False
