"""One client's connection: requests in, responses out, one at a time, in their order."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Protocol, cast

from .http import HttpRequest, RequestReader, Response, head, sse_chunk

__all__ = ["Application", "Connection"]


class Application(Protocol):
    """What a connection asks for its answers."""

    def respond(self, request: HttpRequest) -> Response:
        """Return the response; must not wait."""
        ...

    def finished(self) -> None:
        """Take note that a request is answered, or that its client has gone."""
        ...


class Connection(asyncio.Protocol):
    """Serves one connection without a task of its own: timers do the waiting, which keeps it cheap."""

    def __init__(self, application: Application, connections: set[Connection]) -> None:
        self._application = application
        self._connections = connections
        self._reader = RequestReader()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False
        self._keep_alive = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the connection, so that the server can end it."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Answer the request if this was its end."""
        self._reader.feed(data)
        if not self._busy:
            self._serve()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the request in hand: nobody waits for its answer any more."""
        del exc
        self._transport = None
        self._connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        self._release()

    def abort(self) -> None:
        """End the connection with a TCP reset."""
        if self._transport is not None:
            client = cast("socket.socket", self._transport.get_extra_info("socket"))
            # Lingering for zero seconds makes the kernel send RST instead of FIN.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def _serve(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        try:
            request = self._reader.next()
        except ValueError as error:
            self._write(Response(status=400, content=str(error).encode(), content_type="text/plain"), False)
            self._transport.close()
            return
        if request is not None:
            self._busy, self._keep_alive = True, request.keep_alive
            response = self._application.respond(request)
            if response.ending != "never":
                self._after(response.delay, partial(self._send, response))
        elif self._reader.take_continue():
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        if seconds > 0:
            self._timer = asyncio.get_running_loop().call_later(seconds, action)
        else:
            action()

    def _send(self, response: Response) -> None:
        if response.ending == "complete" and not response.event_delay:
            self._release()
            self._write(response, self._keep_alive)
            self._finish()
        elif response.events:
            self._send_events(response)
        else:
            self._break_off(response, head(response, self._keep_alive), response.content)

    def _write(self, response: Response, keep_alive: bool) -> None:
        body = b"".join(map(sse_chunk, response.events)) + b"0\r\n\r\n" if response.events else response.content
        if self._transport is not None:
            self._transport.write(head(response, keep_alive) + body)

    def _break_off(self, response: Response, start: bytes, body: bytes) -> None:
        if response.share > 0 and self._transport is not None:
            self._transport.write(start + body[: int(len(body) * response.share)])
        self._end(response)

    def _end(self, response: Response) -> None:
        if response.ending == "reset":
            self.abort()
        elif self._transport is not None:
            self._transport.close()

    def _send_events(self, response: Response) -> None:
        whole = response.ending == "complete"
        count = len(response.events) if whole else int(len(response.events) * response.share)
        if self._transport is not None and (whole or response.share > 0):
            self._transport.write(head(response, self._keep_alive))
        self._send_event(response, 0, count)

    def _send_event(self, response: Response, index: int, count: int) -> None:
        while index < count and self._transport is not None:
            self._transport.write(sse_chunk(response.events[index]))
            index += 1
            if response.event_delay and index < count:
                self._after(response.event_delay, partial(self._send_event, response, index, count))
                return
        if response.ending == "complete" and self._transport is not None:
            self._release()
            self._transport.write(b"0\r\n\r\n")
            self._finish()
        else:
            self._end(response)

    def _release(self) -> None:
        """Count the request as done; before its last byte, so that the client never sees it in flight."""
        if self._busy:
            self._busy = False
            self._application.finished()

    def _finish(self) -> None:
        if self._transport is None:
            return
        if not self._keep_alive:
            self._transport.close()
        elif self._reader.pending:
            asyncio.get_running_loop().call_soon(self._serve)
