"""Replies of `/chat/completions` as completions, whole ones and streamed ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from ...types import Completion, Finish, TokenChance, ToolCall, Usage
from .reports import BadReplyError
from .values import as_mapping, as_sequence, as_text, content_text, count, json_text, number

__all__ = ["StreamedReply", "body_of", "completion_of", "usage_of"]

_FINISHES: Mapping[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
# Some servers end a reply that broke off half-way like this, with status 200.
_BROKEN_OFF = frozenset({"abort", "aborted", "error", "insufficient_system_resource"})


def completion_of(reply: object) -> Completion:
    """Return what a reply says; cost, seconds and notes are for the caller to add.

    Raises:
        BadReplyError: When it is no reply.
    """
    body = body_of(reply)
    choices = as_sequence(body.get("choices"))
    if not choices:
        told = as_text(as_mapping(body.get("error")).get("message"))
        raise BadReplyError(told or "there is no choice in it", body)
    choice = as_mapping(choices[0])
    message = as_mapping(choice.get("message"))
    text, refusal = content_text(message.get("content")), as_text(message.get("refusal"))
    calls = [_call(as_mapping(call), place) for place, call in enumerate(as_sequence(message.get("tool_calls")))]
    return Completion(
        text=text or refusal,
        usage=usage_of(body),
        finish="refusal" if refusal else _finish(choice.get("finish_reason"), bool(calls)),
        tool_calls=tuple(calls),
        logprobs=_chances(choice.get("logprobs")) if choice.get("logprobs") else (),
        model=as_text(body.get("model")),
    )


def body_of(reply: object) -> Mapping[str, object]:
    """Return the JSON object that came; servers that do not call it JSON are taken at their content.

    Raises:
        BadReplyError: When it is none.
    """
    if isinstance(reply, str):
        try:
            reply = cast("object", json.loads(reply))
        except (ValueError, RecursionError):
            raise BadReplyError(f"not JSON, it begins {str(reply)[:80]!r}") from None
    if not isinstance(reply, dict):
        raise BadReplyError(f"not a JSON object, it begins {str(reply)[:80]!r}")
    return cast("dict[str, object]", reply)


def usage_of(body: Mapping[str, object]) -> Usage:
    """Return the tokens of one call; all 0 where the server does not count them."""
    usage = as_mapping(body.get("usage"))
    details = as_mapping(usage.get("prompt_tokens_details"))
    read, written = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    # Some providers leave the tokens of reasoning out of the completion, but not out of the total.
    written = max(written, count(usage.get("total_tokens")) - read)
    return Usage(read, written, count(details.get("cached_tokens")), 1)


def _finish(reason: object, called: bool) -> Finish:
    if reason in _BROKEN_OFF:
        raise BadReplyError(f"it broke off half-way, with the finish reason {reason!r}")
    # Some servers say "stop" beside tool calls, or have words of their own for it.
    finish = _FINISHES.get(as_text(reason), "stop")
    return "tool_calls" if called and finish == "stop" else finish


def _call(call: Mapping[str, object], place: int) -> ToolCall:
    function = as_mapping(call.get("function"))
    return ToolCall(
        as_text(call.get("id")) or f"call_{place}", as_text(function.get("name")), json_text(function.get("arguments"))
    )


def _chances(logprobs: object) -> Sequence[TokenChance]:
    found = as_mapping(logprobs)
    tokens = as_sequence(found.get("content")) or as_sequence(found.get("refusal"))
    return tuple(_chance(as_mapping(token)) for token in tokens)


def _chance(token: Mapping[str, object]) -> TokenChance:
    others = (as_mapping(other) for other in as_sequence(token.get("top_logprobs")))
    alternatives = {as_text(other.get("token")): _logprob(other) for other in others}
    return TokenChance(as_text(token.get("token")), _logprob(token), alternatives)


def _logprob(token: Mapping[str, object]) -> float:
    value = number(token.get("logprob"))
    if value is None:
        raise BadReplyError(f"the token {token.get('token')!r} has no log probability")
    return value


@dataclass(slots=True)
class StreamedReply:
    """A reply that is coming in; put together it has the shape of a whole one."""

    content: list[str] = field(default_factory=list[str])
    refusal: list[str] = field(default_factory=list[str])
    calls: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    chances: list[object] = field(default_factory=list[object])
    finish: str = ""
    model: str = ""
    usage: object = None
    _call_at: dict[object, dict[str, str]] = field(default_factory=dict[object, dict[str, str]])

    def take(self, chunk: object) -> str:
        """Take the next piece in, and return the text that it adds.

        Raises:
            BadReplyError: When it is no piece of a reply.
        """
        body = body_of(chunk)
        self.usage = body.get("usage") or self.usage
        self.model = as_text(body.get("model")) or self.model
        choices = as_sequence(body.get("choices"))
        if not choices:
            return ""
        choice = as_mapping(choices[0])
        self.finish = as_text(choice.get("finish_reason")) or self.finish
        if choice.get("logprobs"):
            logprobs = as_mapping(choice["logprobs"])
            self.chances.extend(as_sequence(logprobs.get("content")) or as_sequence(logprobs.get("refusal")))
        return self._take_delta(as_mapping(choice.get("delta")))

    def _take_delta(self, delta: Mapping[str, object]) -> str:
        for place, call in enumerate(as_sequence(delta.get("tool_calls"))):
            self._take_call(as_mapping(call), place)
        refusal = as_text(delta.get("refusal"))
        if refusal:
            self.refusal.append(refusal)
        text = content_text(delta.get("content"))
        if text:
            self.content.append(text)
        return text or ("" if self.content else refusal)

    def _take_call(self, call: Mapping[str, object], place: int) -> None:
        index, name, function = call.get("index", place), as_text(call.get("id")), as_mapping(call.get("function"))
        known = self._call_at.get(index)
        # Some servers number every call 0: a new id begins a new call.
        if known is None or (name and known["id"] and name != known["id"]):
            known = {"id": "", "name": "", "arguments": ""}
            self._call_at[index] = known
            self.calls.append(known)
        known["id"] = name or known["id"]
        known["name"] = as_text(function.get("name")) or known["name"]
        if function.get("arguments"):
            known["arguments"] += json_text(function["arguments"])

    def completion(self) -> Completion:
        """Return the whole reply.

        Raises:
            BadReplyError: When the stream ended before the reply did.
        """
        if not self.finish and self.usage is None:
            raise BadReplyError("the stream ended before the reply was finished")
        calls = [{"id": c["id"], "function": {"name": c["name"], "arguments": c["arguments"]}} for c in self.calls]
        message = {"content": "".join(self.content), "refusal": "".join(self.refusal), "tool_calls": calls}
        choice = {"message": message, "finish_reason": self.finish, "logprobs": {"content": self.chances}}
        return completion_of({"choices": [choice], "usage": self.usage, "model": self.model})
