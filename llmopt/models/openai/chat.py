"""Chat models behind an OpenAI-compatible API."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Literal, overload

from ...interfaces import ChatModel
from ...types import Completion, Delta, Message, Options, Usage
from ..pricing import Price, price_of
from .channel import Channel
from .channels import Channels
from .connection import Connection, Transport
from .errors import Attempt, reporting
from .quirks import OLD_LIMIT, quirk_of
from .refusals import Caller
from .reply import StreamedReply, completion_of
from .reports import report_of
from .request import ChatRequest, chat_request, check_writable
from .stops import Cutter, cut_at

if TYPE_CHECKING:
    from openai import AsyncStream

__all__ = ["OpenAIChat"]

_PATH = "/chat/completions"


@dataclass(repr=False, eq=False)
class OpenAIChat(ChatModel):
    """A chat model behind OpenAI's API, or any API that speaks its protocol.

    vLLM, Ollama, llama.cpp, LM Studio and most providers do: give their address as `base_url`. A parameter
    that the server refuses is left out or put otherwise, once and for this component's life; the completion
    says so in its `notes`. Nothing is retried here: wrap it in `Retrying`, or take the ready-made stack.

    Args:
        model: As the server names it; on Azure the deployment.
        base_url: Address of the API, usually ending in `/v1`; None: the environment's OPENAI_BASE_URL,
            else OpenAI.
        api_key: None: the environment's OPENAI_API_KEY. Servers other than OpenAI may need none.
        organization: Who pays, where an account has several.
        project: The same one level below.
        timeout: Seconds for one attempt; of a stream: for its beginning, and between two pieces.
        api_version: Of an Azure resource's older API; `base_url` is then the resource's address.
        transport: The HTTP library: `auto` takes aiohttp where the extra `fast` has installed it, which
            takes a quarter of the processor time of a call.
        prices: What the model costs; None: OpenAI's list price where the server is OpenAI's.

    Example:
        >>> from llmopt.testing.server import FakeOpenAI
        >>> with FakeOpenAI(lambda body: "Paris") as server:
        ...     OpenAIChat("any", base_url=server.base_url).complete("Capital of France?").text
        'Paris'
    """

    secrets: ClassVar[frozenset[str]] = frozenset({"api_key"})
    incidental: ClassVar[frozenset[str]] = frozenset({"timeout", "transport", "prices"})

    model: str
    _: KW_ONLY
    base_url: str | None = None
    api_key: str | None = None
    organization: str | None = None
    project: str | None = None
    timeout: float = 60.0
    api_version: str | None = None
    transport: Transport = "auto"
    prices: Price | None = None
    _channels: Channels = field(init=False, default_factory=Channels)
    _quirks: frozenset[str] = field(init=False, default=frozenset())

    async def generate(self, messages: Sequence[Message], options: Options) -> Completion:
        """Return the reply.

        Raises:
            ModelError: When there is none; the leaf says why, `retryable` whether it may succeed later.
            UsageError: When the request cannot be sent.
        """
        connection = self._connection()
        with reporting(lambda: self._caller(connection, options)) as attempt:
            channel = await self._channels.get(connection)
            started = time.perf_counter()
            reply, request = await self._send(channel, messages, options, attempt, streamed=False)
            completion = completion_of(reply)
        if request.stop:
            completion = replace(completion, text=cut_at(completion.text, request.stop))
        return self._finished(completion, request, started)

    async def stream(self, messages: Sequence[Message], options: Options) -> AsyncIterator[Delta]:
        """Yield the reply in pieces, the last without text but with the whole completion.

        Raises:
            ModelError: When the reply does not come, or breaks off.
            UsageError: When the request cannot be sent.
        """
        connection = self._connection()
        with reporting(lambda: self._caller(connection, options)) as attempt:
            channel = await self._channels.get(connection)
            started = time.perf_counter()
            source, request = await self._send(channel, messages, options, attempt, streamed=True)
            reply, cutter = StreamedReply(), Cutter(request.stop)
            try:
                async for chunk in source:
                    if text := cutter.take(reply.take(chunk)):
                        yield Delta(text)
            finally:
                await source.close()
            completion = reply.completion()
        if rest := cutter.rest():
            yield Delta(rest)
        if request.stop:
            completion = replace(completion, text=cut_at(completion.text, request.stop))
        yield Delta("", self._finished(completion, request, started))

    def price(self, usage: Usage) -> float | None:
        """Return the US dollars that such a usage costs; None when the price is not known."""
        prices = self.prices or (price_of(self.model) if self._connection().is_openai else None)
        return None if prices is None else prices.of(usage)

    @overload
    async def _send(
        self, channel: Channel, messages: Sequence[Message], options: Options, attempt: Attempt, *,
        streamed: Literal[False],
    ) -> tuple[object, ChatRequest]: ...  # fmt: skip

    @overload
    async def _send(
        self, channel: Channel, messages: Sequence[Message], options: Options, attempt: Attempt, *,
        streamed: Literal[True],
    ) -> tuple[AsyncStream[object], ChatRequest]: ...  # fmt: skip

    async def _send(
        self, channel: Channel, messages: Sequence[Message], options: Options, attempt: Attempt, *, streamed: bool
    ) -> tuple[object, ChatRequest]:
        """Send the request, again without what the server refuses, and remember what that was."""
        quirks = self._quirks
        while True:
            request = chat_request(self.model, messages, options, quirks, streamed=streamed)
            attempt.body = request.body
            try:
                reply = await self._post(channel, request, streamed)
            except (TypeError, ValueError, RecursionError):
                check_writable(request.body)
                raise
            except Exception as error:
                report = report_of(error)
                quirk = "" if report is None else quirk_of(report, request.body, options)
                if not quirk or quirk in quirks:
                    raise
                quirks |= {quirk}
                continue
            self._learn(quirks)
            return reply, request

    async def _post(self, channel: Channel, request: ChatRequest, streamed: bool) -> object:
        seconds = request.options.timeout
        async with asyncio.timeout(self.timeout if seconds is None else seconds):
            if not streamed:
                return await channel.post(_PATH, request.body, seconds)
            return await channel.stream(_PATH, request.body, seconds)

    def _finished(self, completion: Completion, request: ChatRequest, started: float) -> Completion:
        usage, notes = completion.usage, list(request.notes)
        if not usage.total_tokens:
            notes.append("the server did not count the tokens")
        limit = request.options.max_tokens
        if limit is not None and usage.output_tokens > limit and completion.finish != "length":
            notes.append(f"the server wrote {usage.output_tokens} tokens and ignored the limit of {limit}")
            self._learn(frozenset({OLD_LIMIT}))  # it may know the limit by its older name
        return replace(
            completion,
            model=completion.model or self.model,
            cost=self.price(usage) if usage.total_tokens else None,
            seconds=time.perf_counter() - started,
            notes=tuple(notes),
        )

    def _learn(self, quirks: frozenset[str]) -> None:
        if not quirks <= self._quirks:
            self._quirks |= quirks

    def fingerprint(self) -> str:
        """Return the hash; an address that OPENAI_BASE_URL gives counts as if it were written down."""
        given = self.base_url or os.environ.get("OPENAI_BASE_URL") or None
        return super().fingerprint() if given == self.base_url else replace(self, base_url=given).fingerprint()

    def _connection(self) -> Connection:
        return Connection(
            self.base_url, self.api_key, self.organization, self.project, self.timeout, self.api_version, self.transport
        )

    def _caller(self, connection: Connection, options: Options) -> Caller:
        seconds = self.timeout if options.timeout is None else options.timeout
        return Caller(type(self).__name__, self.model, connection.address, seconds, connection.secret)
