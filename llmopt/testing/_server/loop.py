"""The server's thread, with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from llmopt.errors import UsageError

from .connection import Application, Connection

__all__ = ["ServerThread"]

_HOST = "127.0.0.1"
_BACKLOG = 4096


class ServerThread:
    """Serves on loopback between `start` and `stop`; can be started again.

    Args:
        application: Answers the requests.
        port: To listen on; 0 for a free one.
    """

    def __init__(self, application: Application, port: int) -> None:
        self._application = application
        self._wanted_port = port
        self._port: int | None = None
        self._thread: threading.Thread | None = None
        self._stop: Callable[[], object] = int

    def start(self) -> None:
        """Start serving.

        Raises:
            UsageError: If it serves already, or the port cannot be used.
        """
        if self._thread is not None:
            raise UsageError(f"FakeOpenAI: it serves already, at {self.base_url}.")
        started: Future[int] = Future()
        work = self._serve(started)
        thread = threading.Thread(target=asyncio.run, args=(work,), name="llmopt-server", daemon=True)
        thread.start()
        try:
            self._port = started.result()
        except (OSError, OverflowError) as error:
            thread.join()
            place = f"port {self._wanted_port} of {_HOST}"
            message = f"FakeOpenAI: cannot listen on {place}: {error}. Leave port out for a free one."
            raise UsageError(message) from error
        self._thread = thread

    def stop(self) -> None:
        """End all connections and the thread; harmless if it does not serve."""
        if self._thread is not None:
            self._stop()
            self._thread.join()
            self._thread = self._port = None

    @property
    def base_url(self) -> str:
        """What clients take as their base URL.

        Raises:
            UsageError: If it does not serve.
        """
        if self._port is None:
            raise UsageError("FakeOpenAI: it does not serve; use it in a `with` block, or call start().")
        return f"http://{_HOST}:{self._port}/v1"

    async def _serve(self, started: Future[int]) -> None:
        connections: set[Connection] = set()
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                lambda: Connection(self._application, connections), _HOST, self._wanted_port, backlog=_BACKLOG
            )
        except (OSError, OverflowError) as error:
            started.set_exception(error)
            return
        self._stop = partial(loop.call_soon_threadsafe, stopped.set)
        started.set_result(server.sockets[0].getsockname()[1])
        await stopped.wait()
        server.close()
        # A connection may be accepted and not yet known: two rounds of the loop make it known.
        for _ in range(2):
            await asyncio.sleep(0)
        for connection in list(connections):
            connection.abort()
        while connections:
            await asyncio.sleep(0)
