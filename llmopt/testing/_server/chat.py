"""POST /v1/chat/completions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from llmopt.types import ToolCall, Usage

from .checks import chat_problem
from .exchange import RecordedRequest
from .faults import Fault
from .http import Response
from .injection import inject
from .problems import Problem
from .replies import Reply, ReplyFunction, content_text, echo
from .streams import events
from .turns import Turn, chance, tokens, turns
from .values import encode, mapping, sequence, text

__all__ = ["ChatCompletions"]

_BROKEN = '{"answer": "cut off in the mid'
_EVENT_STREAM = "text/event-stream; charset=utf-8"


class ChatCompletions:
    """Answers chat requests with what a function says.

    Args:
        reply: The function.
        check_requests: Whether requests that OpenAI would refuse are refused.
    """

    def __init__(self, reply: ReplyFunction, check_requests: bool) -> None:
        self._reply = reply
        self._check_requests = check_requests

    def __call__(self, request: RecordedRequest) -> Response:
        """Return the completion, or its stream."""
        problem = chat_problem(request.body) if self._check_requests else None
        if problem is not None:
            return problem.response()
        said = self._reply(request.body)
        if isinstance(said, Fault):
            fault = said
            return inject(fault, request.body, lambda: _rendered(request, echo(request.body), fault))
        return _rendered(request, Reply(said) if isinstance(said, str) else said, request.fault)


def _rendered(request: RecordedRequest, reply: Reply, fault: Fault | None) -> Response:
    if reply.status != 200:
        kind = "server_error" if reply.status >= 500 else "invalid_request_error"
        problem = Problem(status=reply.status, message=reply.text or "", type=kind, headers=reply.headers)
        return replace(problem.response(), delay=reply.delay)
    if fault is not None:
        reply = _spoilt(reply, fault)
    body = request.body
    streamed = body.get("stream") is True
    choices = turns(body, reply, request.number)
    envelope: dict[str, object] = {
        "id": f"chatcmpl-{request.number}",
        "object": "chat.completion.chunk" if streamed else "chat.completion",
        "created": int(time.time()),
        "model": reply.model or text(body.get("model")),
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    }
    if not streamed:
        envelope["choices"] = [_choice(turn) for turn in choices]
        envelope["usage"] = _usage(body, reply, choices)
        return Response(content=encode(envelope), headers=reply.headers, delay=reply.delay)
    asked = mapping(body.get("stream_options")).get("include_usage") is True
    return Response(
        events=events(envelope, choices, _usage(body, reply, choices) if asked else None),
        content_type=_EVENT_STREAM,
        headers=reply.headers,
        delay=reply.delay,
        event_delay=reply.chunk_delay,
    )


def _spoilt(reply: Reply, fault: Fault) -> Reply:
    """Return the reply with the content that the fault leaves of it."""
    if fault.kind == "empty":
        return replace(reply, text=None, tool_calls=(), alternatives=(), finish_reason="stop")
    if fault.kind != "malformed_content":
        return reply
    said = reply.text or ""
    half = said[: len(said) // 2] if said[:1] in {"{", "["} else _BROKEN
    calls = [replace(call, arguments=_BROKEN) for call in reply.tool_calls]
    return replace(reply, text=half, tool_calls=calls, alternatives=(), logprobs=None)


def _choice(turn: Turn) -> Mapping[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": turn.text, "refusal": turn.refusal}
    if turn.calls:
        message["tool_calls"] = [_call(call) for call in turn.calls]
    logprobs = None
    if turn.chances is not None:
        chances = [chance(token) for token in turn.chances]
        refused = turn.refusal is not None
        logprobs = {"content": None if refused else chances, "refusal": chances if refused else None}
    return {"index": turn.index, "message": message, "logprobs": logprobs, "finish_reason": turn.finish}


def _call(call: ToolCall) -> Mapping[str, object]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _usage(body: Mapping[str, object], reply: Reply, choices: Sequence[Turn]) -> Mapping[str, object]:
    usage = reply.usage or Usage(_read(body), sum(map(_written, choices)))
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _read(body: Mapping[str, object]) -> int:
    """Return the tokens of a request: its texts, and three for each message."""
    messages = (mapping(message) for message in sequence(body.get("messages")))
    return sum(3 + tokens(content_text(message.get("content"))) for message in messages)


def _written(turn: Turn) -> int:
    arguments = sum(tokens(call.name) + tokens(call.arguments) for call in turn.calls)
    return tokens(turn.text or turn.refusal or "") + arguments
