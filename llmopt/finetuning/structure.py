"""The rules of one record: chats and preference pairs in OpenAI's form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias, cast

from .raw import Record, as_list, as_record
from .rules import Fault
from .shapes import shape_of
from .structure_tools import call_faults, declared_names, tools_faults
from .structure_turns import answers_something, order_faults, plain_role, turn_faults, weight_faults

__all__ = ["Method", "is_plain", "record_faults"]

Method: TypeAlias = Literal["supervised", "dpo"]

_CHAT_KEYS = frozenset({"messages", "tools", "parallel_tool_calls", "functions"})
_PAIR_KEYS = frozenset({"input", "preferred_output", "non_preferred_output"})


def is_plain(record: Mapping[str, object]) -> bool:
    """Return whether a record is a chat so plain that no rule of this module can be broken.

    Most lines of most files are; the answer no says nothing. It is what makes the check fast.
    """
    turns = record.get("messages")
    if len(record) != 1 or not isinstance(turns, list):
        return False
    roles = [plain_role(turn) for turn in cast("list[object]", turns)]
    return "" not in roles and roles[-1:] == ["assistant"] and "user" in roles and "system" not in roles[1:]


def record_faults(record: Record, method: Method) -> Iterator[Fault]:
    """Yield everything that is wrong with a record, as a line of a file for that method."""
    shape = shape_of(record)
    if method == "dpo":
        if shape != "preference":
            yield from _wrong_shape(record, "a preference pair")
            return
        yield from _pair_faults(record)
    elif shape == "chat":
        yield from _chat_faults(record)
    else:
        yield from _wrong_shape(record, "a chat")


def _wrong_shape(record: Record, wanted: str) -> Iterator[Fault]:
    shape = shape_of(record)
    keys = ", ".join(map(repr, list(record)[:6])) or "none"
    if shape in {"chat", "preference"}:
        yield Fault("mixed-methods", f"this is {'a chat' if shape == 'chat' else 'a preference pair'}, not {wanted}")
    elif shape == "unknown" or (shape == "chosen_rejected") != (wanted == "a preference pair"):
        yield Fault("missing-messages", f"this is not {wanted}, its keys are {keys}")
    else:
        yield Fault("other-shape", f"this has the shape {shape} and not that of {wanted}, its keys are {keys}")


def _chat_faults(record: Record) -> Iterator[Fault]:
    for key in record:
        if key == "system" and isinstance(record[key], str):
            yield Fault("system-key", "the system prompt stands beside the messages and not in them")
        elif key not in _CHAT_KEYS:
            yield Fault("unknown-key", f"the key {key!r} stands beside `messages`")
    if "functions" in record:
        yield Fault("deprecated-function", "the chat declares `functions`")
    yield from tools_faults(record)
    turns = record.get("messages")
    if not isinstance(turns, list) or not turns:
        yield Fault("missing-messages", "`messages` is not a list of turns" if turns != [] else "`messages` is empty")
        return
    known = declared_names(record)
    yield from turn_faults(as_list(record["messages"]))
    yield from order_faults(as_list(record["messages"]), learnt=True)
    yield from weight_faults(as_list(record["messages"]))
    yield from call_faults(as_list(record["messages"]), known)


def _pair_faults(record: Record) -> Iterator[Fault]:
    for key in record:
        if key not in _PAIR_KEYS:
            yield Fault("unknown-key", f"the key {key!r} stands beside `input`")
    given = as_record(record["input"])
    yield from tools_faults(given)
    turns = given.get("messages")
    if not isinstance(turns, list) or not turns:
        yield Fault("preference-input", "`input` has no messages")
    else:
        yield from turn_faults(as_list(given["messages"]))
        yield from order_faults(as_list(given["messages"]), learnt=False)
        yield from call_faults(as_list(given["messages"]), declared_names(given))
    for side in ("preferred_output", "non_preferred_output"):
        yield from _side_faults(side, record.get(side))
    if record.get("preferred_output") == record.get("non_preferred_output"):
        yield Fault("preference-same", "the preferred and the other answer are the same")


def _side_faults(side: str, value: object) -> Iterator[Fault]:
    turns = [as_record(turn) for turn in as_list(value)]
    if len(turns) != 1 or turns[0].get("role") != "assistant":
        roles = [turn.get("role") for turn in turns]
        yield Fault("preference-output", f"`{side}` must be one assistant message, its roles are {roles}")
        return
    yield from turn_faults(turns)
    if not answers_something(turns[0]):
        yield Fault("missing-content", f"the answer of `{side}` is empty")
