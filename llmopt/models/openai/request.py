"""Messages and options as the body of a request to `/chat/completions`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import UsageError
from ...types import JsonSchema, Message, Options, ToolCall, ToolSpec
from .quirks import adapt
from .schema import asked_in_words, is_strict, schema_name
from .values import as_sequence

__all__ = ["ChatRequest", "chat_request", "check_writable"]

_OURS = frozenset({"messages", "model", "n", "stream"})


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request as it is sent.

    Attributes:
        body: The JSON.
        options: What was asked for.
        notes: What of it the server is not asked for, because it does not take it.
        stop: Texts to cut the reply at here, because the server does not.
    """

    body: dict[str, object]
    options: Options
    notes: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()


def chat_request(
    model: str, messages: Sequence[Message], options: Options, quirks: frozenset[str], *, streamed: bool
) -> ChatRequest:
    """Return the request for a reply.

    Args:
        model: Name of the model.
        messages: The chat so far.
        options: How the reply is sampled.
        quirks: What the server is known not to take.
        streamed: Whether the reply is to come in pieces.

    Raises:
        UsageError: When the options set what belongs to the component, or a tool's result names no call.
    """
    body: dict[str, object] = {"model": model, "messages": [_turn(message) for message in messages]}
    _add_sampling(body, options)
    if options.schema is not None:
        _add_format(body, options.schema)
    if options.tools:
        _add_tools(body, options)
    if streamed:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    notes = adapt(body, options, quirks) if quirks else ()
    if options.extra:
        _add_extra(body, options)
    return ChatRequest(body, options, notes, options.stop if "stop" not in body else ())


def _turn(message: Message) -> dict[str, object]:
    turn: dict[str, object] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        turn["content"] = message.content or None
        turn["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.role == "tool":
        if message.tool_call_id is None:
            raise UsageError("a message of role 'tool' needs the `tool_call_id` that it is the result of, got None")
        turn["tool_call_id"] = message.tool_call_id
    return turn


def _call(call: ToolCall) -> dict[str, object]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _add_sampling(body: dict[str, object], options: Options) -> None:
    if options.temperature is not None:
        body["temperature"] = options.temperature
    if options.top_p is not None:
        body["top_p"] = options.top_p
    if options.max_tokens is not None:
        body["max_completion_tokens"] = options.max_tokens
    if options.seed is not None:
        body["seed"] = options.seed
    if options.stop:
        body["stop"] = list(options.stop)
    if options.top_logprobs is not None:
        body["logprobs"] = True
        body["top_logprobs"] = options.top_logprobs


def _add_format(body: dict[str, object], schema: JsonSchema) -> None:
    if schema.body.get("type") != "object":  # no provider holds a model to a bare list or number
        body["messages"] = asked_in_words(as_sequence(body["messages"]), schema)
        return
    wanted = {"name": schema_name(schema), "schema": dict(schema.body), "strict": is_strict(schema.body)}
    body["response_format"] = {"type": "json_schema", "json_schema": wanted}


def _add_tools(body: dict[str, object], options: Options) -> None:
    body["tools"] = [_tool(tool) for tool in options.tools]
    if options.tool_choice is not None:
        body["tool_choice"] = options.tool_choice


def _tool(tool: ToolSpec) -> dict[str, object]:
    function: dict[str, object] = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    if is_strict(tool.parameters):
        function["strict"] = True
    return {"type": "function", "function": function}


def _add_extra(body: dict[str, object], options: Options) -> None:
    forbidden = _OURS.intersection(options.extra)
    if forbidden:
        raise UsageError(
            f"`Options.extra` is for the provider's own parameters; {', '.join(sorted(forbidden))} cannot be set there"
        )
    body.update(options.extra)


def check_writable(body: dict[str, object]) -> None:
    """Return if the body can be written as JSON.

    Raises:
        UsageError: When it cannot; the message says why.
    """
    try:
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"the request cannot be written as JSON in UTF-8: {error}") from error
