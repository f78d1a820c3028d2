"""An open way to a server: by the openai package, or for single replies past it by aiohttp."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .reports import RefusedError

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from openai import AsyncOpenAI, AsyncStream
    from openai._types import RequestOptions

__all__ = ["Channel", "Direct"]

_LARGE_BODY = 2**20  # from here on aiohttp warns of bytes, but not of a file with the same


@dataclass(frozen=True, slots=True)
class Direct:
    """Requests by aiohttp alone.

    The openai package copies, checks and wraps every request and reply on their way through two libraries, which takes
    three times as long as sending them; and its import takes a second.

    Attributes:
        session: Of aiohttp.
        url: Address of the API, without a final slash.
        headers: Of every request.
    """

    session: ClientSession
    url: str
    headers: Mapping[str, str]

    async def post(self, path: str, body: Mapping[str, object]) -> str:
        """Send a request and return the reply's text.

        Raises:
            RefusedError: When the status says that it is no reply.
            OSError: When the server cannot be reached, and `aiohttp.ClientError` when it breaks off.
            TypeError: When the body has what JSON cannot hold; `ValueError` likewise.
        """
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        sent = data if len(data) < _LARGE_BODY else io.BytesIO(data)
        for _ in range(2):  # turns of the loop in which it learns of connections that the server has closed meanwhile
            await asyncio.sleep(0)
        async with self.session.post(self.url + path, data=sent, headers=self.headers) as reply:
            content = await reply.read()
            if reply.status >= 300:
                raise RefusedError(reply.status, content.decode(errors="replace"), reply.headers)
            return content.decode(json.detect_encoding(content))

    def abandon(self) -> None:
        """Let go of the connections of a loop that is closed, of which aiohttp would complain when they go."""
        closing = self.session.close()
        with suppress(StopIteration, RuntimeError):  # nothing is left to wait for
            closing.send(None)


@dataclass(slots=True)
class Channel:
    """An open way to a server.

    Attributes:
        opener: Of a client of the openai package; it streams, and sends everything where there is no way past it.
        direct: The way past it.
    """

    opener: Callable[[], AsyncOpenAI]
    direct: Direct | None = None
    _client: AsyncOpenAI | None = None

    @property
    def client(self) -> AsyncOpenAI:
        """The client of the openai package, opened on first use."""
        if self._client is None:
            self._client = self.opener()
        return self._client

    async def post(self, path: str, body: Mapping[str, object], timeout: float | None = None) -> object:
        """Send a request and return the reply: JSON, or text that may hold some.

        Args:
            path: Of the endpoint, from the API's address on.
            body: The JSON.
            timeout: Seconds, for the openai package; None: as the client was opened.

        Raises:
            Exception: Whatever `report_of` reads.
        """
        if self.direct is not None:
            return await self.direct.post(path, body)
        # By the package's way to any endpoint, which copies and checks least.
        return await self.client.post(path, cast_to=object, body=body, options=_settings(timeout))

    async def stream(self, path: str, body: Mapping[str, object], timeout: float | None = None) -> AsyncStream[object]:
        """Send a request and return the reply in pieces of JSON, once it has begun.

        Args:
            path: Of the endpoint, from the API's address on.
            body: The JSON.
            timeout: Seconds until it begins and between two pieces; None: as the client was opened.

        Raises:
            Exception: Whatever `report_of` reads.
        """
        from openai import AsyncStream  # noqa: PLC0415 - it takes a second

        pieces = AsyncStream[object]
        options = _settings(timeout)
        return await self.client.post(path, cast_to=object, body=body, options=options, stream=True, stream_cls=pieces)

    def abandon(self) -> None:
        """Let go of all connections, which the loop that is closed can no more close."""
        if self.direct is not None:
            self.direct.abandon()

    async def close(self) -> None:
        """Close all connections."""
        if self.direct is not None:
            await self.direct.session.close()
        if self._client is not None:
            await self._client.close()


def _settings(timeout: float | None) -> RequestOptions:
    return {} if timeout is None else {"timeout": timeout}
