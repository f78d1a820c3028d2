"""A reply as server-sent events, in the order and shape of OpenAI's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, zip_longest

from llmopt.types import ToolCall

from .turns import Turn, chance, pieces
from .values import encode

__all__ = ["events"]


def events(
    envelope: Mapping[str, object], turns: Sequence[Turn], usage: Mapping[str, object] | None
) -> Sequence[bytes]:
    """Return the events of a streamed reply, `[DONE]` included.

    Args:
        envelope: What every chunk carries: id, model and so on.
        turns: The choices; their chunks alternate.
        usage: Sent in a last chunk without choices; None if it was not asked for.
    """
    # Every chunk repeats the envelope: it is written once, and each choice goes into its middle.
    start, end = encode({**envelope, "choices": []}).split(b'"choices":[]')
    start = b"data: " + start + b'"choices":['
    tail = b"]" + (b"" if usage is None else b',"usage":null') + end + b"\n\n"
    alternating = chain.from_iterable(zip_longest(*(_choices(turn) for turn in turns)))
    sent = [start + encode(choice) + tail for choice in alternating if choice is not None]
    if usage is not None:
        sent.append(start + b'],"usage":' + encode(usage) + end + b"\n\n")
    return [*sent, b"data: [DONE]\n\n"]


def _choices(turn: Turn) -> Iterator[Mapping[str, object]]:
    """Return the chunks of one choice."""
    opening: dict[str, object] = {"role": "assistant", "refusal": None}
    yield _choice(turn, {**opening, "content": None if turn.calls or turn.refusal is not None else ""})
    name = "content" if turn.refusal is None else "refusal"
    if turn.chances is not None:
        for token in turn.chances:
            yield _choice(turn, {name: token.token}, chances=[chance(token)])
    else:
        for piece in pieces((turn.text if turn.refusal is None else turn.refusal) or ""):
            yield _choice(turn, {name: piece})
    for index, call in enumerate(turn.calls):
        yield from (_choice(turn, {"tool_calls": [delta]}) for delta in _call_deltas(index, call))
    yield _choice(turn, {}, finish=turn.finish)


def _call_deltas(index: int, call: ToolCall) -> Iterator[Mapping[str, object]]:
    function = {"name": call.name, "arguments": ""}
    yield {"index": index, "id": call.id, "type": "function", "function": function}
    for piece in pieces(call.arguments):
        yield {"index": index, "function": {"arguments": piece}}


def _choice(
    turn: Turn,
    delta: Mapping[str, object],
    *,
    chances: Sequence[Mapping[str, object]] | None = None,
    finish: str | None = None,
) -> Mapping[str, object]:
    logprobs = None
    if chances is not None:
        refused = turn.refusal is not None
        logprobs = {"content": None if refused else chances, "refusal": chances if refused else None}
    return {"index": turn.index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
