"""The rules of tools: what is declared, called and answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from .raw import Record, as_list, as_record, as_text
from .rules import Fault

__all__ = ["call_faults", "declared_names", "tools_faults"]

_MOST_TOOLS = 128


def declared_names(record: Record) -> frozenset[str]:
    """Return the names of the tools that a chat declares."""
    return frozenset(
        as_text(as_record(as_record(tool).get("function")).get("name")) for tool in as_list(record.get("tools"))
    )


def tools_faults(record: Record) -> Iterator[Fault]:
    """Yield what is wrong with the declarations."""
    if not isinstance(record.get("parallel_tool_calls", True), bool):
        yield Fault("parallel-tool-calls", f"`parallel_tool_calls` is {record['parallel_tool_calls']!r}")
    declared = as_list(record.get("tools"))
    if not isinstance(record.get("tools", []), list):
        yield Fault("tools-shape", f"`tools` is {type(record['tools']).__name__} and not a list")
    if len(declared) > _MOST_TOOLS:
        yield Fault("too-many-tools", f"{len(declared)} tools are declared")
    seen: set[str] = set()
    for number, tool in enumerate(map(as_record, declared), start=1):
        name = as_text(as_record(tool.get("function")).get("name"))
        yield from _declaration_faults(number, name, tool)
        if name and name in seen:
            yield Fault("duplicate-tool", f"the tool {name!r} is declared twice")
        seen.add(name)


def _declaration_faults(number: int, name: str, tool: Record) -> Iterator[Fault]:
    if tool.get("type") != "function" or not name:
        yield Fault("tools-shape", f"tool {number} has no type `function` or no name, its keys are {sorted(tool)}")
    elif not isinstance(as_record(tool["function"]).get("parameters", {}), dict):
        yield Fault("tools-shape", f"the parameters of tool {name!r} are no JSON schema")


def call_faults(turns: Sequence[object], declared: frozenset[str]) -> Iterator[Fault]:
    """Yield what is wrong with the calls and their answers."""
    waiting: dict[str, int] = {}
    known: set[str] = set()
    for number, turn in enumerate(map(as_record, turns), start=1):
        role = turn.get("role")
        if role == "tool":
            yield from _answer_faults(number, turn, known)
            waiting.pop(as_text(turn.get("tool_call_id")), None)
            continue
        for id, at in waiting.items():
            yield Fault("unanswered-call", f"the call {id!r} of message {at} has no tool message after it")
        waiting = {}
        yield from _place_faults(number, turn)
        for call in map(as_record, as_list(turn.get("tool_calls"))):
            yield from _one_call(number, call, declared)
            id = as_text(call.get("id"))
            if id in known:
                yield Fault("duplicate-call-id", f"message {number} uses the call id {id!r} again")
            known.add(id)
            waiting[id] = number
    if waiting and as_record(turns[-1]).get("role") == "tool":
        yield from (
            Fault("unanswered-call", f"the call {id!r} of message {at} is unanswered") for id, at in waiting.items()
        )


def _place_faults(number: int, turn: Record) -> Iterator[Fault]:
    if "tool_calls" in turn and turn.get("role") != "assistant":
        yield Fault("tool-call-place", f"message {number} of {turn.get('role')!r} has tool calls")
    if not isinstance(turn.get("tool_calls") or [], list):
        what = type(turn["tool_calls"]).__name__
        yield Fault("tool-call-shape", f"`tool_calls` of message {number} is {what} and not a list")


def _answer_faults(number: int, turn: Record, known: set[str]) -> Iterator[Fault]:
    id = turn.get("tool_call_id")
    if not isinstance(id, str) or not id:
        yield Fault("missing-call-id", f"the tool message {number} has no `tool_call_id`")
    elif id not in known:
        yield Fault("unknown-call-id", f"the tool message {number} answers {id!r}, which nobody called")


def _one_call(number: int, call: Record, declared: frozenset[str]) -> Iterator[Fault]:
    function = as_record(call.get("function"))
    name = as_text(function.get("name"))
    if not as_text(call.get("id")) or call.get("type") != "function" or not name:
        yield Fault("tool-call-shape", f"a call of message {number} lacks its id, type or name")
    elif name not in declared:
        yield Fault("unknown-tool", f"message {number} calls {name!r}, which is not in `tools`")
    arguments = function.get("arguments")
    if isinstance(arguments, dict):
        yield Fault("arguments-object", f"the arguments of {name!r} in message {number} are an object, not a string")
    elif not isinstance(arguments, str) or not _is_object(arguments):
        yield Fault("arguments-not-json", f"the arguments of {name!r} in message {number} are {str(arguments)[:60]!r}")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
