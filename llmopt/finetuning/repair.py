"""Repairs that do not change what is taught: `fix_file` makes a checked file of a raw one."""

from __future__ import annotations

import json
import os
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

from ..errors import SampleError, StorageError, UsageError
from .check import check_file
from .examples import example_record
from .raw import Record, as_list, as_record, as_text
from .reading import Read, read_file
from .report import CheckReport
from .shapes import example_of, shape_of
from .structure_turns import ALIASES, TURN_KEYS

__all__ = ["FixReport", "fix_file", "repaired", "repairs_text", "write_repaired"]

_CHAT_KEYS = ("messages", "tools", "parallel_tool_calls", "functions")
_PAIR_KEYS = ("input", "preferred_output", "non_preferred_output")


@dataclass(frozen=True, slots=True)
class FixReport:
    """What was repaired, and what is left.

    Attributes:
        fixed: How often each rule's breach was repaired.
        after: The check of the new file.
    """

    fixed: Mapping[str, int]
    after: CheckReport

    def __str__(self) -> str:
        """Say what was repaired, then the report of what is left."""
        return f"{repairs_text(self.fixed)}\n{self.after}"


def repairs_text(fixed: Mapping[str, int]) -> str:
    """Return what was repaired, in one line."""
    done = ", ".join(f"{rule} {count:,}" for rule, count in sorted(fixed.items())) or "nothing"
    return f"repaired: {done}"


def fix_file(path: str | Path, target: str | Path) -> FixReport:
    r"""Write a repaired copy of a fine-tuning file and return what was done and what is left to do.

    Repaired is what has one right answer: byte order mark, line ends, empty lines, UTF-16, a JSON list or
    indented objects instead of lines, other shapes than OpenAI's, unknown keys, a system prompt beside the
    messages, other names of roles, arguments that are no string, exact duplicates. What is wrong otherwise
    stays as it is, for a person to decide; the report names it.

    Raises:
        StorageError: When a file cannot be read or written.
        UsageError: When `target` is the file itself.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "raw.json").write_text('[{"instruction": "Say hi", "output": "hi"}]')
        >>> report = fix_file(folder / "raw.json", folder / "train.jsonl")
        >>> dict(report.fixed)
        {'json-array': 1, 'other-shape': 1}
    """
    fixed = write_repaired(Path(path), Path(target))
    return FixReport(fixed, check_file(target))


def write_repaired(path: Path, target: Path) -> Mapping[str, int]:
    """Write a repaired copy, whole or not at all, and return how often each rule's breach was repaired; see `fix_file`.

    Raises:
        StorageError: When a file cannot be read or written.
        UsageError: When `target` is the file itself.
    """
    if path.resolve() == target.resolve():
        raise UsageError(f"a repair writes a new file and keeps the old one: choose another target than {path}")
    fixed: Counter[str] = Counter()
    temporary = target.with_name(f".{target.name[:80]}.{uuid.uuid4().hex}.tmp")
    try:
        try:
            with temporary.open("x", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
                _write(file, path, fixed)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, UnicodeEncodeError) as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"cannot write {target}: {error}") from error
    return dict(fixed)


def _write(file: TextIO, path: Path, fixed: Counter[str]) -> None:
    seen: set[int] = set()
    for read in read_file(path):
        fixed.update(fault.rule for fault in read.faults if fault.rule in _OF_LINES)
        text = _text(read, fixed)
        if text is None:
            continue
        if hash(text) in seen:
            fixed["duplicate"] += 1
            continue
        seen.add(hash(text))
        file.write(text + "\n")


_OF_LINES = frozenset({"bom", "crlf", "blank-line", "utf-16", "json-array", "multi-line"})


def _text(read: Read, fixed: Counter[str]) -> str | None:
    if not read.parsed:
        return read.text or None
    if not isinstance(read.value, dict):
        return json.dumps(read.value, ensure_ascii=False)
    record = as_record(cast(object, read.value))
    new, rules = repaired(record)
    fixed.update(rules)
    if rules or not read.raw:
        return json.dumps(new, ensure_ascii="\\u" in read.text)
    return read.text


def repaired(record: Record) -> tuple[Record, Sequence[str]]:
    """Return a record as it should be, and the rules whose breaches were repaired."""
    shape = shape_of(record)
    if shape not in {"chat", "preference", "unknown"}:
        try:
            return example_record(example_of(record)), ["other-shape"]
        except SampleError:
            return record, []
    rules: list[str] = []
    for repair in (_system_in, _known_keys, _turns):
        record = repair(record, rules)
    return record, rules


def _system_in(record: Record, rules: list[str]) -> Record:
    system, turns = as_text(record.get("system")), as_list(record.get("messages"))
    if not system or any(as_record(turn).get("role") in {"system", "developer"} for turn in turns):
        return record
    rules.append("system-key")
    rest = {key: value for key, value in record.items() if key not in {"system", "messages"}}
    return {"messages": [{"role": "system", "content": system}, *turns], **rest}


def _known_keys(record: Record, rules: list[str]) -> Record:
    allowed = {"chat": _CHAT_KEYS, "preference": _PAIR_KEYS}.get(shape_of(record), tuple(record))
    rules.extend("unknown-key" for key in record if key not in allowed)
    return {key: value for key, value in record.items() if key in allowed}


def _turns(record: Record, rules: list[str]) -> Record:
    changed = dict(record)
    for key in ("messages", "preferred_output", "non_preferred_output"):
        if isinstance(record.get(key), list):
            changed[key] = [_turn(turn, rules) for turn in as_list(record[key])]
    given = dict(as_record(record.get("input")))
    if isinstance(given.get("messages"), list):
        given["messages"] = [_turn(turn, rules) for turn in as_list(given.get("messages"))]
        changed["input"] = given
    return changed


def _turn(turn: object, rules: list[str]) -> object:
    old = as_record(turn)
    if not old:
        return turn
    new = {key: value for key, value in old.items() if key in TURN_KEYS}
    rules.extend(["message-unknown-key"] * (len(old) - len(new)))
    role = as_text(old.get("role"))
    if role in ALIASES:
        new["role"] = ALIASES[role]
        rules.append("role-alias")
    if isinstance(old.get("tool_calls"), list):
        new["tool_calls"] = [_call(as_record(call), rules) for call in as_list(old["tool_calls"])]
    return new


def _call(call: Record, rules: list[str]) -> Record:
    function = as_record(call.get("function"))
    if not isinstance(function.get("arguments"), dict):
        return call
    rules.append("arguments-object")
    written = json.dumps(function["arguments"], ensure_ascii=False)
    return {**call, "function": {**function, "arguments": written}}
