"""Chats and pairs as token ids, with a mark on what is learnt: the assistant's turns and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

from ..errors import UsageError
from ..types import Example, Message, ToolSpec
from .turns import message_record, tool_record

__all__ = ["Encoded", "EncodedPair", "Tokenizer", "encode_chat", "encode_pair", "render"]

_PLAIN = (
    "{% for message in messages %}<|{{ message['role'] }}|> {{ message['content'] }} {% if message['role'] == "
    "'assistant' %}{{ eos_token }}{% endif %}\n{% endfor %}{% if add_generation_prompt %}<|assistant|> {% endif %}"
)
"""The template of tokenizers that bring none."""


class Tokenizer(Protocol):
    """What is used of a tokenizer of transformers."""

    chat_template: str | None
    eos_token_id: int | None

    def apply_chat_template(
        self,
        conversation: Sequence[Mapping[str, object]],
        *,
        tools: Sequence[object] | None,
        chat_template: str | None,
        tokenize: bool,
        add_generation_prompt: bool,
    ) -> object:
        """Return the chat as text."""
        ...

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Return the text's token ids."""
        ...

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        """Return the text of token ids."""
        ...


@dataclass(frozen=True, slots=True)
class Encoded:
    """A chat as token ids, and for each whether it is learnt."""

    ids: tuple[int, ...]
    learnt: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """The same chat with its preferred and with its other last turn; only that turn is learnt."""

    preferred: Encoded
    rejected: Encoded


def render(tokenizer: Tokenizer, messages: Sequence[Message], tools: Sequence[ToolSpec] = (), *, asking: bool) -> str:
    """Return a chat as the model reads it; `asking` ends it where the assistant is to speak."""
    template = None if tokenizer.chat_template else _PLAIN
    text = tokenizer.apply_chat_template(
        [message_record(message) for message in messages],
        tools=tool_record(tools) or None,
        chat_template=template,
        tokenize=False,
        add_generation_prompt=asking,
    )
    return cast(str, text)


def encode_chat(tokenizer: Tokenizer, example: Example, max_tokens: int) -> Encoded:
    """Return an example as token ids; only the assistant's turns, with the mark that ends them, are learnt.

    Every piece is tokenised by itself, cut where the model is to speak, so that training sees the very
    tokens that a question has later on.

    Raises:
        UsageError: When it is longer than `max_tokens` (cut at the end it would lose the answer).
    """
    ids: list[int] = []
    learnt: list[bool] = []
    for text, is_answer in _pieces(tokenizer, example):
        piece = tokenizer.encode(text, add_special_tokens=False)
        if is_answer and tokenizer.eos_token_id is not None and piece[-1:] != [tokenizer.eos_token_id]:
            piece.append(tokenizer.eos_token_id)
        ids += piece
        learnt += [is_answer] * len(piece)
    if len(ids) > max_tokens:
        raise UsageError(
            f"an example takes {len(ids)} tokens, max_tokens is {max_tokens}: it would be cut at the end, which is the "
            f"answer; raise max_tokens or shorten it. It begins {example.messages[0].content[:60]!r}"
        )
    return Encoded(tuple(ids), tuple(learnt))


def encode_pair(tokenizer: Tokenizer, example: Example, max_tokens: int) -> EncodedPair:
    """Return a preference pair as token ids; the turns before the last one are given, not learnt.

    Raises:
        UsageError: When it is no pair, or a side is longer than `max_tokens`.
    """
    if example.rejected is None:
        raise UsageError("a preference pair needs `rejected`, the turn that is not preferred")
    other = replace(example, messages=(*example.messages[:-1], example.rejected))
    preferred, rejected = (encode_chat(tokenizer, side, max_tokens) for side in (example, other))
    return EncodedPair(_last_only(preferred), _last_only(rejected))


def _last_only(chat: Encoded) -> Encoded:
    """Return a chat in which only the last turn is learnt."""
    before = max((place for place, is_learnt in enumerate(chat.learnt) if not is_learnt), default=-1)
    return Encoded(chat.ids, tuple(place > before for place in range(len(chat.ids))))


def _pieces(tokenizer: Tokenizer, example: Example) -> list[tuple[str, bool]]:
    """Return the chat's text in pieces, and for each whether it is an answer."""
    pieces: list[tuple[str, bool]] = []
    done = ""
    last = len(example.messages) - 1
    for place, message in enumerate(example.messages):
        if message.role != "assistant":
            continue
        asked = render(tokenizer, example.messages[:place], example.tools, asking=True)
        answered = render(tokenizer, example.messages[: place + 1], example.tools, asking=False)
        if place == last and not asked.startswith(done):
            pieces, done = [], ""  # a template that drops earlier thoughts: the last answer is learnt
        if answered.startswith(asked) and asked.startswith(done):
            pieces += [(asked[len(done) :], False), (answered[len(asked) :].rstrip("\n"), True)]
            done = answered.rstrip("\n")
        elif place == last:
            raise UsageError("this tokenizer's chat template changes the question once it is answered")
    return pieces
