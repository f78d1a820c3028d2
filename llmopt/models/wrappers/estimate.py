"""How many tokens a request will take, told before it is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from ..._tokens import encoding_name, estimate_tokens
from ...types import Message, Options

__all__ = ["prompt_tokens", "text_tokens"]

_PER_MESSAGE, _PER_REQUEST, _PER_CALL = 4, 3, 8


def prompt_tokens(messages: Sequence[Message], options: Options, model: str | None) -> int:
    """Return about how many tokens a chat request takes, schema and tools included.

    It is estimated even where the vocabulary is at hand: counting a long prompt would take longer than
    everything else that is done around a call.
    """
    calls = sum(len(message.tool_calls) for message in messages)
    shape = _PER_REQUEST + _PER_MESSAGE * len(messages) + _PER_CALL * (calls + len(options.tools))
    return shape + estimate_tokens("\n".join(_texts(messages, options)), encoding_name(model)[0])


def text_tokens(texts: Sequence[str], model: str | None) -> int:
    """Return about how many tokens the texts take."""
    return len(texts) + estimate_tokens("\n".join(texts), encoding_name(model)[0])


def _texts(messages: Sequence[Message], options: Options) -> Iterator[str]:
    for message in messages:
        yield message.content
        for call in message.tool_calls:
            yield f"{call.name} {call.arguments}"
    for tool in options.tools:
        yield f"{tool.name} {tool.description} {json.dumps(tool.parameters, default=dict)}"
    if options.schema is not None:
        yield json.dumps(options.schema.body, default=dict)
