"""HTTP/1.1 requests out of bytes, responses into bytes; no input and output here.

Only what clients of model services send: keep-alive, `Content-Length` and chunked bodies,
`Expect: 100-continue`. Source: RFC 9112.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, TypeAlias

__all__ = ["Ending", "HttpRequest", "RequestReader", "Response", "head", "sse_chunk"]

Ending: TypeAlias = Literal["complete", "close", "reset", "never"]

_HEAD_LIMIT = 65_536
_HEXADECIMAL = frozenset(b"0123456789abcdefABCDEF")
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    content: bytes
    keep_alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What goes back, how it is timed, and how the connection is treated after it.

    Example:
        A handler for a further route, `FakeOpenAI(routes={("GET", "/v1/files/{file}"): retrieve})`.

        >>> def retrieve(request):
        ...     return Response(content=b'{"id": "%b"}' % request.parameters["file"].encode())

    Attributes:
        status: The HTTP status.
        content: The body; not used when there are events.
        content_type: Its media type.
        headers: Further headers.
        events: The pieces of a streamed body, each sent as one chunk.
        delay: Seconds before the first byte.
        event_delay: Seconds between two events.
        ending: `complete`; `close` and `reset` break off after `share` of the body, by an orderly close
            of the connection or by a TCP reset; `never` sends nothing and leaves the client waiting.
        share: The part of the body that is sent before it breaks off, 0 to 1; at 0 not even the head.
    """

    status: int = 200
    content: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    events: Sequence[bytes] = ()
    delay: float = 0.0
    event_delay: float = 0.0
    ending: Ending = "complete"
    share: float = 1.0


def head(response: Response, keep_alive: bool) -> bytes:
    """Return the status line and the headers of a response."""
    lines = [
        _STATUS_LINES.get(response.status) or f"HTTP/1.1 {response.status} \r\n",
        "content-type: ",
        response.content_type,
        "\r\ntransfer-encoding: chunked\r\n" if response.events else f"\r\ncontent-length: {len(response.content)}\r\n",
    ]
    lines.extend(f"{name}: {value}\r\n" for name, value in response.headers.items())
    lines.append("\r\n" if keep_alive else "connection: close\r\n\r\n")
    return "".join(lines).encode("latin-1")


def sse_chunk(event: bytes) -> bytes:
    """Return one piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(event), event)


@dataclass(slots=True)
class _Head:
    """A request whose body has not all come yet."""

    method: str
    target: str
    headers: dict[str, str]
    keep_alive: bool
    length: int | None


class RequestReader:
    """Turns bytes, in whatever pieces they come, into requests."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._chunks = bytearray()
        self._continue = False

    def feed(self, data: bytes) -> None:
        """Take what came from the network."""
        self._buffer += data

    @property
    def pending(self) -> bool:
        """Whether bytes are left after the last request."""
        return bool(self._buffer)

    def take_continue(self) -> bool:
        """Return once per request that waits for `100 Continue` whether it does."""
        waiting, self._continue = self._continue, False
        return waiting

    def next(self) -> HttpRequest | None:
        """Return the next request, or None if it has not all come yet.

        Raises:
            ValueError: If the bytes are not HTTP/1.1.
        """
        if self._head is None:
            self._head = self._take_head()
        start = self._head
        if start is None:
            return None
        content = self._take_chunked() if start.length is None else self._take(start.length)
        if content is None:
            return None
        self._head, self._continue = None, False
        return HttpRequest(start.method, start.target, start.headers, content, start.keep_alive)

    def _take(self, length: int) -> bytes | None:
        if len(self._buffer) < length:
            return None
        content = bytes(memoryview(self._buffer)[:length])
        del self._buffer[:length]
        return content

    def _take_head(self) -> _Head | None:
        end = self._buffer.find(b"\r\n\r\n", 0, _HEAD_LIMIT)
        if end < 0:
            if len(self._buffer) >= _HEAD_LIMIT:
                raise ValueError(f"the headers are longer than {_HEAD_LIMIT} bytes")
            return None
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        return self._parsed_head(first, lines)

    def _parsed_head(self, first: str, lines: list[str]) -> _Head:
        words = first.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise ValueError(f"not an HTTP/1.1 request line: {first[:80]!r}")
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise ValueError(f"not a header: {line[:80]!r}")
            headers[name.lower()] = value.strip(" \t")
        chunked = "transfer-encoding" in headers
        length = None if chunked else _length(headers.get("content-length", "0"))
        self._continue = headers.get("expect", "").lower() == "100-continue"
        connection = headers.get("connection", "").lower()
        keep_alive = connection != "close" if words[2] == "HTTP/1.1" else connection == "keep-alive"
        return _Head(words[0], words[1], headers, keep_alive, length)

    def _take_chunked(self) -> bytes | None:
        """Move whole chunks to the body; return it once the last one has come."""
        while (end := self._buffer.find(b"\r\n", 0, _HEAD_LIMIT)) >= 0:
            size = _chunk_size(bytes(self._buffer[:end]))
            if size == 0:
                return self._take_last_chunk()
            start = end + 2
            if len(self._buffer) < start + size + 2:
                return None
            self._chunks += self._buffer[start : start + size]
            del self._buffer[: start + size + 2]
        if len(self._buffer) >= _HEAD_LIMIT:
            raise ValueError("the size of a chunk is missing")
        return None

    def _take_last_chunk(self) -> bytes | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        del self._buffer[: end + 4]
        content = bytes(self._chunks)
        self._chunks.clear()
        return content


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or not set(digits) <= _HEXADECIMAL:
        raise ValueError(f"not the size of a chunk: {line[:80]!r}")
    return int(digits, 16)


def _length(value: str) -> int:
    if not value.isascii() or not value.isdigit():
        raise ValueError(f"not a Content-Length: {value[:80]!r}")
    return int(value)
