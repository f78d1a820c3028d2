"""What the fake model says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TypeAlias

from llmopt.errors import UsageError
from llmopt.types import TokenChance, ToolCall, Usage

from .faults import Fault
from .instances import instance
from .values import mapping, sequence, text

__all__ = ["Reply", "ReplyFunction", "content_text", "echo"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the fake model answers to one request.

    Example:
        >>> voted = Reply("yes", alternatives=["yes", "no"])  # three different choices when n is 3
        >>> called = Reply(tool_calls=[ToolCall("", "weather", '{"city": "Paris"}')])
        >>> cut = Reply("The answer is", finish_reason="length", usage=Usage(100, 3))

    Attributes:
        text: The content; None for null. Cut at a `stop` text and at the token limit of the request
            (a token is four characters here), unless `finish_reason` is given.
        tool_calls: What it wants called; an empty id is filled in.
        finish_reason: `stop`, `length`, `tool_calls` or `content_filter`; None: what fits.
        refusal: Why it declines; the content is then null.
        logprobs: Per token, where the request asks for them; None: made up, for tokens of four
            characters.
        usage: Token counts; None: counted in tokens of four characters.
        delay: Seconds before the first byte, beside the server's latency.
        chunk_delay: Seconds between the chunks of a stream.
        model: The model that is said to have answered; None: the one asked for.
        status: From 400: an error of this status with `text` as its message.
        headers: Further headers of the response.
        alternatives: The second, third ... choice of a request with `n` above 1; they come round again
            when there are fewer. The usage, the delays and so on are those of the first.

    Raises:
        UsageError: If a delay is negative or the status neither 200 nor an error's.
    """

    text: str | None = ""
    _: KW_ONLY
    tool_calls: Sequence[ToolCall] = ()
    finish_reason: str | None = None
    refusal: str | None = None
    logprobs: Sequence[TokenChance] | None = None
    usage: Usage | None = None
    delay: float = 0.0
    chunk_delay: float = 0.0
    model: str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    alternatives: Sequence[Reply | str] = ()

    def __post_init__(self) -> None:
        if self.delay < 0 or self.chunk_delay < 0:
            raise UsageError(f"Reply: delay {self.delay!r}, chunk_delay {self.chunk_delay!r}; give 0 or more.")
        if self.status != 200 and not 400 <= self.status <= 599:
            raise UsageError(f"Reply: status is {self.status!r}; give 200, or 400 to 599 for an error.")


ReplyFunction: TypeAlias = Callable[[Mapping[str, object]], Reply | Fault | str]


def content_text(content: object) -> str:
    """Return the text of a message's content: itself, or its text parts put together."""
    if isinstance(content, str):
        return content
    return "".join(text(mapping(part).get("text")) for part in sequence(content))


def echo(body: Mapping[str, object]) -> Reply:
    """Return the last user message, in the form that the request asks for.

    With `response_format` json_schema: a small JSON text that fits the schema, the message in its first
    text field; json_object: `{"echo": message}`; with `tool_choice` required or a function named: a call
    of that tool.
    """
    messages = [mapping(message) for message in sequence(body.get("messages"))]
    spoken = [message for message in messages if message.get("role") == "user"] or messages
    last = content_text(spoken[-1].get("content")) if spoken else ""
    tool = _forced_tool(body)
    if tool:
        arguments = json.dumps(instance(mapping(tool.get("parameters")), last))
        return Reply(None, tool_calls=(ToolCall("", text(tool.get("name")), arguments),))
    form = mapping(body.get("response_format"))
    if form.get("type") == "json_object":
        return Reply(json.dumps({"echo": last}))
    if form.get("type") == "json_schema":
        schema = mapping(mapping(form.get("json_schema")).get("schema"))
        return Reply(json.dumps(instance(schema, last)))
    return Reply(last)


def _forced_tool(body: Mapping[str, object]) -> Mapping[str, object]:
    """Return the function that the request says must be called, or an empty mapping."""
    choice = body.get("tool_choice")
    functions = [mapping(mapping(tool).get("function")) for tool in sequence(body.get("tools"))]
    if choice == "required" and functions:
        return functions[0]
    wanted = mapping(mapping(choice).get("function")).get("name")
    return next((function for function in functions if function.get("name") == wanted), mapping(None))
