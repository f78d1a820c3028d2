"""The rules of the turns of a chat: roles, keys, contents, order, weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .raw import Record, as_list, as_record, as_text
from .rules import Fault

__all__ = ["ALIASES", "TURN_KEYS", "answers_something", "order_faults", "plain_role", "turn_faults", "weight_faults"]

ALIASES = {"human": "user", "gpt": "assistant", "bot": "assistant", "ai": "assistant", "model": "assistant"}
"""Other people's names of the roles."""
TURN_KEYS = frozenset({
    "role", "content", "name", "weight", "tool_calls", "tool_call_id", "function_call", "refusal", "audio",
})  # fmt: skip
"""The keys that a message may have."""
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_PLAIN_ROLES = frozenset({"system", "user", "assistant"})
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def plain_role(turn: object) -> str:
    """Return the role of a turn that is nothing but a text of somebody; empty for any other turn."""
    record = as_record(turn)
    role, content = record.get("role"), record.get("content")
    if len(record) != 2 or role not in _PLAIN_ROLES or not isinstance(content, str) or not content.strip():
        return ""
    return as_text(role)


def turn_faults(turns: Sequence[object]) -> Iterator[Fault]:
    """Yield what is wrong with each turn by itself."""
    for number, turn in enumerate(turns, start=1):
        if plain_role(turn):
            continue  # most turns are, and the check is to be fast
        if not isinstance(turn, dict):
            yield Fault("message-not-object", f"message {number} is {type(turn).__name__} and not an object")
        else:
            record = as_record(turn)  # pyright: ignore[reportUnknownArgumentType]
            yield from _role_faults(number, record)
            yield from _key_faults(number, record)
            yield from _content_faults(number, record)


def _role_faults(number: int, turn: Record) -> Iterator[Fault]:
    role = turn.get("role")
    if isinstance(role, str) and role in ALIASES:
        yield Fault("role-alias", f"message {number} has the role {role!r}, OpenAI's name is {ALIASES[role]!r}")
    elif not isinstance(role, str) or role not in _ROLES:
        yield Fault("unknown-role", f"message {number} has the role {role!r}")
    elif role == "function" or "function_call" in turn:
        yield Fault("deprecated-function", f"message {number} uses the old function calls")


def _key_faults(number: int, turn: Record) -> Iterator[Fault]:
    for key in turn:
        if key not in TURN_KEYS:
            yield Fault("message-unknown-key", f"message {number} has the key {key!r}")
    name = turn.get("name", "ok")
    if name is not None and (not isinstance(name, str) or not _NAME.fullmatch(name)):
        yield Fault("name-value", f"message {number} has the name {name!r}")


def answers_something(turn: Record) -> bool:
    """Return whether a turn has a text, parts, a call, or a refusal."""
    content = turn.get("content")
    return bool(content) or any(turn.get(key) for key in ("tool_calls", "function_call", "refusal", "audio"))


def _content_faults(number: int, turn: Record) -> Iterator[Fault]:
    content = turn.get("content")
    role = as_text(turn.get("role"))
    if content is None or content in ("", []):
        empty_result = role in {"tool", "function"} and content == ""  # a tool may well return nothing
        if not answers_something(turn) and not empty_result:
            yield Fault("missing-content", f"message {number} ({role or 'no role'}) has no content")
    elif isinstance(content, str):
        if content.isspace():
            yield Fault("blank-content", f"message {number} ({role}) is only white space")
    elif isinstance(content, list):
        yield from _part_faults(number, role, as_list(turn["content"]))
    else:
        yield Fault("content-not-text", f"the content of message {number} is {type(content).__name__}")


def _part_faults(number: int, role: str, parts: Sequence[object]) -> Iterator[Fault]:
    for part in map(as_record, parts):
        kind = part.get("type")
        if kind == "text" and isinstance(part.get("text"), str):
            continue
        if kind == "refusal" and role == "assistant" and isinstance(part.get("refusal"), str):
            continue
        if kind == "image_url" and role == "user" and as_text(as_record(part.get("image_url")).get("url")):
            continue
        yield Fault("content-part", f"message {number} ({role}) has a part of type {kind!r} with keys {sorted(part)}")


def order_faults(turns: Sequence[object], *, learnt: bool) -> Iterator[Fault]:
    """Yield what is wrong with the order of the turns.

    Args:
        turns: The chat.
        learnt: Whether its last turn is what is learnt (a chat), or still to be answered (a pair's input).
    """
    roles = [_role(turn) for turn in turns]
    if learnt and "assistant" not in roles:
        yield Fault("no-assistant", "no message is the assistant's, so there is nothing to learn")
    elif learnt and roles[-1] != "assistant":
        yield Fault("last-not-assistant", f"the last message is of {roles[-1] or 'no role'} and not of the assistant")
    elif not learnt and roles[-1] == "assistant":
        yield Fault("input-ends-with-assistant", "the input ends with an assistant message")
    if "user" not in roles:
        yield Fault("no-user", "no message is the user's")
    systems = [number for number, role in enumerate(roles) if role in {"system", "developer"}]
    if systems and systems[0] > 0:
        yield Fault("system-not-first", f"the system message is message {systems[0] + 1}")
    if len(systems) > 1:
        yield Fault("several-systems", f"there are {len(systems)} system messages")


def _role(turn: object) -> str:
    role = as_text(as_record(turn).get("role"))
    return ALIASES.get(role, role)


def weight_faults(turns: Sequence[object]) -> Iterator[Fault]:
    """Yield what is wrong with the weights of the answers."""
    if not any("weight" in as_record(turn) for turn in turns):
        return
    weights: list[object] = []
    for number, turn in enumerate(map(as_record, turns), start=1):
        if _role(turn) == "assistant":
            weights.append(turn.get("weight", 1))
        elif "weight" in turn:
            yield Fault("weight-place", f"message {number} of {turn.get('role')!r} has a weight")
        if "weight" in turn and (isinstance(turn["weight"], bool) or turn["weight"] not in (0, 1)):
            yield Fault("weight-value", f"message {number} has the weight {turn['weight']!r}")
    if weights and all(weight == 0 for weight in weights):
        yield Fault("weights-all-zero", "all answers have weight 0, so there is nothing to learn")
