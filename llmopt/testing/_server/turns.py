"""One choice of a reply, cut as the request asks; tokens are four characters long here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from llmopt.types import TokenChance, ToolCall

from .replies import Reply
from .values import integer, sequence

__all__ = ["Turn", "chance", "pieces", "tokens", "turns"]

_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Turn:
    """One choice, as it is sent.

    Attributes:
        index: Of the choice.
        text: The content.
        refusal: Why the model declines.
        calls: Of tools.
        finish: Why it ended.
        chances: Of the tokens, if asked for.
    """

    index: int
    text: str | None
    refusal: str | None
    calls: Sequence[ToolCall]
    finish: str
    chances: Sequence[TokenChance] | None


def tokens(content: str) -> int:
    """Return the number of tokens of a text."""
    return -(-len(content) // _TOKEN)


def pieces(content: str) -> Sequence[str]:
    """Return the tokens of a text."""
    return [content[start : start + _TOKEN] for start in range(0, len(content), _TOKEN)]


def turns(body: Mapping[str, object], reply: Reply, number: int) -> Sequence[Turn]:
    """Return as many choices as the request asks for.

    Args:
        body: The request's JSON.
        reply: What the model says.
        number: Of the request; it makes the ids of tool calls unique.
    """
    choices = [reply, *(Reply(other) if isinstance(other, str) else other for other in reply.alternatives)]
    count = integer(body.get("n"), 1)
    return [_turn(body, choices[index % len(choices)], index, f"call_{number}_{index}") for index in range(count)]


def _turn(body: Mapping[str, object], reply: Reply, index: int, prefix: str) -> Turn:
    content, finish = reply.text, reply.finish_reason
    if finish is None:
        content, finish = _cut(body, content, "tool_calls" if reply.tool_calls else "stop")
    calls = [replace(call, id=call.id or f"{prefix}_{place}") for place, call in enumerate(reply.tool_calls)]
    # OpenAI sends null, not an empty text, beside a refusal or tool calls.
    if reply.refusal is not None or (calls and not content):
        content = None
    chances = _chances(body, reply, content or reply.refusal or "")
    return Turn(index, content, reply.refusal, calls, finish, chances)


def _cut(body: Mapping[str, object], content: str | None, finish: str) -> tuple[str | None, str]:
    """Return the text up to the first stop text and the token limit, and why it ends there."""
    if not content:
        return content, finish
    stop = body.get("stop")
    for mark in sequence(stop) or (stop,):
        content = content.partition(mark)[0] if isinstance(mark, str) and mark else content
    most = integer(body.get("max_completion_tokens"), integer(body.get("max_tokens"), 0)) * _TOKEN
    return (content[:most], "length") if 0 < most < len(content) else (content, finish)


def _chances(body: Mapping[str, object], reply: Reply, content: str) -> Sequence[TokenChance] | None:
    if body.get("logprobs") is not True:
        return None
    if reply.logprobs is not None:
        return reply.logprobs
    wanted = integer(body.get("top_logprobs"), 0)
    return [_made_up(piece, wanted) for piece in pieces(content)]


def _made_up(token: str, wanted: int) -> TokenChance:
    """Return a token of chance 0.9; the alternatives share the rest."""
    others = {f"other{place}": math.log(0.1 / 2**place) for place in range(1, wanted)}
    return TokenChance(token, math.log(0.9), {token: math.log(0.9), **others} if wanted else {})


def chance(token: TokenChance) -> dict[str, object]:
    """Return a token's chances as JSON."""
    top = [_entry(other, logprob) for other, logprob in token.alternatives.items()]
    return {**_entry(token.token, token.logprob), "top_logprobs": top}


def _entry(token: str, logprob: float) -> dict[str, object]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}
