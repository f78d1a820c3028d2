"""Calls of tools that a model writes as JSON into its reply, where the server does not see them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from typing import cast

from ..types import ToolCall

__all__ = ["WRITTEN_CALL", "split_written_calls"]

WRITTEN_CALL = re.compile(r"<tool|<function|```|[{\[]")
"""How a reply begins that may be nothing but calls."""

_AROUND = re.compile(r"</?(?:tool_call|tool|function_call)s?>|^[ \t]*```\w*[ \t]*$", re.MULTILINE)
_OPENED = re.compile(r"^[ \t]*(?=[{\[])", re.MULTILINE)
_BETWEEN = re.compile(r"[\s,;]*")


def split_written_calls(text: str, names: Collection[str]) -> tuple[str, Sequence[ToolCall]]:
    """Return what a reply says, and the calls with which it ends.

    A call is an object with the name of a tool and its arguments, as in the chat templates of Qwen, Hermes and
    Llama, alone or in a list, bare, in a code fence or between tags. When anything but such calls stands from the
    first line that opens an object to the end, the reply calls nothing.

    Args:
        text: The reply, without thoughts.
        names: Of the tools; JSON that names none of them is an answer.
    """
    said = _AROUND.sub("", text).strip()
    opened = _OPENED.search(said)
    if opened is None:
        return text, ()
    try:
        written = [_call(value, names, number) for number, value in enumerate(_values(said[opened.end() :]))]
    except (ValueError, RecursionError):
        return text, ()
    calls = tuple(call for call in written if call is not None)
    return (said[: opened.start()].strip(), calls) if len(calls) == len(written) else (text, ())


def _values(text: str) -> Iterator[object]:
    """Yield the JSON values that a text consists of, those of a list one by one; ValueError for anything else."""
    decoder, at = json.JSONDecoder(strict=False), 0
    while at < len(text):
        value, end = decoder.raw_decode(text, at)
        yield from cast("list[object]", value) if isinstance(value, list) else (value,)
        between = _BETWEEN.match(text, end)
        at = end if between is None else between.end()


def _call(value: object, names: Collection[str], number: int) -> ToolCall | None:
    """Return the call that a JSON value is; None when it is none of one of the tools."""
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, object]", value)
    function = fields.get("function")
    if isinstance(function, dict):
        fields = cast("dict[str, object]", function)
    name, arguments = fields.get("name", fields.get("tool")), fields.get("arguments", fields.get("parameters"))
    if not isinstance(name, str) or name not in names or not isinstance(arguments, dict | str):
        return None
    given = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(f"call_{number}", name, given)
