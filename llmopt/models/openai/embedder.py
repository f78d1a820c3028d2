"""Embedders behind an OpenAI-compatible API."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np

from ..._sync import gather_bounded
from ..._trace import spend
from ...interfaces import Embedder
from ...types import Matrix, Options, TextKind, Usage
from ..pricing import Price, price_of
from .channels import Channels
from .connection import Connection, Transport
from .errors import reporting
from .quirks import quirk_of
from .refusals import Caller
from .reply import body_of, usage_of
from .reports import BadReplyError, report_of
from .request import check_writable
from .rows import Batch, batches, rows_of

__all__ = ["OpenAIEmbedder"]

_FORMAT = "encoding_format"


@dataclass(repr=False, eq=False)
class OpenAIEmbedder(Embedder):
    """An embedding model behind OpenAI's API, or any API that speaks its protocol.

    Texts go in batches of at most 2,048 and some 150,000 tokens, several at a time. Empty texts are not
    sent, since servers refuse them; their rows are zero. What a call costs is in the trace.

    Args:
        model: As the server names it; on Azure the deployment.
        dimensions: Ask for vectors of this length, where the model can shorten them; None: its own.
        base_url: Address of the API, usually ending in `/v1`; None: the environment's OPENAI_BASE_URL,
            else OpenAI.
        api_key: None: the environment's OPENAI_API_KEY. Servers other than OpenAI may need none.
        organization: Who pays, where an account has several.
        project: The same one level below.
        timeout: Seconds for one request.
        api_version: Of an Azure resource's older API; `base_url` is then the resource's address.
        transport: The HTTP library: `auto` takes aiohttp where the extra `fast` has installed it.
        encoding_format: How vectors travel; None: base64, a quarter of the bytes, from OpenAI, and float
            from others. Either is understood when it comes.
        query_prefix: Put before a text that is searched for, for models that were trained so (`query: `).
        document_prefix: Put before a text that is searched in (`passage: `).
        concurrency: Requests in flight at most.
        prices: What the model costs; None: OpenAI's list price where the server is OpenAI's.

    Example:
        >>> from llmopt.testing.server import FakeOpenAI
        >>> with FakeOpenAI(dimensions=8) as server:
        ...     OpenAIEmbedder("any", base_url=server.base_url).encode(["a cat", ""], kind="document").shape
        (2, 8)
    """

    secrets: ClassVar[frozenset[str]] = frozenset({"api_key"})
    incidental: ClassVar[frozenset[str]] = frozenset(
        {"timeout", "transport", "prices", "concurrency", "encoding_format"}
    )

    model: str
    _: KW_ONLY
    dimensions: int | None = None
    base_url: str | None = None
    api_key: str | None = None
    organization: str | None = None
    project: str | None = None
    timeout: float = 60.0
    api_version: str | None = None
    transport: Transport = "auto"
    encoding_format: Literal["base64", "float"] | None = None
    query_prefix: str = ""
    document_prefix: str = ""
    concurrency: int = 8
    prices: Price | None = None
    _channels: Channels = field(init=False, default_factory=Channels)
    _plain: bool = field(init=False, default=False)
    _width: int | None = field(init=False, default=None)

    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Return one row per text, as the server sends them.

        Raises:
            ModelError: When there is none; the leaf says why, `retryable` whether it may succeed later.
            UsageError: When a text cannot be sent.
        """
        prefix = self.query_prefix if kind == "query" else self.document_prefix
        asked = list(batches(texts, prefix))
        if texts and not asked and self.dimensions is None and self._width is None:
            await self._rows(Batch([0], ["a"]))  # nothing but empty texts: how long are zero rows here?
        answers = await gather_bounded(self._rows, asked, limit=self.concurrency)
        rows = np.zeros((len(texts), self._width or self.dimensions or 0), np.float32)
        for batch, answer in zip(asked, answers, strict=True):
            rows[list(batch.places)] = answer
        return rows

    def price(self, usage: Usage) -> float | None:
        """Return the US dollars that such a usage costs; None when the price is not known."""
        prices = self.prices or (price_of(self.model) if self._connection().is_openai else None)
        return None if prices is None else prices.of(usage)

    async def _rows(self, batch: Batch) -> Matrix:
        """Return the rows of one request's texts."""
        connection = self._connection()
        with reporting(lambda: self._caller(connection)) as attempt:
            attempt.body = body = self._body(batch, connection)
            reply = body_of(await self._send(connection, body))
            rows = rows_of(reply, len(batch.texts))
            expected = self.dimensions or self._width or rows.shape[1]
            if rows.shape[1] != expected:
                raise BadReplyError(
                    f"vectors of {expected} numbers were asked for or came before, these have {rows.shape[1]}; "
                    "leave `dimensions` out if the server ignores it",
                    final=True,
                )
        self._width = expected
        usage = usage_of(reply)
        spend(usage, self.price(usage) if usage.total_tokens else None)
        return rows

    def _body(self, batch: Batch, connection: Connection) -> dict[str, object]:
        body: dict[str, object] = {"model": self.model, "input": list(batch.texts)}
        if self.dimensions is not None:
            body["dimensions"] = self.dimensions
        if not self._plain:
            body[_FORMAT] = self.encoding_format or ("base64" if connection.is_openai else "float")
        return body

    async def _send(self, connection: Connection, body: dict[str, object]) -> object:
        """Send a request, again without the encoding's name if the server refuses that."""
        try:
            return await self._post(connection, body)
        except (TypeError, ValueError, RecursionError):
            check_writable(body)
            raise
        except Exception as error:
            report = report_of(error)
            if report is None or quirk_of(report, body, Options()) != _FORMAT:
                raise
        del body[_FORMAT]
        reply = await self._post(connection, body)
        self._plain = True
        return reply

    async def _post(self, connection: Connection, body: dict[str, object]) -> object:
        channel = await self._channels.get(connection)
        async with asyncio.timeout(self.timeout):
            return await channel.post("/embeddings", body)

    def fingerprint(self) -> str:
        """Return the hash; an address that OPENAI_BASE_URL gives counts as if it were written down."""
        given = self.base_url or os.environ.get("OPENAI_BASE_URL") or None
        return super().fingerprint() if given == self.base_url else replace(self, base_url=given).fingerprint()

    def _connection(self) -> Connection:
        return Connection(
            self.base_url, self.api_key, self.organization, self.project, self.timeout, self.api_version, self.transport
        )

    def _caller(self, connection: Connection) -> Caller:
        return Caller(type(self).__name__, self.model, connection.address, self.timeout, connection.secret)
