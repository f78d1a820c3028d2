"""What goes to a chat model and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = [
    "Completion",
    "Delta",
    "Finish",
    "JsonSchema",
    "Message",
    "Options",
    "Role",
    "TokenChance",
    "ToolCall",
    "ToolSpec",
    "Usage",
]

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]
Finish: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "refusal"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to call a tool; `arguments` is a JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model sees it; `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat.

    Attributes:
        role: Who speaks.
        content: The text; may be empty on an assistant turn with tool calls.
        tool_calls: On an assistant turn: the tools that it wants to call.
        tool_call_id: On a tool turn: the call that this is the result of.
    """

    role: Role
    content: str
    tool_calls: Sequence[ToolCall] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """A JSON schema that the reply must fit; `name` is what the provider is told."""

    name: str
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a reply is sampled. `None` leaves the provider's default.

    Attributes:
        temperature: 0 to 2.
        top_p: 0 to 1.
        max_tokens: Longest reply, in tokens, reasoning included.
        seed: Best effort at the provider; not a promise of determinism.
        stop: Texts at which the reply ends.
        schema: Ask for JSON that fits this schema, where the server can.
        tools: The tools that the model may call.
        tool_choice: Whether it may, must not or must call one.
        top_logprobs: Ask for the chances of that many alternatives per token, 0 to 20.
        replicate: Number of this sample among repeated ones. It is part of the cache's key, so that
            repeated sampling is not collapsed into one reply; it is never sent.
        timeout: Seconds for one attempt.
        extra: Provider's own parameters, sent as they are (`{"reasoning_effort": "low"}`).
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    schema: JsonSchema | None = None
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: Literal["auto", "none", "required"] | None = None
    top_logprobs: int | None = None
    replicate: int = 0
    timeout: float | None = None
    extra: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a call, or many calls added up, took.

    Attributes:
        input_tokens: Read by the model, cached ones included.
        output_tokens: Written by the model, reasoning included.
        cached_tokens: The part of the input that the provider had in its own prompt cache.
        calls: Requests to a model.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    calls: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        """Add two usages up."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.calls + other.calls,
        )


@dataclass(frozen=True, slots=True)
class TokenChance:
    """One token of a reply with its log probability and those of the alternatives."""

    token: str
    logprob: float
    alternatives: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's reply.

    Attributes:
        text: The content, or the words of a refusal; empty when the model only called tools.
        usage: Tokens; of a reply from our cache: those of the original call.
        finish: Why it ended.
        tool_calls: What the model wants called.
        logprobs: Per token, where asked for.
        cost: US dollars of the call; of a reply from our cache: of the original call; None when the
            price is not known.
        seconds: How long the call took; of a reply from our cache: how long the original call took.
        cached: Whether it came from our cache, so that nothing was paid.
        model: The model that answered, as the provider named it.
        notes: What was done on the way ("dropped unsupported parameter temperature").
    """

    text: str
    usage: Usage = Usage()
    finish: Finish = "stop"
    tool_calls: Sequence[ToolCall] = ()
    logprobs: Sequence[TokenChance] = ()
    cost: float | None = None
    seconds: float | None = None
    cached: bool = False
    model: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a streamed reply; the last one carries the whole completion."""

    text: str
    completion: Completion | None = None
