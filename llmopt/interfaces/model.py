"""Chat models and embedders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar, cast, final

import numpy as np
from pydantic import BaseModel

from .._json import parse_into, schema_of
from .._sync import call, call_sync, iterate_sync
from .._trace import Recorder, step
from ..errors import (
    ContentFilteredError,
    ContractError,
    ModelOutputError,
    ModelRefusedError,
    OutputCutError,
    UsageError,
)
from ..types import Completion, Delta, Matrix, MaybeAwaitable, Message, Options, TextKind, Usage
from .component import Component

__all__ = ["ChatModel", "Embedder", "content_of"]

M = TypeVar("M", bound=BaseModel)


class ChatModel(Component, ABC):
    """A chat model: messages in, a reply out. Write `generate`.

    Example:
        >>> class Echo(ChatModel):
        ...     def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        ...         return Completion(messages[-1].content)
        >>> Echo().complete("hello").text
        'hello'
    """

    @abstractmethod
    def generate(self, messages: Sequence[Message], options: Options) -> MaybeAwaitable[Completion]:
        """Return the assistant's reply. May be `def` or `async def`."""

    def stream(self, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
        """Yield the reply in pieces, the last with the whole completion; by default in one piece."""
        return _whole(self, messages, options)

    def price(self, usage: Usage) -> float | None:
        """Return the US dollars that such a usage costs; None when nobody knows, which is the default."""
        return None

    @final
    def complete(self, prompt: str | Sequence[Message], options: Options = Options()) -> Completion:
        """Return the reply to a text or to a chat.

        Raises:
            ModelError: When the call failed for good.
            UsageError: When the prompt is empty.
        """
        messages = _messages(prompt)
        with step("model", self, messages) as recorder:
            completion = self._checked(call_sync(self.generate, messages, options))
            recorder.completed(completion)
        return completion

    @final
    async def acomplete(self, prompt: str | Sequence[Message], options: Options = Options()) -> Completion:
        """Return the reply to a text or to a chat; the async twin of `complete`."""
        messages = _messages(prompt)
        with step("model", self, messages) as recorder:
            completion = self._checked(await call(self.generate, messages, options))
            recorder.completed(completion)
        return completion

    @final
    def complete_stream(self, prompt: str | Sequence[Message], options: Options = Options()) -> Iterator[Delta]:
        """Yield the reply in pieces; the last one carries the whole completion."""
        return iterate_sync(lambda: self.acomplete_stream(prompt, options))

    @final
    async def acomplete_stream(
        self, prompt: str | Sequence[Message], options: Options = Options()
    ) -> AsyncIterator[Delta]:
        """Yield the reply in pieces; the async twin of `complete_stream`."""
        messages = _messages(prompt)
        # No `with step(...)` here: a context variable must not be set across the yields of a generator.
        finished = False
        async for delta in self.stream(messages, options):
            if delta.completion is not None:
                finished = True
                with step("model", self, messages) as recorder:
                    recorder.completed(delta.completion)
                    recorder.started -= delta.completion.seconds or 0.0
            yield delta
        if not finished:
            raise ContractError(f"`{type(self).__name__}.stream` ended without a delta that carries the completion")

    @final
    def extract(self, prompt: str | Sequence[Message], into: type[M], options: Options = Options()) -> M:
        """Ask for JSON and return it as an instance of the pydantic model.

        The schema goes along for servers that can hold the model to it. Prose and code fences around the
        JSON are tolerated. A reply that does not fit is sent back once with what is wrong.

        Raises:
            ModelOutputError: When the second reply does not fit either.
            ModelRefusedError, OutputCutError, ContentFilteredError: When there is no content to parse.
        """
        prompt, options = _asking(prompt, into, options)
        first = self.complete(prompt, options)
        try:
            return parse_into(content_of(first), into)
        except ModelOutputError as error:
            again = self.complete(_repair(prompt, first, error, into), options)
        return parse_into(content_of(again), into)

    @final
    async def aextract(self, prompt: str | Sequence[Message], into: type[M], options: Options = Options()) -> M:
        """Ask for JSON and return it as an instance of the pydantic model; the async twin of `extract`."""
        prompt, options = _asking(prompt, into, options)
        first = await self.acomplete(prompt, options)
        try:
            return parse_into(content_of(first), into)
        except ModelOutputError as error:
            again = await self.acomplete(_repair(prompt, first, error, into), options)
        return parse_into(content_of(again), into)

    def _checked(self, completion: object) -> Completion:
        if not isinstance(completion, Completion):
            raise ContractError(
                f"`{type(self).__name__}.generate` must return a Completion, it returned {type(completion).__name__}"
            )
        return completion


class Embedder(Component, ABC):
    """Texts to vectors. Write `embed`.

    Example:
        >>> class Letters(Embedder):
        ...     def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        ...         return np.array([[t.count(c) for c in "abc"] for t in texts], np.float32)
        >>> Letters().encode(["aab"], kind="query").round(2).tolist()
        [[0.8899999856948853, 0.44999998807907104, 0.0]]
    """

    @abstractmethod
    def embed(self, texts: Sequence[str], kind: TextKind) -> MaybeAwaitable[Matrix]:
        """Return one row per text, of any length. May be `def` or `async def`."""

    def price(self, usage: Usage) -> float | None:
        """Return the US dollars that such a usage costs; None when nobody knows, which is the default."""
        return None

    @final
    def encode(self, texts: Sequence[str], *, kind: TextKind) -> Matrix:
        """Return unit rows, float32 of shape (len(texts), dimensions); a zero row stays zero.

        Args:
            texts: Any number of texts, none included.
            kind: Whether they are searched for or searched in; some embedders tell them apart.

        Raises:
            ContractError: When `embed` returns the wrong number of rows or numbers that are not finite.
        """
        texts = _texts(texts)
        with step("embed", self, texts) as recorder:
            return self._unit(call_sync(self.embed, texts, kind), len(texts), recorder)

    @final
    async def aencode(self, texts: Sequence[str], *, kind: TextKind) -> Matrix:
        """Return unit rows; the async twin of `encode`."""
        texts = _texts(texts)
        with step("embed", self, texts) as recorder:
            return self._unit(await call(self.embed, texts, kind), len(texts), recorder)

    def _unit(self, rows: Matrix, count: int, recorder: Recorder) -> Matrix:
        name = type(self).__name__
        rows = np.asarray(rows, dtype=np.float32)
        if count == 0 and rows.size == 0:
            rows = rows.reshape(0, rows.shape[-1] if rows.ndim == 2 else 0)
        if rows.ndim != 2 or rows.shape[0] != count:
            raise ContractError(f"`{name}.embed` must return {count} rows for {count} texts, its shape is {rows.shape}")
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        if not np.isfinite(norms).all():
            bad = int(np.flatnonzero(~np.isfinite(norms[:, 0]))[0])
            raise ContractError(f"`{name}.embed` returned NaN or infinity in row {bad} of {count}")
        recorder.output = rows.shape
        return cast(Matrix, rows / np.where(norms == 0, 1, norms))


def content_of(completion: Completion) -> str:
    """Return the text of a reply, or raise when there is none to use.

    Raises:
        ModelRefusedError: The model declined.
        OutputCutError: The reply was cut at the token limit.
        ContentFilteredError: The provider's filter removed it.
        ModelOutputError: The reply is empty.
    """
    text = completion.text
    if completion.finish == "refusal":
        raise ModelRefusedError(f"the model declined to answer: {text[:300]!r}")
    if completion.finish == "length":
        raise OutputCutError(
            f"the reply was cut at the token limit after {completion.usage.output_tokens} tokens, it ends in "
            f"{text[-80:]!r}: raise `Options.max_tokens` or ask for less"
        )
    if completion.finish == "content_filter":
        raise ContentFilteredError(f"the provider's content filter stopped the reply after {text[-80:]!r}")
    if not text.strip() and not completion.tool_calls:
        raise ModelOutputError("the model returned an empty reply")
    return text


def _messages(prompt: str | Sequence[Message]) -> Sequence[Message]:
    messages = [Message("user", prompt)] if isinstance(prompt, str) else prompt
    if not messages:
        raise UsageError("a chat needs at least one message, got none")
    return messages


def _texts(texts: Sequence[str]) -> Sequence[str]:
    if isinstance(texts, str):
        raise UsageError("`texts` is a list of texts, got one str: wrap it, [text]")
    return texts


def _asking(
    prompt: str | Sequence[Message], into: type[BaseModel], options: Options
) -> tuple[Sequence[Message], Options]:
    return _messages(prompt), options if options.schema else replace(options, schema=schema_of(into))


def _repair(
    messages: Sequence[Message], reply: Completion, error: ModelOutputError, into: type[BaseModel]
) -> Sequence[Message]:
    wanted = schema_of(into).body
    request = f"That reply cannot be used: {error}\nReply again with nothing but JSON that fits this schema:\n{wanted}"
    return [*messages, Message("assistant", reply.text), Message("user", request)]


async def _whole(model: ChatModel, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
    completion = await call(model.generate, messages, options)
    yield Delta(completion.text, completion)
