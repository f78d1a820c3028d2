"""What calls will take, before they are made: the words in which the `plan` hooks answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from .._tokens import count_messages, count_tokens
from ..types import Document, Hit, Message, Options, Planned, Usage
from .component import Component
from .model import ChatModel, Embedder

__all__ = ["parts_of", "planned_calls", "planned_embedding", "planned_times", "stand_in_hits"]

_USUAL_REPLY_TOKENS = 150
_PASSAGE = "A passage of usual length stands for what the retriever will find, word after word after word. " * 10


def planned_calls(
    model: ChatModel,
    what: str,
    messages: Sequence[Message],
    *,
    calls: int = 1,
    options: Options = Options(),
    reply_tokens: int = _USUAL_REPLY_TOKENS,
) -> Planned:
    """Return what so many calls with such a prompt take: tokens by the prompt and a usual reply, money by the price.

    Args:
        model: Who is asked.
        what: What for ("answer").
        messages: The prompt of one call.
        calls: How many.
        options: How replies are sampled; `max_tokens` bounds them.
        reply_tokens: Of a usual reply.
    """
    written = reply_tokens if options.max_tokens is None else min(reply_tokens, options.max_tokens)
    usage = Usage(count_messages(messages).count * calls, written * calls, calls=calls)
    return Planned(what, usage, model.price(usage))


def planned_embedding(embedder: Embedder, what: str, texts: Sequence[str]) -> Planned:
    """Return what one embedding request takes."""
    usage = Usage(sum(count_tokens(text).count for text in texts), calls=1)
    return Planned(what, usage, embedder.price(usage))


def planned_times(planned: Sequence[Planned], count: int) -> list[Planned]:
    """Return what the same takes when it is done so many times."""
    return [
        Planned(item.what, _times(item.usage, count), None if item.cost is None else item.cost * count)
        for item in planned
    ]


def parts_of(component: Component) -> Iterator[object]:
    """Yield a component's parameters, and what is in those that are lists."""
    for value in component.params().values():
        listed = cast("Sequence[object]", value) if isinstance(value, list | tuple) else (value,)
        yield from listed


def stand_in_hits(count: int) -> list[Hit]:
    """Return hits of usual length, for those that a search will bring."""
    return [Hit(Document(f"stand-in {number}", _PASSAGE), float(-number)) for number in range(count)]


def _times(usage: Usage, count: int) -> Usage:
    read, written, cached = usage.input_tokens, usage.output_tokens, usage.cached_tokens
    return Usage(read * count, written * count, cached * count, usage.calls * count)
